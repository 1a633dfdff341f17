"""Measures how gradients vanish in stacks of convolutions with neither norm nor shortcut.

    python benchmarks/vanishing_gradients.py [--learn]

For every activation and depth: the norm of the gradient at the first convolution before training,
with the initialization that a spec has by default (in float64, on a batch of the bundled digits;
the median of several seeds). With `--learn`, also the loss after 150 steps of Adam: 2.303 = ln 10
means that nothing was learned. The warning `vanishing-gradients` is derived from these figures: see
compiler/analysis/lint_depth.py.
"""

from __future__ import annotations

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
WIDTH = 16
BATCH = 64
STEPS = 150


def main() -> int:
    learn = "--learn" in sys.argv[1:]
    images, labels = data()
    print(f"{'activation':<12}" + "".join(f"{depth:>10}" for depth in DEPTHS))
    for activation in ACTIVATIONS:
        norms = [norm(activation, depth, images[:BATCH], labels[:BATCH]) for depth in DEPTHS]
        print(f"{activation:<12}" + "".join(f"{each:>10.1e}" for each in norms), flush=True)
        if learn:
            losses = [trained_loss(activation, depth, images, labels) for depth in DEPTHS]
            print(f"{'  loss':<12}" + "".join(f"{each:>10.3f}" for each in losses), flush=True)
    return 0


def data() -> tuple[Tensor, Tensor]:
    """The bundled digits, with a mean of 0 and a standard deviation of 1."""
    train = digits().parts["train"]
    assert isinstance(train, Arrays)
    pixels = train.images.float()
    return (pixels - pixels.mean()) / pixels.std(), train.labels


def plain(activation: str, depth: int, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return dotcnn.load(
        f"network Plain {{ input 1x8x8, repeat {depth} {{ conv {WIDTH} 3x3 same, {activation} }},"
        " pool avg global, flatten, fc 10 }"
    )


def norm(activation: str, depth: int, images: Tensor, labels: Tensor) -> float:
    """The norm of the gradient at the first convolution."""
    each = []
    for seed in range(SEEDS):
        module = plain(activation, depth, seed).double()
        F.cross_entropy(module(images.double()), labels).backward()
        first = next(m for m in module.modules() if isinstance(m, nn.Conv2d))
        assert first.weight.grad is not None
        each.append(first.weight.grad.norm().item())
    return statistics.median(each)


def trained_loss(activation: str, depth: int, images: Tensor, labels: Tensor) -> float:
    module = plain(activation, depth, 0)
    optimizer = torch.optim.Adam(module.parameters(), 1e-3)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(STEPS):
        chosen = torch.randint(len(images), (BATCH,), generator=generator)
        loss = F.cross_entropy(module(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return statistics.mean(losses[-20:])


if __name__ == "__main__":
    sys.exit(main())
