"""The values of a plan by the names that `--set` has for them: `train.epochs`,
`train.optimizer.lr`, `augment.rotate`."""

from __future__ import annotations

from collections.abc import Iterator

from ..language.signature import Field
from ..language.values import Word
from .directive import Directive
from .plan import TrainPlan, slots


def plan_values(plan: TrainPlan) -> dict[str, object]:
    """Every argument of every directive. A directive of several kinds is its kind,
    `train.optimizer` adamw; one that there is not is off."""
    found: dict[str, object] = {}
    for section in ("train", "evaluate", "transfer"):
        part = getattr(plan, section)
        for slot in slots(type(part)) if part is not None else ():
            value = getattr(part, slot.name)
            several = value if isinstance(value, tuple) else (value,) if value else ()
            found[f"{section}.{slot.word}"] = bool(several)
            for directive in several[:1]:
                found.update(_of(f"{section}.{slot.word}", directive))
    for directive in plan.augment:
        for name, value in _of(f"augment.{directive.head()}", directive):
            found.setdefault(name, value)
    return found


def argument_name(name: str, directive: Directive, field: Field) -> str:
    """The name of an argument of the directive `name`: `train.epochs` for what needs no name, as
    `epochs 30`; else `train.optimizer.lr`."""
    first = field is next(iter(directive.fields.values()))
    return (
        name if first and not directive.kind and not field.keyword_only else f"{name}.{field.name}"
    )


def _of(name: str, directive: Directive) -> Iterator[tuple[str, object]]:
    yield name, Word(directive.kind) if directive.kind else True
    for field in directive.fields.values():
        yield argument_name(name, directive, field), getattr(directive, field.name)
