"""How long training steps wait for checkpoints: of a network of about 100 M parameters, with a
checkpoint every few seconds.

    python benchmarks/checkpoints.py [--width 9500] [--steps 60] [--every 5]

The same steps are trained without checkpoints; with checkpoints that training waits for, as they
were written until 0.1 (serialized in memory, then written) and straight from the tensors; and with
checkpoints that another thread writes from a copy. Each in a process of its own.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
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
  optimizer adamw lr=1e-4
  checkpoint every={every}
  precision fp32
}}
"""
MODES = {
    "without": "without checkpoints",
    "memory": "training waits; serialized in memory first",
    "waits": "training waits; written from the tensors",
    "thread": "another thread writes a copy",
}


def through_memory(path: Path, state: dict[str, Any], *_: object) -> None:
    """How checkpoints were written before."""
    import torch

    from dotcnn.dsl.atomic_file import write_whole
    from dotcnn.training.checkpoint.checkpoint import FORMAT

    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    write_whole(path, buffer.getbuffer())


def measure(mode: str, width: int, steps: int, every: str) -> dict[str, Any]:
    import numpy

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
        snapshot.computer_budget = lambda: 0
    times = [time.perf_counter()]

    class Timed(dotcnn.Callback):
        def step(self, step: object) -> None:
            times.append(time.perf_counter())

    images = numpy.zeros((16 * steps, 28, 28), dtype=numpy.uint8)
    labels = numpy.arange(len(images)) % 10
    few = (images[:20], labels[:20])
    spec = SPEC.format(width=width, every="1000h" if mode == "without" else every)
    loop.Loop.validate_before_training = lambda self: None
    with tempfile.TemporaryDirectory(dir=".") as folder:
        dotcnn.train(
            spec, data={"train": (images, labels), "val": few}, output=Path(folder, "run"),
            callback=Timed(), device="cpu",
        )  # fmt: skip
    each = [after - before for before, after in pairwise(times[1:])]
    return {
        "mode": mode,
        "steps": len(each),
        "total": sum(each),
        "median": statistics.median(each),
        "worst": max(each),
        "written": written[:-1],  # the last one is that of the end
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=9500)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--every", default="5s")
    parser.add_argument("--mode", choices=MODES)
    options = parser.parse_args()
    if options.mode:
        sys.stdout.write(
            json.dumps(measure(options.mode, options.width, options.steps, options.every)) + "\n"
        )
        return
    parameters = 785 * options.width + (options.width + 1) * options.width + 10 * options.width
    print(f"{parameters / 1e6:.0f} M parameters, a checkpoint every {options.every}")
    print("| checkpoints | written | each takes | median step | worst step | all steps | memory |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for mode, what in MODES.items():
        command = [sys.executable, __file__, "--mode", mode, "--width", str(options.width)]
        command += ["--steps", str(options.steps), "--every", options.every]
        answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found = json.loads(answer.splitlines()[-1])
        each = statistics.mean(found["written"]) if found["written"] else 0.0
        print(
            f"| {what} | {len(found['written'])} | {each:.2f} s | {found['median']:.2f} s |"
            f" {found['worst']:.2f} s | {found['total']:.1f} s | {found['memory']:.1f} GiB |",
            flush=True,
        )


if __name__ == "__main__":
    main()
