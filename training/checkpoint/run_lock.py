"""A lock on a run folder, so that two processes never train the same run at the same time.

It is a POSIX record lock on the file `.lock`. The operating system releases it when the process
ends, even if it is killed. (A lock of `flock` would be inherited by the processes that load images,
and would outlive a killed run until they end.) On Windows and some network drives there are no such
locks; there a run is not locked.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ...dsl.diagnostics import Diagnostic, SpecError
from .run_folder import shown

if TYPE_CHECKING:
    from ..runtime.process_group import Processes

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

NAME = ".lock"
_HELD: set[Path] = set()
"""The locks of this process: the system does not lock out the process that holds the lock."""
_HOLDER = 4096
"""The number of bytes that are read from `.lock`."""


@contextmanager
def lock_run(folder: Path, processes: Processes) -> Iterator[None]:
    """Locks a run. In distributed training, the first process holds the lock for all. Raises
    SpecError, in all of them, if another program is training the run."""
    with ExitStack() as held:
        processes.from_first(lambda: held.enter_context(hold_lock(folder)))
        yield


@contextmanager
def hold_lock(folder: Path, use: str = "trained") -> Iterator[None]:
    """Locks a folder to change it: that of a run, or another that is `use`d. Raises SpecError if it
    is in use."""
    path = folder.resolve() / NAME
    handle = _acquire(path, shown(folder), use)
    try:
        yield
    finally:
        if handle is not None:
            _HELD.discard(path)
            path.unlink(missing_ok=True)
            os.close(handle)


def _acquire(path: Path, name: str, use: str) -> int | None:
    """The descriptor of the open, locked file; None if the file system has no locks."""
    if path in _HELD:
        raise SpecError([_in_use(name, "this very process", use)])
    while fcntl is not None:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except OSError:  # if the folder cannot be written to, the first write to it reports that
            return None
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            holder = _holder(os.read(handle, _HOLDER))
            os.close(handle)
            raise SpecError([_in_use(name, holder, use)]) from None
        except OSError:  # this file system has no locks
            os.close(handle)
            return None
        if not _is_at(path, handle):  # the last holder has removed the file in the meantime
            os.close(handle)
            continue
        _HELD.add(path)
        try:
            os.ftruncate(handle, 0)
            text = json.dumps({"process": os.getpid(), "host": socket.gethostname()})
            os.write(handle, text.encode())
        except OSError:  # the disk is full, but the run is locked
            pass
        return handle
    return None


def holder_of(folder: Path) -> str | None:
    """Who trains a run now, `process 4711 on this machine`; None if nobody holds its lock."""
    path = folder.resolve() / NAME
    if path in _HELD:  # to open and close the file would release the lock
        return "this very process"
    with _opened(path) as handle:
        if handle is None or not _is_locked(handle):
            return None
        return _holder(os.read(handle, _HOLDER))


def has_locks(folder: Path) -> bool:
    """Whether a run would be locked where it is: whoever finds no locks leaves the file empty."""
    path = folder.resolve() / NAME
    if fcntl is None:
        return False
    if path in _HELD:
        return True
    with _opened(path) as handle:
        return handle is None or os.fstat(handle).st_size > 0


@contextmanager
def _opened(path: Path) -> Iterator[int | None]:
    """The file of a lock, to look at it; None if there is none."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | _AT_ONCE)
    except OSError:
        yield None
        return
    try:
        yield handle if stat.S_ISREG(os.fstat(handle).st_mode) else None
    finally:
        os.close(handle)


_AT_ONCE = getattr(os, "O_NONBLOCK", 0)
"""To open a named pipe would wait for its writer."""


def _is_locked(handle: int) -> bool:
    """Whether another process holds the lock: on Linux without taking it for a moment, in which
    that process could not begin."""
    if fcntl is None:
        return False
    try:
        if sys.platform == "linux":
            asked = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            answer = fcntl.fcntl(handle, fcntl.F_GETLK, asked)
            return bool(struct.unpack("hhqqi", answer)[0] != fcntl.F_UNLCK)
        fcntl.lockf(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return True
    except OSError:  # this file system has no locks
        pass
    return False


def _is_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except OSError:
        return False


def _holder(text: bytes) -> str:
    try:
        holder = json.loads(text)
        process, host = int(holder["process"]), str(holder["host"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return "another process"
    where = "this machine" if host == socket.gethostname() else host
    return f"process {process} on {where}"


def _in_use(name: str, holder: str, use: str) -> Diagnostic:
    help = "wait until it ends, or stop it with Ctrl-C: it can be resumed"
    return Diagnostic("run-in-use", f"{name} is being {use} by {holder}", help=help)
