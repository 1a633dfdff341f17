"""Which code does a directive of `augment` to pixels: the table that `@implements` fills.

    @implements(Rotate, WARP)
    def rotate(directive: Rotate, step: Step, resources: Resources) -> MakeTransform: ...

What is entered for a directive depends on the pass that it is part of: something that makes a
`Transform` for `MOVE` and `WARP`, a `ChangeColors` for each of its colour changes, else the pass
itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from torch import Tensor

from ...compiler.plan.augment import Augmentation, PassKind
from ...compiler.plan.fusion import Step
from .noise_table import NoiseTable
from .random_numbers import Layout

Normalization = tuple[Tensor, Tensor]
"""Factor and offset of each channel: what pixels of 0..255 become."""


class Resources(NamedTuple):
    """What passes are made with."""

    layout: Layout
    """Reserves random numbers for a directive."""
    normal: NoiseTable
    uniform: NoiseTable
    normalization: Normalization

    @staticmethod
    def of(seed: int, normalization: Normalization) -> Resources:
        normal, uniform = NoiseTable(seed, "normal"), NoiseTable(seed, "uniform")
        return Resources(Layout(), normal, uniform, normalization)


Make = TypeVar("Make", bound=Callable[..., Any])

_IMPLEMENTATIONS: dict[tuple[type[Augmentation], str], Callable[..., Any]] = {}


def implements(directive: type[Augmentation], *parts: PassKind | str) -> Callable[[Make], Make]:
    """For kinds of passes, or the names of colour changes."""

    def enter(make: Make) -> Make:
        for part in parts:
            name = part if isinstance(part, str) else part.name
            assert (directive, name) not in _IMPLEMENTATIONS, (directive, name)
            _IMPLEMENTATIONS[directive, name] = make
        return make

    return enter


def implementation(step: Step, resources: Resources, change: str = "") -> Any:
    """What is entered for a step, or for one of its colour changes, made for it."""
    make = _IMPLEMENTATIONS[type(step.directive), change or step.kind.name]
    return make(step.directive, step, resources)
