"""Convolutions whose filters are standardized, against the formulas of the papers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dotcnn
from dotcnn.compiler.language.signature import ArgumentError
from dotcnn.compiler.ops.conv import Conv, Depthwise
from dotcnn.compiler.shapes import Shape
from networks import codes
from ops.conformance import build, conform, refuses

CASES: list[tuple[Conv | Depthwise, Shape]] = [
    (Conv(out=6, kernel=(3, 3), standardize=True, same=True), (4, 5, 6)),
    (Conv(out=4, standardize=True, gain=1.5, bias=False), (3, 4, 4)),
    (
        Conv(out=6, kernel=(3, 2), stride=(2, 2), groups=2, same_upper=True, standardize=True),
        (4, 7, 6),
    ),
    (
        Conv(out=4, kernel=(2, 3), pad=(1, 1), dilation=(2, 1), standardize=True, gain=0.5),
        (2, 6, 6),
    ),
    (Conv(out=4, kernel=(3,), stride=(2,), pad=(1,), dilation=(1,), standardize=True), (3, 9)),
    (Depthwise(kernel=(3, 3), multiplier=2, standardize=True, same=True), (3, 5, 5)),
    (
        Depthwise(kernel=(3, 3), standardize=True, gain=2.0, mode="reflect", same=True),
        (3, 5, 5),
    ),
]


@pytest.mark.parametrize(("op", "shape"), CASES, ids=lambda each: getattr(each, "word", ""))
def test_standardized_convolutions(op: Conv | Depthwise, shape: Shape) -> None:
    conform(op, shape, edges=op.mode == "zeros")


def standardized(weight: Tensor, eps: float) -> Tensor:
    """Qiao et al., equation 5 and 6: by filter, over all it sees."""
    filters = []
    for each in weight:
        mean = each.sum() / each.numel()
        variance = ((each - mean) ** 2).sum() / each.numel()
        filters.append((each - mean) / (variance + eps).sqrt())
    return torch.stack(filters)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("gain", [None, 1.7881])
def test_values_and_gradients_are_those_of_the_formula(gain: float | None, training: bool) -> None:
    torch.manual_seed(0)
    op = Conv(
        out=6, kernel=(3, 2), stride=(2, 1), pad=(1, 0), groups=2, bias=True, standardize=True,
        eps=1e-5, gain=gain,
    )  # fmt: skip
    module = build(op, (4, 7, 6)).module
    assert isinstance(module, nn.Conv2d)
    module.double().train(training)
    for parameter in module.parameters():
        parameter.detach().uniform_(0.2, 1.4)
    x = torch.randn(2, 4, 7, 6, dtype=torch.float64, requires_grad=True)
    filters = standardized(module.weight, 1e-5)
    wanted = [x, *module.parameters()]
    if gain is not None:
        # Brock et al., 2021: W = gain * gamma * (W - mean)/(deviation * sqrt(N)).
        filters = filters * module.get_parameter("gain")[:, None, None, None] * gain / 12**0.5
    expected = F.conv2d(x, filters, module.bias, (2, 1), (1, 0), groups=2)
    result = module(x)
    torch.testing.assert_close(result, expected)
    arriving = torch.randn_like(result)
    torch.testing.assert_close(
        torch.autograd.grad(result, wanted, arriving),
        torch.autograd.grad(expected, wanted, arriving),
    )


def test_torch_text() -> None:
    op = Conv(out=8, kernel=(3, 3), same=True, standardize=True, gain=1.5, bias=False)
    assert str(op.torch((8, 5, 5), (4, 5, 5)).module) == (
        "StandardizedConv2d(4, 8, 3, padding=1, bias=False, gain=1.5)"
    )
    names = [weight.name for weight in op.replace(bias=True).weights((4, 5, 5))]
    assert names == ["weight", "bias", "gain"]


def test_filters_of_one_weight_are_refused() -> None:
    refuses(Depthwise(kernel=(1, 1), standardize=True), (4, 5, 5), match="single weight")
    conform(Conv(out=4, kernel=(1, 1), standardize=True), (4, 5, 5))


def test_its_arguments_alone_have_no_effect() -> None:
    for op in (Conv(out=4, gain=1.5), Conv(out=4, eps=1e-5), Depthwise(kernel=(3, 3), gain=2.0)):
        with pytest.raises(ArgumentError, match="only with `standardize`"):
            op.check()
    assert codes("conv 4 3x3 gain=2") == ["argument"]


NETWORK = """
network N {{
  input 3x8x8
  conv 8 3x3 same standardize gain=1.7
  residual {{ relu, conv 8 3x3 same standardize gain=1.7 }}
  pool avg global, flatten, fc 2
  init {init}
}}
"""


def test_they_are_initialized_as_convolutions_are() -> None:
    weight = dotcnn.load(NETWORK.format(init="normal std=3")).get_parameter("conv1.weight")
    assert 2 < float(weight.detach().std()) < 4


def test_the_gain_at_the_end_of_a_residual_may_begin_at_zero() -> None:
    module = dotcnn.load(NETWORK.format(init="he zero_residual"))
    gains = [float(each.sum()) for name, each in module.state_dict().items() if "gain" in name]
    assert sorted(gains) == [0, 8]
