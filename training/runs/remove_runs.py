"""`cnn runs rm`: removes run folders, or only what a run needs to be resumed. Links are never
followed: only what is in the folder itself is removed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from ...dsl.diagnostics import Diagnostic, SpecError
from ..checkpoint.kept_checkpoints import checkpoints
from ..checkpoint.run_folder import CHECKPOINT, shown
from ..checkpoint.run_lock import hold_lock
from .find_runs import read_run
from .run_facts import RUNNING, RunFacts, is_run_folder, walk_runs


class Removal(NamedTuple):
    """What is removed of a run."""

    run: RunFacts
    files: tuple[Path, ...]
    """Only the files of `--keep-best`; all of the folder if `whole`."""
    size: int
    whole: bool


def removal(folder: Path, *, keep_best: bool) -> Removal:
    """What would be removed of the run in a folder. Raises SpecError if it must not be."""
    name = shown(folder)
    if folder.is_symlink():
        raise _refused(f"{name} is a link", f"remove the link itself with `rm {name}`")
    if not folder.is_dir():
        raise _refused(f"{name} is not a folder")
    if not is_run_folder(folder):
        raise _refused(f"{name} is not a run folder", "nothing but runs is removed")
    if folder.resolve() in (Path.cwd(), *Path.cwd().parents):
        raise _refused(f"{name} is the folder that you are in", "leave it first: cd ..")
    run = read_run(folder, name)
    for each in walk_runs([run]):
        if each.state == RUNNING:
            who = f" by {each.holder}" if each.holder else ""
            raise _refused(f"{shown(each.folder)} is being trained{who}", "stop it with Ctrl-C")
    if keep_best:
        files = tuple(path for each in walk_runs([run]) for path in _checkpoints(each.folder))
        return Removal(run, files, sum(map(_size, files)), whole=False)
    parent = _whole_of(folder)
    if parent is not None:
        raise _refused(
            f"{name} is part of {shown(parent)}, which would be incomplete without it",
            f"remove {shown(parent)}; or only its checkpoint, with --keep-best",
        )
    files = tuple(_files(folder))
    return Removal(run, files, sum(map(_size, files)), whole=True)


def remove(removals: Sequence[Removal]) -> None:
    """Removes them. No run can be resumed meanwhile. Raises SpecError for one that has just been
    resumed, before anything is removed; and OSError."""
    with ExitStack() as locks:
        for each in removals:
            for run in walk_runs([each.run]):
                locks.enter_context(hold_lock(run.folder))
        for each in removals:
            if each.whole:
                shutil.rmtree(each.run.folder)
            else:
                for file in each.files:
                    file.unlink(missing_ok=True)


def _checkpoints(folder: Path) -> Iterator[Path]:
    yield from checkpoints(folder)
    partial = folder / f".{CHECKPOINT}.partial"
    if os.path.lexists(partial):
        yield partial


def _files(folder: Path) -> Iterator[Path]:
    """All files in a folder, links as such."""
    for place, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        yield from (Path(place, name) for name in (*files, *links))


def _size(file: Path) -> int:
    try:
        return file.lstat().st_size
    except OSError:
        return 0


def _whole_of(folder: Path) -> Path | None:
    """The ensemble, cross-validation or sweep that a run is part of."""
    inner = folder.absolute()
    return next((outer for outer in list(inner.parents)[:2] if is_run_folder(outer)), None)


def _refused(message: str, help: str = "") -> SpecError:
    return SpecError([Diagnostic("not-removed", message, help=help)])
