"""A process that trains in child processes, which can be killed at any moment.

It reads jobs from standard input, one JSON object on each line, and answers each with one line.
Each job runs in a fork, so that torch is imported only once. `die_at` kills it at that call of
fsync, rename or link, counted from 1, with half of the file written; `die_after` after that many
seconds, which with `die_writing` begin when a checkpoint is being written.

`again` starts the run or goes on with it, as `--resume` does without a run.

A job with a `command` runs that instead, as `cnn` would, with its output in `error`. If it has
`folders`, each process runs in one of its own, as on machines that have no disk in common.
`bug` is an unexpected error in all but the first. `slow_checkpoint` is the seconds that writing a
checkpoint takes; `stuck_group`: a process that leaves the group ends at once, where NCCL would wait
for ever for processes that are gone. `environment` is variables for the processes. `apart`: only
the first has the run folder. `room` is the largest batch that fits into the memory of the second
process. `reads`: a file to which each process adds the places in tar files that it reads, with its
rank; `on_disk`: images are not kept in memory. `maps`: a file to which each process adds, after
training, how much memory each mapped file takes. `dies` is the rank of the process that is killed.
`seen`: a file to which each process adds the images of its batches, of which the first one begins
the seconds of `die_after`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from small import Looker
from torch import Tensor, nn

import dotcnn
import dotcnn.training.checkpoint.writer as keeper
import dotcnn.training.page.write as page
from dotcnn import cli
from dotcnn.dsl.source import Source
from dotcnn.training.checkpoint.copied_texts import copied_texts
from dotcnn.training.checkpoint.run_folder import CHECKPOINT
from dotcnn.training.data.images import image_store
from dotcnn.training.data.loader import batches, shard_files
from dotcnn.training.request import overrides_of, request
from dotcnn.training.runtime import distributed
from dotcnn.training.runtime.distributed import joined
from dotcnn.training.trainer.train import train


def main() -> None:
    distributed.PATIENCE = timedelta(seconds=200)  # a test of processes that hang fails
    import_module("torch._dynamo")  # the first optimizer of each process would load it
    for line in sys.stdin:
        job = json.loads(line)
        world = job.get("world", 1)
        writing = Path(job.get("folder", ""), f".{CHECKPOINT}.partial")
        if job.get("die_writing"):
            writing.unlink(missing_ok=True)
        children = [forked(job, rank, world) for rank in range(world)]
        if job.get("die_after") is not None:
            if job.get("die_writing"):
                wait_for(writing)
            if job.get("seen"):
                wait_for(Path(job["seen"]))
            time.sleep(job["die_after"])
            os.kill(children[job.get("dies", 0)], signal.SIGKILL)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        sys.stdout.write(json.dumps({"codes": codes}) + "\n")
        sys.stdout.flush()


def forked(job: dict[str, Any], rank: int, world: int) -> int:
    child = os.fork()
    if child:
        return child
    os.dup2(2, 1)  # the answer alone goes there, and some releases of torch print who is connected
    if world > 1:
        places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "MASTER_PORT": job["port"]}
        os.environ.update({name: str(value) for name, value in places.items()})
        os.environ["MASTER_ADDR"] = "127.0.0.1"
    os.environ.update(job.get("environment", {}))
    if job.get("slow_checkpoint"):
        os.replace = slow(os.replace, job["slow_checkpoint"])
    if job.get("room") and rank == 1:
        nn.Conv2d.forward = bounded(nn.Conv2d.forward, job["room"])
    if job.get("reads"):
        shard_files.read_local = recorded(shard_files.read_local, job["reads"], rank)
    if job.get("seen"):
        batches.Batches.__call__ = noted(batches.Batches.__call__, job["seen"], rank, world)
    if job.get("on_disk"):
        image_store.place = lambda *_: "files"
    if job.get("stuck_group"):
        dist.destroy_process_group = lambda: os._exit(9)
    os._exit(run_command(job, rank) if "command" in job else learn(job))


def recorded(read: Callable[..., bytes], file: str, rank: int) -> Callable[..., bytes]:
    def recorded_read(path: str, offset: int, size: int) -> bytes:
        with open(file, "a", buffering=1) as record:
            record.write(f"{rank} {path} {offset}\n")
        return read(path, offset, size)

    return recorded_read


def noted(
    iterate: Callable[..., Iterator[batches.Batch]], file: str, rank: int, world: int
) -> Callable[..., Iterator[batches.Batch]]:
    def noted_iterate(self: batches.Batches, *arguments: int) -> Iterator[batches.Batch]:
        with open(file, "a", buffering=1) as record:
            for batch in iterate(self, *arguments):
                if self.shuffle:
                    own = batch.indices[: self.own].tolist()
                    record.write(json.dumps([*self.state, rank, world, own]) + "\n")
                yield batch

    return noted_iterate


def wait_for(path: Path) -> None:
    """Waits until a file exists."""
    end = time.monotonic() + 100
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.001)


def slow(replace: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    def slowly(source: Any, target: Any, **others: Any) -> Any:
        if Path(target).name == CHECKPOINT:
            time.sleep(seconds)
        return replace(source, target, **others)

    return slowly


def bounded(forward: Callable[..., Any], most: int) -> Callable[..., Any]:
    def bounded_forward(module: nn.Module, images: Tensor) -> Tensor:
        if module.training and len(images) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(module, images)  # type: ignore[no-any-return]

    return bounded_forward


def run_command(job: dict[str, Any], rank: int) -> int:
    if job.get("folders"):
        os.chdir(job["folders"][rank])
    place = os.open(job["error"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(place, stream)
    page.write_report = no_report
    if "bug" in job and rank:
        keeper.CheckpointWriter.epoch = lambda *_, **__: raise_(job["bug"])
    code = cli.main(job["command"])
    sys.stderr.flush()
    return code


def raise_(message: str) -> None:
    raise ValueError(message)


def learn(job: dict[str, Any]) -> int:
    page.write_report = no_report
    # By default every epoch is written, however long that takes; the first one always.
    keeper.WRITING, keeper.SECONDS = job.get("writing", 1), 0.0
    calls = Calls(job.get("die_at"))
    os.fsync = calls.around(os.fsync)
    os.replace = calls.around(os.replace)
    os.link = calls.around(os.link)
    folder = Path(job["folder"])

    def report(error: BaseException) -> None:
        folder.with_suffix(".error").write_text(repr(error) + str(error))

    try:
        with joined("cpu", os.environ, report) as processes, ExitStack() as stack:
            resume = folder if job["resume"] else None
            if job.get("apart"):
                # The path leads to the folder for the first process alone.
                os.chdir(folder.parent if processes.writes else folder)
                resume = stack.enter_context(copied_texts(Path(folder.name), processes))
            train(
                request(Source("<text>", job["spec"]), set=overrides_of(job["set"])),
                dotcnn.__version__,
                output=None if job["resume"] else folder,
                resume=True if job.get("again") else resume,
                device="cpu",
                callback=Looker(job.get("stop_after")),
                processes=processes,
            )
            if job.get("maps"):
                processes.gathered(None)  # all of them still have what they mapped
                found = mapped_files(processes.rank)
                processes.gathered(None)
                with open(job["maps"], "a") as file:
                    file.write("".join(json.dumps(each) + "\n" for each in found))
        if not processes.writes:
            seen = {
                "saved": (folder / CHECKPOINT).exists(),
                "local_world": processes.local_world,
            }
            folder.with_suffix(".seen").write_text(json.dumps(seen))
    except BaseException as error:  # noqa: BLE001 (a fork of this process must not go on)
        report(error)
        return 1
    folder.with_suffix(".calls").write_text(str(calls.count))
    return 0


def mapped_files(rank: int) -> list[dict[str, Any]]:
    """The mapped files of this process: bytes that no other process has, and its share of all."""
    found: list[dict[str, Any]] = []
    for line in Path("/proc/self/smaps").read_text().splitlines():
        head, *others = line.split(maxsplit=5)
        if not head.endswith(":"):
            name = others[-1] if len(others) == 5 else ""
            found.append({"rank": rank, "file": name, "inode": others[3], "own": 0, "share": 0})
        elif head == "Private_Dirty:":
            found[-1]["own"] += 1024 * int(others[0])
        elif head == "Pss:":
            found[-1]["share"] += 1024 * int(others[0])
    return [each for each in found if each["inode"] != "0"]


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
