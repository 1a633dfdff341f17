"""Messages about NaN."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dotcnn.training.runtime.nan_check import Moment, advice, first_broken, not_finite


class Divide(nn.Module):
    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, x: Tensor) -> Tensor:
        return x / self.by


class Sum(nn.Module):
    """What goes wrong between layers."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.last(x + float("inf"))  # type: ignore[no-any-return]


ONES = torch.ones(2, 3)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        (
            [nn.Linear(3, 3), Divide(0.0), Divide(0.0)],
            "1 is the first layer that produces infinity",
        ),
        ([Divide(0.0), nn.Softmax(1)], "0 is the first layer that produces infinity"),
        ([nn.Identity(), Divide(float("nan"))], "1 is the first layer that produces NaN"),
        ([Divide(2.0), Sum()], "the input of 1.last already has infinity"),
    ],
)
def test_the_first_layer_is_named(layers: list[nn.Module], said: str) -> None:
    module = nn.Sequential(*layers)
    found = first_broken(module, lambda: module(ONES))
    assert found is not None
    assert found.startswith(said)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


def test_no_layer_is_named_for_finite_values() -> None:
    module = nn.Sequential(nn.Linear(3, 3), nn.ReLU(inplace=True))
    assert first_broken(module, lambda: module(ONES)) is None


def test_weights_that_were_broken_before_are_named() -> None:
    module = nn.Linear(3, 3)
    with torch.no_grad():
        module.weight[0, 0] = float("nan")
    error = not_finite(module, lambda: module(ONES), Moment(2, 1234, 0.1), "try")
    assert "step 1,234 in epoch 2" in error.diagnostic.message
    assert "weight are NaN or infinite: the previous step" in error.diagnostic.notes[0]


def test_advice_leaves_out_what_is_done_already() -> None:
    assert "warm-up" in advice(0.1, 0.0, clip=False, half=True)
    said = advice(0.1, 3.0, clip=True, half=False)
    assert said == "try a smaller learning rate, like 0.01"
