"""Messages about NaN, and about too little memory."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import dotcnn
from dotcnn.compiler.plan import plan
from dotcnn.training.optim.precision import FULL
from dotcnn.training.runtime.nan_check import Moment, advice, first_broken, not_finite
from dotcnn.training.runtime.out_of_memory import is_out_of_memory, out_of_memory


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


@pytest.mark.parametrize("batch", [1, 7, 64, 100_000])
def test_a_batch_that_fits_is_smaller(batch: int) -> None:
    """Whatever was asked for; with as many portions as make up for it."""
    network = dotcnn.compile("network Net { input 3x64x64, conv 8, relu, flatten, fc classes }")
    train = plan(network, needs_data=False).train
    found = out_of_memory(network, train, FULL, torch.device("cpu"), batch)
    assert f"{batch:,} images" in found.message
    if batch > 1:
        words = found.help.replace("`", " ").replace(",", " ").split()
        smaller = int(words[words.index("batch") + 1])
        portions = int(words[words.index("accumulate") + 1])
        assert 0 < smaller < batch <= smaller * portions


def test_which_errors_are_of_memory() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
