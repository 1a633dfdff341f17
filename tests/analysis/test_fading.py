"""How much of a gradient a layer takes, as the warning about stacks of layers says, measured."""

from __future__ import annotations

from math import log10
from statistics import median

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import dotcnn
from dotcnn.compiler.ops import REGISTRY


def gradient(activation: str, depth: int, filters: int = 16) -> float:
    """The norm of the gradient at the first convolution, before training."""
    norms = []
    for seed in range(3):
        torch.manual_seed(seed)
        module = dotcnn.load(
            f"network N {{ input 1x8x8, repeat {depth} {{ conv {filters} 3x3 same, {activation} }},"
            " pool avg global, flatten, fc 10 }"
        ).double()
        images, labels = torch.randn(32, 1, 8, 8).double(), torch.randint(10, (32,))
        F.cross_entropy(module(images), labels).backward()
        weight = next(m for m in module.modules() if isinstance(m, nn.Conv2d)).weight
        assert weight.grad is not None
        norms.append(weight.grad.norm().item())
    return median(norms)


@pytest.mark.slow
@pytest.mark.parametrize("word", ["sigmoid", "hardsigmoid", "silu", "mish", "tanh", "relu", "elu"])
def test_a_layer_takes_what_it_is_said_to_take(word: str) -> None:
    few, many = 10, 40
    measured = (log10(gradient(word, few)) - log10(gradient(word, many))) / (many - few)
    assert measured == pytest.approx(REGISTRY[word].fades, rel=0.25, abs=0.06)


@pytest.mark.slow
def test_gelu_takes_more_than_others_from_its_initial_weights() -> None:
    """Their standard deviation is 0.02, however many filters there are."""
    measured = (log10(gradient("gelu", 5, 256)) - log10(gradient("gelu", 10, 256))) / 5
    assert measured == pytest.approx(REGISTRY["gelu"].fades, rel=0.25)
    assert (log10(gradient("gelu", 5)) - log10(gradient("gelu", 10))) / 5 > measured
