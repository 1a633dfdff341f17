"""Arrays in tar files, mapped into memory: nothing is read before it is used, nothing is copied."""

from __future__ import annotations

import io
import os
from functools import lru_cache
from math import prod

import numpy
import torch
from torch import Tensor

from ..images.image_file import BadImage
from ..packs.pack_index import NPY_HEADER

_DTYPES = {
    "uint8": torch.uint8, "int16": torch.int16, "float32": torch.float32, "int64": torch.int64,
}  # fmt: skip


def mapped_array(path: str, offset: int, size: int) -> Tensor:
    """The array whose file, in the format of `numpy.save`, is in these bytes of another file. It
    must not be written to. Raises BadImage."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise BadImage(f"cannot be read: {error.strerror}") from None
    # A file that has taken the place of another is another file.
    file = _mapped(path, status.st_size, status.st_ino, status.st_mtime_ns)
    content = file[offset : offset + size]
    if len(content) != size or size < NPY_HEADER:
        raise BadImage("it is cut short: the tar file has changed")
    return array_in(content)


def array_in(content: Tensor) -> Tensor:
    """The array of a .npy file that is in memory, as bytes. Raises BadImage."""
    shape, dtype, itemsize = _header(content[:NPY_HEADER].numpy().tobytes())
    numbers = content[NPY_HEADER:]
    if len(numbers) != prod(shape) * itemsize:
        raise BadImage("damaged: its header does not fit its size")
    return (numbers if dtype is torch.uint8 else numbers.view(dtype)).view(shape)


@lru_cache(4096)
def _mapped(path: str, size: int, *others: int) -> Tensor:
    """The bytes of a file. Many files may be open: a mapping needs no file descriptor."""
    if not size:
        return torch.empty(0, dtype=torch.uint8)
    try:
        return torch.from_file(path, shared=False, size=size, dtype=torch.uint8)
    except (OSError, RuntimeError):
        raise BadImage("cannot be read: it cannot be mapped into memory") from None


@lru_cache(4096)
def _header(data: bytes) -> tuple[tuple[int, ...], torch.dtype, int]:
    """Shape, type and bytes of a number."""
    try:
        file = io.BytesIO(data)
        if numpy.lib.format.read_magic(file) != (1, 0):
            raise ValueError("another version of the format")
        shape, fortran, dtype = numpy.lib.format.read_array_header_1_0(file)
        if fortran or file.tell() != NPY_HEADER or min(shape, default=0) < 0:
            raise ValueError("another layout")
        return shape, _DTYPES[dtype.name], dtype.itemsize
    except (ValueError, KeyError, SyntaxError, TypeError) as error:
        raise BadImage(f"damaged: it is not an array that `cnn pack` writes: {error}") from None
