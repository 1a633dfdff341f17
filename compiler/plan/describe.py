"""Prints a plan as the text of its sections, with every default filled in: `cnn explain FILE
train`.
"""

from __future__ import annotations

from collections.abc import Iterator

from .data import NoData
from .directive import Directive
from .plan import TrainPlan, slots
from .sweep_plan import SweepPlan

_COLUMN = 44
"""The column of comments, for lines that are short enough."""


def describe(plan: TrainPlan, section: str | None = None) -> list[str]:
    """The lines of one section, or of all sections, as valid text of a spec."""
    lines: list[str] = []
    for name in (section,) if section else _SECTIONS:
        lines += [""] * bool(lines) + list(_SECTIONS[name](plan) if name in _SECTIONS else ())
    return lines


def _train(plan: TrainPlan) -> Iterator[str]:
    yield from _body("train", plan.train)


def _evaluate(plan: TrainPlan) -> Iterator[str]:
    yield from _body("evaluate", plan.evaluate)


def _augment(plan: TrainPlan) -> Iterator[str]:
    if not plan.augment:
        yield "# augment: none; images are not changed"
        return
    yield "augment {"
    for directive in plan.augment:
        yield _line(directive)
    yield "}"


def _transfer(plan: TrainPlan) -> Iterator[str]:
    if plan.transfer is None:
        yield "# transfer: none; training starts from random weights"
        return
    yield from _body("transfer", plan.transfer)


_SECTIONS = {
    "train": _train,
    "augment": _augment,
    "evaluate": _evaluate,
    "transfer": _transfer,
}


def describe_sweep(plan: SweepPlan) -> list[str]:
    """The section `sweep` with every default: it belongs to no plan of a single run."""
    given = (plan.trials, plan.metric, plan.sampler, plan.prune, plan.seed, plan.limit)
    lines = [_with_comment(str(search), search.place) for search in plan.searches]
    lines += [_line(one) for one in given if one is not None and str(one) != one.word]
    return ["sweep {", *lines, *([_line(plan.storage)] if plan.storage else []), "}"]


def _body(name: str, section: object) -> Iterator[str]:
    yield f"{name} {{"
    for slot in slots(type(section)):
        value = getattr(section, slot.name)
        if isinstance(value, NoData):
            yield '  # data: none; write `data folder "images"`'
        elif isinstance(value, tuple) and value:
            yield from map(_line, value)
        elif value:
            yield _line(value)
        elif slot.kind.may_be_off and name != "transfer":
            yield _with_comment(f"{slot.word} off", f"default: {slot.kind.doc()}")
    yield "}"


def _line(directive: Directive) -> str:
    comment = directive.remark()
    return _with_comment(str(directive), comment if directive.written else f"default: {comment}")


def _with_comment(statement: str, comment: str) -> str:
    return f"  {statement:<{_COLUMN - 4}}  # {comment}"
