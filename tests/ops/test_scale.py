"""Learned and constant factors and offsets."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dotcnn.compiler.ops.activation import Square
from dotcnn.compiler.ops.base import Op
from dotcnn.compiler.ops.scale import Bias, LayerScale, OffsetBy, Scale
from dotcnn.compiler.shapes import Shape
from ops.conformance import build, conform

CASES: list[tuple[Op, Shape]] = [
    (kind(per=per), shape)
    for kind in (Scale, Bias)
    for per in ("layer", "channel")
    for shape in ((4, 3, 5), (6,), (4, 5))
]
CASES += [(LayerScale(), shape) for shape in ((4, 3, 5), (6,), (4, 5), (3, 2, 3, 4))]


@pytest.mark.parametrize(("op", "shape"), [*CASES, (OffsetBy(offset=-0.5), (4, 3, 5))])
def test_what_they_say_is_what_torch_does(op: Op, shape: Shape) -> None:
    conform(op, shape)


@pytest.mark.parametrize("shape", [(4, 3, 5), (4,)])
def test_a_square_is_a_square(shape: Shape) -> None:
    x = torch.randn(2, *shape)
    assert torch.equal(conform(Square(), shape).forward(x), x * x)


@pytest.mark.parametrize(
    ("op", "shape", "text"),
    [
        (Scale(), (4, 3, 3), "Scale(1)"),
        (Scale(init=0.0), (4, 3, 3), "Scale(1, init=0.0)"),
        (Scale(per="channel"), (4, 3, 3), "Scale(4, axes=2)"),
        (Bias(per="channel", init=0.5), (4,), "Bias(4, init=0.5)"),
        (Bias(per="element"), (4, 3, 5), "ElementBias((4, 3, 5))"),
        (LayerScale(), (4, 3, 3), "LayerScale(4, 1e-06)"),
        (LayerScale(init=0.5), (4, 3), "LayerScale(4, 0.5, axes=1)"),
    ],
)
def test_torch_text(op: Scale | LayerScale | Bias, shape: Shape, text: str) -> None:
    assert str(op.torch(shape, shape).module) == text


class StarReLU(nn.Module):
    """s * relu(x)^2 + b (Yu et al., 2022, arXiv:2210.13452, equation 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.tensor([0.8944]))
        self.b = nn.Parameter(torch.tensor([-0.4472]))

    def forward(self, x: Tensor) -> Tensor:
        return self.s * torch.where(x > 0, x, 0) ** 2 + self.b


@pytest.mark.parametrize("shape", [(4, 3, 5), (4, 3), (4,)])
def test_an_offset_for_each_element(shape: Shape) -> None:
    built = conform(Bias(per="element", init=0.25), shape)
    x = torch.randn(2, *shape)
    assert built.module is not None
    bias = built.module.get_parameter("bias")
    assert bias.shape == shape
    assert torch.equal(built.forward(x), x + bias)


def test_star_relu_is_written_with_them() -> None:
    """Values, and gradients of the input and of both numbers."""
    torch.manual_seed(0)
    shape = (3, 4, 4)
    scale, bias = build(Scale(init=0.8944), shape), build(Bias(init=-0.4472), shape)
    square, star = build(Square(), shape), StarReLU()
    x, same = (torch.linspace(-2, 2, 96).reshape(2, 3, 4, 4).requires_grad_() for _ in range(2))
    result = bias.forward(scale.forward(square.forward(x.relu())))
    expected = star(same)
    torch.testing.assert_close(result, expected)
    arriving = torch.randn_like(result)
    result.backward(arriving)
    expected.backward(arriving)
    assert scale.module is not None
    assert bias.module is not None
    torch.testing.assert_close(x.grad, same.grad)
    torch.testing.assert_close(scale.module.get_parameter("weight").grad, star.s.grad)
    torch.testing.assert_close(bias.module.get_parameter("bias").grad, star.b.grad)
