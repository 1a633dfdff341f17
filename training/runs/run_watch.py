"""`cnn runs --watch`: the table again and again on a terminal, otherwise a line for whatever
changes. A run whose files have not changed is not read again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..checkpoint.run_folder import METRICS, NOTES, PLAN, RECORD
from ..checkpoint.run_lock import NAME as LOCK
from .run_facts import RUNNING, RunFacts, facts_of, walk_runs
from .run_table import state_line

_WATCHED = (RECORD, METRICS, PLAN, NOTES, LOCK)

Stamp = tuple[object, ...]


class Remembered:
    """Reads runs, those that changed since the last time anew."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Stamp, RunFacts]] = {}

    def __call__(self, folder: Path, name: str, members: tuple[RunFacts, ...]) -> RunFacts:
        stamp = (name, members, *(_stamp(folder / each) for each in _WATCHED))
        known = self._known.get(folder)
        # That a run has been killed is not seen by its files.
        if known is not None and known[0] == stamp and known[1].state != RUNNING:
            return known[1]
        facts = facts_of(folder, name, members)
        self._known[folder] = stamp, facts
        return facts


def _stamp(file: Path) -> object:
    try:
        found = os.stat(file, follow_symlinks=False)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class Changes:
    """The lines for what has changed since the last time."""

    def __init__(self) -> None:
        self._shown: dict[Path, str] = {}

    def lines(self, runs: Sequence[RunFacts]) -> Iterator[str]:
        now = {run.folder: state_line(run) for run in walk_runs(runs)}
        for run in walk_runs(runs):
            if self._shown.get(run.folder) != now[run.folder]:
                yield now[run.folder]
        for folder in self._shown.keys() - now.keys():
            yield f"{self._shown[folder].partition(':')[0]}: removed"
        self._shown = now


def any_running(runs: Sequence[RunFacts]) -> bool:
    return any(run.state == RUNNING for run in walk_runs(runs))


def fitting(lines: Sequence[str], height: int) -> list[str]:
    """The lines of a table that fit a terminal: its head, and its end, where new runs are."""
    if len(lines) <= height:
        return list(lines)
    head = list(lines[:2])
    return [*head, "..", *lines[len(lines) - max(1, height - len(head) - 1) :]]
