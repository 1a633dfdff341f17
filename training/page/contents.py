"""Everything that the report shows: network, outcome, data, epochs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from ...compiler.network import Network
from ...compiler.plan.plan import NamedInput
from ..data.diagnostic import plural_noun
from ..data.opened import Opened
from ..find_lr.found_rate import FoundRate
from ..inference.chosen_outputs import Chosen
from ..metrics.guessing import Guessing
from ..metrics.outcome import Outcome
from ..metrics.verdict.facts import Facts
from ..metrics.verdict.verdict import verdict
from ..tasks.classification import Classification
from ..tasks.multi_task import MultiTask
from ..tasks.task import Task
from ..trainer.callbacks import EpochRecord
from .markup import Html, section

ALL = slice(None)


@dataclass(frozen=True, eq=False)
class Contents:
    """A trained network and everything that the page shows about it."""

    network: Network
    module: nn.Module
    outcome: Outcome
    data: Opened
    epochs: Sequence[EpochRecord]
    record: Mapping[str, Any]
    transfer: str = ""
    """transfer.txt; empty without transfer learning."""
    found_rate: FoundRate | None = None
    """The range test that the learning rate comes from, if there was one."""
    of: str = ""
    """The output that the sections are about, if the network has several."""
    channels: slice = field(default_factory=lambda: ALL)
    """If that is a mask or an image, its channels among those behind an image."""

    @property
    def of_word(self) -> str:
        """The output as part of an HTML id; empty if the network has one."""
        return f"{_word(self.of)}-" if self.of else ""

    def section(self, name: str, title: str, *parts: str) -> Html:
        """A section about the answers; its title says of which output, if there are several."""
        if not self.of:
            return section(name, title, *parts)
        return section(f"{name}_{_word(self.of)}", f"{title}: {self.of}", *parts)

    def each_output(self) -> Iterator[Contents]:
        """The same about each output."""
        answers = {answer.output: answer for answer in self.data.dataset.answers}
        for place, (name, outcome) in enumerate(self.outcome.outputs.items()):
            own = answers[name]
            described = replace(
                self.data.dataset, classes=own.classes, task=own.task, scale=own.scale, answers=()
            )
            yield replace(
                self,
                module=Chosen(self.module, [place]),
                outcome=outcome,
                data=replace(
                    self.data,
                    dataset=described,
                    plan=replace(self.data.plan, ends_in=own.ends_in),
                ),
                of=name,
                channels=_channels(self.data.task, place),
            )

    @property
    def classes(self) -> tuple[str, ...]:
        return self.data.dataset.classes

    @property
    def shown_metrics(self) -> tuple[str, ...]:
        """The metrics that the plan wants to see, of those that the task has."""
        task = self.data.task
        return task.shown(task.wanted(self.data.plan.train.metrics))

    @property
    def one_class(self) -> bool:
        """Whether each image has one class."""
        return self.data.task.word == Classification.word

    @property
    def device(self) -> torch.device:
        """The device that the module is on."""
        return next((p.device for p in self.module.parameters()), torch.device("cpu"))

    @cached_property
    def best(self) -> int | None:
        """The best epoch of the run."""
        return max((each.epoch for each in self.epochs if each.best), default=None)

    @cached_property
    def guess(self) -> Guessing | None:
        """What guessing would give on the validation set; None if there is none, or if answers are
        images."""
        if self._facts is None or self._facts.images or not self._facts.val.count:
            return None
        return self._facts.guess

    @cached_property
    def verdict(self) -> list[str]:
        """What the metrics of the run show, as its record says; or, if the record is older than
        that, as its epochs show it now."""
        result = self.record.get("result")
        if isinstance(result, Mapping) and isinstance(result.get("verdict"), list):
            return [str(each.get("text", "")) for each in result["verdict"]]
        return [each.text for each in verdict(self._facts)] if self._facts is not None else []

    @cached_property
    def _facts(self) -> Facts | None:
        return Facts.of(
            self.data.plan,
            self.network,
            self.data.dataset,
            self.epochs,
            comparisons=self.outcome.comparisons,
        )

    @cached_property
    def predicted(self) -> Tensor:
        """The most probable class of each image."""
        return self.outcome.answers.argmax(1)

    @cached_property
    def wrong(self) -> list[int]:
        """The indices of misclassified images, most confident first."""
        if not self.one_class:
            return []
        confidence = self.outcome.answers.amax(1)
        places = (self.predicted != self.outcome.labels).nonzero().flatten()
        order = confidence[places].argsort(descending=True, stable=True)
        return [int(place) for place in places[order]]

    @property
    def nouns(self) -> str:
        """What several samples of the data are called: `images`, `series`."""
        return plural_noun(self.data.dataset.noun)

    def image(self, index: int) -> Tensor:
        """An image, a series or a scan as the network sees it, before normalization."""
        return self.data.image(self.outcome.part, self.row(index))

    @property
    def inputs(self) -> tuple[NamedInput, ...]:
        """The inputs of a network that has several, whose images are shown side by side."""
        return self.data.preparation.inputs

    def name(self, index: int) -> str:
        return self.data.name(self.outcome.part, self.row(index))

    def row(self, index: int) -> int:
        """The index in the part of an image of the outcome."""
        return index if self.outcome.rows is None else int(self.outcome.rows[index])

    def class_of(self, index: int) -> str:
        return self.classes[int(self.outcome.labels[index])]


def _channels(task: Task, place: int) -> slice:
    """The channels of the map of one of several outputs."""
    assert isinstance(task, MultiTask)
    one = task.each[place]
    return task.channels_of(one) if one.answer.is_map else ALL


def _word(name: str) -> str:
    """A name as part of an HTML id."""
    return re.sub(r"\W", "_", name)
