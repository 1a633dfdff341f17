"""Runs the checks of a command: in a child process, within a time limit, whatever they do to it.

The child sends what it begins and what it finds as JSON lines. At the limit, it is killed with all
that it has started. If a check kills it, or leaves the GPU in an error that nothing after it would
survive, the checks after that one run in a new child.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from .check import LIMITS, Check, Failed, Setting, Skipped, checks_of

Record = dict[str, Any]
Write = Callable[[Record], None]

AGAIN = 75
"""The exit code of a child that must not go on: the GPU is in an error state."""

_MOST_CHILDREN = 20
_SHORTEST = 2.0
"""With fewer seconds left, no further check is begun."""


# ---- in the parent -------------------------------------------------------------------------------


def run_command(command: str, setting: Setting, limit: float, write: Write, log: Path) -> int:
    """Runs the checks of a command and writes a record of each; returns how many did not hold."""
    began = time.time()
    setting = replace(setting, deadline=began + limit)
    statuses: list[str] = []

    def put(record: Record) -> None:
        statuses.append(record["status"])
        write({"command": command, **record})

    first = 0
    for _ in range(_MOST_CHILDREN):
        child = _Child(command, setting, first, log)
        for line in child.lines():
            if "environment" in line:
                write({"command": command, **line})
            elif "begun" not in line:
                put(line)
        if child.code == 0:
            break
        if child.open is not None or child.begun is None:
            names = child.open or {"table": "", "check": command}
            status, why = "crashed", f"exit code {child.code}: {_last_line(log)}"
            if child.killed:
                status, why = "out of time", f"killed at the limit of {limit:.0f} s"
            put({**names, "status": status, "message": why})
        if child.killed or child.begun is None:
            break
        first = child.begun + 1
    bad = sum(status not in ("ok", "skipped") for status in statuses)
    write(
        {
            "command": command,
            "checks": len(statuses),
            "bad": bad,
            "skipped": statuses.count("skipped"),
            "seconds": round(time.time() - began, 1),
            "limit": limit,
        }
    )
    return bad


class _Child:
    """A process that runs the checks of a command, from the number `first` on."""

    def __init__(self, command: str, setting: Setting, first: int, log: Path) -> None:
        self.setting = setting
        self.killed = False
        self.begun: int | None = None
        """The number of the last check that it has begun."""
        self.open: Mapping[str, str] | None = None
        """The names of that check, until it is finished."""
        self.code: int | None = None
        job = json.dumps({"command": command, "first": first, "setting": setting.to_json()})
        with log.open("a", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, job],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=setting.folder,
                start_new_session=True,  # so that what it starts can be killed with it
                text=True,
            )

    def lines(self) -> Iterator[Record]:
        """What it sends, until it ends or is killed."""
        timer = threading.Timer(max(0.0, self.setting.left), self._kill)
        timer.start()
        assert self._process.stdout is not None
        try:
            for text in self._process.stdout:
                try:
                    line: Record = json.loads(text)
                except json.JSONDecodeError:  # it was killed while it wrote this
                    continue
                if "begun" in line:
                    self.begun = line["begun"]
                    self.open = {"table": line["table"], "check": line["check"]}
                elif "status" in line:
                    self.open = None
                yield line
            self.code = self._process.wait()
        finally:
            timer.cancel()
            self._end()
            self._process.stdout.close()

    def _kill(self) -> None:
        self.killed = True
        self._end()

    def _end(self) -> None:
        kill_tree(self._process)


def kill_tree(process: subprocess.Popen[Any]) -> None:
    """Kills a process with all that it has started, those in sessions of their own too: `cnn train
    --devices` starts such. Once it has ended, nothing is known of them."""
    family = [process.pid] if process.poll() is None else []
    for parent in family:
        with suppress(OSError):
            for file in Path(f"/proc/{parent}/task").glob("*/children"):
                family += map(int, file.read_text().split())
    for number in family:
        with suppress(OSError):
            os.kill(number, signal.SIGKILL)
    process.wait()


class Finished(NamedTuple):
    code: int
    out: str
    errors: str

    @property
    def last(self) -> str:
        """The end of its errors, in one line."""
        return " ".join(self.errors.strip().splitlines()[-3:])[-300:]


def _started(arguments: Sequence[str], setting: Setting) -> subprocess.Popen[str]:
    return subprocess.Popen(
        arguments,
        cwd=setting.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_program(arguments: Sequence[str], setting: Setting, seconds: float) -> Finished:
    """Runs a program in the folder of the checks, and kills it with all that it has started if it
    takes longer, or longer than the command has left."""
    return _end_of(_started(arguments, setting), setting.patience(seconds))


def _end_of(process: subprocess.Popen[str], seconds: float) -> Finished:
    try:
        out, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Failed(f"no end after {seconds:.0f} s") from None
    finally:
        kill_tree(process)
    return Finished(process.returncode, out, errors)


def stopped_after_checkpoint(
    arguments: Sequence[str], run: Path, setting: Setting, number: int
) -> tuple[Finished, float]:
    """Runs a command that trains into the folder `run`, and sends it a signal once there is a
    checkpoint. Also returns how many seconds it took to end."""
    process = _started(arguments, setting)
    try:
        began = time.monotonic()
        while not (run / "last.ckpt").exists() and process.poll() is None:
            if time.monotonic() - began > setting.patience(60):
                raise Failed("no checkpoint is written")
            time.sleep(0.01)
        process.send_signal(number)
        sent = time.monotonic()
        return _end_of(process, setting.patience(40)), time.monotonic() - sent
    finally:
        kill_tree(process)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "it printed nothing"


# ---- in the child --------------------------------------------------------------------------------


def run_checks(command: str, setting: Setting, first: int = 0) -> Iterator[Record]:
    """Makes the checks of a command in this process, from the number `first` on. Each gives two
    records: that it begins, and what it found."""
    for number, check in enumerate(checks_of(command, setting)):
        if number < first:
            continue
        names = {"table": check.table, "check": check.name}
        yield {"begun": number, **names}
        if setting.left < _SHORTEST:
            yield {**names, "status": "skipped", "message": "no time was left"}
        else:
            yield {**names, **made(check)}


def made(check: Check) -> Record:
    """Makes a check: `status`, `seconds`, its facts or a message."""
    began = time.perf_counter()
    facts: Mapping[str, object] = {}
    message = ""
    try:
        facts, status = check.run(), "ok"
    except Skipped as error:
        status, message = "skipped", str(error)
    except Failed as error:
        facts, status, message = error.facts, "failed", str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the next check is to be made
        status, message = "failed", _in_words(error)
    record: Record = {"status": status, "seconds": round(time.perf_counter() - began, 3)}
    if message:
        record["message"] = message
    if facts:
        record["facts"] = dict(facts)
    if status == "failed" and "CUDA error" in message:
        record["again"] = True
    return record


def _in_words(error: Exception) -> str:
    """The error and the place in our code that it comes from."""
    traceback.print_exception(error)
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if "dotcnn" in frame.filename
    ]
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    text = " ".join(str(error).split())[:400]
    return f"{type(error).__name__}: {text}{where}"


def main(job: Mapping[str, Any]) -> int:
    # What checks print, and the programs that they start, must not get between the lines.
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    setting = Setting.from_json(job["setting"])
    if not job["first"] and job["command"] in LIMITS:
        from .measure import environment

        _send(channel, {"environment": environment(setting.device)})
    for record in run_checks(job["command"], setting, job["first"]):
        again = record.pop("again", False)
        _send(channel, record)
        if again:
            return AGAIN
    return 0


def _send(channel: TextIO, record: Record) -> None:
    channel.write(json.dumps(record, default=str) + "\n")
    channel.flush()


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
