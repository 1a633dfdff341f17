"""Every printed line of arithmetic is true: what stands left of `=` comes to what stands right of
it, and the last result is torch's, in odd cases of every operation."""

from __future__ import annotations

import math
import re
from itertools import product
from typing import Any

import pytest
import torch

from dotcnn.compiler.ops import REGISTRY
from dotcnn.compiler.ops.activation import GELU, PReLU, Softplus
from dotcnn.compiler.ops.attention import (
    Attention,
    BilinearAttention,
    CrossCovariance,
    FourierPosition,
    LambdaLayer,
    MatMul,
)
from dotcnn.compiler.ops.base import Op
from dotcnn.compiler.ops.conv import (
    CondConv,
    Conv,
    Deconv,
    Deform,
    Depthwise,
    Involution,
    Separable,
)
from dotcnn.compiler.ops.crop import Crop
from dotcnn.compiler.ops.dropout import Dropout, Dropout2d, DropPath
from dotcnn.compiler.ops.filter import BlurPool, Filter
from dotcnn.compiler.ops.linear import Linear
from dotcnn.compiler.ops.merge import Add, Chunk, Concat, Maximum, Mul
from dotcnn.compiler.ops.norm import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
)
from dotcnn.compiler.ops.pad import Pad
from dotcnn.compiler.ops.pixel_blocks import DepthToSpace, PixelUnshuffle
from dotcnn.compiler.ops.pool import (
    L2,
    Average,
    Lp,
    Max,
    Min,
    Mixed,
    Pyramid,
    Stochastic,
    Tree,
    Wavelet,
)
from dotcnn.compiler.ops.scale import LayerScale, ScaleBy
from dotcnn.compiler.ops.shape import Flatten, Permute, Reshape, Shuffle
from dotcnn.compiler.ops.shortcut import PadShortcut
from dotcnn.compiler.ops.softmax import Softmax
from dotcnn.compiler.ops.upsample import Upsample
from dotcnn.compiler.ops.worked import Element, Worked
from dotcnn.compiler.shapes import Shape
from dotcnn.testing.built import Built, build

MAP = (2, 5, 4)
GLOBAL = {"global": True}

