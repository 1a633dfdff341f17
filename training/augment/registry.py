"""Which code implements a directive of `augment`: the table that `@implements` fills.

    @implements(Rotate, WARP)
    def rotate(directive: Rotate, step: Step, resources: Resources) -> MakeTransform: ...

The entry of a directive depends on the pass that it is part of: for `MOVE` and `WARP`, a function
that makes a `Transform`; for color changes, a function that makes a `ChangeColors`; otherwise the
pass itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from torch import Tensor

from ...compiler.plan.augment.augmentation import Augmentation
from ...compiler.plan.augment.passes import PassKind
from ...compiler.plan.fusion import Step
from .noise_table import NoiseTable
from .random_numbers import Layout

Normalization = tuple[Tensor, Tensor]
"""Factor and offset of each channel, applied to pixels from 0 to 255."""


class Resources(NamedTuple):
    """What passes are built with."""

    layout: Layout
    """Reserves random numbers for a directive, on the device of the images."""
    on_cpu: Layout
    """Reserves random numbers on the CPU, for passes that are `ChosenOnCpu`."""
    normal: NoiseTable
    uniform: NoiseTable
    normalization: Normalization
    step: int = 1
    """Crops start at multiples of it, where a pixel of a smaller image is a square."""
    clips: bool = True
    """Whether pixels are from 0 to 255, and stay so; numbers in units of their own have no limits.
    """

    @staticmethod
    def of(
        seed: int, normalization: Normalization, step: int = 1, *, clips: bool = True
    ) -> Resources:
        normal, uniform = NoiseTable(seed, "normal"), NoiseTable(seed, "uniform")
        return Resources(Layout(), Layout(), normal, uniform, normalization, step, clips)


Make = TypeVar("Make", bound=Callable[..., Any])

_IMPLEMENTATIONS: dict[tuple[type, str], Callable[..., Any]] = {}


def implements(directive: type[Augmentation], *parts: PassKind | str) -> Callable[[Make], Make]:
    """Registers an implementation of a directive, for kinds of passes or names of color changes."""

    def enter(make: Make) -> Make:
        for part in parts:
            name = part if isinstance(part, str) else part.name
            assert (directive, name) not in _IMPLEMENTATIONS, (directive, name)
            _IMPLEMENTATIONS[directive, name] = make
        return make

    return enter


def implementation(step: Step, resources: Resources, change: str = "") -> Any:
    """Builds the registered implementation of a step, or of one of its color changes."""
    name = change or step.kind.name
    for kind in type(step.directive).__mro__:  # one of a plug-in has the implementation of its base
        make = _IMPLEMENTATIONS.get((kind, name))
        if make is not None:
            return make(step.directive, step, resources)
    raise AssertionError((step.directive.word, name))
