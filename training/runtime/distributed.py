"""Distributed training: joins processes that torchrun started, or starts them (`--devices 2`).

torchrun --nproc-per-node 2 -m dotcnn train net.cnn
cnn train net.cnn --devices 2
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist

from ...dsl.diagnostics import Diagnostic, SpecError
from .devices import find_device
from .process_group import ALONE, Processes

PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others, which may still read images."""

_SET_BY_TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def is_one_of_several(environment: Mapping[str, str]) -> bool:
    """Whether torchrun has started this process."""
    return all(name in environment for name in _SET_BY_TORCHRUN)


@contextmanager
def joined(device: str, environment: Mapping[str, str]) -> Iterator[Processes]:
    """A context with the group of processes that were started together, or with a single one."""
    if not is_one_of_several(environment):
        yield ALONE
        return
    local = int(environment["LOCAL_RANK"])
    kind = find_device(device).type
    mine = torch.device("cpu")
    if kind == "cuda":
        mine = find_device(f"cuda:{local}")
        torch.cuda.set_device(mine)
    dist.init_process_group("nccl" if kind == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), mine)
    finally:
        dist.destroy_process_group()


# ---- starting them ---------------------------------------------------------------------------


def start(count: int, arguments: Sequence[str], device: str) -> int:
    """Runs `cnn …` in `count` processes on this machine. Signals such as Ctrl-C are passed on to
    them. Returns the exit code of the first process that fails, or 0."""
    if find_device(device).type == "cuda" and count > torch.cuda.device_count():
        have = torch.cuda.device_count()
        message = f"there are {have} GPUs, not {count}"
        raise SpecError([Diagnostic("no-device", message, help=f"write `--devices {have}`")])
    shared = {
        **os.environ,
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(_threads(count))),
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "dotcnn", *arguments],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            start_new_session=True,  # so that Ctrl-C reaches them only once, passed on from here
        )
        for rank in range(count)
    ]
    with _passing_signals_on(processes):
        return _wait_for(processes)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _threads(count: int) -> int:
    """The number of threads for each process."""
    from ..data.loader.memory_budget import cores

    return max(1, cores() // count)


@contextmanager
def _passing_signals_on(processes: Sequence[subprocess.Popen[bytes]]) -> Iterator[None]:
    """A context that passes signals on to the started processes, and ends them when it is left."""

    def pass_on(number: int, frame: object) -> None:
        for process in processes:
            if process.poll() is None:
                process.send_signal(number)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, pass_on) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait()


_GRACE = 10.0
"""The seconds that the other processes have to end when one has failed."""


def _wait_for(processes: Sequence[subprocess.Popen[bytes]]) -> int:
    """Waits for all processes; if one fails, the others are given some seconds to end. Returns the
    first exit code that is not 0, or 0."""
    failed, since = 0, 0.0
    while any(process.poll() is None for process in processes):
        codes = [process.poll() for process in processes]
        if not failed:
            failed = next((code for code in codes if code), 0)
            since = time.monotonic()
        elif time.monotonic() - since > _GRACE:
            break
        time.sleep(0.05)
    codes = [process.poll() for process in processes]
    code = failed or next((code for code in codes if code), 0)
    return 1 if code < 0 else code
