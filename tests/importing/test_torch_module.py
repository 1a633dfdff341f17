"""Modules of torch, read as programs by torch.export."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dotcnn import SpecError
from dotcnn.compiler.importing.tensors.program import Call, Program
from dotcnn.training.importing.torch_module import program_of_module


class Says(nn.Module):
    """A module whose forward is a function."""

    def __init__(self, forward: Callable[[Any, Tensor], Any], **parts: nn.Module) -> None:
        super().__init__()
        self.function = forward
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


def program(module: nn.Module, *shape: int) -> Program:
    return program_of_module(module, shape or (3, 8, 8), "Net")


def functions(module: nn.Module, *shape: int) -> list[str]:
    return [call.function for call in program(module, *shape).calls]


def test_calls_have_names_settings_and_weights() -> None:
    conv = nn.Conv2d(3, 6, (3, 5), stride=2, padding=(1, 2), groups=3)
    found = program(nn.Sequential(conv, nn.BatchNorm2d(6), nn.ReLU(inplace=True)))
    input, first, norm, relu = found.calls
    assert found.batch == 11
    assert input.shape == (11, 3, 8, 8)
    assert first.name == "0"
    assert first.settings == {
        "stride": (2, 2),
        "dilation": (1, 1),
        "pad": ((1, 1), (2, 2)),
        "groups": 3,
    }
    x, weight, bias = first.operands
    assert x is input
    assert weight.value is conv.weight  # type: ignore[union-attr]
    assert [each.name for each in (weight, bias)] == ["0.weight", "0.bias"]  # type: ignore[union-attr]
    assert [type(each) for each in norm.operands].count(type(weight)) == 4
    assert relu.operands == (norm,)
    assert relu.shape == (11, 6, 4, 4)


def test_what_changes_a_tensor_in_place_is_read_again() -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        y = self.conv(x)
        F.relu_(y)
        return y + 1.0  # type: ignore[no-any-return]

    found = program(Says(forward, conv=nn.Conv2d(3, 3, 1)))
    assert [call.function for call in found.calls] == ["input", "conv", "relu", "add"]
    assert found.calls[-1].operands == (found.calls[2], 1.0)


def test_a_part_that_is_changed_in_place_is_refused() -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        y = x * 2
        y[:, :1].add_(x[:, 1:2])
        return y

    with pytest.raises(SpecError, match="`add` changes a part of a tensor"):
        program(Says(forward))


class DropPath(nn.Module):
    """As timm and a hundred others write it."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        kept = x.new_empty(len(x), 1, 1, 1).bernoulli_(1 - self.p)
        return x * kept.div_(1 - self.p)


def test_what_drops_in_training_is_there() -> None:
    module = nn.Sequential(DropPath(0.1), nn.Dropout(0.2), nn.Dropout2d(0.3), DropPath(0.0))
    found = program(module.train())
    drops = [(call.function, call.settings["p"]) for call in found.calls[1:]]
    assert drops == [("droppath", 0.1), ("dropout", 0.2), ("dropout2d", 0.3)]
    assert module.training
    assert all(part.training for part in module)
    assert "forward" not in vars(module[0])


def _bernoulli(x: Tensor, kept: float) -> Tensor:
    mask = torch.empty(len(x), 1, 1, 1).bernoulli_(kept)
    return x * mask.div_(kept)


def _floored(x: Tensor, kept: float) -> Tensor:
    return x / kept * torch.floor(kept + torch.rand(len(x), 1, 1, 1))


class Dropping(nn.Module):
    def __init__(self, dropped: Callable[[Tensor, float], Tensor]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)
        self.dropped = dropped

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.conv(x))
        return x + (self.dropped(y, 0.9) if self.training else y)


@pytest.mark.parametrize("dropped", [_bernoulli, _floored])
def test_paths_that_a_function_drops(dropped: Callable[[Tensor, float], Tensor]) -> None:
    found = program(Dropping(dropped))
    assert [call.function for call in found.calls] == [
        "input", "conv", "batch_norm", "droppath", "add",
    ]  # fmt: skip
    assert found.calls[3].settings == {"p": 0.1}


def test_other_ways_of_training_are_a_remark() -> None:
    found = program(Dropping(lambda x, kept: x * kept * torch.rand_like(x)))
    assert [call.function for call in found.calls] == ["input", "conv", "batch_norm", "add"]
    assert found.remarks == ["what it computes otherwise in training"]


def test_tables_are_computed() -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        mask = x.new_zeros(8, 8)
        mask[2:4] = 1
        return x * (mask + torch.arange(8).float())

    found = program(Says(forward))
    assert [call.function for call in found.calls] == ["input", "mul"]
    table: Any = found.calls[1].operands[1]
    assert table.value[2:4].sum() == 2 * 28 + 16


def test_einsum_is_a_product_of_matrices() -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        return torch.einsum("bchw,bcij->bhwij", x, x)

    found = program(Says(forward))
    assert "matmul" in [call.function for call in found.calls]
    assert found.results[0].call.shape == (found.batch, 8, 8, 8, 8)


def test_shared_weights_have_one_name() -> None:
    conv = nn.Conv2d(3, 3, 1)
    found = program(nn.Sequential(conv, conv))
    weights = [call.operands[1] for call in found.calls[1:]]
    assert [each.name for each in weights] == ["0.weight", "0.weight"]  # type: ignore[union-attr]


def test_several_outputs_have_names() -> None:
    def forward(self: Any, x: Tensor) -> Any:
        return {"one": x + 1, "rest": (x * 2, None)}

    assert [each.name for each in program(Says(forward)).results] == ["one", "rest.0"]


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.count.add_(1)  # type: ignore[operator]
        return x + self.count  # type: ignore[operator, no-any-return]


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Says(lambda self, x: x if x.sum() > 0 else -x), "module `Net`"),
        (Counting(), "`add` changes `count`"),
        (Says(lambda self, x: (x, 3)), "`Net` gives something else than tensors: 3"),
        (Says(lambda self, x: x @ torch.zeros(3, 3)), "module `Net`"),
    ],
)
def test_refused(module: nn.Module, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        program(module)


def test_what_is_not_known_goes_by_its_name() -> None:
    found = program(Says(lambda self, x: torch.fft.fft2(x).abs()))
    assert [call.function for call in found.calls] == ["input", "fft_fft2", "abs"]
    assert isinstance(found.calls[1], Call)
