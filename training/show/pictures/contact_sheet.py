"""`cnn show ... -o sheet.png`: the input, its channels, the maps of every layer and the answer in
one picture.

Layers that make new maps have a row; norms, activations and dropout share the row of the layer
before: shown is a convolution after its norm and activation. A series is drawn as a curve for each
channel, a volume as slices.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isfinite, prod, sqrt
from typing import Literal

import torch
from torch import Tensor

from ....compiler.network import Node
from ....compiler.report.wording import Wording
from ....compiler.shapes import text
from ..layer_figures import STRONGEST, strongest
from ..run import Shown
from .adjust import fitted, in_color
from .picture_sheet import Cell, Group, PictureSheet, Share
from .series_picture import curve

Gray = Literal["raw", "abs", "scaled"]
"""What gray means."""

_EMPTY = (219, 231, 245)
"""Where a vector has no numbers: no gray."""
_WIDEST = 1_000
"""The width of the maps of one image, in pixels."""
_MOST_ROWS = 64
"""More layers than these are folded: only those that end a row of channels are shown."""
_CHANNELS = 16
"""The number of maps side by side, and the most of a layer."""
_MOST_CHANNELS = 256
"""The most maps of a layer that is named."""
_BETWEEN = 6
"""Pixels between two maps, with their frames."""
_LARGEST = 240
"""The longer side of a map, in pixels."""
_SHORTEST = 24
"""The shorter side of a map at least, if there is room."""
_INPUT = 128
"""The longer side of the input and its channels."""
_INPUT_CHANNELS = 6
_CURVE = (242, 56)
"""Width and height of the curve of a channel: four of them side by side."""
_INPUT_CURVE = (992, 72)
_SLICES = 8
"""The most slices of a volume, side by side."""
_VOLUMES = 4
"""The most channels of a volume; of a layer that is named, more."""
_TOP = 5

_MEANING: Mapping[Gray, str] = {
    "scaled": "each map has its own range: black is its least number, white its greatest",
    "abs": "the magnitude: black is 0, white the greatest magnitude in the layer's maps",
    "raw": "one range for each layer: black and white are the numbers beside its name",
}


_OF_CURVES: Mapping[Gray, str] = {
    "scaled": "each has its own, from its least number to its greatest",
    "abs": "the magnitude, from 0 to the greatest in the layer",
    "raw": "one for each layer, the numbers beside its name",
}


@dataclass(frozen=True)
class _Row:
    """A layer with its maps: what stands beside them, and the layers folded into it."""

    node: Node
    folded: tuple[Node, ...]


def contact_sheet(
    shown: Shown, gray: Gray = "scaled", *, layers: Sequence[Node] = ()
) -> PictureSheet:
    """The sheet of all layers, or of those named, then with more of their channels."""
    network, several = shown.subject.network, len(shown.images) > 1
    left_out: list[Node] = []
    if layers:
        rows = [_Row(node, ()) for node in layers if node.index in shown.outputs and node.inputs]
    else:
        rows, left_out = _rows(shown)
    most = _MOST_CHANNELS if layers else _CHANNELS
    wording = Wording(network)
    axes = {len(node.shape) - 1 for row in rows for node in (row.node, *row.node.inputs)}
    about = [
        f"Gray is {gray}: {_MEANING[gray]}." if axes & {2, 3} else "",
        f"The range of a curve is {gray}: {_OF_CURVES[gray]}." if 1 in axes else "",
        f"Of a volume, the slices are at even distances; of its channels, {_VOLUMES} at most are"
        " here."
        if 3 in axes and not layers
        else "",
        f"At most {most} channels, {STRONGEST}, over all images. The number under a map is its"
        " channel.",
    ]
    if several:
        about.append("In each layer, the maps of the images follow one another, in their order.")
    if shown.subject.learned == "random":
        about.append("The weights are the initial random ones: nothing has been learned.")
    given = _shapes([(node.name, node) for node in network.inputs])
    returned = _shapes([(each.name, each.node) for each in network.outputs])
    return PictureSheet(
        f"{network.name}: {given} -> {returned}",
        " ".join(filter(None, about)),
        (
            *(
                _input(shown, gray, number, place)
                for number in range(len(shown.images))
                for place in range(len(network.inputs))
            ),
            *(_group(shown, gray, row, most, wording) for row in rows),
            *_answers(shown),
        ),
        left_out=tuple(node.name for node in left_out),
        elsewhere="Name a layer to see its maps, or write a page (-o page.html), which has every"
        " layer.",
    )


def _shapes(nodes: Sequence[tuple[str, Node]]) -> str:
    """`3x224x224`, or of several `left 1x105x105, right 1x105x105`."""
    if len(nodes) == 1:
        return text(nodes[0][1].shape)
    return ", ".join(f"{name} {text(node.shape)}" for name, node in nodes)


# ---- which layers ------------------------------------------------------------------------------


def _rows(shown: Shown) -> tuple[list[_Row], list[Node]]:
    """The layers that have a row, and the layers that are in none."""
    network = shown.subject.network
    rows: list[_Row] = []
    open_rows: dict[int, int] = {}
    """By the last layer of a row: its position."""
    for node in (node for node in network.nodes if node.index in shown.outputs and node.inputs):
        position = _joined(node, open_rows)
        if position is not None and len(network.consumers[node.inputs[0].index]) == 1:
            del open_rows[node.inputs[0].index]
            rows[position] = _Row(node, (*rows[position].folded, rows[position].node))
        else:
            position = len(rows)
            rows.append(_Row(node, ()))
        open_rows[node.index] = position
    left_out: list[Node] = []
    ends = {output.node.index for output in network.outputs}
    rows = [row for row in rows if row.node.op.kind != "shape" or row.node.index in ends]
    if len(rows) > _MOST_ROWS:
        kept = _spread(rows, ends)
        left_out = [node for row in rows if row not in kept for node in (*row.folded, row.node)]
        rows = kept
    return rows, left_out


def _joined(node: Node, open_rows: Mapping[int, int]) -> int | None:
    """The row that a layer continues: of norm, activation and dropout, that of its input."""
    if node.op.kind in ("norm", "activation", "dropout") and len(node.inputs) == 1:
        return open_rows.get(node.inputs[0].index)
    return None


def _spread(rows: list[_Row], ends: Collection[int]) -> list[_Row]:
    """At most _MOST_ROWS rows: first those where the maps change their size, paths meet or the
    network begins and ends, then others, evenly."""
    important = {0, len(rows) - 1}
    for position, row in enumerate(rows):
        sizes = {source.shape[1:] for source in row.node.inputs}
        resized = len(row.node.shape) > 1 and sizes != {row.node.shape[1:]}
        if row.node.index in ends or resized:
            important.add(position)
    meetings = [n for n, row in enumerate(rows) if row.node.op.kind == "merge"]
    others = [n for n in range(len(rows)) if n not in important]
    for candidates in (meetings, others):
        fresh = [n for n in candidates if n not in important]
        room = _MOST_ROWS - len(important)
        if room > 0:
            stride = max(len(fresh) / room, 1.0)
            picks = {fresh[int(n * stride)] for n in range(min(room, len(fresh)))}
            important |= picks
    return [rows[n] for n in sorted(important)[:_MOST_ROWS]]


# ---- their pictures ----------------------------------------------------------------------------


def _input(shown: Shown, gray: Gray, number: int, place: int = 0) -> Group:
    """An image, and its channels as the network gets them; of several inputs, that at `place`."""
    inputs = shown.subject.network.inputs
    image, output = shown.images[number].parts[place], shown.outputs[inputs[place].index]
    cells = []
    side = _longer(_INPUT, *output.shape[2:]) if output.ndim == 4 else _INPUT
    if image.pixels is not None and image.pixels.shape[0] in (1, 3):
        cells.append(Cell(fitted(image.pixels, side), ("the image",)))
    channels = list(range(min(output.shape[1], _INPUT_CHANNELS)))
    if output.ndim == 3:
        cells += _curves(output[number], channels, gray, _ends(output), _INPUT_CURVE, "channel ")
    elif output.ndim == 4:
        maps = _maps(output[number, channels], gray, _ends(output), side)
        cells += [Cell(each, (f"channel {n}",)) for n, each in zip(channels, maps, strict=True)]
    elif output.ndim == 5:
        side = _longer(_WIDEST // _SLICES - _BETWEEN, *output.shape[3:])
        if len(channels) == 3:
            cells += _frames(output[number], side)
        for channel in channels[: 1 if cells else _VOLUMES]:
            cells += _slices(output[number], channel, gray, _ends(output), side)
    else:
        cells.append(Cell(_vector(output[number].flatten(), gray, _ends(output))))
    name = image.name + (f" ({image.label})" if image.label else "")
    title = "input" if len(inputs) == 1 else inputs[place].name
    return Group(title, tuple(cells), beside=(name, text(output.shape[1:]), _range(output)))


def _group(shown: Shown, gray: Gray, row: _Row, most: int, wording: Wording) -> Group:
    node, output = row.node, shown.outputs[row.node.index].detach()
    layers = (*row.folded, node)
    if output.ndim < 3 or prod(output.shape[2:]) == 1:
        ends = _ends(output)
        cells = [Cell(_vector(each, gray, ends)) for each in output.flatten(1)]
    elif output.ndim == 4:
        cells = _cells_of_maps(output, gray, most)
    else:
        cells = _cells_along(output, gray, most)
    said = " · ".join(wording.layer(each) for each in layers)
    beside = (said, text(node.shape), _range(output))
    return Group(layers[0].name, tuple(cells), beside=beside)


def _cells_along(output: Tensor, gray: Gray, most: int) -> list[Cell]:
    """Series as curves; volumes as slices, a row for each channel."""
    ends, cells = _ends(output), []
    for values in output:
        if output.ndim == 3:
            cells += _curves(values, strongest(output, most), gray, ends, _CURVE)
            continue
        side = _longer(_WIDEST // _SLICES - _BETWEEN, *output.shape[3:])
        side = min(side, max(4 * max(output.shape[3:]), 32))
        for channel in strongest(output, most if most > _CHANNELS else _VOLUMES):
            cells += _slices(values, channel, gray, ends, side)
    return cells


def _curves(
    values: Tensor,
    channels: Sequence[int],
    gray: Gray,
    ends: tuple[float, float] | None,
    size: tuple[int, int],
    before: str = "",
) -> list[Cell]:
    """A curve for each of some channels of a series."""
    cells: list[Cell] = []
    for channel in channels:
        steps = values[channel].detach().float().cpu()
        if gray == "abs":
            steps = steps.abs()
        own = _ends(steps) if gray == "scaled" else ends
        low, high = own or (0.0, 0.0)
        span = (0.0, max(abs(low), abs(high))) if gray == "abs" else (low, high)
        place = len(cells)
        cells.append(Cell(curve(steps, span, *size), (f"{before}{channel}",), new_row=place == 0))
    return cells


def _slices(
    values: Tensor,
    channel: int,
    gray: Gray,
    ends: tuple[float, float] | None,
    side: int,
) -> list[Cell]:
    """Slices of one channel of a volume, at even distances, in a row of their own."""
    volume = values[channel].detach().float().cpu()
    places = _spaced(len(volume))
    levels = gray_levels(volume, gray, ends)[places]
    pictures = fitted(levels, side)[:, None]
    return [
        Cell(picture, (f"{channel}: slice {place}" if first else f"slice {place}",), new_row=first)
        for first, place, picture in zip(_first_of(places), places, pictures, strict=True)
    ]


def _frames(values: Tensor, side: int) -> list[Cell]:
    """Slices of a volume of three channels in color, scaled to their range."""
    colors = in_color(values.detach().float().cpu().flatten(2)).view(values.shape)
    places = _spaced(values.shape[1])
    return [
        Cell(fitted(colors[:, place], side), (f"frame {place}",), new_row=first)
        for first, place in zip(_first_of(places), places, strict=True)
    ]


def _spaced(depth: int) -> list[int]:
    """Slices at even distances, the first and the last among them."""
    count = min(depth, _SLICES)
    return [round(each * (depth - 1) / max(count - 1, 1)) for each in range(count)]


def _first_of(places: Sequence[int]) -> list[bool]:
    return [number == 0 for number in range(len(places))]


def _cells_of_maps(output: Tensor, gray: Gray, most: int) -> list[Cell]:
    """The maps of all images: side by side if they fit into a line, else below one another."""
    channels, ends = strongest(output, most), _ends(output)
    images, _, height, width = output.shape
    together = len(channels) * images <= _CHANNELS
    columns = min(len(channels) * (images if together else 1), _CHANNELS)
    side = _WIDEST // _CHANNELS - _BETWEEN
    if columns < _CHANNELS:  # few maps have room to be larger
        side = max(side, min(_WIDEST // columns - _BETWEEN, 4 * max(height, width), _LARGEST))
    side = _longer(side, height, width)
    cells = []
    for number in range(images):
        maps = _maps(output[number, channels], gray, ends, side)
        for place, (channel, picture) in enumerate(zip(channels, maps, strict=True)):
            cells.append(Cell(picture, (f"{channel}",), new_row=not together and place == 0))
    return cells


def _longer(side: int, height: int, width: int) -> int:
    """The longer side of a map, so that the other side is long enough to see something."""
    longest = round(_SHORTEST * max(height, width) / min(height, width))
    return max(side, min(longest, _WIDEST - _BETWEEN))


def _maps(values: Tensor, gray: Gray, ends: tuple[float, float] | None, side: int) -> list[Tensor]:
    levels = torch.stack([gray_levels(each, gray, ends) for each in values.float().cpu()])
    return list(fitted(levels, side)[:, None])


def _vector(values: Tensor, gray: Gray, ends: tuple[float, float] | None) -> Tensor:
    """The numbers of a vector as rows of squares."""
    length = len(values)
    columns = length if length <= 64 else min(ceil(sqrt(length * 12)), 250)
    rows = ceil(length / columns)
    squares = torch.tensor(_EMPTY, dtype=torch.uint8).view(3, 1).repeat(1, rows * columns)
    squares[:, :length] = gray_levels(values.float().cpu(), gray, ends)
    side = max(min(_WIDEST // columns, 24), 2)
    return fitted(squares.view(3, rows, columns), max(rows, columns) * side)


def _answers(shown: Shown) -> list[Group]:
    """The most probable classes of each image."""
    probabilities = shown.probabilities
    if probabilities is None:
        return []
    groups = []
    for image, row in zip(shown.images, probabilities, strict=True):
        if not row.isfinite().all():
            groups.append(Group("answer", beside=(image.title, "no finite probabilities")))
            continue
        best = row.topk(min(_TOP, len(row)))
        shares = tuple(
            Share(shown.subject.class_name(index), share)
            for share, index in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        )
        name = (image.title,) if len(shown.images) > 1 else ()
        groups.append(Group("answer", beside=(*name, "the most probable classes"), shares=shares))
    return groups


def _ends(output: Tensor) -> tuple[float, float] | None:
    """The least and the greatest finite number."""
    low, high = map(float, output.detach().aminmax())
    if not (isfinite(low) and isfinite(high)):
        values = output.detach().float()
        values = values[values.isfinite()]
        if not len(values):
            return None
        low, high = map(float, values.aminmax())
    return low, high


def _range(output: Tensor) -> str:
    ends = _ends(output)
    return f"{ends[0]:.4g} to {ends[1]:.4g}" if ends else "no finite numbers"


def gray_levels(values: Tensor, gray: Gray, ends: tuple[float, float] | None) -> Tensor:
    """Gray levels; `ends` are those of the layer, which `abs` and `raw` use."""
    values = values.nan_to_num(0.0, 0.0, 0.0)
    low, high = ends or (0.0, 0.0)
    if gray == "scaled":
        low, high = float(values.min()), float(values.max())
    elif gray == "abs":
        values, low, high = values.abs(), 0.0, max(abs(low), abs(high))
    if high <= low:
        return torch.full(values.shape, 128 if low else 0, dtype=torch.uint8)
    return ((values - low) * (255 / (high - low))).round().clamp(0, 255).to(torch.uint8)
