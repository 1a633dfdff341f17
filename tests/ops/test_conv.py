"""Convolutions: plain, depthwise, separable, transposed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from dotcnn.compiler.ops.activation import ReLU
from dotcnn.compiler.ops.base import Op
from dotcnn.compiler.ops.conv import Conv, Deconv, Depthwise, Separable
from dotcnn.compiler.ops.norm import BatchNorm, LocalResponseNorm
from dotcnn.compiler.ops.scale import LayerScale
from dotcnn.compiler.shapes import Shape, size
from ops.conformance import attempt, build, conform, maps, operations, pairs, refuses

EVENLY = "`same` cannot pad"
"""Torch has no flag that pads evenly; the text would be that of another convolution."""


@st.composite
def sliding(draw: st.DrawFn, cls: type[Op], **overrides: Any) -> Op:
    """With one way of padding: two are refused, which is soon tested; so are arguments of
    standardized filters where they are not."""
    op = draw(operations(cls, pad=(0, 0), same=False, same_upper=False, **overrides))
    if not op.arguments.get("standardize", True):
        op = type(op)(**{n: v for n, v in vars(op).items() if n not in ("eps", "gain")})
    pad = st.fixed_dictionaries({"pad": pairs(0, 3)})
    same = st.sampled_from([{"same": True}, {"same_upper": True}])
    return op.replace(**draw(pad | same))


def parameters(op: Op, *shapes: Shape) -> int:
    return sum(size(weight.shape) for weight in op.weights(*shapes))


# ---- conv -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arriving", "op", "leaving"),
    [
        ((1, 6, 6), Conv(out=1, kernel=(3, 3)), (1, 4, 4)),
        ((3, 32, 32), Conv(out=3, kernel=(5, 5), same=True), (3, 32, 32)),
        ((3, 6, 6), Conv(out=10, kernel=(3, 3)), (10, 4, 4)),
        ((3, 39, 39), Conv(out=10, kernel=(3, 3)), (10, 37, 37)),
        ((10, 37, 37), Conv(out=20, kernel=(5, 5), stride=(2, 2)), (20, 17, 17)),
        ((20, 17, 17), Conv(out=40, kernel=(5, 5), stride=(2, 2)), (40, 7, 7)),
        ((3, 224, 224), Conv(out=64, kernel=(7, 7), stride=(2, 2), same=True), (64, 112, 112)),
    ],
)
def test_sizes_worked_by_hand(arriving: Shape, op: Conv, leaving: Shape) -> None:
    assert op.output(arriving) == leaving


def test_same_pads_half_of_what_the_filter_reaches_over() -> None:
    assert Conv(out=1, kernel=(5, 5), same=True).padding(0, 32) == (2, 2)
    assert Conv(out=1, kernel=(3, 3), dilation=(2, 2), same=True).padding(0, 32) == (2, 2)


def test_parameters_worked_by_hand() -> None:
    assert parameters(Conv(out=10, kernel=(3, 3), bias=True), (3, 6, 6)) == 280
    assert parameters(Conv(out=64, kernel=(7, 7), bias=False), (3, 224, 224)) == 9408


def test_multiplications_worked_by_hand() -> None:
    """A 1x1 bottleneck makes a 5x5 convolution ten times as cheap."""
    arriving = (192, 28, 28)

    def macs(op: Op, arriving: Shape) -> int:
        return op.macs(op.output(arriving), arriving)

    wide = Conv(out=32, kernel=(5, 5), same=True)
    assert macs(wide, arriving) == 120_422_400
    assert macs(Conv(out=16), arriving) == 2_408_448
    assert macs(wide, (16, 28, 28)) == 10_035_200


def test_a_convolution_by_hand() -> None:
    """The filter is laid on as it stands, not turned around."""
    rows = """81 2 209 44 71 58 / 24 56 108 98 12 112 / 91 0 189 65 79 232 /
              12 0 0 5 1 71 / 2 32 23 58 8 208 / 4 23 2 1 3 9"""
    image = torch.tensor([[float(n) for n in row.split()] for row in rows.split("/")])
    built = build(Conv(out=1, kernel=(3, 3), bias=False), (1, 6, 6))
    built.state()["weight"].copy_(torch.tensor([[0.0, 1, 1], [1, 0, 0], [1, 0, 1]]))
    with torch.no_grad():
        assert built.forward(image[None, None])[0, 0, 0, :2].tolist() == [515, 374]


@given(sliding(Conv, out=st.sampled_from([2, 4]), groups=st.sampled_from([1, 2])), maps())
def test_any_conv(op: Conv, shape: Shape) -> None:
    attempt(op, shape, stricter=f"{EVENLY}|single weight", edges=op.mode == "zeros")


def test_padding_as_keras_does_it_takes_a_step_of_its_own() -> None:
    op = Conv(out=4, kernel=(3, 3), stride=(2, 2), same_upper=True)
    built = conform(op, (3, 8, 8))
    assert op.torch((4, 4, 4), (3, 8, 8)).call == "{m}(pad_same({0}, 3, 2))"
    image = torch.randn(1, 3, 8, 8)
    by_torch = F.conv2d(F.pad(image, (0, 1, 0, 1)), *built.state().values(), stride=2)
    assert torch.equal(built.forward(image), by_torch)
    conform(op, (3, 7, 9))  # nothing odd remains: none is needed
    assert op.torch((4, 4, 5), (3, 7, 9)).call == "{m}(pad_same({0}, 3, 2))"


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_uneven_padding_is_filled_as_asked(mode: str) -> None:
    op = Conv(out=2, kernel=(4, 4), same_upper=True, mode=mode)
    built = conform(op, (1, 6, 6), edges=False)
    image = torch.randn(1, 1, 6, 6)
    padded = F.pad(image, (1, 2, 1, 2), mode=mode)
    assert torch.equal(built.forward(image), F.conv2d(padded, *built.state().values()))


def test_only_what_is_unusual_is_written() -> None:
    text = Conv(out=8, kernel=(3, 3), pad=(1, 1), bias=False).torch((8, 5, 5), (3, 5, 5))
    assert str(text.module) == "nn.Conv2d(3, 8, 3, padding=1, bias=False)"
    assert (text.call, text.helper) == ("{m}({0})", "")
    text = Conv(out=8, kernel=(3, 1), stride=(2, 1), mode="reflect").torch((8, 2, 5), (3, 5, 5))
    assert str(text.module) == "nn.Conv2d(3, 8, (3, 1), stride=(2, 1))"


def test_a_bias_is_left_out_where_a_normalisation_would_absorb_it() -> None:
    conv = Conv(out=8)
    bn, relu = BatchNorm(), ReLU()
    assert conv.settle([bn]).arguments["bias"] is False
    assert conv.settle([bn, relu]).arguments["bias"] is True
    assert conv.settle([]).arguments["bias"] is True
    assert conv.replace(bias=True).settle([bn]).arguments["bias"] is True
    # These two only scale.
    assert conv.settle([LocalResponseNorm()]).arguments["bias"] is True
    assert conv.settle([LayerScale()]).arguments["bias"] is True


def test_what_conv_refuses() -> None:
    assert "spans 7 does not fit into 4 (+ 2 padding)" in refuses(
        Conv(out=1, kernel=(7, 7), pad=(1, 1)), (1, 4, 4)
    )
    assert "9 input channels cannot be divided into 2 groups\n10 would" in refuses(
        Conv(out=4, groups=2), (9, 4, 4)
    )
    refuses(Conv(out=5, groups=2), (4, 4, 4), match="5 filters cannot be divided")
    refuses(Conv(out=4), (400,), match="put it before the `flatten`")
    refuses(Conv(out=1, kernel=(3, 3), pad=(2, 2), mode="reflect"), (1, 2, 9), match="mirrored")
    refuses(Conv(out=1, kernel=(3, 3), pad=(3, 3), mode="circular"), (1, 2, 9), match="once")
    # The text for these would be that of a convolution that torch can do.
    refuses(Conv(out=1, kernel=(2, 2), same=True), (1, 4, 4), match="same_upper", stricter=True)
    refuses(Conv(out=1, same=True, same_upper=True), (1, 4, 4), match="one of them", stricter=True)
    refuses(Conv(out=1, same=True, pad=(1, 1)), (1, 4, 4), match="take `pad` out", stricter=True)


def test_conv_is_explained() -> None:
    op, arriving = Conv(out=64, kernel=(7, 7), stride=(2, 2), same=True, bias=True), (3, 224, 224)
    assert op.explain(op.output(arriving), arriving) == [
        ("height", "(224 + 2*3 - 7)/2 + 1 = 112.5 -> 112"),
        ("width", "(224 + 2*3 - 7)/2 + 1 = 112.5 -> 112"),
        ("parameters", "64 filters * 3*7*7 = 9,408; + 64 biases = 9,472"),
        ("multiply-adds", "64*112*112 outputs * 3*7*7 = 118,013,952"),
    ]
    op = Conv(out=2, kernel=(3, 1), stride=(3, 1), dilation=(2, 1), bias=False)
    assert op.explain(op.output((2, 9, 5)), (2, 9, 5))[:2] == [
        ("height", "(9 - 5)/3 + 1 = 2.333 -> 2, with a filter that spans 2*(3 - 1) + 1 = 5"),
        ("width", "(5 - 1)/1 + 1 = 5"),
    ]


def test_numbers_stay_exact_however_large() -> None:
    side = 10**30
    op, arriving = Conv(out=7, kernel=(3, 3), stride=(2, 2), same=True, bias=True), (3, side, side)
    leaving = op.output(arriving)
    assert leaving == (7, side // 2, side // 2)
    assert op.macs(leaving, arriving) == 7 * (side // 2) ** 2 * 27
    assert op.kept(leaving, arriving).inputs == (0,)
    assert (
        f"({side} + 2*1 - 3)/2 + 1 = {side // 2}.5 -> {side // 2}"
        in dict(op.explain(leaving, arriving)).values()
    )


# ---- depthwise, separable ---------------------------------------------------------------------


@given(sliding(Depthwise, multiplier=st.integers(1, 2)), maps(st.integers(1, 3)))
def test_any_depthwise(op: Depthwise, shape: Shape) -> None:
    attempt(op, shape, stricter=f"{EVENLY}|single weight", edges=op.mode == "zeros")


@given(sliding(Separable, multiplier=st.integers(1, 2)), maps(st.integers(1, 3)))
def test_any_separable(op: Separable, shape: Shape) -> None:
    attempt(op, shape, stricter=EVENLY, edges=op.mode == "zeros")


def test_depthwise_is_a_convolution_with_a_group_for_each_channel() -> None:
    op = Depthwise(kernel=(3, 3), same=True, bias=False)
    assert str(op.torch((8, 6, 6), (8, 6, 6)).module) == (
        "nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)"
    )
    assert op.macs((8, 6, 6), (8, 6, 6)) == 8 * 6 * 6 * 9
    assert dict(op.explain((8, 6, 6), (8, 6, 6)))["parameters"] == "8 filters * 1*3*3 = 72"
    assert Depthwise(kernel=(3, 3), multiplier=3).output((8, 6, 6)) == (24, 4, 4)


def test_separable_is_cheaper() -> None:
    """MobileNet's point: 3x3 filters at an eighth or ninth of the cost."""
    arriving = (64, 14, 14)
    plain = Conv(out=128, kernel=(3, 3), same=True, bias=False)
    separable = Separable(out=128, kernel=(3, 3), same=True, bias=False)
    leaving = separable.output(arriving)
    assert leaving == plain.output(arriving) == (128, 14, 14)
    assert parameters(separable, arriving) == 64 * 9 + 64 * 128
    assert separable.macs(leaving, arriving) == 14 * 14 * (64 * 9 + 64 * 128)
    assert plain.macs(leaving, arriving) == 14 * 14 * 64 * 9 * 128
    lines = dict(separable.explain(leaving, arriving))
    assert lines["depthwise multiply-adds"] == "64*14*14 outputs * 1*3*3 = 112,896"
    assert lines["multiply-adds"] == "112,896 + 1,605,632 = 1,718,528"


