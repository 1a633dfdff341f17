"""Activations: values worked by hand, what is kept in place and not, messages, what torch says."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from dotcnn.compiler.language.signature import ArgumentError
from dotcnn.compiler.ops.activation import (
    ELU,
    GELU,
    SELU,
    Abs,
    Activation,
    Hardsigmoid,
    Hardswish,
    Leaky,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softplus,
    Softsign,
    Square,
    Tanh,
)
from dotcnn.compiler.ops.base import REGISTRY, Kept, Weight
from dotcnn.compiler.ops.rms_norm import ThresholdedLinear
from dotcnn.compiler.ops.softmax import Softmax
from ops.conformance import attempt, build, conform, maps, operations, vectors

ALL = [kind for kind in REGISTRY.values() if issubclass(kind, Activation)]
IN_PLACE = [kind for kind in ALL if kind.in_place]


def test_all_of_them_are_here():
    words = "relu relu6 leaky prelu elu selu gelu silu mish softplus sigmoid tanh"
    more = "hardsigmoid hardswish softmax abs square tlu softsign"
    assert {kind.word for kind in ALL} == {*words.split(), *more.split()}


@pytest.mark.parametrize(
    ("op", "x", "y"),
    [
        (ReLU(), -2, 0),
        (ReLU(), 3, 3),
        (ReLU6(), 7, 6),
        (Abs(), -2, 2),
        (Abs(), 3, 3),
        (Square(), -3, 9),
        (ThresholdedLinear(), -2, 0),
        (ThresholdedLinear(), 3, 3),
        (Leaky(), -2, -0.02),
        (Leaky(slope=0.2), -2, -0.4),
        (PReLU(), -2, -0.5),
        (PReLU(init=0.1), -2, -0.2),
        (ELU(), -2, math.expm1(-2)),
        (ELU(alpha=0.5), -2, math.expm1(-2) / 2),
        (SELU(), -2, 1.0507 * 1.67326 * math.expm1(-2)),
        (GELU(), -2, -2 * (1 + math.erf(-(2**0.5))) / 2),
        (GELU(approximate="tanh"), -2, -1 * (1 + math.tanh(0.7978846 * (-2 - 0.044715 * 8)))),
        (SiLU(), -2, -2 / (1 + math.exp(2))),
        (Mish(), -2, -2 * math.tanh(math.log1p(math.exp(-2)))),
        (Softplus(), -2, math.log1p(math.exp(-2))),
        (Softplus(beta=2.0), 1, math.log1p(math.exp(2)) / 2),
        (Softplus(threshold=1.0), 2, 2),
        (Sigmoid(), 0, 0.5),
        (Tanh(), 1, math.tanh(1)),
        (Softsign(), -3, -0.75),
        (Hardsigmoid(), 1, 4 / 6),
        (Hardswish(), 1, 4 / 6),
        (Hardswish(), -4, 0),
    ],
    ids=repr,
)
def test_values(op, x, y):
    assert_close(
        build(op, (1,)).forward(torch.tensor([[float(x)]])).item(), float(y), atol=1e-5, rtol=0
    )


def test_softmax_is_over_the_channels():
    op = Softmax()
    assert_close(build(op, (2,)).forward(torch.zeros(1, 2)), torch.full((1, 2), 0.5))
    shares = build(op, (4, 3, 5)).forward(torch.randn(2, 4, 3, 5))
    assert_close(shares.sum(1), torch.ones(2, 3, 5))


def test_shapes_stay_and_two_of_them_learn():
    arriving = (64, 56, 56)
    for kind in ALL:
        op = kind()
        assert op.output(arriving) == arriving
        assert op.macs(arriving, arriving) == 0
        assert op.elementwise(arriving, arriving) == 200_704
        assert bool(op.weights(arriving)) == (kind in (PReLU, ThresholdedLinear))


def test_the_slopes_of_prelu():
    assert PReLU().weights((64, 8, 8)) == (Weight("weight", (1,)),)
    assert PReLU(per="channel").weights((64, 8, 8)) == (Weight("weight", (64,)),)
    assert PReLU(per="channel").weights((10,)) == (Weight("weight", (10,)),)


def test_the_thresholds_of_tlu():
    """Each channel has its own, and what is below becomes the threshold, not 0."""
    assert ThresholdedLinear().weights((64, 8, 8)) == (Weight("tau", (64, 1, 1)),)
    built = build(ThresholdedLinear(), (2, 1, 2))
    (tau,) = built.module.parameters()
    with torch.no_grad():
        tau.copy_(torch.tensor([1.0, -2.0]).reshape(tau.shape))
    y = built.forward(torch.tensor([[[[0.5, 3.0]], [[-3.0, -1.0]]]]))
    assert_close(y, torch.tensor([[[[1.0, 3.0]], [[-2.0, -1.0]]]]))


# ---- in place ------------------------------------------------------------------------------------


def test_where_it_saves_memory():
    """Of the others that torch can do in place, each keeps a copy of its input for it; relu6 does
    so all the same, as in everybody's MobileNetV2."""
    assert {kind.word for kind in IN_PLACE} == {"relu", "relu6", "leaky", "elu", "selu"}
    for module in (nn.ReLU6, nn.SiLU, nn.Mish, nn.Hardsigmoid, nn.Hardswish):
        x = torch.randn(2, 3, requires_grad=True).clone()
        places = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, p=places: p.append(t) or t, id):
            module(inplace=True)(x)
        assert [t.data_ptr() for t in places] != [x.data_ptr()]


