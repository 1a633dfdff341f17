"""Atomic file writing: a reader finds the old file or the new one, always complete, even if the
process dies or the disk is full.
"""

from __future__ import annotations

import errno
import mmap
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def written(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path to write to, in a new folder beside `path`. On success, the files in
    that folder replace `path` and its companion files; on failure the folder is deleted.
    Permissions and symbolic links are kept. Raises OSError at once if `path` cannot be written.
    """
    target = Path(os.path.realpath(path))  # a symbolic link stays one
    before = _mode(target)
    # A random name: somebody could have placed a link at a predictable one.
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name[:40]}.", dir=target.parent))
    try:
        usual = _mode_of_new_files(scratch)
        yield scratch / target.name
        # Companion files first: once the main file is visible, everything is complete.
        for made in sorted(scratch.iterdir(), key=lambda file: file.name == target.name):
            made.chmod(usual if before is None else before)
            with open(made, "rb") as file:
                _put_in_place(file, made, target.with_name(made.name))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def replaceable(path: str | Path, mark: re.Pattern[bytes]) -> bool:
    """Whether overwriting loses nothing: the file does not exist, is empty, or contains a mark that
    shows that dotcnn wrote it. (`written` checks that it is a regular file.)
    """
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
    """The permissions of the file to replace.

    A file without write permission is refused, although its folder would allow replacing it: its
    owner meant that.
    """
    if not os.path.lexists(target):
        return None
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if not target.is_file():
        raise OSError(errno.EINVAL, "it is not a regular file")
    mode = target.stat().st_mode & 0o7777
    if not mode & 0o222:
        raise PermissionError(errno.EACCES, "it is read-only")
    return mode


def _mode_of_new_files(folder: Path) -> int:
    """The permissions that the umask gives to new files; some libraries ignore it."""
    file = folder / "new"
    file.touch()
    mode = file.stat().st_mode & 0o7777
    file.unlink()
    return mode


def write_whole(path: Path, *pieces: bytes | memoryview) -> None:
    """Writes a file that only dotcnn writes; after an error, the old file is still there."""
    with whole(path) as file:
        file.writelines(pieces)


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """A context with a file to write, which replaces `path` at its end. Only dotcnn writes `path`;
    after an error, the old file is still there.

    The temporary name is fixed, so what a killed process leaves behind is overwritten by the next
    one.
    """
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        # Only a new file: an existing link would redirect the write.
        with open(partial, "xb") as file:
            yield file
            file.flush()
            _put_in_place(file, partial, path)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError):  # nobody else knows the scratch name
            error.filename, error.filename2 = str(path), None
        raise


def _put_in_place(file: IO[bytes], scratch: Path, target: Path) -> None:
    os.fsync(file.fileno())
    os.replace(scratch, target)
    reach_the_disk(target.parent)


def reach_the_disk(folder: Path) -> None:
    """Syncs the entries of a folder to disk, so that they survive a power cut."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows cannot do that
        return
    try:
        os.fsync(handle)
    except OSError:  # nor on some file systems
        pass
    finally:
        os.close(handle)