CASES: list[tuple[Op, tuple[Shape, ...]]] = [
    # A window of one channel, of several, of a group; every padding.
    (Conv(out=1, kernel=(3, 3), same=True, bias=True), ((1, 4, 4),)),
    (Conv(out=1, kernel=(1, 1), bias=False), ((1, 3, 3),)),
    (Conv(out=2, kernel=(3, 2), stride=(2, 1), pad=(2, 1), mode="reflect", bias=True), (MAP,)),
    (Conv(out=2, kernel=(3, 3), dilation=(1, 2), pad=(2, 2), mode="replicate", bias=True), (MAP,)),
    (Conv(out=4, kernel=(3, 3), pad=(4, 3), mode="circular", groups=2, bias=True), (MAP,)),
    (Conv(out=2, kernel=(2, 4), stride=(2, 3), same_upper=True, bias=False), (MAP,)),
    (Depthwise(kernel=(3, 3), multiplier=2, same=True, mode="reflect", bias=True), (MAP,)),
    (Separable(out=1, kernel=(3, 3), same=True, bias=True), ((1, 4, 4),)),
    (Separable(out=2, kernel=(3, 3), multiplier=2, pad=(1, 1), bias=False), (MAP,)),
    (Deconv(out=2, kernel=(3, 2), stride=(2, 3), output_pad=(1, 0), groups=2, bias=True), (MAP,)),
    (Deconv(out=1, kernel=(2, 2), dilation=(2, 2), stride=(2, 2), pad=(1, 1), bias=True), (MAP,)),
    (Deconv(out=1, kernel=(1, 1), stride=(2, 2), bias=False), ((1, 3, 3),)),
    (Filter(values="sobel_x", same=True, mode="circular"), (MAP,)),
    (Filter(values="sobel", same=True), (MAP,)),
    (Filter(values="line"), (MAP,)),
    (Filter(values="gaussian", size=(3, 3), same=True, mode="reflect"), (MAP,)),
    (Filter(values=((0.0, -1.0), (2.0, 0.5)), stride=(2, 1), dilation=(1, 2)), (MAP,)),
    (BlurPool(), (MAP,)),
    (CondConv(out=1, kernel=(2, 2), experts=2, same_upper=True, bias=True), ((1, 3, 3),)),
    (CondConv(out=2, kernel=(3, 3), experts=2, bias=False), (MAP, (2,))),
    (Attention(heads=2), ((6, 2, 2),)),
    (Attention(heads=1, position="relative", windows=(1, 2), halo=1), ((6, 2, 2),)),
    (Attention(heads=2, position="bias"), ((4, 1, 2), (2, 1, 2), (1, 1, 2))),
    (CrossCovariance(heads=1), ((6, 1, 2),)),
    (LambdaLayer(heads=1, key=1, kernel=(1, 3)), ((3, 1, 3),)),
    (LambdaLayer(heads=2, position="relative"), ((2, 1, 2), (1, 1, 2), (2, 1, 2))),
    (BilinearAttention(grid=(2, 1)), ((1, 4, 2), (4, 1, 1), (1, 1, 1))),
    (FourierPosition(waves=2), ((2, 2, 3),)),
    (MatMul(), ((2, 1, 2), (2, 1, 3))),
    (Deform(out=1, kernel=(2, 1), modulated=True, bias=True), ((1, 3, 2), (6, 2, 2))),
    (Involution(kernel=(2, 1)), ((2, 2, 2), (2, 1, 2))),
    (Linear(out=3), ((5,),)),
    (Linear(out=2, bias=False), ((1,),)),
    # Windows that extend over the border, or beyond the padding, or are the whole map.
    (Max(kernel=(3, 2), stride=(2, 2), pad=(1, 1), ceil=True), (MAP,)),
    (Max(**GLOBAL), (MAP,)),
    (Min(kernel=(2, 2), pad=(1, 1), dilation=(2, 1), stride=(1, 1)), (MAP,)),
    (Average(kernel=(3, 3), stride=(2, 2), ceil=True), ((1, 6, 6),)),
    (Average(kernel=(3, 3), stride=(3, 2), pad=(1, 1), ceil=True), (MAP,)),
    (Average(kernel=(3, 3), stride=(1, 1), same=True, count_pad=False), (MAP,)),
    (Average(adaptive=(3, 3)), (MAP,)),
    (Average(**GLOBAL), ((1, 7, 6),)),
    (L2(kernel=(2, 2), pad=(1, 1)), (MAP,)),
    (L2(**GLOBAL), (MAP,)),
    (Lp(kernel=(2, 2), p=3.0, ceil=True), (MAP,)),
    (Lp(kernel=(2, 2), p=1.0), (MAP,)),
    (Lp(kernel=(2, 2), p=1.5), (MAP,)),
    (Mixed(kernel=(3, 3), stride=(2, 2), per="channel", ceil=True), (MAP,)),
    (Mixed(adaptive=(2, 3)), (MAP,)),
    (Stochastic(kernel=(2, 2), stride=(1, 1)), (MAP,)),
    (Tree(kernel=(2, 2), levels=1), (MAP,)),
    (Tree(kernel=(3, 3), levels=3, stride=(2, 2), same=True), (MAP,)),
    (Wavelet(), ((2, 4, 4),)),
    (Wavelet(keep="all"), ((2, 4, 4),)),
    (Pyramid(grids=(3, 1)), (MAP,)),
    (Pyramid(grids=(2, 1), avg=True), (MAP,)),
    # Statistics of a batch, a group, a position.
    (BatchNorm(), ((2, 2, 2),)),
    (BatchNorm(), ((3,),)),
    (BatchNorm(affine="bias", eps=0.5), ((2, 2, 2),)),
    (BatchNorm(affine=False, track=False), ((2, 2, 2),)),
    (GroupNorm(groups=2), ((4, 2, 1),)),
    (GroupNorm(groups=2), ((4,),)),
    (LayerNorm(), ((4, 2, 1),)),
    (LayerNorm(affine=False), ((4,),)),
    (LayerNorm(affine="weight"), ((4, 2, 1),)),
    (InstanceNorm(), ((2, 2, 2),)),
    (LocalResponseNorm(size=3, alpha=0.5), ((4, 1, 2),)),
    (LocalResponseNorm(size=4, alpha=0.5, k=2.0), ((4, 1, 2),)),
    (LocalResponseNorm(size=2, alpha=0.5, beta=0.5, k=-1.1), ((3, 2, 1),)),
    (LayerScale(), ((2, 2, 1),)),
    # Element by element.
    *((kind(), ((3, 2, 2),)) for kind in REGISTRY.values() if kind.kind == "activation"),
    (Softplus(beta=2.0, threshold=1.0), ((3, 2, 1),)),
    (PReLU(per="channel"), ((3, 2, 1),)),
    (GELU(approximate="tanh"), ((3, 2, 1),)),
    (Softmax(), ((4,),)),
    (Dropout(p=0.25), ((3, 2, 2),)),
    (Dropout2d(p=0.25), ((3, 2, 2),)),
    (DropPath(p=0.25), ((3,),)),
    (ScaleBy(factor=-0.5), ((3,),)),
    # Several inputs.
    (Add(), ((2, 2, 2), (2, 2, 2), (2, 2, 2))),
    (Maximum(), ((2, 2, 2), (2, 2, 2))),
    (Mul(), ((2, 2, 2), (2,), (1, 2, 2))),
    (Concat(), ((2, 2, 1), (1, 2, 1))),
    # The same numbers elsewhere.
    (Chunk(index=1, count=2), ((4, 2, 1),)),
    (PadShortcut(out=5, stride=(2, 1)), (MAP,)),
    (Flatten(), ((2, 2, 2),)),
    (Reshape(to=(4, 1, 2)), ((2, 2, 2),)),
    (Permute(axes=(2, 0, 1)), ((2, 3, 1),)),
    (Shuffle(groups=2), ((4, 1, 1),)),
    (PixelUnshuffle(block=2), ((2, 2, 4),)),
    (DepthToSpace(block=2), ((8, 1, 2),)),
    (Crop(to=(2, 2)), (MAP,)),
    (Pad(top=2, left=1, mode="reflect"), (MAP,)),
    (Pad(by=(1, 1), value=-0.5), ((1, 2, 2),)),
    (Upsample(factor=(2, 2)), ((1, 2, 2),)),
    (Upsample(to=(3, 5), mode="bilinear"), ((1, 2, 3),)),
    (Upsample(to=(3, 5), mode="bicubic", align_corners=True), ((1, 2, 3),)),
]


