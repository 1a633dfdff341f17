"""Measures how gradients vanish in stacks of convolutions with neither norm nor shortcut.

    python benchmarks/vanishing_gradients.py [--learn] [--only relu elu] [--depths 30 40 50]

For every activation and depth: the norm of the gradient at the first convolution before training,
with the initialization that a spec has by default (in float64, on a batch of the bundled digits;
the median of several seeds). With `--learn`, also the loss after some steps of Adam: 2.303 = ln 10
means that nothing was learned. The width, the learning rate, the number of steps and the
initialization can be chosen, too. The warning `vanishing-gradients` is derived from these figures:
see compiler/analysis/lint_depth.py.
"""

from __future__ import annotations

import argparse
import statistics
import sys

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import dotcnn
from dotcnn.training.data.loader.image_source import Arrays
from dotcnn.training.data.sources.digits import digits

ACTIVATIONS = (
    "sigmoid", "hardsigmoid", "softplus", "tanh", "relu", "leaky", "elu", "selu", "gelu", "silu",
    "mish",
)  # fmt: skip
DEPTHS = (5, 10, 15, 20, 30, 50, 100)
SEEDS = 3
BATCH = 64


class Options(argparse.Namespace):
    learn: bool
    only: list[str]
    depths: list[int]
    width: int
    rate: float
    steps: int
    init: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--learn", action="store_true")
    parser.add_argument("--only", nargs="+", choices=ACTIVATIONS, default=ACTIVATIONS)
    parser.add_argument("--depths", nargs="+", type=int, default=DEPTHS)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--init", default="", help="as in a spec: `he`, `orthogonal`")
    options = parser.parse_args(namespace=Options())
    images, labels = data()
    print(f"{'activation':<12}" + "".join(f"{depth:>10}" for depth in options.depths))
    for word in options.only:
        norms = [
            norm(plain(word, depth, options), images[:BATCH], labels[:BATCH])
            for depth in options.depths
        ]
        print(f"{word:<12}" + "".join(f"{each:>10.1e}" for each in norms), flush=True)
        if options.learn:
            print(f"{'  loss':<12}", end="")
            for depth in options.depths:
                (module, *_) = plain(word, depth, options)
                loss = trained_loss(module, images, labels, options)
                print(f"{loss:>10.3f}", end="", flush=True)
            print()
    return 0


def data() -> tuple[Tensor, Tensor]:
    """The bundled digits, with a mean of 0 and a standard deviation of 1."""
    train = digits().parts["train"]
    assert isinstance(train, Arrays)
    pixels = train.images.float()
    return (pixels - pixels.mean()) / pixels.std(), train.labels


def plain(activation: str, depth: int, options: Options) -> list[nn.Module]:
    """The stack with several seeds."""
    init = f"init {options.init}," if options.init else ""
    modules = []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        module = dotcnn.load(
            f"network Plain {{ input 1x8x8, {init} repeat {depth} {{ conv {options.width} 3x3 same,"
            f" {activation} }}, pool avg global, flatten, fc 10 }}"
        )
        modules.append(module)
    return modules


def norm(modules: list[nn.Module], images: Tensor, labels: Tensor) -> float:
    """The norm of the gradient at the first convolution."""
    each = []
    for module in modules:
        F.cross_entropy(module.double()(images.double()), labels).backward()
        first = next(m for m in module.modules() if isinstance(m, nn.Conv2d))
        assert first.weight.grad is not None
        each.append(first.weight.grad.norm().item())
    return statistics.median(each)


def trained_loss(module: nn.Module, images: Tensor, labels: Tensor, options: Options) -> float:
    optimizer = torch.optim.Adam(module.parameters(), options.rate)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(options.steps):
        chosen = torch.randint(len(images), (BATCH,), generator=generator)
        loss = F.cross_entropy(module(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return statistics.mean(losses[-20:])


if __name__ == "__main__":
    sys.exit(main())
