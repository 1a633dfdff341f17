"""Reads the idx files of MNIST and similar data sets: a magic number, the sizes, then the bytes.

Files may be compressed with gzip. A file whose contents do not agree with its header is an error.
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
from .folder_tree import must_be_folder

PARTS = {"train": ("train", "training"), "test": ("t10k", "test")}

MAX_BYTES = 4 * 2**30


class Idx3(NamedTuple):
    """The contents of a file."""

    sizes: tuple[int, ...]
    numbers: bytes


class Group(NamedTuple):
    """The files of a part: its images and its labels."""

    images: Path
    labels: Path


def groups(data: Data, root: Path, written: str, prefix: str = "") -> dict[str, Group]:
    """The files of each part in a folder; raises SpecError if files are missing. `written` is the
    path as the spec has it."""
    must_be_folder(root, written, data)
    by_part = {part: _group(data, root, written, prefix, names) for part, names in PARTS.items()}
    complete = {part: group for part, group in by_part.items() if group is not None}
    if "train" not in complete:
        raise problem(
            "no-data-files",
            f"{written} has no files `{prefix}train-images-idx3-ubyte` and"
            f" `{prefix}train-labels-idx1-ubyte`",
            data,
            notes=(_what_is_there(root),),
            help="put both there, and `t10k-…` for testing; they may be compressed (.gz)",
        )
    return complete


def looks_like_idx(root: Path) -> bool:
    """Whether a folder has files with the names of MNIST's files."""
    try:
        return any(_NAME.fullmatch(path.name.lower()) for path in root.iterdir())
    except OSError:
        return False


_NAME = re.compile(r"[\w-]*(train|t10k|test|training)-(images|labels)[-.]idx[13]-ubyte(\.gz)?")


def idx_groups(data: Idx, base: Path) -> dict[str, Group]:
    return groups(data, resolve(data.path, base), data.path)


def _group(data: Data, root: Path, written: str, prefix: str, names: Sequence[str]) -> Group | None:
    """The files of one part; None if it has none, SpecError if it has only one of the two."""
    try:
        there = sorted(path for path in root.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise problem("unreadable", f"cannot read {written}: {error.strerror}", data) from None
    files = {}
    for what, magic in (("images", "idx3"), ("labels", "idx1")):
        # An uncompressed copy comes first, since it is read faster.
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
            files[what] = fitting[0]
    if len(files) == 1:
        (what,) = files
        missing = "labels" if what == "images" else "images"
        raise problem(
            "no-data-files",
            f"{written} has {clean(files[what].name)}, but not the {missing} that belong to it",
            data,
            help=f"put the file of {missing} beside it",
        )
    return Group(files["images"], files["labels"]) if files else None


def _what_is_there(root: Path) -> str:
    names = sorted(clean(path.name) for path in root.iterdir())
    return f"there is {listed(names)}" if names else "the folder is empty"


def read(data: Data, path: Path, dimensions: int) -> Idx3:
    """Reads a file of bytes with this number of dimensions."""
    try:
        with open_regular(path) as file:
            size = size_of(file)
            compressed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not compressed:
                return _read(file, dimensions, size)
            with guarded("its compression is broken"), gzip.open(file) as stream:
                return _read(stream, dimensions, min(MAX_BYTES, may_unpack_to(size)))
    except BadFile as error:
        code = "data-damaged" if error.kind in ("damaged", "limit") else "unreadable"
        raise problem(code, f"{clean(str(path))} {error}", data, help=error.help) from None


def _read(stream: IO[bytes] | gzip.GzipFile, dimensions: int, most: int) -> Idx3:
    """Reads a stream of at most `most` bytes."""
    start = stream.read(4)
    if not start:
        raise bad("it is empty")
    if len(start) < 4 or start != bytes([0, 0, 8, dimensions]):
        expected = f"0000 08{dimensions:02x}"
        raise bad(f"it starts with {start.hex(' ', 2)}, not with {expected}")
    header = stream.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise bad("its header is truncated")
    sizes = struct.unpack(f">{dimensions}I", header)
    size = math.prod(sizes)
    if size > most:
        raise bad(f"it claims to hold {size:,} bytes")
    numbers = stream.read(size + 1)
    if len(numbers) != size:
        has = f"{len(numbers):,}" if len(numbers) < size else "more"
        raise bad(f"its header says {size:,} bytes, but it has {has}")
    return Idx3(sizes, numbers)


def read_group(data: Data, group: Group) -> tuple[Idx3, Idx3]:
    """Reads the images and labels of a part, and checks that there are as many of both."""
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
        help="download it again: it may be truncated",
    )
