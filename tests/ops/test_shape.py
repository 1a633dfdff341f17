"""Flatten, reshape, permute, shuffle, pad, crop, upsample."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from dotcnn.compiler.language.signature import ArgumentError
from dotcnn.compiler.language.values import Interval
from dotcnn.compiler.ops.crop import Crop, Slice
from dotcnn.compiler.ops.pad import Pad
from dotcnn.compiler.ops.shape import Flatten, Permute, Reshape, Shuffle
from dotcnn.compiler.ops.upsample import Upsample
from dotcnn.compiler.shapes import Shape
from ops.conformance import attempt, build, conform, maps, operations, pairs, refuses, vectors


def counting(shape: Shape) -> torch.Tensor:
    """0, 1, 2, …"""
    return torch.arange(torch.Size(shape).numel(), dtype=torch.float32).view(1, *shape)


# ---- other shapes -----------------------------------------------------------------------------


@given(maps() | vectors())
def test_any_flatten(shape: Shape) -> None:
    attempt(Flatten(), shape)


def test_flatten() -> None:
    op = Flatten()
    assert op.output((40, 7, 7)) == (1960,)
    assert op.output((16, 5, 5)) == (400,)
    assert op.explain((1960,), (40, 7, 7)) == [("numbers", "40*7*7 = 1,960")]


@given(st.data(), maps() | vectors())
def test_any_reshape(data: st.DataObject, shape: Shape) -> None:
    """Into the same numbers in another order of axes, into a vector, or into what does not fit."""
    total = torch.Size(shape).numel()
    to = data.draw(st.permutations(shape).map(tuple) | st.just((total,)) | maps())
    attempt(Reshape(to=to), shape, probe=None)


def test_reshape() -> None:
    op = Reshape(to=(16, 7, 7))
    assert str(op.torch((16, 7, 7), (784,)).module) == "nn.Unflatten(1, (16, 7, 7))"
    assert op.torch((16, 7, 7), (4, 14, 14)).call == ("{0}.reshape({0}.shape[0], 16, 7, 7)")
    assert refuses(op, (100,)) == (
        "16x7x7 holds 16*7*7 = 784 numbers, and the input has 100\n`reshape 100` would fit"
    )
    assert "`reshape 32x7x7` would fit" in refuses(op, (8, 14, 14))


def test_shapes_are_read() -> None:
    read = Reshape.fields["to"].read
    assert read((16, 7, 7)) == (16, 7, 7)
    assert read(784) == (784,)
    for value, why in (
        ((3,) * 5, "5 axes"),
        ((1, 0, 2), "at least 1"),
        ((1, 2.5, 2), "at least 1"),
    ):
        with pytest.raises(ArgumentError) as refused:
            read(value)
        assert why in f"{refused.value.message} {refused.value.help}"


@given(st.permutations([0, 1, 2]), maps())
def test_any_permute(axes: list[int], shape: Shape) -> None:
    op = Permute(axes=tuple(axes))
    conform(op, shape, probe="gradient" if axes == [0, 1, 2] else None)


def test_permute() -> None:
    op = Permute(axes=(1, 2, 0))
    assert op.output((3, 5, 7)) == (5, 7, 3)
    assert op.torch((5, 7, 3), (3, 5, 7)).call == "{0}.permute(0, 2, 3, 1)"
    assert op.explain((5, 7, 3), (3, 5, 7))[0] == ("channels", "height of the input, 5")
    refuses(op, (105,), match="`permute` needs a map")
    for value in ((0,), (0, 1, 1), (1, 2, 3), 3, (0, 1, 2.0), (False, True, 2)):
        with pytest.raises(ArgumentError, match="does not name each axis once"):
            Permute.fields["axes"].read(value)


@given(operations(Shuffle), maps(st.sampled_from([4, 6, 12]), side=4))
def test_any_shuffle(op: Shuffle, shape: Shape) -> None:
    attempt(op, shape)


def test_shuffle_takes_a_channel_of_each_group_in_turn() -> None:
    op = Shuffle(groups=3)
    order = build(op, (9, 1, 1)).forward(counting((9, 1, 1))).flatten().tolist()
    assert order == [0, 3, 6, 1, 4, 7, 2, 5, 8]
    assert op.explain((9, 1, 1), (9, 1, 1)) == [("order", "0, 3, 6, 1, 4, 7, 2, 5, …")]
    assert refuses(op, (8, 4, 4)).startswith(
        "8 input channels cannot be divided into 3 groups\nuse a number of groups that divides 8"
    )
    refuses(op, (9,), match="needs a map")


# ---- more and less ----------------------------------------------------------------------------

SIDES = st.fixed_dictionaries(
    {}, optional={side: st.integers(0, 3) for side in ("top", "bottom", "left", "right")}
)
ENDS = ("top", "bottom", "left", "right", "front", "back")


@given(
    operations(Pad, by=None, **dict.fromkeys(ENDS)),
    pairs(0, 3).map(lambda by: {"by": by}) | SIDES.filter(bool),
    maps(),
)
def test_any_pad(op: Pad, sides: dict[str, object], shape: Shape) -> None:
    op = op.replace(**sides)
    if op.mode != "zeros":
        op = op.replace(value=0.0)
    attempt(op, shape, edges=op.mode == "zeros")


@pytest.mark.parametrize(
    ("op", "text"),
    [
        (Pad(by=(1, 1)), "nn.ZeroPad2d(1)"),
        (Pad(by=(1, 2)), "nn.ZeroPad2d((2, 2, 1, 1))"),
        (Pad(top=1, right=2, mode="reflect"), "nn.ReflectionPad2d((0, 2, 1, 0))"),
        (Pad(by=(2, 2), mode="replicate"), "nn.ReplicationPad2d(2)"),
        (Pad(by=(2, 2), mode="circular"), "nn.CircularPad2d(2)"),
        (Pad(by=(2, 2), value=0.5), "nn.ConstantPad2d(2, 0.5)"),
    ],
)
def test_pad(op: Pad, text: str) -> None:
    conform(op, (2, 5, 6), edges=False)
    assert str(op.torch(op.output((2, 5, 6)), (2, 5, 6)).module) == text


def test_what_pad_refuses() -> None:
    refuses(Pad(by=(0, 3), mode="reflect"), (1, 9, 3), match="3 columns .* cannot be mirrored")
    refuses(Pad(top=4, mode="circular"), (1, 3, 9), match="4 rows .* more than once")
    # Torch would pad the batch, too; and the rest it is never asked.
    refuses(Pad(by=(1, 1)), (9,), match="needs a map", stricter=True)
    refuses(Pad(), (1, 3, 3), match="write `pad 1` for every side", stricter=True)
    refuses(
        Pad(by=(1, 1), top=1), (1, 3, 3), match="`pad 1` already sets every side", stricter=True
    )
    refuses(
        Pad(by=(1, 1), value=1.0, mode="reflect"), (1, 3, 3), match="take `value`", stricter=True
    )
    assert Pad(top=1, left=2).explain((1, 4, 5), (1, 3, 3)) == [
        ("height", "1 + 3 + 0 = 4"),
        ("width", "2 + 3 + 0 = 5"),
    ]


@given(operations(Crop, to=pairs(1, 5), front=None, back=None), maps())
def test_any_crop(op: Crop, shape: Shape) -> None:
    # Torch leaves less than was asked for, and says nothing.
    attempt(op, shape, stricter="cannot keep|behind the part|on one side")


def test_crop_counts_from_the_end() -> None:
    image = counting((1, 4, 5))
    assert build(Crop(bottom=2, right=3), (1, 4, 5)).forward(image).tolist() == [[[[0, 1], [5, 6]]]]
    last = build(Crop(to=(1, 2), bottom=0, right=1), (1, 4, 5))
    assert last.forward(image).tolist() == [[[[17, 18]]]]
    refuses(Crop(to=(1, 2), right=1), (1, 4, 5), match="`bottom` is not", stricter=True)
    refuses(Crop(to=(1, 2), right=1, left=1), (1, 4, 5), match="say where", stricter=True)


def test_crop_takes_the_middle() -> None:
    image = counting((1, 4, 5))
    assert build(Crop(to=(2, 3)), (1, 4, 5)).forward(image).tolist() == [
        [[[6, 7, 8], [11, 12, 13]]]
    ]
    corner = Crop(to=(2, 3), top=0, left=0)
    assert build(corner, (1, 4, 5)).forward(image).tolist() == [[[[0, 1, 2], [5, 6, 7]]]]
    op = Crop(to=(224, 224))
    assert op.output((3, 256, 257)) == (3, 224, 224)
    assert op.explain((3, 224, 224), (3, 256, 257)) == [
        ("height", "256 - 16 above - 16 below = 224"),
        ("width", "257 - 16 left - 17 right = 224"),
    ]
    told = refuses(
        op, (3, 200, 300), match="cannot keep 224 rows: the input has 200", stricter=True
    )
    assert "at most 200 can be kept" in told
    refuses(
        Crop(to=(1, 1), left=9),
        (3, 9, 9),
        match="after the first 9: the input has 9",
        stricter=True,
    )


@given(st.integers(0, 3), st.integers(1, 4), maps() | vectors())
def test_any_slice(first: int, count: int, shape: Shape) -> None:
    # Torch leaves less than was asked for, and says nothing.
    attempt(Slice(channels=(first, first + count)), shape, stricter="cannot be taken")


def test_slice_takes_channels() -> None:
    op = Slice(channels=(1, 3))
    assert op.output((4, 5, 6)) == (2, 5, 6)
    assert build(op, (4, 1, 1)).forward(counting((4, 1, 1))).flatten().tolist() == [1, 2]
    assert op.explain((2, 5, 6), (4, 5, 6)) == [("channels", "1 to 2 of 4: 2")]
    told = refuses(op, (2, 5, 6), match="channels 1 to 2 cannot be taken", stricter=True)
    assert "`slice 1..2`" in told
    with pytest.raises(ArgumentError, match="no channels"):
        Slice.fields["channels"].read(Interval(3, 3))


@given(
    operations(Upsample, factor=None, to=None, align_corners=False),
    pairs(1, 3).map(lambda f: {"factor": f}) | pairs(1, 12).map(lambda to: {"to": to}),
    st.booleans(),
    maps(side=7),
)
def test_any_upsample(op: Upsample, size: dict[str, object], corners: bool, shape: Shape) -> None:
    attempt(op.replace(**size, align_corners=corners), shape)


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("leaving", [1, 4, 6, 8, 9, 12, 15, 24])
def test_everything_that_an_upsampled_pixel_sees(mode: str, corners: bool, leaving: int) -> None:
    """Its window holds all of it, and somewhere no less than all of it."""
    if corners and mode == "nearest":
        return
    op = Upsample(to=(leaving, 2), mode=mode, align_corners=corners)
    arriving = 12
    window = op.window(op.output((1, arriving, 2)), (1, arriving, 2))
    forward = build(op, (1, arriving, 2)).forward
    image = torch.eye(arriving, dtype=torch.float64)[:, None, :, None].expand(-1, -1, -1, 2)
    weights = forward(image)[:, 0, :, 0].T  # of each output, for each input
    widest = 0
    for place in range(leaving):
        seen = weights[place].abs().gt(1e-9).nonzero().flatten().tolist()
        first = window.start[0] + place * window.stride[0]
        first = first.numerator // first.denominator
        assert max(first, 0) <= seen[0] <= seen[-1] <= first + window.size[0] - 1
        widest = max(widest, seen[-1] - seen[0] + 1)
    assert widest == window.size[0]


def test_upsample() -> None:
    op = Upsample(factor=(2, 2))
    assert op.output((64, 7, 9)) == (64, 14, 18)
    assert str(op.torch((1, 4, 4), (1, 2, 2)).module) == "nn.Upsample(scale_factor=2)"
    image = counting((1, 2, 2))
    assert torch.equal(build(op, (1, 2, 2)).forward(image), F.interpolate(image, scale_factor=2))
    assert op.explain((64, 14, 18), (64, 7, 9)) == [("height", "7*2 = 14"), ("width", "9*2 = 18")]
    to = Upsample(to=(8, 5), mode="bilinear", align_corners=True)
    assert str(to.torch((1, 8, 5), (1, 2, 2)).module) == (
        'nn.Upsample(size=(8, 5), mode="bilinear", align_corners=True)'
    )
    assert to.explain((1, 8, 5), (1, 2, 2)) == [("size", "2x2 -> 8x5")]
    assert to.elementwise((1, 8, 5), (1, 2, 2)) == 8 * 5 * 7


def test_what_upsample_refuses() -> None:
    refuses(Upsample(), (1, 2, 2), match="write `upsample 2`, `upsample to=56x56`, or")
    both = Upsample(factor=(2, 2), to=(4, 4))
    refuses(both, (1, 2, 2), match="a factor or `to`, not both")
    refuses(Upsample(factor=(2, 2), align_corners=True), (1, 2, 2), match="repeats pixels")
    # Torch takes a vector for a map of another kind.
    refuses(Upsample(factor=(2, 2)), (4,), match="needs a map")


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("like", [(5, 7, 9), (2, 3, 1), (9, 4, 4)])
def test_upsample_to_the_size_of_another_map(mode: str, like: Shape) -> None:
    op = Upsample(like="stem", mode=mode)
    conform(op, (3, 4, 4), like, probe=None)
    image = torch.randn(2, 3, 4, 4)
    given = build(op, (3, 4, 4), like).forward(image, torch.randn(2, *like))
    assert torch.equal(given, F.interpolate(image, size=like[1:], mode=mode))
    assert op.window((3, *like[1:]), (3, 4, 4), like) == Upsample(to=like[1:], mode=mode).window(
        (3, *like[1:]), (3, 4, 4)
    )


def test_crop_to_the_size_of_another_map() -> None:
    op = Crop(like="deep")
    conform(op, (3, 7, 6), (5, 4, 3), probe=None)
    conform(op.replace(top=0), (3, 7, 6), (5, 4, 3), probe=None)
    conform(op, (3, 7), (5, 4), probe=None)
    assert refuses(op, (3, 4, 4), (3, 5, 4), match="cannot keep 5 rows: the input has 4")
    refuses(op, (3, 4, 4), (5, 4), match="as many axes as the input of `crop`")
