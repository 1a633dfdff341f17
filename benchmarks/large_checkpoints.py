"""Copying, writing and reading the state of a large network, without training.

    python benchmarks/large_checkpoints.py [--millions 300] [--folder .] [--no-copy]

The state has weights and momentum, in fp32: 2.4 GB for 300 M parameters. Memory is that of the
process alone, which leaves out files that are mapped. `--no-copy` writes the tensors themselves.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from dotcnn.training.checkpoint.checkpoint import write_checkpoint
from dotcnn.training.checkpoint.snapshot import Snapshots
from dotcnn.training.untrusted.torch_file import read_torch


def memory() -> float:
    """The memory of this process alone, in GiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 2**20


@contextmanager
def measured(what: str) -> Iterator[None]:
    """Prints how long something takes, the time of the processor in this thread, and by how much
    memory grows at most."""
    before = peak = memory()
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.01):
            peak = max(peak, memory())

    watching = threading.Thread(target=watch)
    watching.start()
    began, cpu = time.perf_counter(), time.thread_time()
    yield
    seconds, cpu = time.perf_counter() - began, time.thread_time() - cpu
    peak = max(peak, memory())
    ended.set()
    watching.join()
    print(f"| {what} | {seconds:.2f} s | {cpu:.2f} s | {peak - before:.2f} GiB |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=int, default=300)
    parser.add_argument("--folder", default=".")
    parser.add_argument("--no-copy", action="store_true")
    options = parser.parse_args()
    count = options.millions * 1_000_000 // 20
    weights = {f"{name}{index}": torch.full((count,), 0.5) for name in "wm" for index in range(20)}
    state: Any = {"model": weights}
    print("| | time | of the processor | more memory |")
    print("| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        path = Path(scratch, "last.ckpt")
        if not options.no_copy:
            with ThreadPoolExecutor(1) as thread:
                snapshots = Snapshots(torch.device("cpu"))
                with measured("memory is made ready, by a thread"):
                    snapshots.prepare(state, thread)
                    thread.submit(int).result()
                for name in ("first", "next"):
                    with measured(f"{name} copy"):
                        snapshot = snapshots.take(state)
                    if snapshot is None:
                        raise SystemExit("there is not enough memory for a copy: --no-copy")
                    snapshots.release(snapshot)
            state = snapshot.state
        with measured("written"):
            write_checkpoint(path, state)
        del state, weights
        gc.collect()
        target = [torch.zeros(count) for _ in range(40)]
        with measured("checked, mapped, and copied to its place"):
            found: Any = read_torch(path, mapped=True)
            for tensor, saved in zip(target, found["model"].values(), strict=True):
                tensor.copy_(saved)


if __name__ == "__main__":
    main()
