"""Steps of training on a CPU with freed memory kept and given back, in processes that take turns.

    python benchmarks/allocator.py [--rounds 5] [--steps 20]

For each process it prints the median time of a step, and the number of memory pages that the system
handed out in a step.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from contextlib import nullcontext

import torch
from torch import nn

import dotcnn
from dotcnn.training.runtime.allocator import freed_memory_kept

CASES = (("fashion", 64, (1, 28, 28), 10), ("resnet18", 32, (3, 96, 96), 1000))
"""Network, batch size, image shape, classes."""


def measured(name: str, kept: bool, steps: int) -> tuple[float, float]:
    """Milliseconds and pages of a step, in this process."""
    batch, shape, classes = next(case[1:] for case in CASES if case[0] == name)
    torch.manual_seed(0)
    with freed_memory_kept(torch.device("cpu")) if kept else nullcontext():
        module = dotcnn.load(name, classes=classes)
        optimizer = torch.optim.SGD(module.parameters(), 0.01, momentum=0.9)
        images, labels = torch.randn(batch, *shape), torch.randint(0, classes, (batch,))
        times: list[float] = []
        before = 0
        for step in range(2 * steps):  # the first half until all has settled
            if step == steps:
                before = pages()
            began = time.perf_counter()
            nn.functional.cross_entropy(module(images), labels).backward()
            optimizer.step()
            optimizer.zero_grad()
            times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times[steps:]), (pages() - before) / steps


def pages() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        name, kept = options.one
        print(*measured(name, kept == "kept", options.steps))
        return
    for name, batch, shape, _ in CASES:
        found: dict[str, list[tuple[float, float]]] = {"given back": [], "kept": []}
        for _round in range(options.rounds):
            for how, each in found.items():
                command = [
                    sys.executable,
                    __file__,
                    "--steps",
                    str(options.steps),
                    "--one",
                    name,
                    how,
                ]
                said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                milliseconds, faults = map(float, said.split())
                each.append((milliseconds, faults))
        ratios = [a[0] / b[0] for a, b in zip(found["kept"], found["given back"], strict=True)]
        what = f"{name}, batch {batch} of {'x'.join(map(str, shape))}"
        extent = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"{what}: {statistics.median(ratios):.2f} ({extent}) of the time")
        for how, each in found.items():
            times, faults_of = zip(*each, strict=True)
            extent = f"{min(times):.1f} to {max(times):.1f}"
            faults = statistics.median(faults_of)
            print(f"  {how:<12}{statistics.median(times):8.1f} ms ({extent}), {faults:,.0f} pages")


if __name__ == "__main__":
    main()
