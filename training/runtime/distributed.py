"""Distributed training: joins processes that torchrun or SLURM started, or starts them.

torchrun --nproc-per-node 2 -m dotcnn train net.cnn
srun --ntasks 8 --gpus-per-task 1 cnn train net.cnn
cnn train net.cnn --devices 2
"""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import NamedTuple, NoReturn

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore

from ... import __version__
from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.render import render_text
from ..data.remote.remote_settings import patience
from .break_off import break_off, own_addresses
from .broken_connection import broken_connection
from .devices import find_device
from .heartbeats import INTERRUPTED as INTERRUPTED_THERE
from .heartbeats import Heartbeats, Lost
from .interrupts import SAME, SIGNALS
from .launch_environment import Place, place_of
from .meeting import Tell, choose_interface, meet, open_store
from .process_group import ALONE, PATIENCE, Processes
from .torchrun_error import tell_torchrun

ERRORS, INTERRUPTED = 1, 130
"""Exit codes, as in cli.py: a failure; saved after a signal, or ended by it."""

Report = Callable[[SpecError], None]
"""Prints an error."""


@contextmanager
def joined(
    device: str, environment: Mapping[str, str], report: Report, tell: Tell = print
) -> Iterator[Processes]:
    """A context with the group of processes that were started together, or with a single one. If
    there is an error in one of several, it is reported here, and the process ends: leaving the
    group properly could wait forever for processes that are gone, and hide the error. `tell` prints
    a line while others are missing."""
    place = place_of(environment)
    if place is None:
        yield ALONE
        return
    heartbeats = Heartbeats(place.rank, socket.gethostname(), _versions())
    try:
        yield _join(place, device, environment, heartbeats, report, tell)
    except BaseException as error:  # noqa: BLE001 (the process ends here)
        _leave(error, report, heartbeats)
    dist.destroy_process_group()
    heartbeats.leave()


