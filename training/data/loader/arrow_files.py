"""Images and masks that are kept in Arrow files, as Hugging Face's `save_to_disk` writes them: read
row by row, without copying the files into memory. Needs pyarrow."""

from __future__ import annotations

import os
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..images.image_file import BadImage
from ..images.mask_file import MaskCode
from ..sources.file_names import clean
from .image_source import Files

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True)
class ArrowColumn:
    """A column of images in one or several files."""

    files: tuple[str, ...] = ()
    starts: tuple[int, ...] = ()
    """The number of the first row of each file."""
    name: str = ""
    folder: str = ""
    """The folder that paths of images are relative to; if empty, that of the file."""

    def file(self, row: int) -> str:
        return self.files[bisect_right(self.starts, row) - 1]

    def read(self, row: int) -> str | bytes:
        """The bytes of an image, or the path of its file. Raises BadImage."""
        place = bisect_right(self.starts, row) - 1
        try:
            value = opened(self.files[place]).column(self.name)[row - self.starts[place]].as_py()
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise BadImage(f"cannot be read: {str(error).partition(chr(10))[0]}") from None
        content = _content(value, self.folder or os.path.dirname(self.files[place]))
        if not content:
            raise BadImage("it has no image")
        if isinstance(content, str) and not os.path.exists(content):
            raise BadImage(f"its file {clean(content)} does not exist")
        return content


def _content(value: object, folder: str) -> str | bytes:
    if isinstance(value, dict):
        data, path = value.get("bytes"), value.get("path")
        return data or (os.path.join(folder, path) if path else b"")
    return value if isinstance(value, bytes) else b""


@lru_cache(256)
def opened(path: str) -> pyarrow.Table:
    """The table in an Arrow file, mapped into memory."""
    import pyarrow

    source = pyarrow.memory_map(path)
    try:
        return pyarrow.ipc.open_stream(source).read_all()
    except pyarrow.ArrowInvalid:
        return pyarrow.ipc.open_file(source).read_all()


@dataclass(frozen=True, eq=False)
class ArrowFiles(Files):
    """The images of a column; `paths` are their names."""

    column: ArrowColumn = ArrowColumn()
    rows: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    """The row of each image."""

    def path(self, index: int) -> str:
        return os.path.join(self.container(index), f"row {int(self.rows[index])}")

    def container(self, index: int) -> str:
        return self.column.file(int(self.rows[index]))

    def content(self, index: int) -> str | bytes:
        return self.column.read(int(self.rows[index]))

    def select(self, indices: Tensor) -> ArrowFiles:
        chosen = super().select(indices)
        assert isinstance(chosen, ArrowFiles)
        return replace(chosen, rows=self.rows[indices])


@dataclass(frozen=True, eq=False)
class ArrowMasks:
    """The masks of a column."""

    column: ArrowColumn
    rows: Tensor
    code: MaskCode

    def read(self, index: int) -> Tensor:
        """The class of each pixel of an image: uint8, height x width. Raises BadImage."""
        return self.code.read(self.column.read(int(self.rows[index])))

    def file(self, index: int) -> str:
        return ""

    def select(self, indices: Tensor) -> ArrowMasks:
        return replace(self, rows=self.rows[indices])
