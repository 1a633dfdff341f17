"""The index of a pack as arrays that are mapped into memory, so that a set of any size opens at
once, and the processes of a computer share it.

For each part, in `columns/` beside index.json:

    train.labels.npy          int64, or float32 with a column for each number; NaN is not known
    train.pixels.npy          int32: height and width of each image
    train.sizes.npy           int32: the different ones of these (computed if there is no file)
    train.names.npy           uint8: the names of all images, one after the other, in UTF-8
    train.name_ends.npy       int64: where each name ends in them
    train.ROLE.places.npy     int64: the number of the shard, the offset there and the size of a
                              member; -1, 0, 0 if a sample does not have it
    train.ROLE.crc32.npy      uint32: the checksum of the member
    train.groups.npy          int64: the number of each image's group, if there are groups, whose
                              names are in train.groups.json
    train.weights.npy         float64: the weight of each image, if there are weights

The arrays are derived from the JSON files. `stamp.json` has the checksum of the index.json that
they were made from; if that is another one, they are made again, where the pack is, or in the
user's cache folder if that cannot be written to.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from ...untrusted.bad_file import BadFile, damaged
from ...untrusted.json_text import load_json
from ...untrusted.open_file import read_text
from ..images.checked_files import cache_folder
from .pack_index import IMAGE, PackIndex, Shard, ShardIndex, role_of

FOLDER = "columns"
STAMP = "stamp.json"
FORMAT = 1

_CHUNK = 2**16

ReadShard = Callable[[Shard], ShardIndex]
"""Reads the JSON of a shard: from a folder, or from elsewhere; raises BadFile."""


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of one part."""

    labels: numpy.ndarray
    pixels: numpy.ndarray
    sizes: numpy.ndarray
    names: numpy.ndarray
    name_ends: numpy.ndarray
    places: dict[str, numpy.ndarray]
    """By role: shard, offset and size of each."""
    crc32: dict[str, numpy.ndarray]
    groups: numpy.ndarray | None = None
    weights: numpy.ndarray | None = None
    group_names: Sequence[str] = ()
    """The names of the groups, by their numbers."""

    def __len__(self) -> int:
        return len(self.labels)


class PackNames(Sequence[str]):
    """The names of images, read from their column when they are asked for."""

    def __init__(
        self, names: numpy.ndarray, ends: numpy.ndarray, rows: numpy.ndarray | None = None
    ) -> None:
        """`rows` chooses some of them."""
        self._names, self._ends, self._rows = names, ends, rows

    def __len__(self) -> int:
        return len(self._ends if self._rows is None else self._rows)

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), _CHUNK):
            some = slice(first, min(first + _CHUNK, len(self)))
            if self._rows is not None:
                yield from map(self.__getitem__, range(some.start, some.stop))
                continue
            ends = self._ends[some].tolist()
            start = int(self._ends[first - 1]) if first else 0
            text, base = bytes(self._names[start : ends[-1]]), start
            for end in ends:
                yield text[start - base : end - base].decode("utf-8", "surrogateescape")
                start = end

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(index)
        row = index if self._rows is None else int(self._rows[index])
        start = int(self._ends[row - 1]) if row else 0
        return bytes(self._names[start : int(self._ends[row])]).decode("utf-8", "surrogateescape")

    def select(self, indices: Any) -> PackNames:
        """Some of the names, by a tensor of their numbers."""
        chosen = numpy.asarray(indices)
        rows = chosen if self._rows is None else self._rows[chosen]
        return PackNames(self._names, self._ends, rows)


@dataclass(frozen=True, eq=False)
class PackGroups(Sequence[str]):
    """The name of the group of each image."""

    numbers: numpy.ndarray
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[str]:
        return map(self.names.__getitem__, self.numbers.tolist())

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self.names[number] for number in self.numbers[index]]
        return self.names[self.numbers[index]]