def _join(
    place: Place,
    device: str,
    environment: Mapping[str, str],
    heartbeats: Heartbeats,
    report: Report,
    tell: Tell,
) -> Processes:
    """Joins the other processes; raises SpecError if they do not meet, or, when they can be told of
    it, if there is no device for this one."""
    waiting = torch.device("cpu")
    heartbeats.on_loss = partial(_end_if_stuck, waiting, (), heartbeats, report)
    store = open_store(place, environment, tell)
    meet(place, store, heartbeats, tell)
    store.set_timeout(PATIENCE)
    gpu = find_device(device).type == "cuda"
    mine = local_gpu(place) if gpu else torch.device("cpu")
    if gpu:
        torch.cuda.set_device(mine)
    heartbeats.on_loss = partial(_end_if_stuck, mine, (), heartbeats, report)
    choose_interface(heartbeats)
    # While one waits for images from elsewhere, the others wait for it.
    longest = PATIENCE + timedelta(seconds=patience())
    dist.init_process_group(
        "nccl" if gpu else "gloo",
        store=PrefixStore("group", store),
        rank=place.rank,
        world_size=place.world,
        timeout=longest,
    )
    own = Machine(socket.gethostname(), list(own_addresses()), own_cores())
    everybody: list[Machine] = Processes(place.rank, place.world, mine).gathered(own)
    addresses = {address for each in everybody for address in each.addresses}
    heartbeats.on_loss = partial(_end_if_stuck, mine, addresses, heartbeats, report)
    local_world = place.local_world
    if local_world is None:
        local_world = [each.host for each in everybody].count(own.host)
    first = place.rank - place.local_rank
    neighbors = everybody[max(0, first) : first + local_world]
    if first < 0 or [each.host for each in neighbors] != [own.host] * local_world:
        raise SpecError([_not_in_order(everybody)])
    sharing_cores = sum(bool(each.cores & own.cores) for each in neighbors)
    if not gpu and "OMP_NUM_THREADS" not in environment:
        torch.set_num_threads(max(1, len(own.cores) // sharing_cores))
    return Processes(
        place.rank,
        place.world,
        mine,
        local_rank=place.local_rank,
        local_world=local_world,
        sharing_cores=sharing_cores,
        store=store,
        heartbeats=heartbeats,
        patience=longest,
    )


def _versions() -> dict[str, str]:
    """Those that must be the same in all processes, which exchange objects and add up tensors."""
    return {"dotcnn": __version__, "torch": torch.__version__.partition("+")[0]}


class Machine(NamedTuple):
    """What the others know of the machine of a process."""

    host: str
    addresses: list[str]
    cores: frozenset[int]
    """Those that the process may use."""


def own_cores() -> frozenset[int]:
    try:
        return frozenset(os.sched_getaffinity(0))
    except AttributeError:  # it is known on Linux only
        return frozenset(range(os.cpu_count() or 1))


def _not_in_order(everybody: Sequence[Machine]) -> Diagnostic:
    hosts = [each.host for each in everybody]
    listed = ", ".join(hosts[:8]) + (", …" if len(hosts) > 8 else "")
    return Diagnostic(
        "no-launch",
        "the ranks of the processes of a machine do not follow each other",
        notes=(f"by rank: {listed}",),
        help="start them in blocks: `srun --distribution=block`",
    )


def _end_if_stuck(
    device: torch.device,
    addresses: Collection[str],
    heartbeats: Heartbeats,
    report: Report,
    lost: Lost,
) -> None:
    """Ends what waits for a lost process; if that is not possible, this process."""

    def give_up() -> None:
        _leave(SpecError([lost.diagnostic(heartbeats.rank)]), report, heartbeats)

    break_off(device, addresses, give_up)


def local_gpu(place: Place) -> torch.device:
    """The GPU of a process: the one with its number on this machine; or the only one that it can
    see, if each process was given another one (`srun --gpus-per-task 1`)."""
    only = torch.cuda.device_count() == 1
    return find_device("cuda:0" if only else f"cuda:{place.local_rank}")


def _leave(error: BaseException, report: Report, heartbeats: Heartbeats) -> NoReturn:
    """Reports an error, also to the other processes, and ends this process at once, without
    Python's clean-up, in which NCCL would wait for the others."""
    code, text, whole = ERRORS, "", ""
    try:
        broken = broken_connection(error)
        if broken is not None:
            error = SpecError([broken])
        if isinstance(error, KeyboardInterrupt):
            code = INTERRUPTED
        elif isinstance(error, SpecError):
            text = error.diagnostics[0].message
            whole = render_text(error.diagnostics)
            report(error)
        else:
            text = f"{type(error).__name__}: {error}"
            whole = "".join(traceback.format_exception(error))
            sys.stderr.write(whole)
        if heartbeats.lost is not None and heartbeats.lost.how == INTERRUPTED_THERE:
            code = INTERRUPTED
        heartbeats.leave(text, interrupted=isinstance(error, KeyboardInterrupt))
        tell_torchrun(whole)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


# ---- starting them ---------------------------------------------------------------------------


def start(count: int, arguments: Sequence[str], device: str) -> int:
    """Runs `cnn …` in `count` processes on this machine. Signals such as Ctrl-C are passed on to
    them. Returns the exit code of the first process that fails, or 0; raises SpecError if it was
    killed."""
    if find_device(device).type == "cuda" and count > torch.cuda.device_count():
        have = torch.cuda.device_count()
        message = f"there are {have} GPUs, not {count}"
        raise SpecError([Diagnostic("no-device", message, help=f"write `--devices {have}`")])
    shared = {
        **os.environ,
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(_threads(count))),
    }
    processes: list[subprocess.Popen[bytes]] = []
    with _passing_signals_on(processes) as signals:
        processes.extend(
            subprocess.Popen(
                [sys.executable, "-m", "dotcnn", *arguments],
                env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                start_new_session=True,  # so that Ctrl-C comes only once, passed on from here
            )
            for rank in range(count)
        )
        if signals:  # it came before all of them were there
            for process in processes:
                process.send_signal(signal.SIGTERM)
        code = _wait_for(processes, signals)
    if code < 0:
        raise SpecError([_killed(-code)])
    return code


def _killed(number: int) -> Diagnostic:
    help = ""
    if number == getattr(signal, "SIGKILL", None):
        help = "the system does this when the memory of the machine runs out: write `workers 2`, or"
        help += " start fewer processes"
    name = signal.Signals(number).name
    return Diagnostic("process-ended", f"one of the processes was ended by {name}", help=help)


def free_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _threads(count: int) -> int:
    """The number of threads for each process."""
    from ..data.loader.memory_budget import cores

    return max(1, cores() // count)


@contextmanager
def _passing_signals_on(
    processes: Sequence[subprocess.Popen[bytes]],
) -> Iterator[list[float]]:
    """A context that passes signals on to the started processes, and ends them when it is left.
    Yields the times of the signals; those within a moment count as one, as in the processes."""
    times: list[float] = []

    def pass_on(number: int, frame: object) -> None:
        now = time.monotonic()
        if not times or now - times[-1] > SAME:
            times.append(now)
        for process in processes:
            if process.poll() is None:
                process.send_signal(number)

    before = {
        number: signal.signal(number, pass_on)
        for number in (getattr(signal, name, None) for name in SIGNALS)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield times
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait()


GRACE = 10.0
"""The seconds that the other processes have to end when one has failed."""
SAVING = PATIENCE.total_seconds()
"""The seconds that processes have to end after a signal: the first one writes a checkpoint."""


def _wait_for(processes: Sequence[subprocess.Popen[bytes]], signals: Sequence[float]) -> int:
    """Waits for all processes, and returns the exit code of the first one that fails, which is
    negative if it was killed; if none does, 130 if they were interrupted, else 0. If one fails, the
    others have some seconds to end, unless there was a signal before: then they save the run, which
    may take longer, and end with 130. A second signal says that whoever sent it does not want to
    wait. `signals` has their times."""
    failed, deadline = 0, math.inf
    while True:
        codes = [_code(process, signals) for process in processes]
        # Errors of the others follow from one that was killed, which has a negative code.
        failures = (code for code in codes if code is not None and code not in (0, INTERRUPTED))
        failed = failed or min(failures, default=0)
        now, saving = time.monotonic(), INTERRUPTED in codes or bool(signals)
        if failed or INTERRUPTED in codes:
            deadline = min(deadline, now + (SAVING if saving else GRACE))
        if len(signals) > 1:
            deadline = min(deadline, signals[1] + GRACE)
        if None not in codes or now > deadline:
            break
        time.sleep(0.05)
    return failed or (INTERRUPTED if INTERRUPTED in codes or None in codes else 0)


def _code(process: subprocess.Popen[bytes], signals: Sequence[float]) -> int | None:
    """The exit code of a process; None while it runs. One that was ended by a signal that was
    passed on to it has not failed."""
    code = process.poll()
    if signals and code in {-getattr(signal, name, 0) for name in SIGNALS}:
        return INTERRUPTED
    return code
