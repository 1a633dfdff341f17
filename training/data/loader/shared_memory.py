"""Memory that the processes of a machine share, so that images are in it only once.

With eight processes on a machine, a data set that each of them read for itself would take eight
times its size, and eight times as long to decode. The memory belongs to no file: it is not limited
by the size of /dev/shm, and is freed when the last process has let go of it. Only Linux has such
memory.
"""

from __future__ import annotations

import mmap
import os
import secrets
from contextlib import suppress
from typing import NamedTuple

import torch
from torch import Tensor

from ...runtime.process_group import Processes


class _Handle(NamedTuple):
    """Where other processes find the memory."""

    path: str
    name: str


def shared_memory(size: int, processes: Processes) -> Tensor | None:
    """`size` bytes that all processes of this machine see; None if one of them does not. It takes
    no memory until it is written to. All processes must call this at the same time."""
    if processes.alone or not size:
        return None
    local = processes.local
    descriptor = _create(size) if local.rank == 0 else None
    handles = processes.gathered(None if descriptor is None else _handle(descriptor))
    memory = _mapped(handles[processes.rank - local.rank], size)
    everywhere = all(processes.gathered(memory is not None))
    if descriptor is not None:
        os.close(descriptor)
    return memory if everywhere else None


def _create(size: int) -> int | None:
    if not hasattr(os, "memfd_create"):
        return None
    try:
        descriptor = os.memfd_create(f"dotcnn-{secrets.token_hex(8)}")
        os.ftruncate(descriptor, size)
    except OSError:
        return None
    return descriptor


def _handle(descriptor: int) -> _Handle:
    path = f"/proc/{os.getpid()}/fd/{descriptor}"
    return _Handle(path, os.readlink(path))


def _mapped(handle: _Handle | None, size: int) -> Tensor | None:
    """The memory as a tensor. The process that made it may be on another machine, or may not be
    visible from here."""
    if handle is None:
        return None
    with suppress(OSError, ValueError):
        if os.readlink(handle.path) == handle.name:
            with open(handle.path, "r+b") as file:
                return torch.frombuffer(mmap.mmap(file.fileno(), size), dtype=torch.uint8)
    return None
