"""A process that trains in processes of its own, which can be killed at any moment.

Reads jobs from standard input, a JSON object a line, and answers each with one. Each job is done
in a fork, so that torch is loaded once. `die_at` kills it at that call of fsync or rename, counted
from 1, with half of the file written; `die_after` after so many seconds.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dotcnn
import dotcnn.training.page.write as page
import dotcnn.training.run


def main() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(learn(job))
        if job.get("die_after") is not None:
            time.sleep(job["die_after"])
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps({"code": os.waitstatus_to_exitcode(status)}) + "\n")
        sys.stdout.flush()


def learn(job: dict[str, Any]) -> int:
    page.write_report = no_report
    calls = Calls(job.get("die_at"))
    os.fsync = calls.around(os.fsync)
    os.replace = calls.around(os.replace)
    try:
        dotcnn.train(
            job["spec"],
            set=job["set"],
            output=None if job["resume"] else job["folder"],
            resume=job["folder"] if job["resume"] else None,
            device="cpu",
        )
    except BaseException as error:  # noqa: BLE001 (a fork of this process must not go on)
        Path(job["folder"]).with_suffix(".error").write_text(repr(error) + str(error))
        return 1
    Path(job["folder"]).with_suffix(".calls").write_text(str(calls.count))
    return 0


def no_report(folder: Path, *others: object) -> Path:
    """report.html has tests of its own, and takes longer than what is trained here."""
    return folder / page.NAME


class Calls:
    """Counts what reaches the disk."""

    def __init__(self, last: int | None) -> None:
        self.count = 0
        self.last = last

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            self.count += 1
            if self.count == self.last:
                if isinstance(arguments[0], int):
                    self.half(arguments[0])
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments)

        return counted

    @staticmethod
    def half(handle: int) -> None:
        """Of what was to be written now, only a part has been: what was there before is there."""
        name, size = os.readlink(f"/proc/self/fd/{handle}"), os.fstat(handle).st_size
        if name.endswith(".partial"):
            os.ftruncate(handle, size // 2)
        elif name.endswith(".jsonl"):
            os.ftruncate(handle, size - 20)


if __name__ == "__main__":
    main()
