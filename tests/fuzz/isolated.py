"""Runs the command line in a process of its own with limits of memory and time: what a library in C
does with a damaged file cannot be caught otherwise. The process is a fork of this one, so that
nothing is imported anew.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import signal
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dotcnn.cli import main

SECONDS = 10
MEGABYTES = 1000
_BUSY = 10
"""It may wait so many times as long as it may work."""


class Outcome(NamedTuple):
    code: int | None
    """The exit code of the command; None if it did not come to an end by itself."""
    said: str
    """What it printed on standard error, or why it ended."""
    seconds: float
    """Of processor time, so that a busy machine is no slow import."""
    megabytes: float
    """How much its memory grew."""


def command(
    arguments: Sequence[str], *, seconds: int = SECONDS, megabytes: int = MEGABYTES
) -> Outcome:
    """Runs `cnn ARGUMENTS`."""
    reading, writing = os.pipe()
    room = int((_megabytes("VmSize") + megabytes) * 2**20)
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.write(writing, f"{_megabytes('VmRSS')}\n".encode())
        try:
            answer = json.dumps(_within(arguments, room, seconds)).encode()
        except BaseException:  # noqa: BLE001 # the test process may not run on in the child
            answer = json.dumps([None, traceback.format_exc()]).encode()
        with open(writing, "wb") as pipe:
            pipe.write(answer)
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        before, _, answer = pipe.read().partition(b"\n")
    _, status, used = os.wait4(child, 0)
    took = used.ru_utime + used.ru_stime
    grew = max(0.0, used.ru_maxrss / 1024 - float(before))
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        late = name in ("SIGALRM", "SIGXCPU", "SIGKILL")
        said = f"more than {seconds} s" if late else f"killed by {name}"
        return Outcome(None, said, took, grew)
    code, said = json.loads(answer)
    return Outcome(code, said, took, grew)


def _within(arguments: Sequence[str], room: int, seconds: int) -> tuple[int | None, str]:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_BUSY * seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        try:
            return main(arguments), errors.getvalue()
        except BaseException:  # noqa: BLE001 # a traceback is what is looked for
            return None, traceback.format_exc()


def _megabytes(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return 0.0
