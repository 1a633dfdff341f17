"""A process that trains in child processes, which can be killed at any moment.

It reads jobs from standard input, one JSON object on each line, and answers each with one line.
Each job runs in a fork, so that torch is imported only once. `die_at` kills it at that call of
fsync or rename, counted from 1, with half of the file written; `die_after` after that many seconds.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from small import Looker

import dotcnn
import dotcnn.training.checkpoint.writer as keeper
import dotcnn.training.page.write as page
from dotcnn.dsl.source import Source
from dotcnn.training.request import overrides_of, request
from dotcnn.training.runtime.distributed import joined
from dotcnn.training.trainer.train import train


def main() -> None:
    import_module("torch._dynamo")  # the first optimizer of each process would load it
    for line in sys.stdin:
        job = json.loads(line)
        world = job.get("world", 1)
        children = [forked(job, rank, world) for rank in range(world)]
        if job.get("die_after") is not None:
            time.sleep(job["die_after"])
            os.kill(children[0], signal.SIGKILL)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        sys.stdout.write(json.dumps({"codes": codes}) + "\n")
        sys.stdout.flush()


def forked(job: dict[str, Any], rank: int, world: int) -> int:
    child = os.fork()
    if child:
        return child
    if world > 1:
        places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "MASTER_PORT": job["port"]}
        os.environ.update({name: str(value) for name, value in places.items()})
        os.environ["MASTER_ADDR"] = "127.0.0.1"
    os._exit(learn(job))


def learn(job: dict[str, Any]) -> int:
    page.write_report = no_report
    # By default every epoch is written, however long that takes; the first one always.
    keeper.WRITING, keeper.SECONDS = job.get("writing", 1), 0.0
    calls = Calls(job.get("die_at"))
    os.fsync = calls.around(os.fsync)
    os.replace = calls.around(os.replace)
    try:
        folder = Path(job["folder"])
        with joined("cpu", os.environ) as processes:
            train(
                request(Source("<text>", job["spec"]), set=overrides_of(job["set"])),
                dotcnn.__version__,
                output=None if job["resume"] else folder,
                resume=folder if job["resume"] else None,
                device="cpu",
                callback=Looker(job.get("stop_after")),
                processes=processes,
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
