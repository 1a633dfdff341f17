"""Which checkpoints a run keeps: `last.ckpt`, and some before it, such as `step-1200.ckpt`.

An older one is taken if the last one turns out to be damaged. It gets its name, as a second link to
the same file, just before `last.ckpt` is replaced: there is always a complete checkpoint.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from .run_folder import CHECKPOINT

_NAME = re.compile(r"step-(\d{1,15})\.ckpt")


def older_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints before the last one, from the newest to the oldest."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    found = [folder / name for name in names if _NAME.fullmatch(name)]
    return sorted(found, key=_steps, reverse=True)


def checkpoints(folder: Path) -> list[Path]:
    """All checkpoints of a run, from the newest to the oldest."""
    last = folder / CHECKPOINT
    return [*([last] if os.path.lexists(last) else []), *older_checkpoints(folder)]


def keep_last(folder: Path, steps: int) -> None:
    """Keeps the last checkpoint, which was written after this many steps, under another name. Where
    a file cannot have two names, it gets a new one. Raises OSError."""
    last, older = folder / CHECKPOINT, folder / f"step-{steps}.ckpt"
    older.unlink(missing_ok=True)
    try:
        os.link(last, older)
    except FileNotFoundError:  # somebody has removed it
        return
    except OSError:
        os.replace(last, older)


def remove_older(folder: Path, kept: int, steps: int) -> None:
    """Removes older checkpoints beyond this number, and those that are not older: the run went on
    from before them, and has now written a checkpoint after this many steps."""
    older = older_checkpoints(folder)
    before = [path for path in older if _steps(path) < steps]
    for path in older:
        if path not in before[:kept]:
            path.unlink(missing_ok=True)


def make_room(folder: Path) -> list[str]:
    """Removes the older checkpoints of a run on a disk that is full, if another checkpoint then has
    room; returns their names. The last one stays."""
    older = older_checkpoints(folder)
    try:
        disk, needed = os.statvfs(folder), (folder / CHECKPOINT).stat().st_size
        released = sum(each.st_size for each in map(os.stat, older) if each.st_nlink == 1)
    except (AttributeError, OSError):
        return []
    if not older or disk.f_bavail * disk.f_frsize + released < needed:
        return []
    for path in older:
        path.unlink(missing_ok=True)
    return [path.name for path in older]


def _steps(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match else -1
