"""A module runs at other sizes of input than that it was compiled for. There it computes what the
spec says there, or it refuses the input: a size must not be baked in silently."""

from __future__ import annotations

import pytest
import torch

import dotcnn

SIZES = ((32, 32), (33, 33), (34, 36), (40, 35), (47, 48), (64, 64))

SAME = {
    "crop": "conv 4 3x3, crop 12x10, conv 2 3x3",
    "crop from a corner": "crop 12x10 top=1, conv 2 3x3",
    "same_upper": "conv 4 3x3 stride=2 same_upper, conv 4 4x4 stride=3 same_upper, conv 2",
    "dilated": "conv 4 3x3 stride=2 dilation=2 same_upper mode=replicate",
    "depthwise": "depthwise 3x3 stride=2 same_upper, separable 4 5x5 stride=2 same_upper",
    "filter": "filter blur stride=2 same_upper",
    "slice": "conv 8 3x3 same, concat { | slice 0..3, relu | slice 3..8 }",
    "shortcut": "conv 4 3x3 same, residual { conv 8 3x3 stride=2 same, bn }",
    "padded shortcut": "residual shortcut=pad { conv 8 3x3 stride=2 same, bn }",
    "pyramid": "conv 4 3x3, spp 4 2 1",
    "wavelet": "crop 16x24, pool wavelet, pool wavelet keep=all",
    "pools": "pool max 3x3 stride=2 ceil, pool avg 2x2 pad=1, pool avg adaptive=4x4",
    "upsampled": "upsample 2 mode=bilinear, deconv 4 3x3 stride=2 pad=1, upsample to=20x20",
    "upsampled like the input": "conv 4 3x3 stride=3, upsample like=input mode=bilinear, conv 2",
    "upsampled and cropped like a label": "a: conv 4 3x3 stride=2\n pool max 2x2, upsample like=a,"
    " concat a, upsample 4, crop like=a, crop like=a top=0 left=0",
    "pooled as a whole beside others": "concat { | conv 4 1x1 | pool avg global, conv 4,"
    " upsample like=input }",
    "weighted mean of all places": "add { | | matmul transpose_right { | | conv 1,"
    " softmax over=places } }",
    "weights of two paths": "conv 8 3x3, pool avg global, conv 8, softmax parts=2",
    "lrn and gate": "conv 4 3x3, lrn 3, gate { pool avg global, conv 4 1x1, sigmoid }",
}


def text_at(body: str, height: int, width: int) -> str:
    return f"network N {{\n input 3x{height}x{width}\n {body}\n}}\n"


@pytest.mark.parametrize("name", SAME)
def test_a_module_is_the_same_at_every_size(name: str) -> None:
    """The weights of one, run at the size of another."""
    torch.manual_seed(0)
    models = {size: dotcnn.load(text_at(SAME[name], *size)).eval() for size in SIZES}
    first = models[SIZES[0]]
    for size, model in models.items():
        model.load_state_dict(first.state_dict())
        images = torch.randn(1, 3, *size)
        with torch.no_grad():
            assert torch.equal(first(images), model(images))


HELD = {
    "channels through a permutation": "permute (1, 0, 2), crop 2x32 top=0, permute (1, 0, 2)",
    "whole rows": "crop 32x16",
    "height": "pool avg height",
    "width in a block": "pool max (2, width) stride=1",
    "height in a condition": "if height > 32 { conv 4 3x3 } else { conv 4 3x3 stride=2 }",
}


@pytest.mark.parametrize("name", HELD)
def test_a_module_for_one_size_refuses_others(name: str) -> None:
    text = text_at(HELD[name], 32, 32)
    assert "fixed-size" in [d.code for d in dotcnn.check(text)]
    model = dotcnn.load(text).eval()
    model(torch.zeros(1, 3, 32, 32))
    for size in SIZES[1:]:
        with pytest.raises(ValueError, match=r"32x32 only"):
            model(torch.zeros(1, 3, *size))


def test_a_crop_does_not_return_less_than_all() -> None:
    model = dotcnn.load(text_at("crop 12x10", 32, 32))
    with pytest.raises(ValueError, match=r"cannot cut 12x10 out of 11x11"):
        model(torch.zeros(1, 3, 11, 11))


def test_a_function_of_the_text_is_not_hidden_by_a_label() -> None:
    body = "crop: conv 3 1x1\n haar: relu\n crop 12x12, pool wavelet keep=all"
    model = dotcnn.load(text_at(body + ", add { | | relu }", 32, 32))
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 12, 6, 6)
