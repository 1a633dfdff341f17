"""The folder of a sweep, and the files that are in it. Needs neither torch nor Optuna.

spec.cnn          the spec as written, with the files that it imports beside it
sweep.json        what is searched and compared, and the options that the sweep was started with
study.log         the study of Optuna, unless it is in a database (`storage`)
claims/N          trial.json, what is known of a trial, and the lock of the process that trains it
trials/N          the run folder of a trial, an ordinary one
infeasible.jsonl  the values that were not trained, and why: a line each
report.html       the sweep as a page
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from ...dsl.atomic_file import write_whole
from ...dsl.diagnostics import Diagnostic, SpecError
from ..checkpoint.run_folder import inner_folder, shown
from ..checkpoint.run_lock import holder_of, lock_run
from ..untrusted.bad_file import BadFile, damaged
from ..untrusted.json_text import load_json, misfit, natural, number
from ..untrusted.open_file import read_text

SWEEP, STUDY, CLAIMS, TRIALS, INFEASIBLE, REPORT = (
    "sweep.json", "study.log", "claims", "trials", "infeasible.jsonl", "report.html",
)  # fmt: skip
TRIAL, ALIVE, MUTEX = "trial.json", "alive", "next"
FORMAT = 1
"""The format number of sweep.json; it increases only if older files can no longer be read."""

MAX_BYTES = 4 * 2**20
MAX_INFEASIBLE = 64 * 2**20
MAX_TRIALS = 100_000
STALE = 60.0
"""After so many seconds without a sign of life, a trial of another machine counts as abandoned."""

_PAUSE = 0.02

RUNNING, INTERRUPTED, FAILED, PRUNED = "running", "interrupted", "failed", "pruned"
OVER = "infeasible"
"""The state of the spec as written where it is over a limit: it is not a trial then."""

_VALUES = {str: (int, number, str)}
_SEARCH = {
    "name": str,
    "place": str,
    "low": number,
    "high": number,
    "log": bool,
    "step": (None, number),
    "whole": bool,
    "choices": [str],
    "unit": str,
}
_SWEEP = {
    "format": natural,
    "dotcnn": str,
    "study": str,
    "network": str,
    "spec": {"file": str, "sha256": str},
    "base": str,
    "made_with": {
        "network": (None, str),
        "input": (None, [natural]),
        "classes": (None, natural),
        "set": [str],
    },
    "searches": [_SEARCH],
    "objectives": [str],
    "higher": [bool],
    "trials": natural,
    "sampler": str,
    "prune": (None, str),
    "limits": {str: number},
    "started": str,
}
_TRIAL = {
    "number": natural,
    "values": _VALUES,
    "set": [str],
    "proposal": (None, natural),
    "state": str,
    "objectives": {str: (None, number)},
    "costs": {str: number},
    "reason": str,
    "seconds": (None, number),
    "epochs": natural,
    "started": str,
    "host": str,
    "process": natural,
}
_NOT_TRAINED = {"values": _VALUES, "kind": str, "reason": str, "proposal": (None, natural)}


class Trial(NamedTuple):
    """What trial.json says."""

    number: int
    values: Mapping[str, int | float | str]
    set: tuple[str, ...]
    """The values as `--set` takes them."""
    proposal: int | None = None
    """The number that Optuna has for it; None for the spec as written."""
    state: str = RUNNING
    objectives: Mapping[str, float | None] = {}
    costs: Mapping[str, float] = {}
    reason: str = ""
    """Why it ended, where it did not come to its end."""
    seconds: float | None = None
    epochs: int = 0
    started: str = ""
    host: str = ""
    process: int = 0


class NotTrained(NamedTuple):
    """A line of infeasible.jsonl."""

    values: Mapping[str, int | float | str]
    kind: str
    """`over params`, `shape error`, …"""
    reason: str
    proposal: int | None = None


class SweepFolder:
    """The files of a sweep."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def trial_folder(self, number: int) -> Path:
        return self.path / TRIALS / str(number)

    def claim_folder(self, number: int) -> Path:
        return self.path / CLAIMS / str(number)

    # ---- sweep.json ----

    def read(self) -> dict[str, Any]:
        """The contents of sweep.json; raises BadFile."""
        data = load_json(read_text(self.path / SWEEP, MAX_BYTES))
        place = misfit(data, _SWEEP)
        if place:
            raise damaged(f"it is not the description of a sweep: `{place}`")
        if data["format"] != FORMAT:
            raise damaged(f"it has format {data['format']}, and only {FORMAT} can be read")
        if len(data["objectives"]) != len(data["higher"]) or not data["objectives"]:
            raise damaged("it does not say what is compared")
        return dict(data)

    def write(self, data: Mapping[str, Any]) -> None:
        text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
        write_whole(self.path / SWEEP, (text + "\n").encode())

    # ---- trials ----

    def numbers(self) -> list[int]:
        """The numbers of the trials that are claimed."""
        try:
            names = [entry.name for entry in os.scandir(self.path / CLAIMS)]
        except OSError:
            return []
        numbers = sorted(int(name) for name in names if name.isdecimal() and len(name) < 7)
        return numbers[:MAX_TRIALS]

    def read_trial(self, number: int) -> Trial | None:
        """What is known of a trial; None if it has not begun, or its file is damaged."""
        try:
            data = load_json(read_text(self.claim_folder(number) / TRIAL, MAX_BYTES))
        except BadFile:
            return None
        if misfit(data, _TRIAL) or data["number"] != number:
            return None
        known = {name: data[name] for name in _TRIAL}
        return Trial(**{**known, "set": tuple(data["set"])})

    def trials(self) -> list[Trial]:
        found = [self.read_trial(number) for number in self.numbers()]
        return [trial for trial in found if trial is not None]

    def write_trial(self, trial: Trial) -> None:
        text = json.dumps(trial._asdict(), indent=2, ensure_ascii=False)
        write_whole(self.claim_folder(trial.number) / TRIAL, (text + "\n").encode())

    @contextlib.contextmanager
    def claim(self, number: int) -> Iterator[bool]:
        """A context in which a trial is this process's own; yields False if it is another's. A
        process that is killed loses it."""
        from ..runtime.process_group import ALONE  # who only reads a sweep needs no torch

        inner_folder(self.path / CLAIMS)
        folder = inner_folder(self.claim_folder(number))
        with ExitStack() as stack:
            try:
                stack.enter_context(lock_run(folder, ALONE))
            except SpecError:
                yield False
                return
            yield not self.is_alive_elsewhere(number)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """A context in which no other process of the sweep takes a number, or begins a trial."""
        from ..runtime.process_group import ALONE

        inner_folder(self.path / CLAIMS)
        folder = inner_folder(self.path / CLAIMS / MUTEX)
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(lock_run(folder, ALONE))
                    break
                except SpecError:
                    time.sleep(_PAUSE)
            yield

    def is_held(self, number: int) -> bool:
        """Whether a process trains this trial now."""
        held = holder_of(self.claim_folder(number)) is not None
        return held or self.is_alive_elsewhere(number)

    def is_alive_elsewhere(self, number: int) -> bool:
        """Whether another machine, whose locks this one may not see, has given a sign of life."""
        trial = self.read_trial(number)
        if trial is None or trial.state != RUNNING or trial.host in ("", socket.gethostname()):
            return False
        try:
            last = os.stat(self.claim_folder(number) / ALIVE, follow_symlinks=False).st_mtime
            return self._clock() - last < STALE
        except OSError:
            return False

    def show_life(self, number: int) -> None:
        """Gives a sign of life: the time of a file, by the clock of the file system."""
        with contextlib.suppress(OSError):
            _touch(self.claim_folder(number) / ALIVE)

    def _clock(self) -> float:
        """The time by the clock of the file system, which all machines share."""
        path = self.path / CLAIMS / f".clock-{socket.gethostname()}-{os.getpid()}"
        try:
            _touch(path)
            return path.stat().st_mtime
        finally:
            path.unlink(missing_ok=True)

    # ---- values that were not trained ----

    def not_trained(self) -> list[NotTrained]:
        try:
            lines = read_text(self.path / INFEASIBLE, MAX_INFEASIBLE).splitlines()
        except BadFile:
            return []
        found = []
        for line in lines:
            try:
                data = load_json(line)
            except BadFile:  # the last one may have been cut short
                continue
            if not misfit(data, _NOT_TRAINED):
                found.append(NotTrained(**{name: data[name] for name in _NOT_TRAINED}))
        return found

    def add_not_trained(self, one: NotTrained) -> None:
        line = json.dumps(one._asdict(), ensure_ascii=False) + "\n"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        handle = os.open(self.path / INFEASIBLE, flags, 0o644)
        try:
            os.write(handle, line.encode())  # one write: lines of several processes do not mix
        finally:
            os.close(handle)


def is_sweep(path: Path) -> bool:
    """Whether a folder says that it is one of a sweep."""
    return os.path.lexists(path / SWEEP)


def no_sweep(path: Path, why: str) -> SpecError:
    help = "name a folder that `cnn sweep` created"
    message = f"{shown(path)} is not the folder of a sweep: {why}"
    return SpecError([Diagnostic("no-sweep", message, help=help)])


def _touch(path: Path) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(path, flags, 0o644)
    try:
        os.write(handle, b"\n")
    finally:
        os.close(handle)
