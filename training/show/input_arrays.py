"""Series, volumes and vectors that a network is shown: arrays, sound files, clips and folders of
frames.

The numbers of an array go into the network as they are. Frames of a video (an animated GIF or WebP,
a TIFF with several pages, a folder of images) are resized, cropped and normalized like images.
"""

from __future__ import annotations

import io
import os
import wave
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch
from PIL import Image
from torch import Tensor

from ...compiler.network import Node
from ...compiler.shapes import AXES, Shape, text
from ..data.images.array_file import ENDINGS, array_in
from ..data.images.image_file import BadImage, contents, pages
from ..data.images.preprocessing import Preparation
from ..data.sources.file_names import clean, is_image
from ..untrusted.bad_file import BadFile

SOUND = (".wav", ".wave")
_KINDS = {0: "a vector", 1: "a series", 3: "a volume"}
_MOST_FRAMES = 10_000
"""The most frames of a clip that are read."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """An input that is not an image."""

    name: str
    values: Tensor
    """float32, in the shape of the input."""
    origin: str
    """How the file became it, in words for the user."""


def numbers_in(path: str, node: Node, preparation: Preparation | None) -> list[Numbers]:
    """What a file or a folder has for an input; frames are prepared by `preparation`. Raises
    BadImage."""
    if os.path.isdir(path):
        return _in_folder(path, node, preparation)
    ending = Path(path).suffix.lower()
    name = clean(path)
    if ending in ENDINGS:
        return _in_array(path, node)
    if ending in SOUND and len(node.shape) == 2:
        return [_in_sound(path, node)]
    if len(node.shape) == 4 and preparation is not None:
        return [_of_frames(name, pages(path, frames=True), node, preparation)]
    raise BadImage(f"it is not {_wanted(node)}")


def _wanted(node: Node) -> str:
    """`a series of 1x16000 for the input: a .npy or .npz file, or sound (.wav)`."""
    axes = len(node.shape) - 1
    files = {1: ", or sound (.wav)", 3: ", a clip (.gif, .webp, .tif), or a folder of frames"}
    return (
        f"{_KINDS[axes]} of {text(node.shape)} for `{node.name}`: a .npy or .npz file"
        f"{files.get(axes, '')}"
    )


# ---- arrays --------------------------------------------------------------------------------------


def _in_array(path: str, node: Node) -> list[Numbers]:
    try:
        array = array_in(Path(path))
    except BadFile as error:
        raise BadImage(f"it {error}") from None
    if array.dtype.kind not in "fiub":
        raise BadImage(f"its array has no numbers, but {array.dtype}")
    batch = _as_batch(array, node.shape)
    name, many = clean(path), len(batch) > 1
    return [
        Numbers(f"{name}#{place}" if many else name, each, "numbers as they are")
        for place, each in enumerate(torch.from_numpy(batch.astype(numpy.float32)))
    ]


def _as_batch(array: Any, shape: Shape) -> Any:
    """The arrays of a file, channels first: one, or several, with or without an axis of channels.
    Raises BadImage."""
    channels, *sides = shape
    whole, flat = (channels, *sides), tuple(sides)
    for batch in (array[None], array):
        if batch.shape[1:] == whole:
            return batch
        if batch.shape[1:] == (*flat, channels):
            return numpy.moveaxis(batch, -1, 1)
        if channels == 1 and batch.shape[1:] == flat:
            return batch[:, None]
    raise BadImage(
        f"its array is {text(array.shape) or 'one number'}, and the input is {text(shape)}:"
        f" {' x '.join(('channels', *AXES[len(shape) - 1]))}"
    )


# ---- sound ---------------------------------------------------------------------------------------


def _in_sound(path: str, node: Node) -> Numbers:
    """Samples from -1 to 1, from the beginning; what is missing at the end is silence."""
    channels, length = node.shape
    try:
        with wave.open(io.BytesIO(contents(path))) as file:
            there, wide, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            data = file.readframes(length)
            every = file.getnframes()
    except (wave.Error, EOFError, ValueError, RuntimeError) as error:
        raise BadImage(f"it is not a sound file that can be read: {error}") from None
    samples = _samples(data, wide).reshape(-1, there).T
    if there != channels and channels != 1:
        raise BadImage(f"it has {there} channels, and the input `{node.name}` has {channels}")
    if there != channels:
        samples = samples.mean(0, keepdims=True)
    values = torch.zeros(node.shape)
    values[:, : samples.shape[1]] = torch.from_numpy(samples)
    origin = f"{every:,} samples at {rate:,} Hz"
    if every > length:
        origin += f", the first {length:,}"
    elif every < length:
        origin += f", then {length - every:,} of silence"
    return Numbers(clean(path), values, origin)


def _samples(data: bytes, wide: int) -> Any:
    """PCM of 1 to 4 bytes as numbers from -1 to 1."""
    if wide == 1:
        return (numpy.frombuffer(data, numpy.uint8).astype(numpy.float32) - 128) / 128
    if wide == 3:
        three = numpy.frombuffer(data, numpy.uint8).reshape(-1, 3).astype(numpy.int32)
        whole = (three[:, 0] << 8) | (three[:, 1] << 16) | (three[:, 2] << 24)
        return (whole >> 8).astype(numpy.float32) / 2**23
    kind = {2: "<i2", 4: "<i4"}.get(wide)
    if kind is None:
        raise BadImage(f"its samples have {wide} bytes")
    return numpy.frombuffer(data, kind).astype(numpy.float32) / float(2 ** (8 * wide - 1))


# ---- clips ---------------------------------------------------------------------------------------


def _in_folder(path: str, node: Node, preparation: Preparation | None) -> list[Numbers]:
    """All files of a folder; images in it are the frames of one clip."""
    files = sorted(each for each in Path(path).iterdir() if not each.name.startswith("."))
    images = [each for each in files if is_image(each.name)]
    if images and len(node.shape) == 4 and preparation is not None:
        return [_of_frames(clean(path), map(str, images), node, preparation)]
    readable = (*ENDINGS, *(SOUND if len(node.shape) == 2 else ()))
    found = []
    for each in files:
        if each.suffix.lower() in readable:
            try:
                found += numbers_in(str(each), node, preparation)
            except BadImage as error:
                raise BadImage(f"{clean(each.name)}: {error}") from None
    if not found:
        raise BadImage(f"nothing in it is {_wanted(node)}")
    return found


def _of_frames(
    name: str, frames: Iterable[Image.Image | str], node: Node, preparation: Preparation
) -> Numbers:
    """A volume of frames, at even distances if there are more than the input takes."""
    pixels: list[Tensor] = []
    for frame in frames:
        if len(pixels) >= _MOST_FRAMES:
            raise BadImage(f"it has more than {_MOST_FRAMES:,} frames")
        pixels.append(preparation.image(frame))
    depth, there = node.shape[1], len(pixels)
    if there < depth:
        one = "frame" if there == 1 else "frames"
        raise BadImage(f"it has {there} {one}, and the input `{node.name}` takes {depth}")
    chosen = [pixels[(2 * number + 1) * there // (2 * depth)] for number in range(depth)]
    values = preparation.prepare(torch.stack(chosen)).transpose(0, 1).contiguous()
    origin = f"{there} frames" if there == depth else f"{depth} of {there} frames, evenly"
    return Numbers(name, values, f"{origin}, each resized and cropped to {text(node.shape[2:])}")
