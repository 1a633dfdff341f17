"""Ends whatever waits for a lost process: closes the connections of gloo, or aborts NCCL.

Else the main thread would wait in a sum over all processes for half an hour. So it raises an error,
and ends as after any other: what is being written is finished.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
import sys
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress

import torch
import torch.distributed as dist

STUCK = 15.0
"""The seconds after which a process that still waits is ended."""

_SIOCGIFADDR = 0x8915


def break_off(
    device: torch.device, addresses: Collection[str], give_up: Callable[[], object]
) -> None:
    """Ends the communication with the processes at these addresses. If the main thread still waits
    in the same place some seconds later, `give_up` is called."""
    if device.type == "cuda":
        # Aborting may itself wait for what is stuck.
        threading.Thread(target=_abort, daemon=True).start()
    _close_connections(addresses)
    place, since = _place(), time.monotonic()
    while time.monotonic() - since < STUCK:
        time.sleep(0.1)
        if _place() != place:
            place, since = _place(), time.monotonic()
    give_up()


def _place() -> object:
    """Where the main thread is; something new each time while it waits for a thread of this
    process, such as that which writes checkpoints."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    if frame is None or frame.f_code.co_filename == threading.__file__:
        return object()
    return id(frame), frame.f_lasti


def _abort() -> None:
    with suppress(Exception):
        dist.distributed_c10d._abort_process_group()


def _close_connections(addresses: Collection[str]) -> None:
    """Closes the TCP connections of this process to other computers and to itself, so that both
    ends notice. The system lists them on Linux only."""
    with suppress(OSError):
        for name in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                _close_connection(int(name), addresses)


def _close_connection(handle: int, addresses: Collection[str]) -> None:
    if not stat.S_ISSOCK(os.fstat(handle).st_mode):
        return
    with socket.socket(fileno=os.dup(handle)) as connection:
        if connection.family not in (socket.AF_INET, socket.AF_INET6):
            return
        other, own = (
            str(end[0]).removeprefix("::ffff:")
            for end in (connection.getpeername(), connection.getsockname())
        )
        if other in addresses or other == own:
            connection.shutdown(socket.SHUT_RDWR)


def own_addresses() -> dict[str, str]:
    """The IPv4 addresses of this computer, with the network interface of each; empty where the
    system does not say them in this way."""
    if sys.platform != "linux":
        return {}
    import fcntl

    found = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # it has none
                asked = struct.pack("256s", name.encode()[:15])
                answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, asked)
                found[socket.inet_ntoa(answer[20:24])] = name
    return found
