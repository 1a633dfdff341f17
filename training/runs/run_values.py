"""The values of a run by name: facts (`params`, `seconds`, `state`), metrics (`top1`, `test.top1`),
parameters of the network (`width`), and values of the plan (`train.optimizer.lr`). `--where`,
`--sort` and `--columns` all know these names.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from ...compiler.language.overrides import OverrideError, read_override
from ...compiler.language.values import Text, Word, spelled
from ...compiler.plan.metric_names import TRAIN_LOSS, is_metric, metric_named
from ...compiler.plan.plan_values import plan_values
from ...compiler.report.figures import exact
from ..display.number_format import duration, is_share, metric
from .run_facts import RunFacts
from .spec_structure import structure_of

TEST = "test."


class OneOf(Text):
    """A text that equals any of several: the tags of a run, a state of two words."""

    __slots__ = ("names",)
    names: frozenset[str]

    def __new__(cls, names: Iterable[str]) -> OneOf:
        listed = list(names)
        made = super().__new__(cls, ", ".join(listed))
        made.names = frozenset(listed)
        return made

    def __eq__(self, other: object) -> bool:
        return str(other) in self.names if isinstance(other, str) else False

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = Text.__hash__


class Fact(NamedTuple):
    """Something that is known of every run."""

    meaning: str
    value: Callable[[RunFacts], Any]
    """None where it is not known."""
    show: Callable[[Any], str] = str
    words: bool = False
    """Whether it is compared with words and texts."""
    largest_first: bool = False
    """How it is sorted."""


def _state(run: RunFacts) -> OneOf:
    return OneOf([run.state, run.state.replace(" ", "_")][: 1 + (" " in run.state)])


def _when(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")


def _age(moment: datetime | None) -> float | None:
    return None if moment is None else max(0.0, time.time() - moment.timestamp())


FACTS: dict[str, Fact] = {
    "name": Fact("the folder", lambda run: Text(run.name), words=True),
    "state": Fact("what became of it", _state, lambda state: state.split(", ")[0], words=True),
    "kind": Fact("run, ensemble, folds or sweep", lambda run: Word(run.kind), words=True),
    "network": Fact("the network", lambda run: Text(run.network), words=True),
    "spec": Fact("the spec it was started with", lambda run: Text(run.spec_file), words=True),
    "epochs": Fact("complete epochs", lambda run: run.epochs, exact),
    "best_epoch": Fact("the epoch of the best weights", lambda run: run.best_epoch, exact),
    "metric": Fact("what selects the best epoch", lambda run: Word(run.metric), words=True),
    "best": Fact("that metric in the best epoch", lambda run: run.best),
    "params": Fact("parameters", lambda run: run.parameters, exact),
    "trainable": Fact("trainable parameters", lambda run: run.trainable, exact),
    "macs": Fact("multiply-adds", lambda run: run.macs, exact),
    "seconds": Fact("time of training", lambda run: run.seconds, duration),
    "device": Fact("the device", lambda run: Text(run.device), words=True),
    "seed": Fact("the seed", lambda run: run.seed, exact),
    "started": Fact(
        "when it was started", lambda run: run.started, _when, words=True, largest_first=True
    ),
    "age": Fact("the time since then", lambda run: _age(run.started), duration),
    "tag": Fact("a tag", lambda run: OneOf(run.tags), words=True),
    "note": Fact("the note", lambda run: Text(run.note), words=True),
    "version": Fact("of dotcnn", lambda run: Text(run.version), words=True),
}
"""By name."""

SYNONYMS = {"tags": "tag", "parameters": "params", "time": "seconds", "run": "name"}


class Values:
    """The values of a run by name."""

    def __init__(self, run: RunFacts) -> None:
        self.run = run
        self._plan: dict[str, object] | None = None
        self._parameters: dict[str, object] | None = None

    def get(self, name: str) -> Any:
        """A value; None if it is not known of this run."""
        fact = FACTS.get(SYNONYMS.get(name, name))
        if fact is not None:
            return fact.value(self.run)
        if name in self.run.metrics:
            return self.run.metrics[name]
        if name.startswith(TEST) and name[len(TEST) :] in self.run.test:
            return self.run.test[name[len(TEST) :]]
        return self.plan.get(name) if "." in name else self.parameters.get(name)

    @property
    def plan(self) -> dict[str, object]:
        if self._plan is None:
            self._plan = plan_values(self.run.plan) if self.run.plan is not None else {}
        return self._plan

    @property
    def parameters(self) -> dict[str, object]:
        """The parameters of its network."""
        if self._parameters is None:
            texts = dict(self.run.parameter_values)
            structure = structure_of(self.run.spec or "", self.run.options.network)
            if structure is not None:
                texts = {**structure.parameters, **texts}
            self._parameters = {name: _parsed(name, text) for name, text in texts.items()}
        return self._parameters

    def names(self) -> set[str]:
        """All names that this run has a value of, without synonyms."""
        run = self.run
        return {
            *FACTS,
            *run.metrics,
            *(TEST + name for name in run.test),
            *self.plan,
            *self.parameters,
        }


def _parsed(name: str, text: str) -> object:
    """The value of a parameter; the text of one that depends on others."""
    try:
        return read_override(f"{name}={text}")[1]
    except OverrideError:
        return Text(text)


# ---- to show, and to sort --------------------------------------------------------------------


def shown_value(name: str, value: Any) -> str:
    """A value for people."""
    if value is None:
        return ""
    fact = FACTS.get(SYNONYMS.get(name, name))
    if fact is not None and name != "best":
        return fact.show(value)
    return shown_metric(name.removeprefix(TEST), value) if is_metric_name(name) else spelled(value)


def shown_metric(name: str, value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return metric(name, value)


def is_metric_name(name: str) -> bool:
    name = name.removeprefix(TEST)
    return name == TRAIN_LOSS or (is_metric(name) and not name.startswith("train."))


def is_share_name(name: str) -> bool:
    """Whether it is a metric between 0 and 1, shown in percent."""
    return is_metric_name(name) and is_share(name.removeprefix(TEST))


def largest_first(name: str) -> bool:
    """Whether the largest value is the first when sorted: of metrics, the best one is."""
    fact = FACTS.get(SYNONYMS.get(name, name))
    if fact is not None:
        return fact.largest_first
    return is_metric_name(name) and metric_named(name.removeprefix(TEST)).higher


def plain_value(value: Any) -> Any:
    """A value for JSON and CSV."""
    if isinstance(value, OneOf):
        return value.split(", ")[0] if value else ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    return str(value) if isinstance(value, str) else spelled(value)
