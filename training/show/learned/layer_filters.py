"""`cnn show --filters LAYER`: the filters of any layer with weights, as pictures.

What a filter looks like depends on what it reads. One that reads the three colors of the image is
itself a small color image, with gray for zero. One that reads a single map has signed colors. One
that reads many maps has a kernel for each, of which the strongest are shown. 1x1 convolutions and
fully connected layers are matrices, unless the input of a fully connected layer was a map: then
each of its outputs has a picture of that map's size. Filters of series are curves; of those of
volumes, the slices stand side by side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ....compiler.network import Node
from ....compiler.report.grid import Column, grid
from ....compiler.report.style import BOLD, FAINT, Style, wrapped
from ....compiler.shapes import Shape, text
from ....dsl.diagnostics import Diagnostic, SpecError
from ..choose_layer import Chosen
from ..pictures.adjust import enlarged, framed, in_rows
from ..pictures.colors import filter_pictures, signed_colors
from ..pictures.picture_sheet import Cell, ColorScale, Group, PictureSheet
from ..pictures.series_picture import curve
from ..subject import Subject

_MOST, _MOST_ROWS = 128, 48
"""The most filters that are shown: of one picture each, of a row of pictures each."""
_INPUTS = 9
"""The most input channels of a filter that are shown, and if filters are named."""
_INPUTS_NAMED = 64
_MATRIX = 256
"""The most rows and columns of a matrix that are shown."""
_LISTED = 16
"""The most filters in the table."""
_TILE = 64
_CURVE = (150, 60)
"""Width and height of a filter of a series."""
_ALMOST_ZERO = 0.01
"""A filter whose norm is below this share of the median is called almost zero."""
_COLORS = ("red", "green", "blue")
_AS_NUMBERS = (4, 3, 7)
"""Filters are printed as numbers if there are at most this many, with at most this many input
channels, of at most this size."""


@dataclass(frozen=True, eq=False)
class Filters:
    """The filters of a layer."""

    node: Node
    name: str
    """The name of the layer, followed by that of the weight if the layer has two."""
    weights: Tensor
    """filters x input channels x height x width, float32 on the CPU. Of a series, the height is 1;
    of a volume, the slices stand side by side, and the width counts them all."""
    bias: Tensor | None
    groups: int
    """The groups of channels, each read by filters of its own."""
    colors: bool
    """Whether the input channels are red, green and blue of the image, in this order."""
    of_map: bool
    """Whether it is a fully connected layer that reads a map."""
    size: str
    """The size of a filter: `3x3`, or `9` or `3x3x3`."""
    shown: tuple[int, ...]
    """The filters to show, by number."""
    which: str
    """How they were chosen, in words for the user; empty if all are shown."""
    named: bool

    @property
    def is_matrix(self) -> bool:
        """Whether its filters have one weight for each input channel."""
        _, inputs, height, width = self.weights.shape
        return height * width == 1 and inputs > 1

    @property
    def is_picture(self) -> bool:
        """Whether each filter is one picture."""
        return self.colors or self.weights.shape[1] == 1

    @property
    def is_series(self) -> bool:
        """Whether it slides along a series: its filters are curves."""
        return self.node.op.kind != "linear" and len(self.node.shape) == 2

    @property
    def few(self) -> bool:
        """Whether they are few and small enough to be printed as numbers."""
        most, most_inputs, most_side = _AS_NUMBERS
        _, inputs, height, width = self.weights.shape
        few = len(self.shown) <= most and inputs <= most_inputs
        return few and max(height, width) <= most_side

    def norms(self) -> Tensor:
        norms: Tensor = self.weights.flatten(1).norm(dim=1)
        return norms

    def input_of(self, filter: int, channel: int) -> int:
        """The number of the input channel that a filter reads at a place."""
        count, inputs = self.weights.shape[:2]
        return filter // (count // self.groups) * inputs + channel

    def described(self) -> str:
        count, inputs = self.weights.shape[:2]
        if self.node.op.kind == "linear":
            of = f"a {inputs}x{self.size} map" if self.of_map else f"{inputs:,} inputs"
            return f"{count:,} outputs, each a weighted sum of {of}"
        one = "filter" if count == 1 else "filters"
        group = f", in {self.groups} groups" if self.groups > 1 else ""
        return f"{count:,} {one} of {inputs}x{self.size}{group}"


# ---- which weights -----------------------------------------------------------------------------


def filters_of(subject: Subject, chosen: Chosen) -> list[Filters]:
    """The filters of a layer: one set, or two of a separable convolution. Raises SpecError if it
    has none, or if they are random numbers."""
    node = chosen.node
    weights = [weight for weight in node.weights if 2 <= len(weight.shape) <= 5]
    if not weights:
        raise _no_filters(subject, node)
    if any(weight.trainable for weight in weights):
        subject.must_have_learned("--filters")
    module = subject.module.get_submodule(node.name)
    state = module.state_dict()
    found = []
    for weight in weights:
        part = weight.name.rpartition(".")[0]
        name = f"{node.name}.{part}" if part else node.name
        tensor = state[weight.name].detach().float().cpu()
        bias = state.get(f"{part}.bias" if part else "bias")
        found.append(
            _filters(subject, chosen, name, tensor, None if bias is None else bias.float().cpu())
        )
    return found


def _no_filters(subject: Subject, node: Node) -> SpecError:
    having = [
        each.name
        for each in subject.network.nodes
        if not each.aux and any(2 <= len(weight.shape) <= 5 for weight in each.weights)
    ]
    message = f"{node.name} has no filters: `{node.op.word or 'input'}` has no weights of that kind"
    before = [name for name in having if subject.network.by_name[name].index < node.index]
    help = "no layer of this network has filters"
    if having:
        help = f"the closest layer that has some is `{before[-1] if before else having[0]}`"
    return SpecError([Diagnostic("no-filters", message, help=help)])


def _filters(
    subject: Subject, chosen: Chosen, name: str, weights: Tensor, bias: Tensor | None
) -> Filters:
    node = chosen.node
    op = node.op
    source = node.inputs[0]
    groups = 1
    of_map = False
    if op.kind == "linear":
        shape = _map_before(node)
        of_map = shape is not None
        weights = weights.view(len(weights), *(shape or (-1, 1, 1)))
    elif op.word == "deconv":  # torch has the input channels first
        groups = int(getattr(op, "groups", 1))
        weights = torch.cat([part.transpose(0, 1) for part in weights.chunk(groups)])
    elif op.kind == "conv" and not name.endswith("pointwise"):
        groups = source.shape[0] // weights.shape[1]
    size = text(tuple(weights.shape[2:]))
    weights = _as_pictures(weights)
    source = _map_source(node) or source
    colors = (
        len(node.shape) != 2
        and _is_image(source)
        and weights.shape[1] == 3
        and subject.network.input.shape[0] == 3
    )
    colors = colors and not name.endswith("pointwise")
    prepared = subject.image_preparation
    if colors and prepared is not None and prepared.order == "bgr":
        weights = weights.flip(1)
    count = len(weights)
    numbers = chosen.channels
    if numbers is not None and op.kind == "filter":
        numbers = None  # one kernel serves all channels
    if numbers is not None and name.endswith("depthwise"):
        numbers = tuple(number for number in numbers if number < count) or None
    named = numbers is not None
    pictures = colors or weights.shape[1] == 1
    most = _MOST if pictures else _MOST_ROWS
    if weights.shape[2] * weights.shape[3] == 1 and weights.shape[1] > 1:
        most = _MATRIX
    which = ""
    if numbers is None:
        numbers = tuple(range(count))
        if count > most:
            order = weights.flatten(1).norm(dim=1).argsort(descending=True, stable=True)
            numbers = tuple(sorted(order[:most].tolist()))
            which = f"the {most} with the largest norm"
    return Filters(node, name, weights, bias, groups, colors, of_map, size, numbers, which, named)


def _as_pictures(weights: Tensor) -> Tensor:
    """Filters of any number of axes as pictures: a series is one row, the slices of a volume stand
    side by side."""
    if weights.ndim == 3:
        return weights[:, :, None]
    return weights.transpose(2, 3).flatten(3) if weights.ndim == 5 else weights


def _map_source(node: Node) -> Node | None:
    """For a fully connected layer, the layer whose map was flattened for it."""
    if node.op.kind != "linear":
        return None
    source = node.inputs[0]
    while source.op.kind in ("dropout", "activation", "norm") and len(source.inputs) == 1:
        source = source.inputs[0]
    return source.inputs[0] if source.op.word == "flatten" else None


def _map_before(node: Node) -> Shape | None:
    """The shape of the map that a fully connected layer reads; None if it reads a vector."""
    source = _map_source(node)
    if source is None or math.prod(source.shape[1:]) == 1:
        return None
    return source.shape


def _is_image(node: Node) -> bool:
    """Whether the channels of a layer's output are those of the image."""
    while node.inputs and node.op.kind in ("norm", "dropout", "pool") and len(node.inputs) == 1:
        node = node.inputs[0]
    return not node.inputs


