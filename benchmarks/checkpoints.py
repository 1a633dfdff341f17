"""How long training steps wait for checkpoints, and how long a large run takes to go on.

    python benchmarks/checkpoints.py [--width 9500] [--steps 60] [--every 5s] [--before PYTHON]

The same steps are trained without checkpoints; with checkpoints that training waits for, as they
were written until 0.1 (serialized in memory, then written) and straight from the tensors; with
checkpoints that another thread writes from a copy; and that onto a slow disk. Then a run goes on
from its last checkpoint. Each in a process of its own. `--before` is the Python of an environment
with another version, whose thread and whose resuming are measured beside.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

SPEC = """
network Wide {{
  input 1x28x28
  flatten
  fc {width}, relu
  fc {width}, relu
  fc 10
}}
train {{
  epochs 1
  batch 16
  optimizer sgd lr=1e-4 momentum=0.9
  checkpoint every={every}
  precision fp32
}}
"""
MODES = {
    "without": "without checkpoints",
    "memory": "training waits; serialized in memory first",
    "waits": "training waits; written from the tensors",
    "thread": "another thread writes a copy",
    "slow": "the same, onto a disk of 40 MB/s",
}
SLOW_DISK = 40e6


def through_memory(path: Path, state: dict[str, Any], *_: object) -> None:
    """How checkpoints were written before."""
    import torch

    from dotcnn.dsl.atomic_file import write_whole
    from dotcnn.training.checkpoint.checkpoint import FORMAT

    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    write_whole(path, buffer.getbuffer())


def slow_disk() -> None:
    """Lets a sync take as long as a slow disk needs for what was written since the last one."""
    synced: dict[int, int] = {}

    def around(sync: Any) -> Any:
        def slow(handle: int) -> None:
            sync(handle)
            status = os.fstat(handle)
            time.sleep(max(0, status.st_size - synced.get(status.st_ino, 0)) / SLOW_DISK)
            synced[status.st_ino] = status.st_size

        return slow

    os.fsync, os.fdatasync = around(os.fsync), around(os.fdatasync)


@contextmanager
def peak_of_anonymous_memory() -> Iterator[list[float]]:
    """The most memory of this process alone, in GiB: without files that are mapped."""
    peak, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.01):
            status = Path("/proc/self/status").read_text()
            pages = int(status.split("RssAnon:")[1].split()[0])
            peak[0] = max(peak[0], pages / 2**20)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield peak
    finally:
        ended.set()
        watching.join()


def data(steps: int) -> dict[str, Any]:
    import numpy

    images = numpy.zeros((16 * steps, 28, 28), dtype=numpy.uint8)
    labels = numpy.arange(len(images)) % 10
    return {"train": (images, labels), "val": (images[:20], labels[:20])}


def measure(mode: str, width: int, steps: int, every: str, folder: Path) -> dict[str, Any]:
    import dotcnn
    from dotcnn.training.checkpoint import checkpoint_files, snapshot
    from dotcnn.training.trainer import loop

    written: list[float] = []
    write = through_memory if mode == "memory" else checkpoint_files.write_checkpoint

    def noted(*arguments: Any) -> None:
        began = time.perf_counter()
        write(*arguments)
        written.append(time.perf_counter() - began)

    checkpoint_files.write_checkpoint = noted
    if mode in ("memory", "waits"):
        snapshot.free_memory = lambda: 0
    if mode == "slow":
        slow_disk()
    times = [time.perf_counter()]

    class Timed(dotcnn.Callback):
        def step(self, step: object) -> None:
            times.append(time.perf_counter())

    spec = SPEC.format(width=width, every="1000h" if mode == "without" else every)
    loop.Loop.validate_before_training = lambda self: None
    with peak_of_anonymous_memory() as peak:
        dotcnn.train(
            spec, data=data(steps), output=folder, callback=Timed(), device="cpu", quiet=True
        )
    each = sorted(after - before for before, after in pairwise(times[1:]))
    return {
        "steps": len(each),
        "total": sum(each),
        "median": statistics.median(each),
        "p99": each[round(0.99 * (len(each) - 1))],
        "worst": each[-1],
        "written": written[:-1],  # the last one is that of the end
        "memory": peak[0],
        "size": (folder / "last.ckpt").stat().st_size / 1e9,
    }


def go_on(steps: int, folder: Path) -> dict[str, Any]:
    """Resumes a run for one more step."""
    import dotcnn

    first: list[float] = []

    class Timed(dotcnn.Callback):
        def step(self, step: object) -> None:
            first.append(time.perf_counter())
            os._exit(report())

    def report() -> int:
        peak_file = {
            "seconds": first[0] - began,
            "memory": peak[0],
            "with_files": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        }
        sys.stdout.write(json.dumps(peak_file) + "\n")
        sys.stdout.flush()
        return 0

    import dotcnn.training.trainer.train  # so that importing torch does not count

    began = time.perf_counter()
    with peak_of_anonymous_memory() as peak:
        dotcnn.train(
            resume=folder, data=data(steps), epochs=2, callback=Timed(), device="cpu", quiet=True
        )
    return {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=9500)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--every", default="5s")
    parser.add_argument("--before", metavar="PYTHON")
    parser.add_argument("--modes", default="without,memory,waits,thread,slow")
    parser.add_argument("--mode", choices=[*MODES, "resume"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.mode == "resume":
        go_on(options.steps, options.folder)
        return
    if options.mode:
        found = measure(options.mode, options.width, options.steps, options.every, options.folder)
        sys.stdout.write(json.dumps(found) + "\n")
        return

    def run(python: str, mode: str, folder: Path) -> dict[str, Any]:
        command = [python, __file__, "--mode", mode, "--width", str(options.width)]
        command += ["--steps", str(options.steps), "--every", options.every]
        command += ["--folder", str(folder)]
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        return dict(json.loads(answer.splitlines()[-1]))

    parameters = 785 * options.width + (options.width + 1) * options.width + 10 * options.width
    print(f"{parameters / 1e6:.0f} M parameters, a checkpoint every {options.every}")
    print(
        "| checkpoints | written | each takes | p50 | p99 | worst step | all steps | own memory |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    wanted = [(mode, MODES[mode], sys.executable) for mode in options.modes.split(",")]
    if options.before:
        wanted.insert(1, ("thread", f"{MODES['thread']}, before", options.before))
    with tempfile.TemporaryDirectory(dir=".") as scratch:
        before = last = Path(scratch)
        for number, (mode, what, python) in enumerate(wanted):
            folder = last = Path(scratch, str(number))
            found = run(python, mode, folder)
            each = statistics.mean(found["written"]) if found["written"] else 0.0
            print(
                f"| {what} | {len(found['written'])} | {each:.2f} s | {found['median']:.2f} s |"
                f" {found['p99']:.2f} s | {found['worst']:.2f} s | {found['total']:.1f} s |"
                f" {found['memory']:.2f} GiB |",
                flush=True,
            )
            if python == options.before:
                before = folder
            elif number < len(wanted) - 1:
                shutil.rmtree(folder)
        print(f"\na checkpoint has {found['size']:.2f} GB\n")
        print("| a run goes on | until its first step | own memory | with mapped files |")
        print("| --- | --- | --- | --- |")
        runs = [("now", sys.executable, last)]
        runs += [("before", options.before, before)] if options.before else []
        for what, python, folder in runs * 2:
            found = run(python, "resume", folder)
            print(
                f"| {what} | {found['seconds']:.2f} s | {found['memory']:.2f} GiB |"
                f" {found['with_files']:.2f} GiB |",
                flush=True,
            )


if __name__ == "__main__":
    main()