def test_separable_adds_its_bias_at_the_end() -> None:
    names = [weight.name for weight in Separable(out=4, kernel=(3, 3)).weights((2, 5, 5))]
    assert names == ["depthwise.weight", "pointwise.weight", "pointwise.bias"]
    refuses(Separable(out=4, kernel=(9, 9)), (2, 5, 5), match="spans 9")
    refuses(Separable(out=4, kernel=(3, 3)), (50,), match="`separable` needs a map")


# ---- deconv -----------------------------------------------------------------------------------


@given(
    operations(
        Deconv,
        out=st.sampled_from([2, 4]),
        groups=st.sampled_from([1, 2]),
        kernel=pairs(1, 4),
        output_pad=pairs(0, 1),
        pad=pairs(0, 2),
    ),
    maps(side=6),
)
def test_any_deconv(op: Deconv, shape: Shape) -> None:
    # The flag stands for arguments; and torch goes on with maps of no pixels.
    attempt(op, shape, stricter="`same`|nothing is left")


def test_deconv_enlarges() -> None:
    """The way up in a U-Net, and in DCGAN."""
    assert Deconv(out=64, kernel=(2, 2), stride=(2, 2)).output((128, 28, 28)) == (64, 56, 56)
    op = Deconv(out=64, kernel=(4, 4), stride=(2, 2), pad=(1, 1), bias=True)
    assert op.output((128, 8, 8)) == (64, 16, 16)
    assert op.explain((64, 16, 16), (128, 8, 8)) == [
        ("height", "(8 - 1)*2 - 2*1 + 4 = 16"),
        ("width", "(8 - 1)*2 - 2*1 + 4 = 16"),
        ("parameters", "128 channels * 64*4*4 = 131,072; + 64 biases = 131,136"),
        ("multiply-adds", "128*8*8 inputs * 64*4*4 = 8,388,608"),
    ]
    # As many outputs see two inputs along an axis, half a step further each time.
    window = op.window((64, 16, 16), (128, 8, 8))
    assert window.size == (2, 2)
    assert [float(number) for number in window.stride + window.start] == [0.5, 0.5, -0.5, -0.5]


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_same_makes_a_map_stride_times_as_large(kernel: int, stride: int) -> None:
    op = Deconv(out=2, kernel=(kernel, kernel), stride=(stride, stride), same=True)
    if stride == 1 and kernel % 2 == 0:
        refuses(op, (3, 5, 4), match="odd size")
        return
    assert op.output((3, 5, 4)) == (2, 5 * stride, 4 * stride)
    conform(op, (3, 5, 4))


def test_what_deconv_refuses() -> None:
    refuses(
        Deconv(out=2, kernel=(3, 3), stride=(2, 2), output_pad=(2, 2)), (1, 4, 4), match="at most 1"
    )
    refuses(Deconv(out=2, kernel=(1, 1), pad=(3, 3)), (1, 4, 4), match="`pad` can be at most 1")
    refuses(Deconv(out=2, kernel=(1, 1), groups=2), (3, 4, 4), match="4 would")
    refuses(Deconv(out=2, kernel=(1, 1)), (3,), match="needs a map")
    refuses(
        Deconv(out=2, kernel=(1, 1), same=True, pad=(1, 1)), (3, 4, 4), stricter=True, match="out"
    )


def test_one_filter_and_one_bias() -> None:
    op = Conv(out=1, kernel=(3, 3), bias=True)
    told = dict(op.explain((1, 4, 4), (1, 6, 6)))
    assert told["parameters"] == "1 filter * 1*3*3 = 9; + 1 bias = 10"