# ---- pictures ----------------------------------------------------------------------------------


def filters_sheet(subject: Subject, sets: Sequence[Filters]) -> PictureSheet:
    """The pictures of one or two sets of filters."""
    groups = tuple(group for filters in sets for group in _groups(filters))
    notes = [_reading(filters) for filters in sets]
    gray = all(filters.colors for filters in sets)
    all_curves = all(filters.is_series and not filters.is_matrix for filters in sets)
    scale = None if all_curves else ColorScale("-m", "0", "+m", gray=gray)
    return PictureSheet(
        f"Filters of {sets[0].node.name}",
        f"{subject.name}: {'; '.join(filters.described() for filters in sets)}",
        groups,
        scale,
        tuple(dict.fromkeys(notes)),
    )


def _reading(filters: Filters) -> str:
    if filters.is_matrix:
        return (
            "m is the largest magnitude of the matrix. A row is a filter, a column an input"
            " channel. Orange weights add what they read, blue ones subtract it."
        )
    if filters.colors:
        return (
            "Each filter is scaled to its own largest magnitude m, which stands below it. Gray is"
            " zero; a filter answers most strongly to a patch that looks like it."
        )
    if filters.is_series:
        return (
            "Each filter is a curve from -m to +m, m being its own largest magnitude, which stands"
            " beside its number; the line is zero."
        )
    slices = " The slices of a filter are side by side." if len(filters.node.shape) == 4 else ""
    return (
        "Each filter is scaled to its own largest magnitude m, which stands beside its number."
        f" White is zero; orange weights add what they read, blue ones subtract it.{slices}"
    )


