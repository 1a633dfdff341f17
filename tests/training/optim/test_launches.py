"""What follows each step of the optimizer starts few operations, however many weights there are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from dotcnn.benchmarks.cuda_suite.measure import Calls
from dotcnn.compiler.plan.train import Lookahead
from dotcnn.training.optim.ema import Average
from dotcnn.training.optim.lookahead import SlowWeights
from dotcnn.training.transfer.anchor import Anchor


def ema(module: nn.Module) -> Callable[[], None]:
    return Average(module, 0.9).update


def lookahead(module: nn.Module) -> Callable[[], None]:
    slow = SlowWeights(module, Lookahead.make(every=1), 10)
    return lambda: slow.update(1)


def l2(module: nn.Module) -> Callable[[], None]:
    for weight in module.parameters():
        weight.grad = torch.ones_like(weight)
    return Anchor(module, [name for name, _ in module.named_parameters()], 0.1).pull


@pytest.mark.parametrize("make", [ema, lookahead, l2])
def test_each_starts_few_operations(make: Callable[[nn.Module], Callable[[], None]]) -> None:
    found = []
    for count in (2, 9):
        update = make(nn.Sequential(*(nn.BatchNorm1d(3) for _ in range(count))))
        with Calls() as calls:
            update()
        found.append(calls.count)
    assert found[0] == found[1] <= 4
