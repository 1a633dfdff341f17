"""Compares the outputs of an exported network with those of the module."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...compiler.shapes import Shape
from ...dsl.diagnostics import Diagnostic, SpecError

TOLERANCE = 1e-4
"""The largest difference allowed, relative to the largest output. Rounding in single precision is
about 1e-6 in deep networks; a lost `eps` makes a difference of 1e-3 or more."""

ROUNDING = 4
"""A larger difference is still allowed if it is rounding: if the error of the exported network,
against the module in double precision, is at most this many times the error of the module itself in
single precision."""

BATCHES = (1, 3)
"""The batch sizes for which outputs are compared, if any batch size is allowed."""


class Difference(NamedTuple):
    """The difference between two outputs for the same random images."""

    batch: int
    absolute: float
    """The largest absolute difference."""
    largest: float
    """The largest absolute value of the first output."""
    rounding: bool = False
    """Whether it exceeds the tolerance, but only by rounding in single precision."""

    @property
    def relative(self) -> float:
        return self.absolute / self.largest if self.largest else self.absolute

    def __str__(self) -> str:
        allowed = "rounding of single precision" if self.rounding else f"{TOLERANCE:.0e} is allowed"
        relative = f"{self.relative:.1e} of the largest output ({allowed})"
        return f"largest difference {self.absolute:.1e}, {relative}"


def random_images(shape: Shape, batch: int) -> Tensor:
    """Random images, the same in each call; torch's global generator is not used."""
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
    """The difference between the outputs of `module` and `other`. Raises SpecError if it exceeds
    the tolerance; the message calls the other one `what`."""
    images = random_images(shape, batch)
    expected, actual = run(module, images).double(), other(images).double()
    if not expected.isfinite().all():
        message = (
            "the network's outputs for random images are not finite, so they cannot be compared"
        )
        help = "export it with trained weights, which keep outputs finite: --weights"
        raise SpecError([Diagnostic("export-check", message, help=help)])
    if actual.shape != expected.shape:
        shapes = [tuple(tensor.shape) for tensor in (actual, expected)]
        raise _differs(what, batch, f"its output is {shapes[0]}, not {shapes[1]}")
    difference = Difference(
        batch, (actual - expected).abs().max().item(), expected.abs().max().item()
    )
    # Written so that NaN does not pass.
    if difference.absolute <= TOLERANCE * difference.largest:
        return difference
    if not _only_rounding(module, images, expected, actual):
        place = tuple(int(i) for i in _place((actual - expected).abs().nan_to_num(torch.inf)))
        note = f"at {place} it is {actual[place].item():.7g}, not {expected[place].item():.7g}"
        raise _differs(what, batch, str(difference), note)
    return difference._replace(rounding=True)


def _only_rounding(module: nn.Module, images: Tensor, expected: Tensor, actual: Tensor) -> bool:
    """Whether the difference is rounding: in single precision, the module's own result is about as
    far from the exact one, in double precision."""
    exact = run(copy.deepcopy(module).double(), images.double())
    own, others = ((exact - result).abs().max() for result in (expected, actual))
    return bool(others <= ROUNDING * own)


def _place(differences: Tensor) -> tuple[Tensor, ...]:
    """The index of the largest difference."""
    return torch.unravel_index(differences.argmax(), differences.shape)


def _differs(what: str, batch: int, *notes: str) -> SpecError:
    message = f"{what} gives different outputs for a batch of {batch}; no file is written"
    return SpecError([Diagnostic("export-check", message, notes=notes)])