def _groups(filters: Filters) -> Iterator[Group]:
    title = filters.name if filters.name != filters.node.name else ""
    if filters.is_matrix:
        yield _matrix(filters, title)
    elif filters.is_picture:
        yield _tiles(filters, title)
    else:
        yield _rows(filters, title)


def _tiles(filters: Filters, title: str) -> Group:
    pictures, reach = filter_pictures(filters.weights[list(filters.shown)])
    side = _TILE if len(filters.shown) > 4 else 4 * _TILE
    cells = tuple(
        Cell(
            _curve(filters.weights[number, 0], float(largest))
            if filters.is_series
            else enlarged(picture, side),
            (f"{number}", f"m = {float(largest):.2g}"),
            f"filter {number} of {filters.name}",
        )
        for number, picture, largest in zip(filters.shown, pictures, reach, strict=True)
    )
    return Group(title, cells, _which(filters))


def _curve(weights: Tensor, reach: float) -> Tensor:
    """A filter of a series, over a line at zero."""
    return curve(weights.flatten(), (-reach, reach), *_CURVE)


def _which(filters: Filters) -> str:
    if not filters.which and not filters.named:
        return ""
    chosen = filters.which or f"{len(filters.shown)}"
    more = f"; name others with `{filters.node.name}:0-{_MOST_ROWS - 1}`" if filters.which else ""
    return f"Shown: {chosen} of {len(filters.weights):,}{more}."


