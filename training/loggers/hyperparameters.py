"""The hyperparameters of a run: every argument of its plan under a readable name.

    train.batch = 64, train.optimizer = "adamw", train.optimizer.lr = 0.005, augment.flip = "…"

A name is that of the directive, as in `--set`; its first argument, or its kind, is its value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...compiler.plan.directive import Directive
from ...compiler.plan.log import Log
from ...compiler.plan.plan import TrainPlan, slots
from ..trainer.callbacks import RunStart

Value = str | int | float

_HERE = (Log,)
"""Directives that change nothing about the weights."""


def hyperparameters(start: RunStart) -> dict[str, Value]:
    """Those of a run, with the parameters of its network."""
    found: dict[str, Value] = {"network": start.network, "network.parameters": start.parameters}
    if start.graph is not None:
        for name, value in start.graph.parameters.items():
            found[f"network.{name}"] = _plain(value)
    return found | _of_plan(start.plan)


def _of_plan(plan: TrainPlan) -> dict[str, Value]:
    found: dict[str, Value] = {}
    sections = {"train": plan.train, "evaluate": plan.evaluate, "transfer": plan.transfer}
    for section, directives in sections.items():
        if directives is None:
            continue
        for slot in slots(type(directives)):
            value = getattr(directives, slot.name)
            if not issubclass(slot.kind, _HERE):
                several = value if slot.several else () if value is None else (value,)
                found |= _numbered(f"{section}.{slot.word}", several)
                if not several and not slot.several:
                    found[f"{section}.{slot.word}"] = "off"
    by_word: dict[str, list[Directive]] = {}
    for directive in plan.augment:
        by_word.setdefault(directive.head(), []).append(directive)
    for word, same in by_word.items():
        found |= _numbered(f"augment.{word}", same)
    return found


def _numbered(name: str, directives: Sequence[Directive]) -> dict[str, Value]:
    """The arguments of directives of one word; of the second on, with its number."""
    found: dict[str, Value] = {}
    for number, directive in enumerate(directives, 1):
        found.update(_arguments(name if number == 1 else f"{name}.{number}", directive))
    return found


def _arguments(name: str, directive: Directive) -> Iterator[tuple[str, Value]]:
    fields = list(directive.fields.values())
    own = None if directive.kind or not fields or fields[0].keyword_only else fields[0]
    if own is None:
        yield name, directive.kind or "on"
    for field in fields:
        value = getattr(directive, field.name)
        if value is not None or field is own:
            number = isinstance(value, (bool, int, float))
            shown = _plain(value) if number else "none" if value is None else field.show(value)
            yield name if field is own else f"{name}.{field.name}", shown


def _plain(value: object) -> Value:
    """Numbers without subclasses, which a plan has for percentages; switches as in a spec."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) else str(value)
