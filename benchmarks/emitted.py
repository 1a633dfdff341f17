"""Speed of emitted modules compared with torchvision's, with the same weights.

For each network, three modules are timed in turn: ours, torchvision's, and a second copy of
torchvision's. The ratio of the first two is the result; that of the last two, which should be 1,
shows the noise of the machine. Printed are the median and the middle half of the ratios over the
rounds. Timed are `forward` (evaluation, no_grad) and `training` (forward and backward, with
auxiliary heads); before that, the outputs are compared.

    python benchmarks/emitted.py [--networks resnet18 googlenet] [--rounds 24] [--batch 2]
        [--size 224] [--device cuda] [--channels-last] [--threads 1] [--loads 12]

On a CPU, process time is measured, so that other programs matter less; on a GPU, wall-clock time
after synchronization. At the end, `dotcnn.load("resnet152")`, from the text of the spec to the
module, is compared with torchvision's constructor (not with `--loads 0`): both draw as many normal
numbers for the same convolutions.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from itertools import permutations
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import dotcnn
from dotcnn.training.runtime.import_torchvision import torchvision
from dotcnn.training.weights.match import match

NETWORKS = ["resnet18", "resnet50", "googlenet", "densenet121", "mobilenet_v2"]

Run = Callable[[], object]


class Ratios(NamedTuple):
    """The ratios of rounds, in each of which both modules were timed once."""

    values: list[float]

    def __str__(self) -> str:
        low, median, high = statistics.quantiles(self.values, n=4)
        return f"{median:.3f} ({low:.3f} to {high:.3f})"


class Compared(NamedTuple):
    ours: Ratios
    noise: Ratios
    """The ratio for the second copy of torchvision's module."""
    seconds: float
    """torchvision's median."""


def seconds(run: Run, device: torch.device) -> float:
    if device.type == "cpu":
        start = time.process_time()
        run()
        return time.process_time() - start
    torch.accelerator.synchronize()
    start = time.perf_counter()
    run()
    torch.accelerator.synchronize()
    return time.perf_counter() - start


def interleaved(ours: Run, theirs: Run, again: Run, device: torch.device, rounds: int) -> Compared:
    """The modules in all orders in turn, so that caches do not always favor the same one."""
    runs = [ours, theirs, again]
    orders = list(permutations(range(len(runs))))
    for run in runs * 2:
        run()
    took: list[list[float]] = [[], [], []]
    for number in range(rounds):
        gc.collect()
        for which in orders[number % len(orders)]:
            took[which].append(seconds(runs[which], device))
    first, second, third = took
    return Compared(
        Ratios([a / b for a, b in zip(first, second, strict=True)]),
        Ratios([a / b for a, b in zip(third, second, strict=True)]),
        statistics.median(second),
    )


# ---- forward, and forward with backward ----------------------------------------------------------


def compare(name: str, options: argparse.Namespace) -> None:
    device, shape = torch.device(options.device), (3, options.size, options.size)
    network = dotcnn.compile(name, input=shape)
    theirs, again = constructed(name), constructed(name)
    again.load_state_dict(theirs.state_dict())
    ours = dotcnn.load(network)
    found = match(network, theirs)
    found.require_complete()
    found.load_into(ours)
    images = torch.randn(options.batch, *shape).to(device)
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    images = images.to(memory_format=layout)
    modules = [it.to(device, memory_format=layout) for it in (ours, theirs, again)]

    forwards = [forward(module.eval(), images) for module in modules]
    outputs = [run() for run in forwards[:2]]
    apart = float((outputs[0] - outputs[1]).abs().max() / outputs[1].abs().max())
    tell(name, "forward", interleaved(*forwards, device, options.rounds), f"{apart:.1e}")
    steps = [training(module.train(), images) for module in modules]
    tell(name, "training", interleaved(*steps, device, options.rounds), "")


def constructed(name: str) -> nn.Module:
    # GoogLeNet and Inception otherwise warn that their initialization will change.
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    made: nn.Module = getattr(torchvision("models"), name)(**options)
    return made


def forward(module: nn.Module, images: Tensor) -> Callable[[], Tensor]:
    def run() -> Tensor:
        with torch.no_grad():
            result: Tensor = module(images)
        return result

    return run


def training(module: nn.Module, images: Tensor) -> Run:
    def run() -> None:
        module.zero_grad()
        result: Any = module(images)
        outputs = [result] if isinstance(result, Tensor) else result
        sum(output.square().mean() for output in outputs).backward()

    return run


def tell(name: str, what: str, found: Compared, apart: str) -> None:
    line = f"{name:15}{what:10}{found.ours!s:24}{found.noise!s:24}{found.seconds:9.3f}  {apart}"
    print(line.rstrip(), flush=True)


# ---- load ----------------------------------------------------------------------------------------


def load(rounds: int) -> None:
    """Loads the network as in a new process, without caches."""
    models = torchvision("models")

    def ours() -> None:
        for name in [key for key in sys.modules if key.startswith("dotcnn.emitted.")]:
            del sys.modules[name]
        dotcnn.load("resnet152")

    found = interleaved(ours, models.resnet152, models.resnet152, torch.device("cpu"), rounds)
    tell("resnet152", "load", found, "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", nargs="*", default=NETWORKS)
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--loads", type=int, default=12, help="rounds of `load`")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    name = platform.processor() or platform.machine()
    if options.device != "cpu":
        name = torch.cuda.get_device_name(options.device)
    print(
        f"{name}, {os.cpu_count()} cores, {options.threads} used, Python"
        f" {platform.python_version()}, torch {torch.__version__}, torchvision"
        f" {torchvision().__version__}; batches of {options.batch}, {options.size} pixels"
    )
    heads = f"{'ours / torchvision':24}{'torchvision / itself':24}{'seconds':>9}  outputs apart"
    print(f"{'network':15}{'':10}{heads}")
    for network in options.networks:
        compare(network, options)
    if options.loads:
        load(options.loads)


if __name__ == "__main__":
    main()
