"""Layers that a block is handed: `act` of `block unit(width, act) { conv width 3x3, act }`.

Where calls hand over different ones, and these differ in nothing but their class, the class becomes
an argument of the block's own: `self.act = act()`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .body import Body, Key, Step
from .frame import GIVEN, Frame, Kind, Leaf

_IN_PLACE = "inplace"


def with_kinds(bodies: Sequence[Body]) -> list[Body]:
    """The same, with one frame for each such layer where that is possible."""
    found: dict[Key, list[Step]] = {}
    for body in bodies:
        for step in body.steps:
            if getattr(step.item, "given", None) is not None and step.frame is not None:
                found.setdefault(step.key, []).append(step)
    frames = {key: frame for key, steps in found.items() if (frame := _common(steps)) is not None}
    if not frames:
        return list(bodies)
    return [
        body._replace(steps=tuple([_handed(step, frames.get(step.key)) for step in body.steps]))
        for body in bodies
    ]


def _common(steps: Iterable[Step]) -> Frame | None:
    """One frame for layers of several classes, which have no arguments; they all work in place or
    none does."""
    kinds = {step.frame: step for step in steps}
    if len(kinds) < 2 or not all(_is_bare(step) for step in kinds.values()):
        return None
    options = [
        [leaf.name for leaf in frame.items if isinstance(leaf, Leaf)] for frame in kinds if frame
    ]
    word = next(step.item.given for step in kinds.values())  # type: ignore[union-attr]
    items = [Leaf(name=word or "")]
    if all(_IN_PLACE in names for names in options):
        items.append(Leaf(False, _IN_PLACE))
    return Frame(GIVEN, tuple(items))


def _is_bare(step: Step) -> bool:
    assert step.frame is not None
    return all(isinstance(item, Leaf) and item.name == _IN_PLACE for item in step.frame.items)


def _handed(step: Step, frame: Frame | None) -> Step:
    if frame is None or step.frame is None:
        return step
    own = dict(
        zip(
            [item.name for item in step.frame.items if isinstance(item, Leaf)],
            step.leaves,
            strict=True,
        )
    )
    leaves = [Kind(step.frame.name), *(own[_IN_PLACE] for leaf in frame.items[1:])]
    return step._replace(frame=frame, leaves=tuple(leaves))
