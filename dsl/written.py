"""A new file in its place: whole, or not at all."""

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


@contextmanager
def written(path: str | Path) -> Iterator[Path]:
    """The name to write under what shall lie at `path`.

    It is in a folder of its own beside `path`. When all has gone well, what lies there is put into
    its place, in the stead of what was there before; otherwise nothing of it is left. Raises
    OSError where it cannot be written, before anything is done.
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
            _reach_the_disk(made)
            os.replace(made, target.with_name(made.name))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def replaceable(path: str | Path, mark: re.Pattern[bytes]) -> bool:
    """Whether nothing would be lost: there is no such file, it is empty, or it holds what shows
    that it was made by the program. Of what is no file `written` says so."""
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


def _reach_the_disk(file: Path) -> None:
    with open(file, "rb") as opened:
        os.fsync(opened.fileno())
