"""The networks that torchvision has too, through ONNX and onnxruntime: how far outputs are apart.

    python benchmarks/exported.py [--networks resnet18 googlenet] [--size 64]

Each is given random weights, and its norms the statistics of some random images. Then it is
exported as anybody would export it: `dotcnn.export` compares the file with the module, for batches
of 1 and 3, and refuses from 1e-4 of the largest output on. Largest differences are in parts of the
largest output. `folded` are batch norms put into the layers before them, and what that changes.
Exit code 1 where one is refused.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from pathlib import Path

import onnx
import torch
from torch import nn

import dotcnn
from dotcnn.compiler.network import Network
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.export.fold import fold
from dotcnn.training.export.onnx_file import RUNTIME

TABLE = Path(__file__).resolve().parent.parent / "tests" / "specs" / "published.csv"
TOO_LARGE = {"regnet_y_128gf"}
"""Weights of more than 2 GB: twice that in memory, and files of that size."""


def names() -> list[str]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        found = [row["model"] for row in csv.DictReader(file) if row["gmacs"]]
    return [name for name in found if name not in TOO_LARGE]


def used(network: Network) -> nn.Module:
    """A module whose norms have seen something, and in which numbers neither vanish nor grow."""
    module = dotcnn.load(network)
    norms = [inner for inner in module.modules() if isinstance(inner, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        module(torch.randn(4, *network.input.shape))
        for norm in norms:
            # Of maps as small as these, some channels hardly vary: they would be made enormous.
            variance = norm.running_var
            assert variance is not None
            variance.copy_(variance.mean() * torch.empty_like(variance).uniform_(1, 3))
    return module.eval()


def line(name: str, size: int, folder: Path) -> str:
    # The auxiliary head of Inception v3 has a filter of 5x5 behind a pool of 5x5.
    side = 299 if name == "inception_v3" else size
    network = dotcnn.compile(name, input=(3, side, side))
    module = used(network)
    start = time.perf_counter()
    made = dotcnn.export(network, folder / "net.onnx", weights=module.state_dict())
    took = time.perf_counter() - start
    worst = max(made.differences, key=lambda difference: difference.relative)
    folded = fold(network, module)
    nodes = len(onnx.load(made.files[0]).graph.node)
    change = f"{folded.difference.relative:8.1e}" if folded.names else ""
    return f"{worst.relative:8.1e}{nodes:8}{len(folded.names):8}{change:>10}{took:9.1f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", nargs="*", default=names())
    parser.add_argument("--size", type=int, default=64)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"{RUNTIME}, onnx {onnx.__version__}, torch {torch.__version__}")
    print(f"{'network':22}{'apart':>8}{'nodes':>8}{'folded':>8}{'apart':>10}{'seconds':>9}")
    refused = 0
    for name in options.networks:
        with tempfile.TemporaryDirectory() as folder:
            try:
                said = line(name, options.size, Path(folder))
            except SpecError as error:
                refused += 1
                said = f"  {error}"
        print(f"{name:22}{said}", flush=True)
    print(f"{len(options.networks)} networks, {refused} refused")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
