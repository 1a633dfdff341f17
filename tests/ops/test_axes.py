"""Layers on series and volumes: one and three spatial axes, each held against torch."""

from __future__ import annotations

from itertools import product

import pytest

from dotcnn.compiler.language.values import Interval, Word
from dotcnn.compiler.ops import REGISTRY
from dotcnn.compiler.ops.base import ANY_AXES, Op
from dotcnn.compiler.ops.shortcut import PadShortcut
from dotcnn.compiler.shapes import AllAxes, Shape, ShapeError
from ops.conformance import conform, fitted, refuses

SHAPES: dict[int, Shape] = {1: (4, 13), 3: (4, 4, 5, 6)}


def make(word: str, **arguments: object) -> Op:
    """An operation with arguments as a spec gives them: 3 is the same for all axes."""
    cls = REGISTRY[word]
    fields = cls.fields
    given = {n: Word(v) if isinstance(v, str) else v for n, v in arguments.items()}
    return cls(**{name: fields[name].read(value) for name, value in given.items()})


BY_MAXIMUM = ("pool max", "pool min", "pool mixed")
"""Whose gradient goes to one place only."""

WHOLE = ("gn", "instancenorm")
"""Whose statistics depend on the whole map, which receptive fields leave out, as is usual."""

LAYERS = [
    make("conv", out=3),
    make("conv", out=6, kernel=3, stride=2, pad=1, groups=2, bias=True),
    make("conv", out=2, kernel=3, dilation=2, same=True, mode="replicate"),
    make("conv", out=2, kernel=3, pad=1, mode="reflect"),
    make("conv", out=2, kernel=2, same_upper=True),
    make("conv", out=2, kernel=3, stride=2, same_upper=True),
    make("depthwise", kernel=3, multiplier=2, same=True),
    make("separable", out=5, kernel=3, pad=1, stride=2),
    make("deconv", out=6, kernel=3, stride=2, same=True, groups=2),
    make("deconv", out=3, kernel=2, stride=2),
    make("pool max", kernel=3, stride=2, same=True),
    make("pool max", kernel=2, ceil=True),
    make("pool max", adaptive=2),
    make("pool max", **{"global": True}),
    make("pool min", kernel=2),
    make("pool avg", kernel=3, stride=2, pad=1, count_pad=False),
    make("pool avg", kernel=2, stride=2, ceil=True),
    make("pool avg", adaptive=3),
    make("pool avg", **{"global": True}),
    make("pool mixed", kernel=2, per="channel"),
    make("pool mixed", **{"global": True}),
    make("pool l2", kernel=3, stride=2, pad=1),
    make("pool l2", **{"global": True}),
    make("pool lp", kernel=2, p=3, ceil=True),
    make("pool stochastic", kernel=2, stride=1),
    make("pool tree", kernel=2, stride=2, pad=1),
    make("spp", grids=(2, 1)),
    make("spp", grids=(3, 1), avg=True),
    make("bn"),
    make("bn", affine="bias"),
    make("gn", groups=2),
    make("ln"),
    make("instancenorm", affine=True),
    make("lrn", size=3),
    make("layerscale"),
    make("relu"),
    make("prelu"),
    make("softmax"),
    make("dropout", p=0.5),
    make("dropout2d", p=0.5),
    make("droppath", p=0.5),
    make("flatten"),
    make("shuffle", groups=2),
    make("slice", channels=Interval(1, 3)),
    make("pad", by=2),
    make("pad", by=1, mode="reflect"),
    make("pad", left=2, value=1.5),
    make("crop", to=3),
    make("crop", to=2, left=1),
    make("crop", left=1, right=2),
    make("upsample", factor=2),
    make("upsample", to=7),
    make("scale_by", factor=0.5),
    make("filter", values="gaussian", size=3, pad=1, mode="replicate"),
    make("filter", values="box", stride=2),
    make("blurpool"),
    make("blurpool", size=4, stride=1),
]


@pytest.mark.parametrize("axes", SHAPES)
def test_filters_mixed_for_each_image(axes: int) -> None:
    shape = SHAPES[axes]
    for arguments in ({}, {"kernel": 2, "mode": "circular", "pad": 1}, {"stride": 2, "groups": 2}):
        op = make("condconv", out=4, experts=3, bias=True, **{"kernel": 3, **arguments})
        conform(op, shape, probe=None)
        conform(op, shape, (3,), probe=None)


