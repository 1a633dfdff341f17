"""Arrays in tar files, mapped into memory: nothing is read before it is used, nothing is copied."""

from __future__ import annotations

import io
import os
from functools import lru_cache
from math import prod
from tokenize import TokenError
from typing import NamedTuple

import numpy
import torch
from torch import Tensor

from ..images.image_file import BadImage
from ..packs.pack_index import NPY_HEADER

_DTYPES = {
    "uint8": torch.uint8, "int16": torch.int16, "float32": torch.float32, "int64": torch.int64,
}  # fmt: skip


class MappedFile(NamedTuple):
    """A file that is mapped into memory."""

    content: Tensor
    memory: memoryview
    """The same bytes."""
    size: int

    def array(self, offset: int, size: int) -> Tensor:
        """The array whose file, in the format of `numpy.save`, is in these bytes. It must not be
        written to. Raises BadImage."""
        start = offset + NPY_HEADER
        if offset + size > self.size or size < NPY_HEADER:
            raise BadImage("it is cut short: the tar file has changed")
        header = _header(bytes(self.memory[offset:start]))
        if size - NPY_HEADER != header.length:
            raise BadImage("damaged: its header does not fit its size")
        if header.dtype is torch.uint8:
            return self.content.as_strided(header.shape, header.strides, start)
        return self.content[start : offset + size].view(header.dtype).view(header.shape)


def mapped_file(path: str) -> MappedFile:
    """A file as it is now. Raises BadImage."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise BadImage(f"cannot be read: {error.strerror}") from None
    # A file that has taken the place of another is another file.
    return _mapped(path, status.st_size, status.st_ino, status.st_mtime_ns)


def array_in(content: Tensor) -> Tensor:
    """The array of a .npy file that is in memory, as bytes. Raises BadImage."""
    return MappedFile(content, content.numpy().data, len(content)).array(0, len(content))


@lru_cache(4096)
def _mapped(path: str, size: int, *others: int) -> MappedFile:
    """Many files may be open: a mapping needs no file descriptor."""
    if not size:
        content = torch.empty(0, dtype=torch.uint8)
    else:
        try:
            content = torch.from_file(path, shared=False, size=size, dtype=torch.uint8)
        except (OSError, RuntimeError):
            raise BadImage("cannot be read: it cannot be mapped into memory") from None
    return MappedFile(content, content.numpy().data, len(content))


class _Header(NamedTuple):
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: torch.dtype
    length: int
    """The bytes of all numbers."""


@lru_cache(4096)
def _header(data: bytes) -> _Header:
    try:
        file = io.BytesIO(data)
        if numpy.lib.format.read_magic(file) != (1, 0):
            raise ValueError("another version of the format")
        shape, fortran, dtype = numpy.lib.format.read_array_header_1_0(file)
        if fortran or file.tell() != NPY_HEADER or min(shape, default=0) < 0:
            raise ValueError("another layout")
        strides = tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))
        return _Header(shape, strides, _DTYPES[dtype.name], prod(shape) * dtype.itemsize)
    except (ValueError, KeyError, SyntaxError, TypeError, TokenError) as error:
        raise BadImage(f"damaged: it is not an array that `cnn pack` writes: {error}") from None
