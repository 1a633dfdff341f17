"""Convolutions whose filters depend on the image: condconv."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import dotcnn
from dotcnn.compiler.ops.conv import CondConv, Conv
from dotcnn.compiler.shapes import Shape
from ops.conformance import attempt, build, conform, maps, operations, pairs, refuses


@settings(max_examples=8)
@given(
    operations(
        CondConv, out=st.sampled_from([2, 4]), kernel=pairs(1, 3), experts=st.integers(1, 3)
    ),
    st.booleans(),
    maps(st.sampled_from([2, 4]), side=6),
)
def test_any(op: CondConv, routed: bool, shape: Shape) -> None:
    shares = [(op.experts,)] if routed else []
    # Without a body the shares see the whole map; as with a gate, they only scale.
    probe = "gradient" if routed else None
    attempt(op, shape, *shares, stricter="`same`", probe=probe, edges=op.mode == "zeros")


def test_each_image_has_its_own_mixture() -> None:
    op = CondConv(out=3, kernel=(3, 3), same=True, experts=2, bias=True)
    built = build(op, (4, 5, 6), (2,))
    assert built.module is not None
    filters = built.state()["weight"].view(2, 3, 4, 3, 3)
    biases = built.state()["bias"]
    x, shares = torch.randn(3, 4, 5, 6), torch.rand(3, 2)
    expected = [
        F.conv2d(image[None], (s @ filters.flatten(1)).view(3, 4, 3, 3), s @ biases, padding=1)
        for image, s in zip(x, shares, strict=True)
    ]
    assert torch.allclose(built.forward(x, shares), torch.cat(expected), atol=1e-5)


def test_its_own_shares_are_those_of_the_means() -> None:
    op = CondConv(out=2, experts=3)
    built, x = build(op, (4, 5, 6)), torch.randn(2, 4, 5, 6)
    state = built.state()
    shares = F.linear(x.mean((2, 3)), state["routing.weight"], state["routing.bias"]).sigmoid()
    routed = build(op, (4, 5, 6), (3,))
    assert routed.module is not None
    routed.module.load_state_dict({"weight": state["weight"], "bias": state["bias"]})
    assert torch.allclose(built.forward(x), routed.forward(x, shares), atol=1e-6)


def test_one_expert_is_a_convolution() -> None:
    one, plain = CondConv(out=4, kernel=(3, 3), experts=1), Conv(out=4, kernel=(3, 3))
    shape, output = (3, 6, 6), (4, 4, 4)
    weights = sum(math.prod(weight.shape) for weight in plain.weights(shape))
    assert sum(math.prod(weight.shape) for weight in one.weights(shape, (1,))) == weights
    assert one.macs(output, shape, (1,)) == plain.macs(output, shape) + weights


def test_experts_start_as_convolutions_do() -> None:
    torch.manual_seed(0)
    built = build(CondConv(out=16, kernel=(3, 3), experts=2), (16, 4, 4))
    bound = 1 / math.sqrt(16 * 9)
    for name in ("weight", "bias"):
        values = built.state()[name]
        assert 0.8 * bound < values.abs().max() <= bound
        assert not torch.equal(values[0], values[1])


class DynamicConv(nn.Module):
    """Chen et al., 2019, section 3: attention over kernels, by squeeze and excitation and a softmax
    with a temperature; each image is convolved with the sum of its kernels."""

    def __init__(self, channels: int, out: int, kernels: int, hidden: int, tau: float) -> None:
        super().__init__()
        self.kernels = nn.Parameter(torch.randn(kernels, out, channels, 3, 3))
        self.squeeze, self.excite = nn.Linear(channels, hidden), nn.Linear(hidden, kernels)
        self.tau = tau

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.squeeze(x.mean((2, 3))).relu()
        attention = torch.softmax(self.excite(hidden) / self.tau, 1)
        outputs = [
            F.conv2d(
                image[None], sum(a * k for a, k in zip(each, self.kernels, strict=True)), padding=1
            )
            for image, each in zip(x, attention, strict=True)
        ]
        return torch.cat(outputs)


def test_dynamic_convolution_is_written_with_it() -> None:
    torch.manual_seed(0)
    spec = """network N {
      input 8x5x6
      condconv 6 3x3 same experts=4 bias=off {
        pool avg global, flatten, fc 2, relu, fc 4, scale_by 1/30, softmax
      }
    }"""
    ours, theirs = dotcnn.load(spec), DynamicConv(8, 6, 4, 2, 30.0)
    weights = dict(ours.named_parameters())
    with torch.no_grad():
        weights.pop("condconv.weight").copy_(theirs.kernels.flatten(1))
        rest = [*theirs.squeeze.parameters(), *theirs.excite.parameters()]
        for value, other in zip(weights.values(), rest, strict=True):
            value.copy_(other)
    x = torch.randn(3, 8, 5, 6)
    assert torch.allclose(ours(x), theirs(x), atol=1e-5)


def test_what_is_refused() -> None:
    told = refuses(CondConv(out=4, experts=4), (3, 6, 6), (5,), match="4 experts are 4 numbers")
    assert "fc 4, sigmoid" in told
    refuses(CondConv(out=4, groups=3), (4, 6, 6), match="divided into 3 groups")


def test_the_arithmetic() -> None:
    op = CondConv(out=64, kernel=(3, 3), same=True, experts=4, bias=True)
    lines = dict(op.explain((64, 8, 8), (16, 8, 8)))
    assert lines["parameters"] == "4 experts * 9,280; + 4*(16 + 1) of the shares = 37,188"
    assert lines["multiply-adds"] == "589,824 + 37,184 = 627,008"
    conform(op, (16, 8, 8), probe=None)
