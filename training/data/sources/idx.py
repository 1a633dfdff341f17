"""The files of MNIST and its relatives: a magic number, the sizes, then the bytes.

Files may be packed with gzip. What does not agree with its own first bytes is named.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

from ....compiler.plan.data import Data, Idx
from ....dsl.diagnostics import SpecError
from ...untrusted.bad_file import BadFile, guarded
from ...untrusted.bad_file import damaged as bad
from ...untrusted.open_file import open_regular, size_of
from ...untrusted.zip_archive import may_unpack_to
from ..diagnostic import listed, problem
from .file_names import clean, resolve
from .folder_tree import is_folder

PARTS = {"train": ("train", "training"), "test": ("t10k", "test")}

MAX_BYTES = 4 * 2**30


class Idx3(NamedTuple):
    """The numbers of a file."""

    sizes: tuple[int, ...]
    numbers: bytes


class Group(NamedTuple):
    """The files of a part."""

    images: Path
    labels: Path


def groups(data: Data, root: Path, said: str, prefix: str = "") -> dict[str, Group]:
    """The files of each part in a folder; raises SpecError where some are not there."""
    is_folder(root, said, data)
    found = {part: _group(data, root, said, prefix, names) for part, names in PARTS.items()}
    there = {part: group for part, group in found.items() if group is not None}
    if "train" not in there:
        raise problem(
            "no-data-files",
            f"{said} has no files `{prefix}train-images-idx3-ubyte` and"
            f" `{prefix}train-labels-idx1-ubyte`",
            data,
            notes=(_what_is_there(root),),
            help="put both there, and `t10k-…` for a test; packed as .gz they will do",
        )
    return there


def looks_like_idx(root: Path) -> bool:
    """Whether a folder has files that are called like those of MNIST."""
    try:
        return any(_NAME.fullmatch(path.name.lower()) for path in root.iterdir())
    except OSError:
        return False


_NAME = re.compile(r"[\w-]*(train|t10k|test|training)-(images|labels)[-.]idx[13]-ubyte(\.gz)?")


def idx_groups(data: Idx, base: Path) -> dict[str, Group]:
    return groups(data, resolve(data.path, base), data.path)


def _group(data: Data, root: Path, said: str, prefix: str, names: Sequence[str]) -> Group | None:
    try:
        there = sorted(path for path in root.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise problem("unreadable", f"cannot read {said}: {error.strerror}", data) from None
    found = {}
    for what, magic in (("images", "idx3"), ("labels", "idx1")):
        # A copy that is not packed comes first: it is read faster.
        fitting = [
            path
            for ending in ("", ".gz")
            for path in there
            if any(
                path.name.lower() == f"{prefix}{name}-{what}{dot}{magic}-ubyte{ending}"
                for name in names
                for dot in "-."
            )
        ]
        if fitting:
            found[what] = fitting[0]
    if len(found) == 1:
        (what,) = found
        missing = "labels" if what == "images" else "images"
        raise problem(
            "no-data-files",
            f"{said} has {clean(found[what].name)}, but not the {missing} that belong to it",
            data,
            help=f"put the file of {missing} beside it",
        )
    return Group(found["images"], found["labels"]) if found else None


def _what_is_there(root: Path) -> str:
    names = sorted(clean(path.name) for path in root.iterdir())
    return f"there is {listed(names)}" if names else "the folder is empty"


def read(data: Data, path: Path, dimensions: int) -> Idx3:
    """The numbers of a file: bytes in so many dimensions."""
    try:
        with open_regular(path) as file:
            size = size_of(file)
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not packed:
                return _read(file, dimensions, size)
            with guarded("its compression is broken"), gzip.open(file) as stream:
                return _read(stream, dimensions, min(MAX_BYTES, may_unpack_to(size)))
    except BadFile as error:
        code = "data-damaged" if error.kind in ("damaged", "limit") else "unreadable"
        raise problem(code, f"{clean(str(path))} {error}", data, help=error.help) from None


def _read(stream: IO[bytes] | gzip.GzipFile, dimensions: int, most: int) -> Idx3:
    """Of a stream that has at most so many bytes."""
    start = stream.read(4)
    if not start:
        raise bad("it is empty")
    if len(start) < 4 or start != bytes([0, 0, 8, dimensions]):
        expected = f"0000 08{dimensions:02x}"
        raise bad(f"it begins with {start.hex(' ', 2)}, not with {expected}")
    header = stream.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise bad("it ends within its sizes")
    sizes = struct.unpack(f">{dimensions}I", header)
    size = math.prod(sizes)
    if size > most:
        raise bad(f"it claims to hold {size:,} bytes")
    numbers = stream.read(size + 1)
    if len(numbers) != size:
        has = f"{len(numbers):,}" if len(numbers) < size else "more"
        raise bad(f"its sizes say {size:,} bytes, and it has {has}")
    return Idx3(sizes, numbers)


def read_group(data: Data, group: Group) -> tuple[Idx3, Idx3]:
    """Images and labels, as many of one as of the other."""
    images, labels = read(data, group.images, 3), read(data, group.labels, 1)
    if images.sizes[0] != labels.sizes[0]:
        raise problem(
            "data-damaged",
            f"{images.sizes[0]:,} images in {clean(group.images.name)}, and {labels.sizes[0]:,}"
            f" labels in {clean(group.labels.name)}",
            data,
            help="the two files belong to different data sets, or one is damaged",
        )
    if not images.numbers:
        raise damaged(data, group.images, "it holds no images")
    return images, labels


def damaged(data: Data, path: Path, reason: str) -> SpecError:
    return problem(
        "data-damaged",
        f"{clean(str(path))} is damaged: {reason}",
        data,
        help="fetch it again: it may have been cut short",
    )
