"""Finds the runs in a folder and its subfolders. The networks of an ensemble, the folds of a
cross-validation and the trials of a sweep belong to it, and are not runs of their own.

Links are not followed: a run has one place, and a link may lead anywhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from ...dsl.gc_pause import gc_paused
from .run_facts import RunFacts, facts_of, is_run_file

MAX_DEPTH = 8
MAX_FOLDERS = 200_000
_LEFT_OUT = ("imported", "node_modules", "__pycache__")


Read = Callable[[Path, str, tuple[RunFacts, ...]], RunFacts]
"""Reads the run of a folder, with its name and its members."""


class TooManyFolders(ValueError):
    """The folder has too many subfolders to look for runs in all of them."""


@gc_paused()
def find_runs(folder: Path, read: Read = facts_of) -> list[RunFacts]:
    """The runs in a folder, or the run that it is itself, in the order in which they were started.
    Raises OSError if the folder cannot be read, and TooManyFolders. `read` reads one of them."""
    walk = _Walk(read)
    is_run, inner = walk.look(folder)
    if is_run:
        return [walk.run(folder, inner, _name(folder))]
    found = walk.below(folder, inner, "", MAX_DEPTH)
    return sorted(found, key=lambda run: (_when(run), _natural_order(run.name)))


def read_run(folder: Path, name: str = "") -> RunFacts:
    """What is known of the run in a folder, with its members. If it is not a run folder, its state
    is `damaged`, and `trouble` says why."""
    walk, name = _Walk(facts_of), name or _name(folder)
    try:
        _, inner = walk.look(folder)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        trouble = f"the folder cannot be read: {reason}"
        return RunFacts(
            folder=folder, name=name, state="damaged", trouble=trouble, metrics={}, test={}
        )
    return walk.run(folder, inner, name)


class _Walk:
    def __init__(self, read: Read) -> None:
        self.read = read
        self.left = MAX_FOLDERS

    def look(self, folder: Path) -> tuple[bool, list[str]]:
        """Whether a folder is that of a run, and its subfolders."""
        self.left -= 1
        if self.left < 0:
            raise TooManyFolders(f"it has more than {MAX_FOLDERS:,} subfolders")
        is_run, inner = False, []
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_run_file(entry.name):
                    is_run = True
                elif _is_searched(entry):
                    inner.append(entry.name)
        return is_run, sorted(inner, key=_natural_order)

    def below(self, folder: Path, inner: list[str], name: str, depth: int) -> list[RunFacts]:
        """The runs in the subfolders of a folder."""
        found: list[RunFacts] = []
        for each in inner if depth else ():
            path, inside = folder / each, f"{name}/{each}" if name else each
            try:
                is_run, further = self.look(path)
            except OSError:  # a folder that may not be read, or has just been removed
                continue
            if is_run:
                found.append(self.run(path, further, inside))
            else:
                found += self.below(path, further, inside, depth - 1)
        return found

    def run(self, folder: Path, inner: list[str], name: str) -> RunFacts:
        """A run with its members."""
        return self.read(folder, name, tuple(self.below(folder, inner, name, 2)))


def _is_searched(entry: os.DirEntry[str]) -> bool:
    """Whether there may be runs in it."""
    hidden = entry.name[0] == "." or entry.name in _LEFT_OUT
    return not hidden and entry.is_dir(follow_symlinks=False)


def _name(folder: Path) -> str:
    return folder.name or folder.resolve().name


def _when(run: RunFacts) -> float:
    return run.started.timestamp() if run.started else 0.0


def _natural_order(name: str) -> list[tuple[int, int | str]]:
    """Numbers in names count as numbers: `digits-9` before `digits-10`."""
    parts = _DIGITS.split(name)
    return [(0, int(part)) if at % 2 else (1, part) for at, part in enumerate(parts)]


_DIGITS = re.compile(r"([0-9]{1,18})")
