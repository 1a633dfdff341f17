"""`cnn show ... -o sheet.png`: the input, its channels, the maps of every layer and the answer in
one picture.

Layers that make new maps have a row; norms, activations and dropout share the row of the layer
before: shown is a convolution after its norm and activation.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil, isfinite, prod, sqrt
from typing import Literal

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ....compiler.network import Node
from ....compiler.report.wording import Wording
from ....compiler.shapes import text
from ....dsl.render import show
from ..input_images import InputImage
from ..layer_figures import STRONGEST, strongest
from ..subject import Subject

Style = Literal["raw", "abs", "scaled"]
"""What gray means."""

_MARGIN, _GAP, _LABELS = 18, 6, 250
_INK, _FAINT, _PAPER, _LINE = (27, 34, 44), (93, 104, 117), (255, 255, 255), (194, 201, 210)
_BAR = (54, 112, 184)
_EMPTY = (219, 231, 245)
"""Where a vector has no numbers: no gray."""
_SIZE, _LINE_HEIGHT = 13, 17
_WIDEST = 1_000
"""The width of the maps of one image, in pixels."""
_MOST_ROWS = 64
"""More layers than these are folded: only those that end a row of channels are shown."""
_TALLEST = 12_000
"""The height at which a sheet ends, whatever the number of layers and images."""
_OTHER_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "arial.ttf", "Arial.ttf")
_WIDE_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "wqy-microhei.ttc",
    "Arial Unicode.ttf",
    "msgothic.ttc",
    *_OTHER_FONTS,
)
"""Fonts of Chinese, Japanese and Korean; without them, such names are boxes."""
_CHANNELS = 16
"""The number of maps side by side, and the most of a layer."""
_MOST_CHANNELS = 256
"""The most maps of a layer that is named."""
_LARGEST = 240
"""The longer side of a map, in pixels."""
_TOP = 5

_MEANING: Mapping[Style, str] = {
    "scaled": "each map has its own range: black is its least number, white its greatest",
    "abs": "the magnitude: black is 0, white the greatest magnitude in the layer's maps",
    "raw": "one range for each layer: black and white are the numbers beside its name",
}


@dataclass(frozen=True)
class _Row:
    """A layer with its maps: what stands beside them, and the layers folded into it."""

    node: Node
    folded: tuple[Node, ...]


def sheet_png(
    subject: Subject,
    images: Sequence[InputImage],
    outputs: Mapping[int, Tensor],
    style: Style = "scaled",
    *,
    layers: Sequence[Node] = (),
) -> bytes:
    """The bytes of a PNG file; `outputs` are those of all layers for all images. With `layers`,
    only these are shown, with more of their channels."""
    left_out: list[Node] = []
    if layers:
        rows = [_Row(node, ()) for node in layers if node.index in outputs and node.inputs]
    else:
        rows, left_out = _rows(subject, outputs)
    sheet = _Sheet(subject, images, outputs, style, _MOST_CHANNELS if layers else _CHANNELS)
    return sheet.png(rows, left_out)


# ---- which layers ------------------------------------------------------------------------------


def _rows(subject: Subject, outputs: Mapping[int, Tensor]) -> tuple[list[_Row], list[Node]]:
    """The layers that have a row, and the layers that are in none."""
    network = subject.network
    nodes = [n for n in network.nodes if n.index in outputs and n.inputs]
    rows: list[_Row] = []
    open_rows: dict[int, int] = {}
    """By the last layer of a row: its position."""
    for node in nodes:
        position = _joined(node, open_rows)
        if position is not None and len(network.consumers[node.inputs[0].index]) == 1:
            del open_rows[node.inputs[0].index]
            rows[position] = _Row(node, (*rows[position].folded, rows[position].node))
        else:
            position = len(rows)
            rows.append(_Row(node, ()))
        open_rows[node.index] = position
    left_out: list[Node] = []
    rows = [row for row in rows if row.node.op.kind != "shape" or row.node is network.output]
    if len(rows) > _MOST_ROWS:
        kept = _spread(rows, network.output)
        left_out = [node for row in rows if row not in kept for node in (*row.folded, row.node)]
        rows = kept
    return rows, left_out


def _joined(node: Node, open_rows: Mapping[int, int]) -> int | None:
    """The row that a layer continues: of norm, activation and dropout, that of its input."""
    if node.op.kind in ("norm", "activation", "dropout") and len(node.inputs) == 1:
        return open_rows.get(node.inputs[0].index)
    return None


def _spread(rows: list[_Row], output: Node) -> list[_Row]:
    """At most _MOST_ROWS rows: first those where the maps change their size, paths meet or the
    network begins and ends, then others, evenly."""
    important = {0, len(rows) - 1}
    for position, row in enumerate(rows):
        sizes = {source.shape[1:] for source in row.node.inputs}
        if row.node is output or (len(row.node.shape) == 3 and sizes != {row.node.shape[1:]}):
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


# ---- the picture -------------------------------------------------------------------------------


class _Sheet:
    def __init__(
        self,
        subject: Subject,
        images: Sequence[InputImage],
        outputs: Mapping[int, Tensor],
        style: Style,
        channels: int,
    ) -> None:
        self.subject = subject
        self.images = images
        self.outputs = outputs
        self.style = style
        self.channels = channels
        self.wording = Wording(subject.network)
        self.font, self.bold, self.large = _SIZE, _SIZE + 1, _SIZE + 7
        self.picture = Image.new("RGB", (1, 1), _PAPER)
        self.draw = ImageDraw.Draw(self.picture)

    def png(self, rows: list[_Row], left_out: list[Node]) -> bytes:
        width = 2 * _MARGIN + _LABELS + _WIDEST
        # Painted twice: the first time only to know how high the sheet is.
        height = min(self._paint(rows, left_out, width), _TALLEST)
        self.picture = Image.new("RGB", (width, height), _PAPER)
        self.draw = ImageDraw.Draw(self.picture)
        self._paint(rows, left_out, width)
        file = io.BytesIO()
        self.picture.save(file, "PNG", optimize=False, compress_level=6)
        return file.getvalue()

    def _paint(self, rows: list[_Row], left_out: list[Node], width: int) -> int:
        """Paints the sheet from top to bottom; returns its height."""
        y = self._head(width)
        y = self._inputs(y)
        for number, row in enumerate(rows):
            if y > _TALLEST - 500:
                left_out = [*left_out, *(n for r in rows[number:] for n in (*r.folded, r.node))]
                break
            y = self._row(row, y)
        y = self._answer(y, width)
        if left_out:
            y = self._paragraph(
                f"Not on this sheet, because it would be too long: {_names(left_out)}. Name a"
                " layer to see its maps, or write a page (-o page.html), which has every layer.",
                y + _GAP,
                width,
            )
        return y + _MARGIN

    # ---- parts ----

    def _head(self, width: int) -> int:
        subject = self.subject
        y = _MARGIN
        shapes = f"{text(subject.network.input.shape)} -> {text(subject.network.output.shape)}"
        title = f"{subject.network.name}: {shapes}"
        self._text(_MARGIN, y, title, self.large, width - 2 * _MARGIN)
        y += _LINE_HEIGHT + 12
        lines = [f"Gray is {self.style}: {_MEANING[self.style]}."]
        lines.append(
            f"Of more than {self.channels} channels, the {STRONGEST}, over all images. The number"
            " under a map is its channel."
        )
        if subject.learned == "random":
            lines.append("The weights are the initial random ones: nothing has been learned.")
        for line in lines:
            y = self._paragraph(line, y, width)
        return y + _GAP

    def _inputs(self, top: int) -> int:
        """The images, and the channels of the input as the network gets them."""
        side = 128
        y = top
        self._rule(y)
        y += _GAP
        network = self.subject.network
        self._label(y, "input", text(network.input.shape), _range(self.outputs[0]))
        bottom = y + side
        for number, image in enumerate(self.images):
            x = _MARGIN + _LABELS
            if image.pixels is not None and image.pixels.shape[0] in (1, 3):
                self._paste(_photograph(image.pixels), x, y, side)
                x += side + 2 * _GAP
            given = self.outputs[0][number].detach().float().cpu()
            if given.ndim == 3:
                for channel in range(min(given.shape[0], 6)):
                    levels = _levels(given[channel], self.style, _ends(self.outputs[0]))
                    self._paste(Image.fromarray(levels.numpy()), x, y, side)
                    self._text(x, y + side + 1, f"channel {channel}", self.font, side, _FAINT)
                    x += side + _GAP
            name = image.name + (f" ({image.label})" if image.label else "")
            self._text(x + _GAP, y, name, self.font, _MARGIN + _LABELS + _WIDEST - x - _GAP)
            bottom = y + side + _LINE_HEIGHT
            y = bottom + _GAP
        return bottom + _GAP

    def _row(self, row: _Row, top: int) -> int:
        self._rule(top)
        y = top + _GAP
        node = row.node
        output = self.outputs[node.index].detach()
        folded = [self.wording.layer(each) for each in (*row.folded, node)]
        lines = [text(node.shape), _range(output)]
        first = row.folded[0] if row.folded else node
        bottom = self._label(y, first.name, " · ".join(folded), *lines)
        if output.ndim == 4 and prod(output.shape[2:]) > 1:
            y = self._maps(output, y)
        else:
            for number in range(len(self.images)):
                y = self._vector(output.flatten(1), number, y)
        return max(bottom, y) + 2

    def _maps(self, output: Tensor, top: int) -> int:
        """The maps of all images: side by side if they fit into a line, else below one another."""
        channels = strongest(output, self.channels)
        height, width = output.shape[2:]
        together = len(channels) * len(self.images) <= _CHANNELS
        columns = min(len(channels) * (len(self.images) if together else 1), _CHANNELS)
        cell = _WIDEST // _CHANNELS - _GAP
        if columns < _CHANNELS:  # few maps have room to be larger
            cell = max(cell, min(_WIDEST // columns - _GAP, 4 * max(height, width), _LARGEST))
        wide = cell if width >= height else max(round(cell * width / height), 1)
        high = max(round(wide * height / width), 1)
        ends = _ends(output)
        lines = 0
        for number in range(len(self.images)):
            before = number * len(channels) if together else 0
            first = 0 if together else lines
            for place, channel in enumerate(channels, before):
                line = first + place // _CHANNELS
                x = _MARGIN + _LABELS + place % _CHANNELS * (cell + _GAP)
                y = top + line * (high + _LINE_HEIGHT)
                levels = _levels(output[number, channel].float().cpu(), self.style, ends)
                self._paste(Image.fromarray(levels.numpy()), x, y, max(wide, high))
                self._text(x, y + high + 1, str(channel), self.font, cell, _FAINT)
                lines = line + 1
        return top + lines * (high + _LINE_HEIGHT)

    def _vector(self, output: Tensor, number: int, y: int) -> int:
        """The numbers of a vector as rows of squares."""
        values = output[number].float().cpu()
        length = len(values)
        columns = length if length <= 64 else min(ceil(sqrt(length * 12)), 250)
        side = max(min(_WIDEST // columns, 24), 2)
        rows = ceil(length / columns)
        levels = torch.full((rows * columns,), 0, dtype=torch.uint8)
        levels[:length] = _levels(values[None], self.style, _ends(output))[0]
        there = torch.zeros_like(levels)
        there[:length] = 255
        x, size = _MARGIN + _LABELS, (columns * side, rows * side)
        image, mask = (
            Image.fromarray(each.reshape(rows, columns).numpy()).resize(
                size, Image.Resampling.NEAREST
            )
            for each in (levels, there)
        )
        self.draw.rectangle((x, y, x + size[0] - 1, y + size[1] - 1), fill=_EMPTY)
        self.picture.paste(image, (x, y), mask)
        self.draw.rectangle((x - 1, y - 1, x + columns * side, y + rows * side), outline=_LINE)
        return y + rows * side + _GAP

    def _answer(self, top: int, width: int) -> int:
        """The most probable classes, with bars."""
        network, subject = self.subject.network, self.subject
        output = self.outputs[network.output.index].detach().float().cpu()
        if output.flatten(1).shape[1] != network.output.shape[0] or subject.learned == "fixed":
            return top
        logits = output.flatten(1)
        if network.output.op.probabilities:
            chances = logits
        else:
            chances = logits.sigmoid() if subject.multi_label else logits.softmax(1)
        self._rule(top)
        y = top + _GAP
        self._label(y, "answer", "the most probable classes")
        for number, image in enumerate(self.images):
            best = chances[number].nan_to_num().topk(min(_TOP, chances.shape[1]))
            if len(self.images) > 1:
                self._text(_MARGIN + _LABELS, y, image.name, self.font, _WIDEST, _FAINT)
                y += _LINE_HEIGHT
            for chance, index in zip(best.values.tolist(), best.indices.tolist(), strict=True):
                x = _MARGIN + _LABELS
                self._text(x, y, f"{100 * chance:5.1f} %", self.font, 60)
                bar = max(round(200 * chance), 1)
                self.draw.rectangle((x + 64, y + 3, x + 64 + bar, y + _SIZE), fill=_BAR)
                self._text(x + 274, y, subject.class_name(index), self.font, _WIDEST - 274)
                y += _LINE_HEIGHT
        return y + _GAP

    # ---- painting ----

    def _label(self, top: int, name: str, *lines: str) -> int:
        room = _LABELS - 14
        self._text(_MARGIN, top, name, self.bold, room)
        y = top + _LINE_HEIGHT + 1
        for line in lines:
            for part in self._wrapped(line, room)[:3]:
                self._text(_MARGIN, y, part, self.font, room, _FAINT)
                y += _LINE_HEIGHT - 2
        return y + _GAP

    def _paragraph(self, line: str, y: int, width: int) -> int:
        for part in self._wrapped(line, width - 2 * _MARGIN):
            self._text(_MARGIN, y, part, self.font, width - 2 * _MARGIN, _FAINT)
            y += _LINE_HEIGHT
        return y

    def _wrapped(self, line: str, room: int) -> list[str]:
        lines = [""]
        for word in show(line).split():
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and self._length(longer, self.font) > room:
                lines.append(word)
            else:
                lines[-1] = longer
        return lines

    def _text(
        self,
        x: int,
        y: int,
        line: str,
        size: int,
        room: int,
        ink: tuple[int, int, int] = _INK,
    ) -> None:
        """One line, cut in the middle if it is too long."""
        shown = show(line)
        if self._length(shown, size) > room:
            kept = len(shown) - 1
            while kept > 2 and self._length(_cut(shown, kept), size) > room:
                kept -= 1
            shown = _cut(shown, kept)
        self.draw.text((x, y), shown, ink, _font(shown, size))

    def _length(self, line: str, size: int) -> float:
        return self.draw.textlength(line, _font(line, size))

    def _rule(self, y: int) -> None:
        self.draw.line((_MARGIN, y, _MARGIN + _LABELS + _WIDEST, y), fill=_LINE)

    def _paste(self, image: Image.Image, x: int, y: int, side: int) -> None:
        """Fits an image into a square: small maps keep their pixels, large ones are averaged."""
        factor = side / max(image.size)
        size = (max(round(image.width * factor), 1), max(round(image.height * factor), 1))
        smooth = Image.Resampling.BOX if factor < 1 else Image.Resampling.NEAREST
        self.picture.paste(image.resize(size, smooth), (x, y))


def _font(line: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, the same everywhere; for other alphabets one that is installed."""
    if line.isascii() or all(ord(letter) < 0x180 or letter in "…–—" for letter in line):
        return _usual_font(size)
    wide = any(ord(letter) >= 0x1100 for letter in line)
    return _installed_font(_WIDE_FONTS if wide else _OTHER_FONTS, size)


