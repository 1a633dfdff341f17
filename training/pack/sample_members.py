"""The members of a sample: the bytes of its image, its masks and other maps, by their endings."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy
import torch
from PIL import Image
from torch import Tensor

from ..data.images.color_modes import plain
from ..data.images.decode import Pixels, Together
from ..data.images.image_file import DAMAGE, FORMATS, BadImage, contents, picture
from ..data.images.resize import Fit
from ..data.loader.image_source import Arrays, Files, ImageSource
from ..data.loader.store import with_mask
from ..data.packs.pack_index import IMAGE, NPY_HEADER
from ..data.samples.sample_source import Samples
from .prepare import Prepare

_ENDINGS = {
    "JPEG": "jpg", "PNG": "png", "WEBP": "webp", "BMP": "bmp", "DIB": "bmp", "TIFF": "tif",
    "PPM": "ppm", "GIF": "gif", "MPO": "jpg",
}  # fmt: skip


class Members(NamedTuple):
    """What is stored of a sample."""

    contents: dict[str, bytes]
    """By their endings."""
    pixels: tuple[int, int]
    """Height and width of the image."""


def roles_of(source: ImageSource) -> tuple[str, ...]:
    """What samples have: an image, and masks, targets or further inputs."""
    assert not isinstance(source, Samples)
    if isinstance(source, Arrays):
        return (IMAGE, *_map_roles(source))
    inputs = [f"{each.input.name}.input" for each in source.input_files]
    return (IMAGE, *inputs, *_map_roles(source))


def _map_roles(source: Arrays | Files) -> tuple[str, ...]:
    """The roles of the further channels of an image, in their order."""
    if isinstance(source, Arrays):
        return ("target",) * bool(source.targets) + ("seg",) * bool(source.masks)
    roles = ["target"] if source.target_files is not None else []
    roles += [f"{each.output}.target" for each in source.image_maps]
    for each in source.mask_files:
        output = getattr(each, "output", "")
        roles.append(f"{output}.seg" if output else "seg")
    return tuple(roles)


@dataclass(frozen=True)
class MemberMaker:
    """Makes the members of the samples of a part."""

    source: ImageSource
    prepare: Prepare
    fit: Fit | None
    inputs: tuple[tuple[str, int], ...] = ()
    """For a network with several inputs: the name and the channels of each."""

    def __call__(self, index: int) -> Members:
        """Raises BadImage."""
        if isinstance(self.source, Files) and self.prepare.kind == "jpeg":
            return self._as_they_are(self.source, index)
        if isinstance(self.source, Files) and self.prepare.kind == "fit":
            kept = self._fits_already(self.source, index)
            if kept is not None:
                return kept
        return self._decoded(index)

    # ---- files as they are ----

    def _as_they_are(self, files: Files, index: int) -> Members:
        if not files.further and files.first_input is None:
            data = _bytes(files.photograph(index))
            if files.depth == 8 and self.prepare.channels in (1, 3):
                pixels = _size_of(data)
            else:
                pixels = _size(with_mask(files, index, self._channels(files)))
            return Members({_ending(data): data}, pixels)
        whole = with_mask(files, index, self._channels(files))
        found: dict[str, bytes] = {}
        content = files.content(index)
        if isinstance(content, Together):
            (_, first), *others = content.parts
            for input, source in others:
                data = _bytes(source)
                found[f"{input.name}.input.{_ending(data)}"] = data
            content = first
        data = _bytes(content)
        found = {_ending(data): data} | found
        for role, source in self._answers_in_files(files, index):
            if source:
                data = _bytes(source)
                found[f"{role}.{_ending(data)}"] = data
        masks = whole[len(whole) - files.masks :] if files.masks else whole[:0]
        for each, mask in zip(files.mask_files, masks, strict=True):
            output = getattr(each, "output", "")
            if output and not each.file(index):
                continue  # this sample has none, which is no mistake
            found[f"{output}.seg.png" if output else "seg.png"] = _png(mask)
        return Members(found, _size(whole))

    def _answers_in_files(self, files: Files, index: int) -> Iterator[tuple[str, Any]]:
        if files.target_files is not None:
            yield "target", files.target_files.content(index)
        for each in files.image_maps:
            yield f"{each.output}.target", each.content(index)

    def _fits_already(self, files: Files, index: int) -> Members | None:
        """The file of an image that has its size already: encoding it again would lose something
        for nothing."""
        if files.further or files.first_input is not None:
            return None
        photograph = files.photograph(index)
        if isinstance(photograph, Pixels):  # an array of a pack
            return None
        data = _bytes(photograph)
        if _ending(data) != "jpg":
            return None
        height, width = _size_of(data, decode=False)
        if self.fit is not None and self.fit.resized(height, width) != (height, width):
            return None
        return Members({"jpg": data}, _size_of(data))

    # ---- decoded ----

    def _channels(self, files: Files) -> int:
        return self.prepare.channels + files.further

    def _decoded(self, index: int) -> Members:
        source = self.source
        if isinstance(source, Arrays):
            whole = source.images[index]
        else:
            assert isinstance(source, Files)
            whole = with_mask(source, index, self._channels(source))
        if self.fit is not None:
            whole = self.fit.whole(whole, masks=source.masks)
        image, maps = self._divided(source, whole)
        found: dict[str, bytes] = {}
        for role, pixels in self._of_inputs(image):
            found[self._named(role)] = self._encoded(pixels)
        absent = self._absent(index)
        for role, pixels in maps:
            if role in absent:
                continue
            mask = role.endswith("seg")
            if self.prepare.kind == "raw":
                found[f"{role}.npy"] = npy(pixels.to(torch.uint8) if mask else pixels)
            else:
                found[f"{role}.png"] = _png(pixels[0])
        return Members(found, _size(image))

    def _divided(
        self, source: Arrays | Files, whole: Tensor
    ) -> tuple[Tensor, list[tuple[str, Tensor]]]:
        """An image, and its further channels by their roles."""
        image, rest = whole[: len(whole) - source.further], whole[len(whole) - source.further :]
        maps = []
        for role in _map_roles(source):
            count = 1
            if role == "target":
                count = source.targets
            elif role.endswith(".target"):
                assert isinstance(source, Files)
                count = next(m.channels for m in source.image_maps if f"{m.output}.target" == role)
            maps.append((role, rest[:count]))
            rest = rest[count:]
        return image, maps

    def _absent(self, index: int) -> set[str]:
        """The maps that a sample does not have."""
        if isinstance(self.source, Arrays):
            return set()
        assert isinstance(self.source, Files)
        absent = {
            f"{each.output}.target" for each in self.source.image_maps if not each.content(index)
        }
        for each in self.source.mask_files:
            output = getattr(each, "output", "")
            if output and not each.file(index):
                absent.add(f"{output}.seg")
        return absent

    def _of_inputs(self, image: Tensor) -> Iterator[tuple[str, Tensor]]:
        if not self.inputs:
            yield IMAGE, image
            return
        start = 0
        for number, (name, channels) in enumerate(self.inputs):
            yield f"{name}.input" if number else IMAGE, image[start : start + channels]
            start += channels

    def _named(self, role: str) -> str:
        ending = "npy" if self.prepare.kind == "raw" else "jpg"
        return ending if role == IMAGE else f"{role}.{ending}"

    def _encoded(self, pixels: Tensor) -> bytes:
        return npy(pixels) if self.prepare.kind == "raw" else _jpeg(pixels, self.prepare.quality)


def _bytes(content: Any) -> bytes:
    return content if isinstance(content, bytes) else contents(content)


def _size(image: Tensor) -> tuple[int, int]:
    height, width = image.shape[-2:]
    return int(height), int(width)


def _size_of(data: bytes, *, decode: bool = True) -> tuple[int, int]:
    """Height and width, upright, of an image that can be decoded. Raises BadImage."""
    try:
        if decode:
            image = plain(picture(data), 3)
            return image.height, image.width
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
            return (width, height) if turned else (height, width)
    except DAMAGE as error:
        raise BadImage(f"damaged: {error}") from None


def _ending(data: bytes) -> str:
    """The usual ending for a file, by its contents."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return _ENDINGS[image.format or ""]
    except (*DAMAGE, KeyError):
        return "tif"  # more than Pillow reads, but not more than tifffile does


def _jpeg(pixels: Tensor, quality: int) -> bytes:
    file = io.BytesIO()
    # Full color resolution: the file is to be what the resized image was.
    _image(pixels).save(file, "JPEG", quality=quality, subsampling=0)
    return file.getvalue()


def _png(pixels: Tensor) -> bytes:
    file = io.BytesIO()
    _image(pixels.to(torch.uint8)).save(file, "PNG", compress_level=6)
    return file.getvalue()


def _image(pixels: Tensor) -> Image.Image:
    flat = pixels if pixels.ndim == 2 else pixels.permute(1, 2, 0).squeeze(-1)
    return Image.fromarray(flat.contiguous().numpy())


def npy(pixels: Tensor) -> bytes:
    """An array in the format of `numpy.save`, whose numbers begin at byte 128."""
    array = numpy.ascontiguousarray(pixels.numpy())
    header = repr({"descr": array.dtype.str, "fortran_order": False, "shape": array.shape})
    magic = b"\x93NUMPY\x01\x00"
    room = NPY_HEADER - len(magic) - 2
    text = header.encode("ascii").ljust(room - 1) + b"\n"
    return magic + (room).to_bytes(2, "little") + text + array.tobytes()
