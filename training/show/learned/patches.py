"""`cnn show --patches LAYER --data DIR`: the parts of the data that excite a channel most.

Of each image counts the position where the channel is largest; the images with the largest values
are kept, and the receptive field of that position is cut out (as in Zeiler and Fergus,
arXiv:1311.2901). Only values and positions are kept while the data goes by, so any number of images
can be searched; those that are shown are read once more.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ....compiler.analysis.field import Axis, fields
from ....compiler.network import Node
from ....compiler.report.grid import Column, grid
from ....compiler.report.style import BOLD, Style, wrapped
from ....dsl.diagnostics import Diagnostic, SpecError
from ....dsl.printable import show as printable
from ...data.images.image_file import BadImage
from ...data.loader.thread_pool import Progress, unwatched
from ...runtime.devices import using
from ..choose_layer import Chosen, is_of_classes
from ..data_images import DataImages
from ..pictures.adjust import boxed, fitted, in_color
from ..pictures.picture_sheet import Cell, Group, PictureSheet
from ..subject import Subject

COUNT = 9
CHANNELS = 9
"""The number of channels that are shown unless some are named."""
_BATCH = 16
_SIDE = 112
_LARGE = 160
_FRAME = (235, 120, 30)


@dataclass(frozen=True, eq=False)
class Patch:
    """A part of an image."""

    value: float
    """The output of the channel there."""
    image: int
    name: str
    position: tuple[int, int] | None
    """Row and column in the feature map; None for a vector."""
    rows: tuple[int, int]
    """The first and last row of the input that the position sees, at most the whole input."""
    columns: tuple[int, int]
    picture: Tensor
    """The whole image: uint8, three channels, at the size of the input."""


@dataclass(frozen=True, eq=False)
class ChannelPatches:
    channel: int
    patches: tuple[Patch, ...]
    """The largest value first."""
    mean: float
    """The mean over all images of the largest value in each."""


@dataclass(frozen=True, eq=False)
class Patches:
    node: Node
    which: str
    channels: tuple[ChannelPatches, ...]
    origin: str
    searched: int
    bad: tuple[str, ...]
    """Images that could not be read, with the reason."""


def patches(
    subject: Subject,
    chosen: Chosen,
    images: DataImages,
    *,
    count: int = COUNT,
    progress: Progress = unwatched,
) -> Patches:
    """Searches images for what excites channels of a layer. Raises SpecError if no image can be
    read, or if the weights are random."""
    subject.must_have_learned("--patches")
    node = chosen.node
    channels = list(chosen.channels_or(CHANNELS))
    # Of equal values the first image wins, as `-image` is in front of the position.
    best: list[list[tuple[float, int, int]]] = [[] for _ in channels]
    total = torch.zeros(len(channels), dtype=torch.float64)
    searched, bad = 0, []
    with using(subject.device), torch.no_grad():
        for part in images.batches(_BATCH, "searching", progress):
            numbers = [number for number, image in part if isinstance(image, Tensor)]
            readable = [image for _, image in part if isinstance(image, Tensor)]
            bad += [
                f"{images.name(number)}: {image.reason}"
                for number, image in part
                if isinstance(image, BadImage)
            ]
            if not readable:
                continue
            batch = subject.preparation.prepare(torch.stack(readable).to(subject.device))
            output = subject.layers(batch, [node])[node.index][:, channels].float()
            values, places = output.flatten(2).max(2) if output.ndim > 2 else (
                output, torch.zeros_like(output, dtype=torch.int64)
            )  # fmt: skip
            subject.must_be_finite(values, f"the output of {node.name}")
            searched += len(readable)
            total += values.double().sum(0).cpu()
            for image, row, where in zip(numbers, values.tolist(), places.tolist(), strict=True):
                for heap, value, place in zip(best, row, where, strict=True):
                    heapq.heappush(heap, (value, -image, place))
                    if len(heap) > count:
                        heapq.heappop(heap)
    if not searched:
        notes = tuple(bad[:4])
        raise SpecError(
            [Diagnostic("no-images", f"no image of {images.origin} can be read", notes=notes)]
        )
    pictures = _read_again(images, {-image for heap in best for _, image, _ in heap})
    field = fields(subject.network)[node.index]
    found = []
    for channel, heap, mean in zip(channels, best, (total / searched).tolist(), strict=True):
        each = []
        for value, image, place in sorted(heap, reverse=True):
            position = divmod(place, node.shape[2]) if len(node.shape) == 3 else None
            _, height, width = subject.network.input.shape
            each.append(
                Patch(
                    value,
                    -image,
                    images.name(-image),
                    position,
                    seen(field[0], position[0] if position else 0, height),
                    seen(field[1], position[1] if position else 0, width),
                    pictures[-image],
                )
            )
        found.append(ChannelPatches(channel, tuple(each), mean))
    return Patches(node, chosen.which(CHANNELS), tuple(found), images.origin, searched, tuple(bad))


def seen(axis: Axis, position: int, side: int) -> tuple[int, int]:
    """The first and last row or column of the input that a position sees. A window that lies in
    the padding only becomes the closest row."""
    first, last = axis.at(position)
    return min(max(first, 0), side - 1), max(min(last, side - 1), 0)


def _read_again(images: DataImages, numbers: set[int]) -> dict[int, Tensor]:
    pictures = {}
    for number in sorted(numbers):
        try:
            pixels = images.read(number)
        except BadImage as error:
            message = f"{images.name(number)} changed while it was read: {error.reason}"
            raise SpecError([Diagnostic("bad-image", message)]) from None
        pictures[number] = in_color(pixels)
    return pictures


def cut_out(patch: Patch) -> Tensor:
    top, bottom = patch.rows
    left, right = patch.columns
    return patch.picture[:, top : bottom + 1, left : right + 1]


# ---- text and pictures -------------------------------------------------------------------------


def channel_name(subject: Subject, node: Node, channel: int) -> str:
    if is_of_classes(subject, node):
        return subject.class_name(channel)
    return f"channel {channel}"


def patches_lines(subject: Subject, result: Patches, style: Style) -> Iterator[str]:
    """What the terminal shows."""
    columns: list[Column[Patch]] = [
        Column("value", lambda patch: f"{patch.value:.4g}", True),
        Column("position", lambda patch: _position(patch), True),
        Column("rows", lambda patch: f"{patch.rows[0]}-{patch.rows[1]}", True),
        Column("columns", lambda patch: f"{patch.columns[0]}-{patch.columns[1]}", True),
        Column("image", lambda patch: printable(patch.name), yields=1, least=16, optional=False),
    ]
    for each in result.channels:
        name = channel_name(subject, result.node, each.channel)
        yield from wrapped(f"{result.node.name}, {name}", style, code=BOLD)
        yield from grid([columns], each.patches, style)
        yield ""
    for note in _notes(subject, result):
        yield from wrapped(printable(note), style)


def _position(patch: Patch) -> str:
    return f"{patch.position[0]},{patch.position[1]}" if patch.position else "-"


def _notes(subject: Subject, result: Patches) -> list[str]:
    size = "x".join(map(str, subject.network.input.shape[1:]))
    notes = [
        f"{result.searched:,} images of {result.origin}; shown: {result.which} of"
        f" {result.node.name}. Of each image, the position where the channel is largest; rows and"
        f" columns are those of the {size} input that this position sees."
    ]
    dead = [each.channel for each in result.channels if each.patches[0].value == 0]
    if dead:
        names = ", ".join(map(str, dead))
        notes.append(f"Zero on all images: {'channel' if len(dead) == 1 else 'channels'} {names}.")
    if result.bad:
        notes.append(f"Left out, because they cannot be read: {len(result.bad):,}")
        notes += [f"  {line}" for line in result.bad[:4]]
    return notes


def patches_sheet(subject: Subject, result: Patches) -> PictureSheet:
    """The patches of each channel; for a single one, also where they are in their images."""
    groups = []
    one = len(result.channels) == 1
    for each in result.channels:
        largest = max(max(cut_out(patch).shape[-2:]) for patch in each.patches)
        scale = (_LARGE if one else _SIDE) / largest
        cells = tuple(_cell(patch, scale) for patch in each.patches)
        name = channel_name(subject, result.node, each.channel)
        note = f"The mean of the largest value of each image is {each.mean:.3g}."
        groups.append(Group(name, cells, note))
        if one and any(cut_out(patch).shape != patch.picture.shape for patch in each.patches):
            whole = tuple(_whole(patch) for patch in each.patches)
            groups.append(Group("Where they are", whole))
    return PictureSheet(
        f"Patches for {result.node.name}",
        f"{subject.name}: {result.which}; {result.searched:,} images of {result.origin}",
        tuple(groups),
        None,
        tuple(_notes(subject, result)),
    )


def _cell(patch: Patch, scale: float) -> Cell:
    """A patch; those that a border clips are as much smaller as they are clipped."""
    picture = cut_out(patch)
    place = f"at {_position(patch)}" if patch.position else ""
    name = patch.name.replace("\\", "/").rpartition("/")[2]
    short = name if len(name) < 16 else f"{name[:6]}..{name[-7:]}"
    return Cell(
        fitted(picture, max(1, round(scale * max(picture.shape[-2:])))),
        (f"{patch.value:.3g} {place}".strip(), short),
        f"{patch.name}, rows {patch.rows[0]} to {patch.rows[1]}, columns {patch.columns[0]} to"
        f" {patch.columns[1]}: {patch.value:.3g}",
    )


def _whole(patch: Patch) -> Cell:
    side = max(patch.picture.shape[-2:])
    picture = fitted(patch.picture, _LARGE)
    scale = max(picture.shape[-2:]) / side
    ends = [
        (int(first * scale), min(int((last + 1) * scale), limit) - 1)
        for (first, last), limit in zip(
            (patch.rows, patch.columns), picture.shape[-2:], strict=True
        )
    ]
    return Cell(boxed(picture, (*ends[0], *ends[1]), _FRAME))


# ---- for programs ------------------------------------------------------------------------------


def patches_data(subject: Subject, result: Patches) -> dict[str, Any]:
    """Where the patches are, for JSON."""
    return {
        "layer": result.node.name,
        "origin": result.origin,
        "searched": result.searched,
        "unreadable": list(result.bad),
        "channels": [
            {
                "channel": each.channel,
                "name": channel_name(subject, result.node, each.channel),
                "mean": each.mean,
                "patches": [
                    {
                        "value": patch.value,
                        "image": patch.name,
                        "number": patch.image,
                        "position": None if patch.position is None else list(patch.position),
                        "rows": list(patch.rows),
                        "columns": list(patch.columns),
                    }
                    for patch in each.patches
                ],
            }
            for each in result.channels
        ],
    }