@cache
def _usual_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


@cache
def _installed_font(
    names: tuple[str, ...], size: int
) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in names:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return _usual_font(size)


def _cut(line: str, kept: int) -> str:
    tail = kept // 3
    return f"{line[: kept - tail]}…{line[len(line) - tail :]}"


def _names(nodes: Sequence[Node]) -> str:
    names = [node.name for node in nodes]
    if len(names) <= 12:
        return ", ".join(names)
    return f"{', '.join(names[:10])} and {len(names) - 10:,} more layers"


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


def _levels(values: Tensor, style: Style, ends: tuple[float, float] | None) -> Tensor:
    """Gray levels; `ends` are those of the layer, which `abs` and `raw` use."""
    values = values.nan_to_num(0.0, 0.0, 0.0)
    low, high = ends or (0.0, 0.0)
    if style == "scaled":
        low, high = float(values.min()), float(values.max())
    elif style == "abs":
        values, low, high = values.abs(), 0.0, max(abs(low), abs(high))
    if high <= low:
        return torch.full(values.shape, 128 if low else 0, dtype=torch.uint8)
    return ((values - low) * (255 / (high - low))).round().clamp(0, 255).to(torch.uint8)


def _photograph(pixels: Tensor) -> Image.Image:
    array = pixels.cpu()
    if array.shape[0] == 1:
        return Image.fromarray(array[0].contiguous().numpy()).convert("RGB")
    return Image.fromarray(array.permute(1, 2, 0).contiguous().numpy())
