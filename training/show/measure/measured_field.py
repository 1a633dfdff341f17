"""The receptive field of a layer: from theory, and as gradients measure it.

From theory, an output depends on every pixel of a square. In practice pixels near the center matter
far more, since more paths lead from them to the output (Luo et al., arXiv:1701.04128). The gradient
of one output position with respect to each pixel measures how much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ....compiler.analysis.field import Field, fields
from ....compiler.network import Node
from ....compiler.report.figures import pair, plural
from ....compiler.report.style import BOLD, Style, laid_out, wrapped
from ....compiler.shapes import text
from ....dsl.diagnostics import Diagnostic, SpecError
from ...runtime.devices import using
from ..input_images import InputImage
from ..subject import SEED, Subject

_DRAWS = 24
"""Random signs over the channels, for all images together: the squares of the gradients of all
channels, summed, need no more to be known well."""
_SHARE = 0.95
"""The share of the gradient by which the measured field is named."""
_NOISE = 4
"""Images of noise, if no image is given."""


Square = tuple[int, int, int, int]
"""First and last row, first and last column of the input; may lie outside the image."""


@dataclass(frozen=True, eq=False)
class MeasuredField:
    """The receptive field of one position in the middle of a layer's map."""

    node: Node
    place: tuple[int, int]
    """Row and column in the layer's map."""
    rows: tuple[int, int]
    """The first and last row of the input that it sees in theory; may lie outside the image."""
    columns: tuple[int, int]
    whole: bool
    """Whether each output sees the whole input."""
    gradient: Tensor
    """Height x width of the input, with a sum of 1; all zero if no gradient arrives."""
    images: int
    """The number of images that it was measured on; of noise if `noise`."""
    noise: bool

    @property
    def theory(self) -> Square:
        """The square that it sees in theory."""
        if self.whole:
            return 0, self.gradient.shape[0] - 1, 0, self.gradient.shape[1] - 1
        return *self.rows, *self.columns

    @property
    def square(self) -> Square | None:
        """The smallest square around the center of the field that has 95 % of the gradient: the one
        from theory, less as many pixels on each side. None if no gradient arrives."""
        if not float(self.gradient.sum()):
            return None
        top, bottom, left, right = self.theory
        for cut in range(min(bottom - top, right - left) // 2, 0, -1):
            square = (top + cut, bottom - cut, left + cut, right - cut)
            if self._inside(square) >= _SHARE:
                return square
        return self.theory

    def _inside(self, square: Square) -> float:
        """The share of the gradient in a square of pixels."""
        top, bottom, left, right = (max(end, 0) for end in square)
        return float(self.gradient[top : bottom + 1, left : right + 1].sum())

    @property
    def half(self) -> tuple[float, float]:
        """The share of the gradient in the inner half of the theoretical square's side, and what it
        would be if the gradient were the same at all its pixels that are in the image."""
        inner, all_of_it = [], []
        top, bottom, left, right = self.theory
        ends = ((top, bottom), (left, right))
        for (first, last), side in zip(ends, self.gradient.shape, strict=True):
            pixels = torch.arange(side, dtype=torch.float64)
            reach = (last - first + 1) / 4
            # Of a pixel that the border of the inner half cuts, the part inside counts.
            part = (reach + 0.5 - (pixels - (first + last) / 2).abs()).clamp(0, min(1, 2 * reach))
            inner.append(part)
            all_of_it.append(((pixels >= first) & (pixels <= last)).double())
        pixels_inside = float(inner[0].sum() * inner[1].sum())
        pixels_seen = float(all_of_it[0].sum() * all_of_it[1].sum())
        return float(inner[0] @ self.gradient @ inner[1]), pixels_inside / max(pixels_seen, 1)


def measure_field(subject: Subject, node: Node, images: Sequence[InputImage] = ()) -> MeasuredField:
    """Measures the field of the middle of a layer's map. Raises SpecError for a layer that has no
    map."""
    network = subject.network
    subject.must_see_one_image("--field")
    if len(node.shape) != 3 or not node.inputs:
        message = f"{node.name} has no map: its output is {text(node.shape)}"
        raise SpecError([Diagnostic("no-map", message, help="name a layer with a map")])
    generator = torch.Generator().manual_seed(SEED)
    if images:
        batch = torch.stack([image.input for image in images])
    else:
        batch = torch.randn(_NOISE, *network.input.shape, generator=generator)
    row, column = node.shape[1] // 2, node.shape[2] // 2
    squares = torch.zeros(network.input.shape[1:], dtype=torch.float64)
    with using(subject.device), torch.enable_grad():
        for image in batch:  # one at a time: all maps of a batch may not fit into memory
            given = image[None].to(subject.device).requires_grad_()
            output = subject.layers(given, [node])[node.index][0, :, row, column]
            if not output.requires_grad:
                continue
            for _ in range(max(_DRAWS // len(batch), 2)):
                signs = torch.randint(0, 2, output.shape, generator=generator) * 2.0 - 1
                (gradient,) = torch.autograd.grad(
                    output, given, signs.to(output.device), retain_graph=True
                )
                squares += gradient[0].double().square().sum(0).cpu()
    magnitude = squares.sqrt()
    total = float(magnitude.sum())
    field = fields(network)[node.index]
    return MeasuredField(
        node,
        (row, column),
        field[0].at(row),
        field[1].at(column),
        field.whole,
        magnitude / total if total else magnitude,
        len(batch),
        not images,
    )


def field_lines(measured: MeasuredField, field: Field, style: Style) -> Iterator[str]:
    """What `cnn show --field` prints for a layer."""
    node = measured.node
    row, column = measured.place
    yield from wrapped(
        f"{node.name} at {row}, {column} of {text(node.shape[1:])}", style, code=BOLD
    )
    rows, columns = measured.rows, measured.columns
    center = f"{sum(rows) / 2:g}, {sum(columns) / 2:g}"
    entries = []
    if measured.whole:
        entries.append(("in theory", "all of the input"))
    else:
        clipped = _clipped(measured)
        entries.append(
            (
                "in theory",
                f"{pair(field.size)} pixels: rows {rows[0]} to {rows[1]}, columns {columns[0]} to"
                f" {columns[1]} of the input{clipped}; center {center}",
            )
        )
        entries.append(("jump", f"{pair(field.jump)} pixels from one output to the next"))
    on = "noise" if measured.noise else "the image" if measured.images == 1 else "the images"
    how = f"{plural(measured.images, 'image')} of noise" if measured.noise else on
    square = measured.square
    if square is None:
        entries.append(("measured", f"no gradient arrives at the input, on {how}"))
    else:
        half, even = measured.half
        entries += [
            (
                "measured",
                f"{100 * _SHARE:.0f} % of the gradient lies within {sides(square)} pixels,"
                f" on {how}",
            ),
            (
                "inner half",
                f"{100 * half:.0f} % of the gradient lies in the inner half of that side in"
                f" theory; spread evenly it would be {100 * even:.0f} %",
            ),
        ]
    yield from laid_out(entries, style)


def sides(square: Square) -> str:
    """The size of a square: `14x14`."""
    top, bottom, left, right = square
    return f"{bottom - top + 1}x{right - left + 1}"


def _clipped(measured: MeasuredField) -> str:
    height, width = measured.gradient.shape
    inside = measured.rows[0] >= 0 and measured.rows[1] < height
    inside = inside and measured.columns[0] >= 0 and measured.columns[1] < width
    return "" if inside else " (it reaches into the padding)"


def field_data(measured: MeasuredField) -> dict[str, Any]:
    """What `cnn show --field` says of a layer, for JSON."""
    seen = None
    square, (half, even) = measured.square, measured.half
    if not measured.whole:
        seen = {"rows": list(measured.rows), "columns": list(measured.columns)}
    return {
        "layer": measured.node.name,
        "position": list(measured.place),
        "center": [sum(measured.rows) / 2, sum(measured.columns) / 2],
        "in_theory": seen,
        "whole_input": measured.whole,
        "square_of_95_percent": None if square is None else {
            "rows": list(square[:2]), "columns": list(square[2:])
        },
        "inner_half": half if square is not None else None,
        "inner_half_if_even": even,
        "images": 0 if measured.noise else measured.images,
    }  # fmt: skip
