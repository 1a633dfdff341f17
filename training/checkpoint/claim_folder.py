"""`--resume` without a run: goes on with the run in a folder, or starts one there.

A cluster starts a job again with the command that it was started with. So the same command begins a
run when there is none, goes on after any interruption, and does nothing once the run is finished.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ...compiler.plan.plan_differences import differences
from ...dsl.diagnostics import SpecError
from ..request import Request
from ..runtime.process_group import Processes
from ..untrusted.bad_file import BadFile
from .bring_folder import bring_folder, is_started
from .copied_texts import copied_texts
from .resume import must_be_run
from .run_files import read_plan, read_record
from .run_folder import PLAN, RECORD, cannot_write, laid_out, shown, taken
from .run_lock import NAME as LOCK
from .run_lock import lock_run


@contextmanager
def claimed(
    folder: Path, request: Request, processes: Processes, tell: Callable[[str], object]
) -> Iterator[Path | None]:
    """A context in which nobody else trains in a folder, which is created if need be. Yields the
    run to go on with, in processes on other machines a copy of its texts; None if there is none, or
    if it ended before its first checkpoint. A run that only another machine has is copied, of which
    `tell` tells. Raises SpecError if the folder holds something else, or
    if another process trains there."""
    new = processes.from_first(lambda: _made(folder))
    with ExitStack() as stack:
        if new and processes.writes:
            stack.callback(_remove_empty, folder)
        stack.enter_context(lock_run(folder, processes))
        bring_folder(folder, processes, tell)
        started = processes.from_first(lambda: _checked(folder, request))
        yield stack.enter_context(copied_texts(folder, processes)) if started else None


def _made(folder: Path) -> bool:
    """Creates a folder; returns whether there was none."""
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpecError([cannot_write(folder, error)]) from None
    return new


def _remove_empty(folder: Path) -> None:
    """Removes a folder in which no run has begun, because of a mistake in the spec or the data."""
    with suppress(OSError):
        folder.rmdir()


def _checked(folder: Path, request: Request) -> bool:
    """Whether the folder has a run to go on with. One that ended before its first checkpoint may be
    overwritten; anything else may not."""
    if is_started(folder):
        return True
    if any(os.path.lexists(folder / name) for name in (PLAN, RECORD)):
        (folder / RECORD).unlink(missing_ok=True)  # of the run that is overwritten
        return False
    # A run that ended even before its plan was written has at most these files.
    texts = {place.partition("/")[0] for place in laid_out(request.program)}
    for entry in folder.iterdir():
        partial = entry.name.startswith(".") and entry.name.endswith(".partial")
        if entry.name != LOCK and not partial and entry.name not in texts:
            raise SpecError([taken(folder)])
    return False


def finished(folder: Path, request: Request) -> str:
    """Why there is nothing left to do for the run in a folder, in words; empty if there is, or if
    the run is damaged, which resuming it reports."""
    try:
        before, record = read_plan(folder), read_record(folder)
        plan = must_be_run(folder, request).plan
    except (BadFile, SpecError):
        return ""
    if record["result"] is None:
        return ""
    epochs = int(record["result"]["epochs"])
    trained = f"{epochs} epoch{'s' * (epochs != 1)}"
    changed = [each for each in differences(before, plan) if each.word not in _AHEAD]
    if record["state"] == "done" and epochs >= plan.train.epochs.whole and not changed:
        more = f"For more, write `--set train.epochs={2 * epochs}`"
        return f"{shown(folder)} is finished: {trained}. {more}"
    stays = before.train.early_stop == plan.train.early_stop and not changed
    if record["state"] == "early stop" and stays:
        more = "To train on, write `--set train.early_stop=off`"
        return f"{shown(folder)} is finished: it stopped early, after {trained}. {more}"
    return ""


_AHEAD = frozenset(
    "epochs batch accumulate optimizer schedule clip augment early_stop workers log checkpoint"
    " compile".split()
)
"""Directives that change only the epochs ahead, of which a finished run has none."""
