"""Reads HDF5 files (.h5, .hdf5) safely: only what is in the file itself, no external or soft links,
no virtual or external data sets, no filters from plugins, no more memory than the file can fill.
"""

from __future__ import annotations

import io
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING, Any

import numpy

from .bad_file import BadFile, damaged, guarded, too_large, unreadable
from .open_file import LFS, refuse_pointer
from .zip_archive import may_unpack_to

if TYPE_CHECKING:
    from collections.abc import Sequence

SIGNATURE = b"\x89HDF\r\n\x1a\n"
TEXTS = ("layer_names", "weight_names", "model_config", "keras_version", "backend")
"""The attributes that are read."""
NO_MEMORY = 3
"""The exit code of the process that reads first, where it had not enough memory."""
LONGEST = 300
"""Seconds to read a file in."""
MAX_NAMES = 100_000
MAX_DEPTH = 32
_FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32"}
"""What HDF5 brings along; others are loaded from plugins."""


class Group:
    """A group of a file, or the file itself. Every access raises BadFile and nothing else."""

    def __init__(self, group: Any, size: int, path: str = "") -> None:
        self._group = group
        self._size = size
        self.path = path

    def names(self) -> list[str]:
        """What it has in it."""
        with guarded(f"its group `{self.path[:80]}` is broken"):
            count = len(self._group)
            if count > MAX_NAMES:
                raise too_large(f"has a group of {count:,} members, more than {MAX_NAMES:,}")
            return [str(name) for name in self._group]

    def has(self, name: str) -> bool:
        """Whether there is something of that name."""
        with guarded(f"its group `{self.path[:80]}` is broken"):
            return bool(name) and name in self._group

    def group(self, name: str) -> Group | None:
        """The group of a name, in this one or, with `/`, further within; None if there is none."""
        found: Any = self._group
        path = self.path
        for part in name.split("/"):
            found = _member(found, part, path)
            path = f"{path}/{part}"
            if found is None or not hasattr(found, "keys"):
                return None
        return Group(found, self._size, path)

    def array(self, name: str) -> Any:
        """The numbers of a data set as an array; None if there is no such data set."""
        found: Any = self._group
        path = self.path
        for part in name.split("/"):
            found = _member(found, part, path) if hasattr(found, "keys") else None
            path = f"{path}/{part}"
            if found is None:
                return None
        if hasattr(found, "keys"):
            return None
        return _numbers(found, path.lstrip("/"), self._size)

    def text(self, name: str) -> str:
        """An attribute that is a text; empty if there is none."""
        value = self._attribute(name)
        return _text(value) if isinstance(value, (bytes, str)) else ""

    def texts(self, name: str) -> list[str] | None:
        """An attribute that is a list of texts, which may be in parts, `name0`, `name1`; None if
        there is none."""
        parts = [name] if self._has_attribute(name) else []
        while not parts or parts[0] != name:
            if len(parts) > 1000 or not self._has_attribute(f"{name}{len(parts)}"):
                break
            parts.append(f"{name}{len(parts)}")
        if not parts:
            return None
        found: list[str] = []
        for part in parts:
            found += map(_text, numpy.ravel(self._attribute(part)))
        if len(found) > MAX_NAMES:
            raise too_large(f"has {len(found):,} names in `{name}`, more than {MAX_NAMES:,}")
        return found

    def _has_attribute(self, name: str) -> bool:
        with guarded(f"the attributes of `{self.path[:80] or '/'}` are broken"):
            return name in self._group.attrs

    def _attribute(self, name: str) -> Any:
        with guarded(f"its attribute `{name}` is broken"):
            attributes = self._group.attrs
            if name not in attributes:
                return None
            stored = attributes.get_id(name)
            count = math.prod(stored.shape)
            if count > MAX_NAMES or count * stored.get_type().get_size() > may_unpack_to(
                self._size
            ):
                raise too_large(f"has an attribute `{name}` of {count:,} parts")
            return attributes[name]


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


@contextmanager
def open_hdf5(stream: IO[bytes], size: int) -> Iterator[Group]:
    """A context with the file of a stream of `size` bytes; raises BadFile, also for files on which
    the HDF5 library would crash: a process of its own reads all of it first."""
    if find_spec("h5py") is None:
        raise BadFile("needs `h5py`", "missing-package", 'pip install "dotcnn[keras]"')
    stream.seek(0)
    _refuse_others(stream)
    _check(stream)
    with opened(stream, size) as root:
        yield root


def _check(stream: IO[bytes]) -> None:
    command = [sys.executable, "-P", "-m", f"{__package__}.hdf5_check"]
    with tempfile.TemporaryFile() as copy:
        source: IO[bytes] = stream
        if isinstance(stream, io.BytesIO):
            copy.write(stream.getvalue())
            copy.seek(0)
            source = copy
        else:
            # The process shares the position in the file, which is put back by `opened`.
            os.lseek(stream.fileno(), 0, os.SEEK_SET)
        try:
            done = subprocess.run(
                command, stdin=source, capture_output=True, timeout=LONGEST, check=False
            )
        except subprocess.TimeoutExpired:
            raise too_large("takes too long to read") from None
        except OSError as error:
            raise unreadable(error) from None
    if done.returncode == NO_MEMORY:
        raise too_large("claims to need more memory than a file of its size can")
    if done.returncode:
        raise damaged("the HDF5 library fails on it")


def _refuse_others(stream: IO[bytes]) -> None:
    """Raises BadFile for what is not HDF5."""
    start = stream.read(len(LFS))
    refuse_pointer(start)
    if not start.startswith(SIGNATURE):
        raise damaged("it is not an HDF5 file")


@contextmanager
def opened(stream: IO[bytes], size: int) -> Iterator[Group]:
    """A context with the file of a stream, in this process."""
    import h5py

    stream.seek(0)
    with guarded("it is a truncated or broken HDF5 file"):
        file = h5py.File(stream, "r")
    try:
        yield Group(file, size)
    finally:
        with guarded():
            file.close()


def _member(group: Any, name: str, path: str) -> Any:
    """What a group has in itself under a name; None if nothing."""
    if path.count("/") > MAX_DEPTH:
        raise too_large(f"is nested more than {MAX_DEPTH} deep")
    with guarded(f"`{path[-60:]}/{name[:60]}` in it is broken"):
        import h5py

        if not name or name not in group:
            return None
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise BadFile(
                f"has a link to elsewhere (`{name[:60]}`), which is not followed", "code",
                "save the weights in one file",
            )  # fmt: skip
        return group[name]


def _numbers(found: Any, path: str, size: int) -> Any:
    with guarded(f"`{path[-80:]}` in it is broken"):
        if found.dtype.kind not in "fiu" or found.dtype.itemsize > 8:
            raise BadFile(f"has `{path[-80:]}`, which is not made of numbers", "kind")
        shape: Sequence[int] = found.shape or ()
        total = math.prod(shape) * found.dtype.itemsize
        if total > may_unpack_to(size):
            raise too_large(f"has {size:,} bytes, and `{path[-80:]}` would have {total:,}")
        creation = found.id.get_create_plist()
        if found.is_virtual or creation.get_external_count():
            raise BadFile(f"has `{path[-80:]}` in other files, which are not read", "code")
        for number in range(creation.get_nfilters()):
            if creation.get_filter(number)[0] not in _FILTERS:
                help = "save it without compression, or with gzip"
                raise BadFile(f"is compressed by a plugin (`{path[-80:]}`)", "kind", help)
        return found[()]
