"""Pixels that become channels, and back: space_to_depth, pixel_unshuffle and their inverses."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dotcnn.compiler.ops.pixel_blocks import (
    DepthToSpace,
    PixelShuffle,
    PixelUnshuffle,
    SpaceToDepth,
)
from dotcnn.compiler.shapes import Shape
from ops.conformance import attempt, build, conform, maps, refuses


@settings(max_examples=15)
@given(
    st.sampled_from([PixelShuffle, PixelUnshuffle, SpaceToDepth, DepthToSpace]),
    st.integers(1, 3),
    maps(st.sampled_from([1, 4, 8, 9, 12]), side=6),
)
def test_any(kind: type, block: int, shape: Shape) -> None:
    op = kind(block=block)
    # Torch's slices and its unflatten let some of these pass, or fail only where the parts meet.
    attempt(op, shape, stricter="cannot be divided")


def test_the_order_of_the_channels() -> None:
    """TensorFlow keeps all channels of a pixel together, PyTorch all pixels of a channel."""
    x = torch.randn(1, 3, 4, 6)
    deep = build(SpaceToDepth(block=2), (3, 4, 6)).forward(x)
    torches = build(PixelUnshuffle(block=2), (3, 4, 6)).forward(x)
    for c, i, j in product(range(3), range(2), range(2)):
        pixels = x[:, c, i::2, j::2]
        assert torch.equal(deep[:, (2 * i + j) * 3 + c], pixels)
        assert torch.equal(torches[:, 4 * c + 2 * i + j], pixels)
    assert torch.equal(build(DepthToSpace(block=2), (12, 2, 3)).forward(deep), x)
    assert torch.equal(build(PixelShuffle(block=2), (12, 2, 3)).forward(torches), x)


@pytest.mark.parametrize("shape", [(4, 9), (2, 4, 6, 2)])
def test_of_series_and_volumes(shape: Shape) -> None:
    """Each is the inverse of the other; the order is that of maps, with other axes."""
    axes = len(shape) - 1
    many = (shape[0] * 2**axes, *(side // 2 for side in shape[1:]))
    whole = (shape[0], *(side // 2 * 2 for side in shape[1:]))
    x = torch.randn(2, *whole)
    for unshuffle, shuffle in ((PixelUnshuffle, PixelShuffle), (SpaceToDepth, DepthToSpace)):
        conform(shuffle(block=2), many)
        conform(unshuffle(block=2), whole)
        deep = build(unshuffle(block=2), whole).forward(x)
        assert torch.equal(build(shuffle(block=2), many).forward(deep), x)
        for place in product(range(2), repeat=axes):
            number = sum(2 ** (axes - 1 - axis) * at for axis, at in enumerate(place))
            first = number * shape[0] if unshuffle is SpaceToDepth else number
            step = 1 if unshuffle is SpaceToDepth else 2**axes
            points = x[(slice(None), slice(None), *(slice(at, None, 2) for at in place))]
            assert torch.equal(deep[:, first::step][:, : shape[0]], points)


@pytest.mark.parametrize("kind", [PixelShuffle, DepthToSpace])
def test_what_becomes_pixels(kind: type) -> None:
    op = kind(block=3)
    conform(op, (18, 2, 3))
    assert op.explain((2, 6, 9), (18, 2, 3)) == [
        ("channels", "18/(3*3) = 2"),
        ("height", "2*3 = 6"),
        ("width", "3*3 = 9"),
    ]
    assert "18 channels would fit" in refuses(op, (10, 2, 3))
    refuses(op, (9,), match="needs a map")


@pytest.mark.parametrize("kind", [PixelUnshuffle, SpaceToDepth])
def test_what_becomes_channels(kind: type) -> None:
    op = kind(block=2)
    conform(op, (3, 4, 6))
    assert op.explain((12, 2, 3), (3, 4, 6))[0] == ("channels", "3*2*2 = 12")
    told = refuses(op, (3, 4, 5), match="5 columns cannot be divided into blocks of 2")
    assert "a size of 6 could be" in told