def _rows(filters: Filters, title: str) -> Group:
    """A row for each filter: its strongest input channels."""
    most = min(filters.weights.shape[1], _INPUTS_NAMED if filters.named else _INPUTS)
    cells = []
    for number in filters.shown:
        weights = filters.weights[number]
        strongest = _strongest_inputs(weights, most)
        _, reach = filter_pictures(weights[None])
        tiles = [
            _curve(weights[channel], float(reach))
            if filters.is_series
            else enlarged(signed_colors(weights[channel] / reach.clamp(min=1e-30)), _TILE // 2)
            for channel in strongest
        ]
        names = _reads(filters, number, most)
        share = _share_of(weights, strongest)
        part = f", {100 * share:.0f} % of its weight" if most < filters.weights.shape[1] else ""
        cells.append(
            Cell(
                in_rows([framed(tile) for tile in tiles], 16 if filters.named else most),
                (
                    f"{number}: m = {float(reach):.2g}{part}",
                    f"reads {names}",
                ),
                f"filter {number} of {filters.name}: input channels {names}",
            )
        )
    inputs = filters.weights.shape[1]
    chosen = ""
    if most < inputs:
        chosen = (
            f"Of each filter, the {most} of its {inputs:,} input channels with the largest norm,"
            " strongest first; their numbers stand below, with the share of the filter's squared"
            " weights that they have."
        )
    return Group(title, tuple(cells), " ".join(filter(None, [_which(filters), chosen])))


def _strongest_inputs(weights: Tensor, most: int) -> list[int]:
    norms = weights.flatten(1).norm(dim=1)
    return [int(n) for n in norms.argsort(descending=True, stable=True)[:most]]


def _share_of(weights: Tensor, channels: Sequence[int]) -> float:
    squares = weights.flatten(1).square().sum(1)
    return float(squares[list(channels)].sum() / squares.sum().clamp(min=1e-30))


def _matrix(filters: Filters, title: str) -> Group:
    weights = filters.weights[list(filters.shown)].flatten(1)
    inputs = weights.shape[1]
    columns = list(range(inputs))
    chosen = ""
    if inputs > _MATRIX:
        order = weights.norm(dim=0).argsort(descending=True, stable=True)
        columns = sorted(order[:_MATRIX].tolist())
        chosen = f"Of {inputs:,} input channels, the {_MATRIX} with the largest norm, by number."
    part = weights[:, columns]
    reach = float(part.abs().max())
    picture = signed_colors(part / max(reach, 1e-30))
    times = max(2, min(16, 1024 // max(part.shape)))
    large = picture.repeat_interleave(times, 1).repeat_interleave(times, 2)
    cell = Cell(
        large,
        (
            f"m = {reach:.2g}; rows: filters {_range(filters.shown)}, from top to bottom;"
            f" columns: input channels {_range(columns)}, from left to right",
        ),
        f"the weights of {filters.name} as a matrix",
    )
    return Group(title, (cell,), " ".join(filter(None, [_which(filters), chosen])))


def _range(numbers: Sequence[int]) -> str:
    return f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else str(numbers[0])


# ---- text --------------------------------------------------------------------------------------


def filters_lines(filters: Filters, style: Style) -> Iterator[str]:
    """What the terminal shows: the filters as numbers if they are few and small, and a table."""
    yield style.paint(f"{filters.name}: {filters.described()}", BOLD)
    if filters.few:
        for number in filters.shown:
            yield ""
            yield from _numbers(filters, number, style)
        return
    norms = filters.norms()
    yield from _table(filters, norms, style)
    median = float(norms.median())
    weak = int((norms < _ALMOST_ZERO * median).sum())
    if weak:
        one = "filter is" if weak == 1 else "filters are"
        yield from wrapped(
            f"{weak:,} {one} almost zero: the norm is below 1 % of the median, {median:.3g}", style
        )
    yield from wrapped("Their pictures: -o filters.png or -o filters.html", style)


def _numbers(filters: Filters, number: int, style: Style) -> Iterator[str]:
    bias = "" if filters.bias is None else f", bias {float(filters.bias[number]):.4g}"
    yield style.paint(f"filter {number}{bias}", FAINT)
    for channel, rows in enumerate(filters.weights[number]):
        if filters.weights.shape[1] > 1:
            name = _COLORS[channel] if filters.colors else filters.input_of(number, channel)
            yield style.paint(f"  input {name}", FAINT)
        texts = [[f"{float(value):.4g}" for value in row] for row in rows]
        wide = max(len(text) for row in texts for text in row)
        for row in texts:
            yield "  " + "  ".join(text.rjust(wide) for text in row)


def _table(filters: Filters, norms: Tensor, style: Style) -> Iterator[str]:
    weights, bias = filters.weights, filters.bias
    order = sorted(filters.shown, key=lambda number: (-float(norms[number]), number))
    columns: list[Column[int]] = [
        Column("filter", str, True),
        Column("norm", lambda number: f"{float(norms[number]):.3g}", True),
        Column("least", lambda number: f"{float(weights[number].min()):.3g}", True),
        Column("mean", lambda number: f"{float(weights[number].mean()):.3g}", True),
        Column("greatest", lambda number: f"{float(weights[number].max()):.3g}", True),
    ]
    if bias is not None:
        columns.append(Column("bias", lambda number: f"{float(bias[number]):.3g}", True))
    if not filters.is_picture:
        columns.append(Column("reads most", lambda number: _reads(filters, number, 5)))
    yield from grid([columns], order[:_LISTED], style)
    if len(order) > _LISTED:
        yield from wrapped(
            f"the {_LISTED} with the largest norm of {len(weights):,}; others with"
            f" `{filters.node.name}:0-{_LISTED - 1}`",
            style,
        )


def _reads(filters: Filters, number: int, most: int) -> str:
    """The input channels with the largest weights."""
    strongest = _strongest_inputs(filters.weights[number], most)
    return ", ".join(str(filters.input_of(number, channel)) for channel in strongest)


# ---- for programs ------------------------------------------------------------------------------


def filters_data(sets: Sequence[Filters]) -> dict[str, Any]:
    """Figures of the filters, for JSON; of few small filters, or if they are named, the weights."""
    return {
        "layer": sets[0].node.name,
        "sets": [
            {
                "name": each.name,
                "shape": list(each.weights.shape),
                "groups": each.groups,
                "inputs": list(_COLORS) if each.colors else None,
                "filters": [_filter_data(each, number) for number in each.shown],
            }
            for each in sets
        ],
    }


def _filter_data(filters: Filters, number: int) -> dict[str, Any]:
    weights = filters.weights[number]
    most = min(len(weights), _INPUTS)
    data = {
        "filter": number,
        "norm": float(weights.norm()),
        "least": float(weights.min()),
        "mean": float(weights.mean()),
        "greatest": float(weights.max()),
        "bias": None if filters.bias is None else float(filters.bias[number]),
        "reads_most": [filters.input_of(number, n) for n in _strongest_inputs(weights, most)],
    }
    whole = filters.named or filters.few
    return {**data, "weights": weights.tolist()} if whole else data