@pytest.mark.parametrize("kind", IN_PLACE, ids=lambda kind: kind.word)
def test_in_place(kind):
    op = kind().replace(inplace=True)
    assert op.torch((3, 4, 4), (3, 4, 4)).module.__str__().endswith("(inplace=True)")
    assert op.shares_storage
    assert not kind().shares_storage
    assert op != kind(), "or the two would be emitted as one"
    assert op.arguments == kind().arguments, "and yet it is nothing that a spec can say"
    conform(op, (3, 4, 4), probe=None)  # the probe hands over leaves, which cannot be written over


def test_kept():
    shape = (3, 4, 4)
    assert ReLU().kept(shape, shape) == Kept(output=True)
    assert ReLU(inplace=True).kept(shape, shape) == Kept(inputs=(0,))  # the same memory
    outputs = {kind.word for kind in ALL if kind().kept(shape, shape).output}
    assert outputs == {"relu", "sigmoid", "tanh", "softmax"}


# ---- what torch says -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.word)
@given(data=st.data(), shape=maps() | vectors())
def test_any(kind, data, shape):
    # A gradient may be zero; arguments of softmax may contradict each other.
    contradiction = "`parts` weighs channels"
    attempt(data.draw(operations(kind)), shape, probe="nan", stricter=contradiction)


# ---- texts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "text"),
    [
        (ReLU(), "nn.ReLU()"),
        (ReLU(inplace=True), "nn.ReLU(inplace=True)"),
        (Leaky(slope=0.2), "nn.LeakyReLU(negative_slope=0.2)"),
        (PReLU(), "nn.PReLU()"),
        (PReLU(per="channel", init=0.1), "nn.PReLU(64, init=0.1)"),
        (GELU(approximate="tanh"), 'nn.GELU(approximate="tanh")'),
        (Softplus(beta=2.0), "nn.Softplus(beta=2.0)"),
    ],
    ids=repr,
)
def test_torch_text(op, text):
    assert str(op.torch((64, 8, 8), (64, 8, 8)).module) == text


@pytest.mark.parametrize(
    ("kind", "argument", "value", "message"),
    [
        (Leaky, "slope", -0.1, "-0.1 is not a number of at least 0"),
        (ELU, "alpha", -1, "-1 is not a number of at least 0"),
        (Softplus, "beta", 0, "0 is not a number above 0"),
        (PReLU, "per", "chanel", "chanel is not one of them"),
    ],
)
def test_refused(kind, argument, value, message):
    with pytest.raises(ArgumentError) as refused:
        kind.fields[argument].read(value)
    assert refused.value.message == message


@pytest.mark.parametrize(
    ("op", "arriving", "lines"),
    [
        (
            Leaky(slope=0.2),
            (64, 56, 56),
            [
                ("each number", "x where x > 0, else 0.2*x"),
                ("shape", "stays 64x56x56"),
                ("operations", "one for each of 64*56*56 = 200,704"),
            ],
        ),
        (
            PReLU(per="channel"),
            (64, 2, 2),
            [
                ("each number", "x where x > 0, else a*x with a learned, initially 0.25"),
                ("shape", "stays 64x2x2"),
                ("operations", "one for each of 64*2*2 = 256"),
                ("parameters", "64: a slope for each channel"),
            ],
        ),
        (
            GELU(),
            (1000,),
            [
                ("each number", "x*P(N <= x), N normally distributed"),
                ("shape", "stays 1000"),
                ("operations", "one for each of 1,000"),
            ],
        ),
    ],
    ids=lambda value: value.word if isinstance(value, Activation) else "",
)
def test_explained(op, arriving, lines):
    assert op.explain(arriving, arriving) == lines


@pytest.mark.parametrize(
    ("op", "rule"),
    [
        (Softplus(), "log(1 + exp(x)), x where x > 20"),
        (Softplus(beta=2.0, threshold=5.0), "log(1 + exp(2*x))/2, x where 2*x > 5"),
    ],
)
def test_the_rule_of_a_softplus(op: Softplus, rule: str) -> None:
    assert op.rule() == rule