def exact(shape: Shape, factor: int, first: float, step: float) -> torch.Tensor:
    """Numbers of few digits, so that nothing is rounded where it is printed: -2, 1.5, 0, …"""
    count = math.prod(shape)
    return (torch.arange(count) * factor % 11).double().mul(step).add(first).view(shape)


def worked_and_torch(
    op: Op, shapes: tuple[Shape, ...], *, training: bool, batch: int = 2
) -> list[tuple[Worked, float]]:
    """Outputs of the first image from all over it, with their arithmetic."""
    torch.manual_seed(0)
    op = op.settle(())
    built: Built = build(op, *shapes)
    if built.module is not None:
        built.module.double()
    for name, value in built.state().items():
        if value.is_floating_point():
            value.copy_(exact(tuple(value.shape), 5, -0.75, 0.25))
            if name == "running_var":
                value.abs_().add_(0.25)
    inputs = [exact((batch, *shape), 7 + n, -2.0, 0.5) for n, shape in enumerate(shapes)]
    numbers = {name: value.clone() for name, value in built.state().items()}
    built.train(training)
    with torch.no_grad():
        result = built.forward(*(each.clone() for each in inputs))[0]

    def reader(image: int) -> Any:
        def read(number: int, channel: int, row: int, column: int) -> float:
            place = (channel, row, column)[: len(shapes[number])]
            return inputs[number][(image, *place)].item()

        return read

    others = [reader(image) for image in range(1, batch)]
    places = list(product(*map(range, result.shape)))
    return [
        (op.work_out(element), element.actual)
        for at in places[:: len(places) // 8 + 1]
        for element in [
            Element(
                at,
                tuple(result.shape),
                shapes,
                reader(0),
                lambda name, index: numbers[name][index].item(),
                training=training,
                others=others,
                actual=result[at].item(),
            )
        ]
    ]


NAMES = {
    "exp": math.exp, "sqrt": math.sqrt, "log": math.log, "tanh": math.tanh, "max": max, "min": min,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)), "inf": math.inf, "nan": math.nan,
    "normal": lambda x: (1 + math.erf(x / math.sqrt(2))) / 2,
}  # fmt: skip
PROSE = re.compile(r"one of|channel|number|padding$|zeros|input|…")


def value_of(formula: str) -> float | complex:
    padding = "inf" if formula.startswith("min(") else "-inf"
    text = formula.replace("P(N <= ", "normal(").replace("^", "**").replace("padding", padding)
    return eval(re.sub(r"\|([^|]*)\|", r"abs(\1)", text), {"abs": abs, **NAMES})  # type: ignore[no-any-return]


def same(left: float | complex, right: float) -> bool:
    if isinstance(left, complex) or math.isnan(left):
        return math.isnan(right)
    return left == pytest.approx(right, rel=2e-3, abs=2e-3)


IN_TRAINING = (BatchNorm, Dropout, Stochastic)
"""These compute something else in training."""


@pytest.mark.parametrize(
    ("op", "shapes", "training"),
    [
        pytest.param(op, shapes, training, id=f"{n}-{type(op).__name__}" + "-training" * training)
        for n, (op, shapes) in enumerate(CASES)
        for training in ((False, True) if isinstance(op, IN_TRAINING) else (False,))
    ],
)
def test_what_is_printed_is_true(op: Op, shapes: tuple[Shape, ...], training: bool) -> None:
    for worked, actual in worked_and_torch(op, shapes, training=training):
        assert same(worked.result, actual), f"{worked.formula}, torch: {actual}"
        lines = [line for _, line in worked.lines(most=100)]
        for line in [*lines, worked.formula]:
            left, equals, right = line.rpartition(" = ")
            assert not re.search(r"[-+*/^] ?-[\d(]", line), f"two signs in a row: {line}"
            if equals and not PROSE.search(left):
                assert same(value_of(left), float(right)), line
        results = [found[1] for line in lines if (found := RESULT.search(line))]
        assert same(float(results[-1]), worked.result), lines


RESULT = re.compile(r"(?:^|= )(-?[\d.e-]+|nan)$")


def test_one_image_is_a_batch_too() -> None:
    for worked, actual in worked_and_torch(BatchNorm(), ((2, 2, 2),), training=True, batch=1):
        assert worked.result == pytest.approx(actual)
