"""A process that trains in processes of its own, which can be killed at any moment.

Reads jobs from standard input, a JSON object a line, and answers each with one. Each job is done in
a fork, so that torch is loaded once. `die_at` kills it at that call of fsync or rename, counted from
1, with half of the file written; `die_after` after so many seconds.
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
import dotcnn.training.page.write
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
        print(json.dumps({"code": os.waitstatus_to_exitcode(status)}), flush=True)


def learn(job: dict[str, Any]) -> int:
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
    except BaseException as error:
        Path(job["folder"]).with_suffix(".error").write_text(repr(error) + str(error))
        return 1
    Path(job["folder"]).with_suffix(".calls").write_text(str(calls.count))
    return 0


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
        """Of the file only the first half has been written."""
        try:
            os.ftruncate(handle, os.fstat(handle).st_size // 2)
        except OSError:  # a folder
            pass


if __name__ == "__main__":
    main()
