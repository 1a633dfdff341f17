"""The arrays of a folder of .npy files, by name. Needs numpy, not torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ....compiler.plan.data import NpyFolder
from ....compiler.shapes import Shape
from ...untrusted.bad_file import BadFile
from ...untrusted.npz import map_npy, npy_shape, read_npy
from ..diagnostic import problem
from .array_masks import masks_in
from .file_names import hidden, resolve
from .folder_tree import must_be_folder
from .npz_file import class_names, labels_of, named_pairs


class NpyFiles(Mapping[str, Any]):
    """The arrays of a folder; each is read when it is accessed. Raises BadFile."""

    def __init__(self, root: Path) -> None:
        self.files = {
            file.stem: file
            for file in sorted(root.iterdir())
            if file.suffix.lower() == ".npy" and not hidden(file.name)
        }

    def __getitem__(self, name: str) -> Any:
        return read_npy(self.files[name])

    def shape(self, name: str) -> Shape:
        """What its header says; the array is not read."""
        return npy_shape(self.files[name])

    def mapped(self, name: str) -> Any:
        """The array, which stays in its file."""
        return map_npy(self.files[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


@contextmanager
def opened_folder(data: NpyFolder, base: Path) -> Iterator[NpyFiles]:
    """A context with the arrays of a folder; raises SpecError."""
    root = resolve(data.path, base)
    must_be_folder(root, data.path, data)
    try:
        yield NpyFiles(root)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise problem("unreadable", f"cannot read {data.path}: {reason}", data) from None
    except BadFile as error:
        message = f"an array in {data.path} {error}"
        raise problem("data-damaged", message, data, help=error.help) from None


def count_in_folder(
    data: NpyFolder, base: Path, shape: Shape = (), *, as_numbers: bool = False
) -> int:
    """The number of classes, or of numbers for each sample; the samples are not read. `shape` is
    that of the network's input."""
    with opened_folder(data, base) as arrays:
        pairs = named_pairs(data, list(arrays))
        masks = masks_in(data, arrays, pairs, class_names(data, arrays), shape)
        if masks is not None:
            return len(masks.classes)
        return len(labels_of(data, arrays, pairs, as_numbers=as_numbers).classes)