def open_columns(
    folder: Path | None, index: PackIndex, digest: str, read: ReadShard
) -> dict[str, Columns]:
    """The columns of each part of a pack whose index.json has the checksum `digest`. They are in
    `folder`, the pack itself, if it is on this computer; else, or if it cannot be written to, in
    the user's cache folder. `read` gives the JSON of a shard, and is called only if columns have to
    be made. Raises BadFile."""
    kept = cache_folder() / "packs" / digest[:32]
    candidates = [folder / FOLDER, kept] if folder is not None else [kept]
    for place in candidates:
        if stamp_of(place) == digest:
            with suppress(OSError, ValueError):
                return _opened(place, index)
    error: OSError | None = None
    for place in candidates:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            make_columns(place, index, digest, read)
            return _opened(place, index)
        except OSError as reason:
            error = reason
    raise damaged(f"its columns cannot be written anywhere: {error}")


def keep_columns(folder: Path, index: PackIndex, digest: str, read: ReadShard) -> None:
    """Makes the columns of a pack where it is, if they are not there. Raises OSError and
    BadFile."""
    if stamp_of(folder / FOLDER) != digest:
        make_columns(folder / FOLDER, index, digest, read)


def stamp_of(place: Path) -> str:
    try:
        value = load_json(read_text(place / STAMP, 4096))
    except BadFile:
        return ""
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        return ""
    return str(value.get("index", ""))


def _opened(place: Path, index: PackIndex) -> dict[str, Columns]:
    return {part: _part(place, index, part) for part in index.parts}


def _part(place: Path, index: PackIndex, part: str) -> Columns:
    def column(name: str) -> numpy.ndarray:
        # Copied when written to, which nobody does; torch warns about arrays that are read-only.
        file = place / f"{part}.{name}.npy"
        array: numpy.ndarray
        if count:
            array = numpy.load(file, mmap_mode="c", allow_pickle=False)
        else:  # what is empty cannot be mapped
            array = numpy.load(file, allow_pickle=False)
        if name not in ("names", "sizes") and len(array) != count:
            raise ValueError(f"{file.name} has {len(array)} rows")
        return array

    def optional(name: str) -> numpy.ndarray | None:
        return column(name) if (place / f"{part}.{name}.npy").exists() else None

    count, names = index.count(part), place / f"{part}.groups.json"
    pixels, sizes, labels = column("pixels"), optional("sizes"), column("labels")
    numbered = index.task == "classification" and labels.ndim == 1 and count
    if numbered and (labels.min() < 0 or labels.max() >= len(index.classes)):
        raise ValueError(f"{part}.labels has numbers that are no class")
    return Columns(
        labels,
        pixels,
        distinct_sizes(pixels) if sizes is None else sizes,
        column("names"),
        column("name_ends"),
        {role: column(f"{role}.places") for role in index.roles},
        {role: column(f"{role}.crc32") for role in index.roles},
        optional("groups"),
        optional("weights"),
        load_json(names.read_text("ascii")) if names.exists() else (),
    )


# ---- making them -------------------------------------------------------------------------------


def make_columns(place: Path, index: PackIndex, digest: str, read: ReadShard) -> None:
    """Writes the columns to a folder `place`, which is complete or not there. Raises OSError, and
    BadFile if the JSON of a shard cannot be used."""
    scratch = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        scratch.chmod(0o755)
        for part, shards in index.parts.items():
            _make_part(scratch, index, part, ((at, read(one)) for at, one in enumerate(shards)))
        (scratch / STAMP).write_text(
            json.dumps({"format": FORMAT, "index": digest}) + "\n", encoding="ascii"
        )
        _put(scratch, place)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _put(scratch: Path, place: Path) -> None:
    """Moves a folder to its place. Another process may do the same at the same time: what either
    writes is the same."""
    if place.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
        with suppress(OSError):
            os.replace(place, old / place.name)
        shutil.rmtree(old, ignore_errors=True)
    try:
        os.rename(scratch, place)
    except OSError:
        if not (place / STAMP).exists():
            raise


