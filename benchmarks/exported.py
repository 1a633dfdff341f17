"""Exports torchvision's networks to ONNX and compares the outputs of onnxruntime with the module's.

    python benchmarks/exported.py [--networks resnet18 googlenet] [--size 64]

Each network gets random weights, and norms with the statistics of some random images. Then it is
exported with `dotcnn.export`, which compares the file with the module for batches of 1 and 3, and
fails if they differ by more than 1e-4 of the largest output. Printed are the largest differences
relative to the largest output; `folded` is the number of folded batch norms and the difference
that this makes. The exit code is 1 if an export fails.
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
"""Left out: more than 2 GB of weights, which need twice that in memory and files of that size."""


def names() -> list[str]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        found = [row["model"] for row in csv.DictReader(file) if row["gmacs"]]
    return [name for name in found if name not in TOO_LARGE]


def used(network: Network) -> nn.Module:
    """A module whose norms have realistic statistics, so that values neither vanish nor explode."""
    module = dotcnn.load(network)
    norms = [inner for inner in module.modules() if isinstance(inner, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        module(torch.randn(4, *network.input.shape))
        for norm in norms:
            # In maps as small as these, some channels hardly vary, and would become enormous.
            variance = norm.running_var
            assert variance is not None
            variance.copy_(variance.mean() * torch.empty_like(variance).uniform_(1, 3))
    return module.eval()


def line(name: str, size: int, folder: Path) -> str:
    # The auxiliary head of Inception v3 has a 5x5 convolution after a 5x5 pool.
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
