"""Writing files atomically: a file is the old one or the new one, and whole, even if the process
dies or the disk is full."""

from __future__ import annotations

import errno
import mmap
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def written(path: str | Path) -> Iterator[Path]:
    """A name to write under, in a folder of its own beside `path`.

    When all has gone well, what lies in that folder replaces `path`, and what belongs to it;
    otherwise nothing of it is left. Permissions stay, and so does a link. Raises OSError where
    `path` cannot be written, before anything is done.
    """
    target = Path(os.path.realpath(path))  # a link stays one
    before = _mode(target)
    # A name that nobody can foresee: a link could lie in wait there.
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name[:40]}.", dir=target.parent))
    try:
        usual = _mode_of_new_files(scratch)
        yield scratch / target.name
        # What goes with it first: it is whole once it can be seen.
        for made in sorted(scratch.iterdir(), key=lambda file: file.name == target.name):
            made.chmod(usual if before is None else before)
            with open(made, "rb") as file:
                _put_in_place(file, made, target.with_name(made.name))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def replaceable(path: str | Path, mark: re.Pattern[bytes]) -> bool:
    """Whether nothing would be lost: there is no such file, it is empty, or it holds a mark that
    shows that the program made it. (Whether it is a file at all, `written` says.)"""
    try:
        if not os.path.isfile(path) or not os.path.getsize(path):
            return True
        with (
            open(path, "rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            return mark.search(content) is not None
    except OSError:
        return False


def _mode(target: Path) -> int | None:
    """The permissions of a file that is to be replaced; whoever took away the right to write it
    meant that, though its folder would allow it."""
    if not os.path.lexists(target):
        return None
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if not target.is_file():
        raise OSError(errno.EINVAL, "it is not a file of its own")
    mode = target.stat().st_mode & 0o7777
    if not mode & 0o222:
        raise PermissionError(errno.EACCES, "it is read-only")
    return mode


def _mode_of_new_files(folder: Path) -> int:
    """As the user wants them; not all libraries care."""
    file = folder / "new"
    file.touch()
    mode = file.stat().st_mode & 0o7777
    file.unlink()
    return mode


def write_whole(path: Path, *pieces: bytes | memoryview) -> None:
    """Writes a file that the program alone writes; raises OSError, and what was there is still
    there. It is written under a fixed name first: what a process that dies leaves there is
    overwritten by the next one."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        # Only a new file: a link that lies there would lead the writing to another place.
        with open(partial, "xb") as file:
            file.writelines(pieces)
            file.flush()
            _put_in_place(file, partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        error.filename, error.filename2 = str(path), None  # nobody knows the other name
        raise


def _put_in_place(file: IO[bytes], scratch: Path, target: Path) -> None:
    os.fsync(file.fileno())
    os.replace(scratch, target)
    reach_the_disk(target.parent)


def reach_the_disk(folder: Path) -> None:
    """The names in a folder, so that they outlive a power cut."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # no such thing on Windows
        return
    try:
        os.fsync(handle)
    except OSError:  # nor on some file systems
        pass
    finally:
        os.close(handle)
