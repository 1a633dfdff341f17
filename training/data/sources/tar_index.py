"""What is where in a tar file of samples (a shard, in the format of WebDataset).

Only headers are read, and the texts of labels: nothing is extracted, no link is followed, and a
name is never taken for a path. What is found is kept in the user's cache folder, until the file
changes. Needs no torch.
"""

from __future__ import annotations

import json
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ....dsl.atomic_file import written
from ...untrusted.bad_file import BadFile, damaged
from ...untrusted.json_text import load_json
from ...untrusted.open_file import open_regular, read_text, refuse_pointer
from ..images.checked_files import cache_folder
from .file_names import clean

FORMAT = 2
MAX_INDEX = 2**31
MAX_HEADER = 2**20
"""The most bytes of a header, such as that of a long name."""
MAX_TEXT = 2**16
"""The most bytes of a label."""
TEXTS = ("cls", "txt", "json", "label", "class", "tags", "target")
"""The last endings of members that are read: labels."""
_SAMPLE = re.compile(r"((?:.*/|)[^./][^./]*)\.([^/]+)")
"""The key of a sample and its member's ending, which begins at the first dot of the name."""


class Place(NamedTuple):
    """Where the bytes of a member are in the tar file."""

    offset: int
    size: int


@dataclass(frozen=True)
class Sample:
    """Members of one key: `a.jpg`, `a.cls` and `a.seg.png`."""

    key: str
    members: dict[str, Place] = field(default_factory=dict)
    """By their endings."""
    texts: dict[str, str] = field(default_factory=dict)
    """The contents of those that may be labels."""


@dataclass(frozen=True)
class TarIndex:
    samples: tuple[Sample, ...]
    bad: tuple[tuple[str, str], ...] = ()
    """Names of members that cannot be used, with the reasons; an empty name is the file itself."""


class ReadableFile(Protocol):
    """An open file, which may be elsewhere."""

    def read(self, size: int, /) -> bytes: ...

    def seek(self, offset: int, whence: int = 0, /) -> int: ...

    def tell(self) -> int: ...


def tar_index(path: Path) -> TarIndex:
    """The index of a tar file, from the cache or from the file; raises BadFile."""
    with open_regular(path) as file:
        status = os.fstat(file.fileno())
        mark = f"{os.path.abspath(path)}\0{status.st_size}\0{status.st_mtime_ns}"
        return index_of(file, status.st_size, mark)


def index_of(file: ReadableFile, size: int, mark: str) -> TarIndex:
    """The index of an open tar file, from the cache if the same `mark` is known there; raises
    BadFile."""
    key = f"{mark}\0{FORMAT}".encode("utf-8", "surrogatepass")
    cached = cache_folder() / "shards" / f"{blake2b(key, digest_size=16).hexdigest()}.json"
    known = _kept(cached)
    if known is None:
        known = _read(file, size)
        _keep(cached, known)
    return known


# ---- the tar file ------------------------------------------------------------------------------


class _Headers:
    """A file of which no more than headers are read: what claims to be a longer one is refused."""

    def __init__(self, file: ReadableFile) -> None:
        self._file = file
        self.tell, self.seek = file.tell, file.seek

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MAX_HEADER:
            raise tarfile.ReadError(f"a header claims {size:,} bytes")
        return self._file.read(size)


def _read(file: ReadableFile, size: int) -> TarIndex:
    start = file.read(32)
    refuse_pointer(start)
    if start.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")):
        raise BadFile("is compressed: unpack it to a .tar, whose images can be read one by one")
    file.seek(0)
    bad: list[tuple[str, str]] = []
    samples: list[Sample] = []
    by_key: dict[str, Sample] = {}
    sample: Sample | None = None
    empty = True
    for member in _members(file, size, bad):
        empty = False
        name = clean(member.name.removeprefix("./"))
        if member.isdir():
            continue
        if not member.isreg() or member.issparse():
            bad.append((name, "it is a link or another special entry, which is not followed"))
            continue
        place = Place(member.offset_data, member.size)
        if place.offset + place.size > size:
            bad.append((name, "it is cut short: the file ends before it"))
            continue
        parts = _SAMPLE.fullmatch(name)
        if parts is None or name.rpartition("/")[2].startswith("__"):
            continue
        key, ending = parts[1], parts[2].lower()
        if sample is None or sample.key != key:
            # All images may come first, and all labels after them.
            sample = by_key.get(key)
            if sample is None or ending in sample.members:
                sample = by_key[key] = Sample(key)
                samples.append(sample)
        if ending in sample.members:
            bad.append((name, f"its sample has two members of the ending .{ending}"))
            continue
        sample.members[ending] = place
        if ending.rpartition(".")[2] in TEXTS and place.size <= MAX_TEXT:
            file.seek(place.offset)
            sample.texts[ending] = file.read(place.size).decode("utf-8", "replace").strip()
    if not samples and (bad or not empty):
        why = bad[-1][1] if bad else "it has no samples"
        raise damaged(why.removeprefix("it is damaged: "))
    return TarIndex(tuple(samples), tuple(bad))


def _members(
    file: ReadableFile, size: int, bad: list[tuple[str, str]]
) -> Iterator[tarfile.TarInfo]:
    """The members, as far as the file can be read; `bad` then says why that is not the end."""
    last = -1
    try:
        # The caller closes the file.
        tar = tarfile.TarFile(fileobj=_Headers(file))  # type: ignore[arg-type]
        while (member := tar.next()) is not None:
            if member.offset <= last or member.size < 0:
                raise tarfile.ReadError("its headers go in a circle")
            last = member.offset
            tar.members.clear()  # type: ignore[attr-defined]  # else all are kept
            yield member
        file.seek(min(tar.offset, size))
        end = file.read(512)
        if end.strip(b"\0"):
            message = f"it is damaged at byte {tar.offset:,}, and what follows is not read"
            bad.append(("", message))
        elif not end:
            bad.append(("", "it is cut short: the blocks of zeros at the end of a tar are missing"))
    except (tarfile.TarError, OSError, ValueError, OverflowError, RecursionError) as error:
        reason = str(error) or type(error).__name__
        if "unexpected end" not in reason:
            bad.append(("", f"it is damaged: {reason}"))
        elif not any(name for name, _ in bad):
            bad.append(("", "it is cut short"))


# ---- the cache ---------------------------------------------------------------------------------


def _keep(place: Path, index: TarIndex) -> None:
    samples = [
        [one.key, {ending: list(at) for ending, at in one.members.items()}, one.texts]
        for one in index.samples
    ]
    text = json.dumps({"samples": samples, "bad": index.bad}, ensure_ascii=True)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with written(place) as file:
            file.write_text(text, encoding="ascii")
    except OSError:  # the disk is full, or the home folder is not writable
        return


def _kept(place: Path) -> TarIndex | None:
    try:
        return _of_json(load_json(read_text(place, MAX_INDEX)))
    except (BadFile, KeyError, TypeError, ValueError, AttributeError):
        return None


def _of_json(value: Any) -> TarIndex:
    samples = [
        Sample(
            str(key),
            {str(ending): Place(int(at), int(size)) for ending, (at, size) in members.items()},
            {str(ending): str(text) for ending, text in texts.items()},
        )
        for key, members, texts in value["samples"]
    ]
    return TarIndex(tuple(samples), tuple((str(name), str(why)) for name, why in value["bad"]))