def _make_part(
    folder: Path, index: PackIndex, part: str, shards: Iterable[tuple[int, ShardIndex]]
) -> None:
    count = index.count(part)

    def array(name: str, dtype: str, *columns: int) -> numpy.ndarray:
        path = folder / f"{part}.{name}.npy"
        shape = (count, *columns)
        if not count:  # an empty file cannot be mapped
            numpy.save(path, numpy.zeros(shape, dtype))
            return numpy.zeros(shape, dtype)
        return numpy.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)

    width = index.label_columns
    labels = array("labels", "f4", width) if width else array("labels", "i8")
    pixels, ends = array("pixels", "i4", 2), array("name_ends", "i8")
    places = {role: array(f"{role}.places", "i8", 3) for role in index.roles}
    crc32 = {role: array(f"{role}.crc32", "u4") for role in index.roles}
    groups = array("groups", "i8") if index.about.get("groups") else None
    weights = array("weights", "f8") if index.about.get("weights") else None
    numbers: dict[str, int] = {}
    row = end = 0
    with open(folder / "names", "wb") as names:
        for number, shard in shards:
            samples = shard.samples
            rows = slice(row, row + len(samples))
            if rows.stop > count:
                raise damaged(f"{part} has more samples than index.json says")
            texts = [sample.name.encode("utf-8", "surrogateescape") for sample in samples]
            names.write(b"".join(texts))
            sizes = numpy.array([len(text) for text in texts], dtype="i8")
            ends[rows] = end + sizes.cumsum()
            end += int(sizes.sum())
            pixels[rows] = numpy.array([sample.pixels for sample in samples]).reshape(-1, 2)
            labels[rows] = _labels(shard, width)
            for role, found in _places(shard, index.roles):
                table = numpy.array(found, dtype="i8").reshape(-1, 3)
                places[role][rows, 0] = numpy.where(table[:, 0] < 0, -1, number)
                places[role][rows, 1:] = table[:, :2].clip(min=0)
                crc32[role][rows] = table[:, 2]
            if groups is not None:
                groups[rows] = [numbers.setdefault(each.group, len(numbers)) for each in samples]
            if weights is not None:
                weights[rows] = [1.0 if each.weight is None else each.weight for each in samples]
            row = rows.stop
    if row != count:
        raise damaged(f"{part} has {row:,} samples, and index.json says {count:,}")
    if groups is not None:
        (folder / f"{part}.groups.json").write_text(json.dumps([*numbers]), encoding="ascii")
    _as_array(folder / "names", folder / f"{part}.names.npy", end)
    numpy.save(folder / f"{part}.sizes.npy", distinct_sizes(pixels))


def distinct_sizes(pixels: numpy.ndarray) -> numpy.ndarray:
    """The different rows of an array of heights and widths, in order; without sorting many
    millions, most of which are equal."""
    found = numpy.zeros((0, 2), "i4")
    for start in range(0, len(pixels), _CHUNK):
        part = pixels[start : start + _CHUNK]
        if (part == part[0]).all():
            part = part[:1]
        found = numpy.unique(numpy.concatenate([found, part]), axis=0)
    return found


def _labels(shard: ShardIndex, width: int) -> Any:
    labels = [sample.label for sample in shard.samples]
    if not width:
        if not all(label is None or isinstance(label, int) for label in labels):
            raise damaged("a label is not the number of a class")
        return numpy.array([0 if label is None else label for label in labels], dtype="i8")
    try:
        rows = [[numpy.nan if each is None else each for each in label] for label in labels]
        return numpy.array(rows, dtype="f4").reshape(-1, width)
    except (TypeError, ValueError):
        raise damaged(f"a label does not have {width} numbers") from None


def _places(
    shard: ShardIndex, roles: Sequence[str]
) -> Iterator[tuple[str, list[tuple[int, int, int]]]]:
    """For each role: offset, size and checksum of each sample's member; -1 if it has none."""
    found: dict[str, list[tuple[int, int, int]]] = {role: [] for role in roles}
    for sample in shard.samples:
        own = {role_of(ending): place for ending, place in sample.members.items()}
        if IMAGE not in own:
            raise damaged(f"the sample {sample.key} has no image")
        for role in roles:
            found[role].append(own.get(role, (-1, 0, 0)))
    return iter(found.items())


def _as_array(raw: Path, path: Path, size: int) -> None:
    """Bytes as an array file, without reading them into memory."""
    with open(raw, "rb") as source, open(path, "wb") as file:
        form = {"descr": "|u1", "fortran_order": False, "shape": (size,)}
        numpy.lib.format.write_array_header_1_0(file, form)
        shutil.copyfileobj(source, file)
    raw.unlink()