MERGES = [REGISTRY[word]() for word in ("add", "mul", "concat", "maximum")]


@pytest.mark.parametrize(("op", "axes"), list(product(LAYERS, SHAPES)), ids=str)
def test_layers(op: Op, axes: int) -> None:
    by_maximum = op.word in BY_MAXIMUM or op == make("spp", grids=(2, 1))
    padded = getattr(op, "mode", "zeros") == "zeros"
    probe = None if op.word in WHOLE else "nan" if by_maximum else "gradient"
    conform(op, SHAPES[axes], probe=probe, edges=padded)


@pytest.mark.parametrize(("op", "axes"), list(product(MERGES, SHAPES)), ids=str)
def test_merges(op: Op, axes: int) -> None:
    shape = SHAPES[axes]
    conform(op, shape, shape, probe="nan" if op.word == "maximum" else "gradient")
    if op.word == "mul":
        conform(op, shape, (shape[0], *(1,) * axes))
        conform(op, shape, shape[:1])


@pytest.mark.parametrize("axes", SHAPES)
def test_shortcuts(axes: int) -> None:
    shape = SHAPES[axes]
    conform(PadShortcut(out=7, stride=(2,) * axes), shape)


def test_interpolation_has_the_name_of_its_axes() -> None:
    conform(make("upsample", factor=2, mode="linear"), SHAPES[1])
    conform(make("upsample", to=9, mode="linear", align_corners=True), SHAPES[1])
    conform(make("upsample", factor=2, mode="trilinear"), (2, 3, 4, 3))
    refused = refuses(make("upsample", factor=2, mode="bilinear"), SHAPES[3])
    assert "depth, height and width" in refused
    assert "write `mode=trilinear`" in refused


def test_sizes_of_their_own_for_each_axis() -> None:
    shape = (3, 5, 6, 7)
    sizes = {"kernel": (3, 1, 2), "stride": (1, 2, 1), "pad": (1, 0, 1), "dilation": (1, 2, 2)}
    conform(make("conv", out=2, mode="circular", **sizes), shape, edges=False)
    conform(make("pool max", kernel=(3, 1, 2), stride=(2, 1, 1), pad=(1, 0, 1)), shape, probe="nan")
    conform(make("pool tree", kernel=(1, 3, 2)), shape)
    conform(make("pool stochastic", kernel=(2, 1, 3), stride=(1, 2, 1)), shape)
    conform(make("pool lp", kernel=(2, 3, 1), p=3), shape)
    conform(make("pad", front=1, bottom=2, left=3), shape)
    conform(make("crop", to=(2, 3, 4), front=1, left=0), shape)
    conform(make("crop", to=(2, 3, 4), back=1, bottom=0, right=1), shape)
    conform(make("permute", axes=(0, 3, 1, 2)), shape, probe=None)
    conform(REGISTRY["reshape"](to=(9, 10, 7)), shape, probe=None)
    conform(make("deconv", out=2, kernel=(3, 2, 2), stride=(2, 1, 2), pad=(1, 0, 0)), shape)


def test_filters_of_images_are_not_for_others() -> None:
    conform(make("filter", values=[[-1, 0, 1]]), SHAPES[1])
    with pytest.raises(ShapeError, match="`filter sobel` is a filter along height and width"):
        fitted(make("filter", values="sobel"), SHAPES[1]).output(SHAPES[1])
    with pytest.raises(ShapeError, match="has depth, height and width"):
        fitted(make("filter", values=[[-1, 0, 1]]), SHAPES[3]).output(SHAPES[3])


def test_one_number_is_for_all_axes() -> None:
    op = make("conv", out=8, kernel=3)
    assert op.weights((4, 5, 5))[0].shape == (8, 4, 3, 3)
    assert fitted(op, (4, 9)).weights((4, 9))[0].shape == (8, 4, 3)
    assert fitted(op, (4, 5, 5, 5)).weights((4, 5, 5, 5))[0].shape == (8, 4, 3, 3, 3)
    assert fitted(op, (4, 5, 5)) is op


@pytest.mark.parametrize("op", REGISTRY.values(), ids=list(REGISTRY))
def test_what_a_layer_works_on_is_declared(op: type[Op]) -> None:
    """A layer with a size for each axis, or an attribute in its place, says so."""
    assert set(op.spatial_axes) <= {*ANY_AXES}
    for name, value in vars(op).items():
        assert not isinstance(value, AllAxes) or name in (*op.per_axis, "one")
