"""Whether two ways to compute a network come to the same."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...compiler.shapes import Shape
from ...dsl.diagnostics import Diagnostic, SpecError

TOLERANCE = 1e-4
"""How far two results may be apart, as a part of the largest number in them. Single precision
leaves some 1e-6 in deep networks; an `eps` that was lost is 1e-3 and more."""

ROUNDING = 4
"""… and beyond that, from what the module comes to in double precision: how many times as far as
its own result in single precision is."""

BATCHES = (1, 3)
"""Sizes that results are compared for, where any is allowed."""


class Difference(NamedTuple):
    """Between what two ways make of the same random images."""

    batch: int
    absolute: float
    """The largest."""
    largest: float
    """The largest number of the first result, its sign left out."""
    rounding: bool = False
    """Whether it is more than is allowed, and yet no more than single precision makes of it."""

    @property
    def relative(self) -> float:
        return self.absolute / self.largest if self.largest else self.absolute

    def __str__(self) -> str:
        allowed = "as single precision has it" if self.rounding else f"{TOLERANCE:.0e} is allowed"
        relative = f"{self.relative:.1e} of the largest output ({allowed})"
        return f"largest difference {self.absolute:.1e}, {relative}"


def random_images(shape: Shape, batch: int) -> Tensor:
    """The same each time; torch's own sequence of random numbers is left alone."""
    return torch.randn(batch, *shape, generator=torch.Generator().manual_seed(batch))


def run(module: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        result: Tensor = module(images)
    return result


def compare(
    module: nn.Module,
    other: Callable[[Tensor], Tensor],
    shape: Shape,
    batch: int,
    what: str,
) -> Difference:
    """Raises SpecError where `other`, which is `what`, is not the module to a tolerance."""
    images = random_images(shape, batch)
    expected, found = run(module, images).double(), other(images).double()
    if not expected.isfinite().all():
        message = (
            "the network's outputs for random images are not finite, so they cannot be compared"
        )
        help = "export it with trained weights, which keep outputs finite: --weights"
        raise SpecError([Diagnostic("export-check", message, help=help)])
    if found.shape != expected.shape:
        shapes = [tuple(tensor.shape) for tensor in (found, expected)]
        raise _differs(what, batch, f"its output is {shapes[0]}, not {shapes[1]}")
    difference = Difference(
        batch, (found - expected).abs().max().item(), expected.abs().max().item()
    )
    # Written so that what is no number does not pass.
    if difference.absolute <= TOLERANCE * difference.largest:
        return difference
    if not _only_rounding(module, images, expected, found):
        place = tuple(int(i) for i in _place((found - expected).abs().nan_to_num(torch.inf)))
        there = f"at {place} it is {found[place].item():.7g}, not {expected[place].item():.7g}"
        raise _differs(what, batch, str(difference), there)
    return difference._replace(rounding=True)


def _only_rounding(module: nn.Module, images: Tensor, expected: Tensor, found: Tensor) -> bool:
    """Whether it is the module that is so sensitive: its own result in single precision is as far,
    or nearly so, from what it comes to in double precision."""
    exact = run(copy.deepcopy(module).double(), images.double())
    own, others = ((exact - result).abs().max() for result in (expected, found))
    return bool(others <= ROUNDING * own)


def _place(differences: Tensor) -> tuple[Tensor, ...]:
    """Of the largest one."""
    return torch.unravel_index(differences.argmax(), differences.shape)


def _differs(what: str, batch: int, *notes: str) -> SpecError:
    message = f"{what} gives different outputs for a batch of {batch}; it is not written"
    return SpecError([Diagnostic("export-check", message, notes=notes)])
