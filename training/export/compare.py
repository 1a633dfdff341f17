"""Compares the outputs of an exported network with those of the module."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

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


def random_images(shapes: Sequence[Shape], batch: int) -> list[Tensor]:
    """Random images for each input, the same in each call; torch's global generator is not used."""
    generator = torch.Generator().manual_seed(batch)
    return [torch.randn(batch, *shape, generator=generator) for shape in shapes]


def run(module: Callable[..., object], images: Sequence[Tensor]) -> list[Tensor]:
    """The outputs for images, one for each input."""
    with torch.no_grad():
        leaves = tree_leaves(module(*images))
    return [leaf for leaf in leaves if isinstance(leaf, Tensor)]


def compare(
    module: nn.Module,
    other: Callable[..., object],
    shapes: Sequence[Shape],
    batch: int,
    what: str,
) -> Difference:
    """The difference between the outputs of `module` and `other`, the largest if there are several.
    Raises SpecError if it exceeds the tolerance; the message calls the other one `what`."""
    images = random_images(shapes, batch)
    expected, actual = run(module, images), run(other, images)
    if not all(tensor.isfinite().all() for tensor in expected):
        message = (
            "the network's outputs for random images are not finite, so they cannot be compared"
        )
        help = "export it with trained weights, which keep outputs finite: --weights"
        raise SpecError([Diagnostic("export-check", message, help=help)])
    shapes_of = [[tuple(tensor.shape) for tensor in each] for each in (actual, expected)]
    if shapes_of[0] != shapes_of[1]:
        of_actual, of_expected = [each[0] if len(each) == 1 else each for each in shapes_of]
        raise _differs(what, batch, f"its output is {of_actual}, not {of_expected}")
    differences = [
        _compared(module, images, number, pair, what)
        for number, pair in enumerate(zip(expected, actual, strict=True))
    ]
    return max(differences, key=lambda each: (each.rounding, each.relative))


def _compared(
    module: nn.Module,
    images: Sequence[Tensor],
    number: int,
    both: tuple[Tensor, Tensor],
    what: str,
) -> Difference:
    """The difference between the two for the output of this number."""
    expected, actual = both[0].double(), both[1].double()
    batch = len(images[0])
    difference = Difference(
        batch, (actual - expected).abs().max().item(), expected.abs().max().item()
    )
    # Written so that NaN does not pass.
    if difference.absolute <= TOLERANCE * difference.largest:
        return difference
    if not _only_rounding(module, images, number, expected, actual):
        place = tuple(int(i) for i in _place((actual - expected).abs().nan_to_num(torch.inf)))
        note = f"at {place} it is {actual[place].item():.7g}, not {expected[place].item():.7g}"
        raise _differs(what, batch, str(difference), note)
    return difference._replace(rounding=True)


def _only_rounding(
    module: nn.Module, images: Sequence[Tensor], number: int, expected: Tensor, actual: Tensor
) -> bool:
    """Whether the difference is rounding: in single precision, the module's own result is about as
    far from the exact one, in double precision."""
    exact = run(copy.deepcopy(module).double(), [each.double() for each in images])[number]
    own, others = ((exact - result).abs().max() for result in (expected, actual))
    return bool(others <= ROUNDING * own)


def _place(differences: Tensor) -> tuple[Tensor, ...]:
    """The index of the largest difference."""
    return torch.unravel_index(differences.argmax(), differences.shape)


def _differs(what: str, batch: int, *notes: str) -> SpecError:
    message = f"{what} gives different outputs for a batch of {batch}; no file is written"
    return SpecError([Diagnostic("export-check", message, notes=notes)])
