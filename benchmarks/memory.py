"""Measures the memory of a training step and a forward pass, compared with what `cnn report` says.

    python benchmarks/memory.py [--isa AVX2 SSE41] [--networks resnet18 resnet50]

The memory in a report is that of live tensors. oneDNN allocates additional workspace inside its
operations, which depends on the processor. `--isa` makes oneDNN use the instructions of other
processors (ONEDNN_MAX_CPU_ISA), each in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import accumulate

NETWORKS = ["alexnet", "vgg16_bn", "resnet18", "resnet50", "densenet121", "mobilenet_v2"]
SIZES = ((64, 1), (64, 8), (64, 16), (224, 1), (224, 8))
"""Pixels a side, and images in a batch."""


def allocated(run: Callable[[], object]) -> int:
    """The peak memory that torch's allocator handed out."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    events = profiler.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    return max(accumulate(change for _, change in changes))


def measure(name: str) -> None:
    import torch
    from torch.nn.functional import cross_entropy

    import dotcnn
    from dotcnn.compiler.analysis.memory import Memory

    for side, batch in SIZES:
        network = dotcnn.compile(name, input=(3, side, side))
        model = dotcnn.load(network)
        memory = Memory(network)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        images, labels = torch.randn(batch, 3, side, side), torch.zeros(batch, dtype=torch.long)
        there = [*model.parameters(), *model.buffers(), images, labels]
        fixed = sum(tensor.untyped_storage().nbytes() for tensor in there)

        def step(
            model: torch.nn.Module = model,
            images: torch.Tensor = images,
            labels: torch.Tensor = labels,
            optimizer: torch.optim.Optimizer = optimizer,
        ) -> object:
            logits = model(images)  # alive until the end, as in most training loops
            cross_entropy(logits, labels).backward()
            optimizer.step()
            return logits

        training = (fixed + allocated(step)) / memory.training.at(batch)
        optimizer.zero_grad()
        model.eval()
        with torch.no_grad():
            forward = fixed + allocated(lambda model=model, images=images: model(images))
        print(
            f"{name:14}{side:5} px {batch:3} images"
            f"   training {training:.3f}   forward {forward / memory.forward.at(batch):.3f}",
            flush=True,
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--isa", nargs="*", default=["DEFAULT", "AVX2"], metavar="ISA")
    options.add_argument("--networks", nargs="*", default=NETWORKS, metavar="NAME")
    options.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.here:
        for name in asked.networks:
            measure(name)
        return
    for isa in asked.isa:
        print(f"== {isa}", flush=True)
        command = [sys.executable, __file__, "--here", "--networks", *asked.networks]
        subprocess.run(command, env={**os.environ, "ONEDNN_MAX_CPU_ISA": isa}, check=True)


if __name__ == "__main__":
    main()
