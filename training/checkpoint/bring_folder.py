"""Brings a run folder to the machine of the first process from another one that has it.

Only the first process writes the run folder. Where machines have no disk in common, the folder is
on one of them alone; when the processes are started again, that may not be the first one's.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

from ...dsl.atomic_file import whole
from ...dsl.diagnostics import SpecError
from ..runtime.process_group import Processes
from ..untrusted.bad_file import BadFile
from .checkpoint import read_newest
from .copied_texts import copied_texts
from .kept_checkpoints import checkpoints
from .run_files import read_epochs, read_record
from .run_folder import CHECKPOINT, cannot_write, member_name, shown
from .run_lock import NAME as LOCK

_PIECE = 2**26
"""The bytes that are sent at once."""


class _Copy(NamedTuple):
    """A run folder on one of the machines."""

    host: str
    started: str
    """When the run was started, by which copies of the same run are known; empty if unknown."""
    epochs: int


def is_started(folder: Path) -> bool:
    """Whether a run has a checkpoint to go on from; of an ensemble, its first network."""
    return any(checkpoints(each) for each in (folder, folder / member_name(1)))


def bring_folder(
    folder: Path,
    processes: Processes,
    tell: Callable[[str], object],
    *,
    only_missing: bool = False,
) -> None:
    """Copies a run folder to the machine of the first process, if that has none and another machine
    has; or, unless `only_missing`, if the other copy is of the same run and has more epochs."""
    if processes.local_world == processes.world:
        return
    copies = processes.gathered(_copy(folder) if processes.local.rank == 0 else None)
    source = _furthest(copies, only_missing=only_missing)
    if source is None:
        return
    if processes.writes:
        copy = copies[source]
        tell(f"{shown(folder)} is copied from {copy.host}, which has the run: {copy.epochs} epochs")
    _send(folder, source, processes, tell)


@contextmanager
def run_on_first(
    folder: Path | None, processes: Processes, tell: Callable[[str], object]
) -> Iterator[Path | None]:
    """A context with the run folder in the first process, where it is brought if need be, and with
    a copy of its texts in the others."""
    if folder is not None:
        bring_folder(folder, processes, tell, only_missing=True)
    with copied_texts(folder, processes) as copy:
        yield copy


def _copy(folder: Path) -> _Copy | None:
    if not is_started(folder):
        return None
    try:
        started = str(read_record(folder).get("started", ""))
    except BadFile:  # the run was stopped before its record was written
        started = ""
    epochs = max((line["epoch"] for line in read_epochs(folder)), default=0)
    return _Copy(socket.gethostname(), started, epochs)


def _furthest(copies: list[_Copy | None], *, only_missing: bool) -> int | None:
    """The rank whose copy is to be used instead of that of the first process; None if none is."""
    own = copies[0]
    if own is not None and only_missing:
        return None
    found: int | None = None
    for rank, copy in enumerate(copies):
        best = own if found is None else copies[found]
        if copy is None or copy == own:
            continue
        same = own is None or (own.started and copy.started == own.started)
        if same and (best is None or copy.epochs > best.epochs):
            found = rank
    return found


def _send(folder: Path, source: int, processes: Processes, tell: Callable[[str], object]) -> None:
    """Sends the files that are needed from one process to the first; the checkpoint comes last."""
    sends = processes.rank == source
    files, notes = processes.gathered(_files(folder) if sends else None)[source]
    for note in notes if processes.writes else ():
        tell(note)
    error: OSError | None = None
    for name, size in files:
        pieces = _pieces(folder / name if sends else None, size, source, processes)
        try:
            if processes.writes and error is None:
                _write(folder / name, pieces)
        except OSError as caught:
            error = caught
        for _ in pieces:  # the others, or what could not be written
            pass

    def check() -> None:
        if error is not None:
            raise SpecError([cannot_write(folder, error)])

    processes.together(check)


def _files(folder: Path) -> tuple[list[tuple[str, int]], list[str]]:
    """The names of files, relative to the folder, and their sizes; and what is to be said of them.
    Of the checkpoints, which can be larger than all else, only those that are gone on from."""
    found, notes, newest = [], [], dict[Path, Path | None]()
    for path in sorted(folder.rglob("*")):
        partial = path.name.startswith(".")  # being written, or the lock
        if not path.is_file() or path.is_symlink() or partial or path.name == LOCK:
            continue
        if path in checkpoints(path.parent):
            if path.parent not in newest:
                newest[path.parent], note = _newest(path.parent)
                notes += [note] if note else []
            if newest[path.parent] not in (None, path):
                continue
        found.append((path.relative_to(folder).as_posix(), path.stat().st_size))
    return sorted(found, key=lambda each: each[0].endswith(CHECKPOINT)), notes


def _newest(folder: Path) -> tuple[Path | None, str]:
    """The checkpoint that a run goes on from, and why it is not the last one; None if all are
    damaged, which is said when they are read again."""
    try:
        found = read_newest(folder)
    except SpecError:
        return None, ""
    return (found.path, found.note) if found else (None, "")


def _pieces(
    path: Path | None, size: int, source: int, processes: Processes
) -> Iterator[torch.Tensor]:
    """The pieces of a file, which all processes receive; `path` is where it is read."""
    handle = path.open("rb") if path is not None else None
    try:
        for start in range(0, size, _PIECE):
            piece = torch.zeros(min(_PIECE, size - start), dtype=torch.uint8)
            if handle is not None:
                handle.readinto(piece.numpy().data)
            yield processes.send(piece, source)
    finally:
        if handle is not None:
            handle.close()


def _write(path: Path, pieces: Iterator[torch.Tensor]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as file:
        for piece in pieces:
            file.write(piece.numpy().data)
