"""Arrays of 16-bit images, `data npz` and those that a program passes: all bits count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

import dotcnn
from dotcnn import SpecError
from dotcnn.dsl.source import Source
from dotcnn.training.data.images.arrays import depth_of_array
from dotcnn.training.data.images.color_modes import as_grey
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.data.sources.arrays_given import ArrayData
from dotcnn.training.request import request

CLASSES = "network N {{ input {channels}x8x8\n flatten, fc 2 }}\n{more}"
MASKS = "network N { input 2x8x8\n conv classes 1x1 }"
LABELS = numpy.arange(20) % 2


def deep(channels: int = 2, dtype: str = "u2") -> Any:
    """The class is in the low bits, which 8-bit images would lose."""
    shape = (20, 8, 8, channels)
    random = numpy.random.default_rng(0)
    pixels = 30_000 + random.integers(0, 20, shape) + 100 * LABELS[:, None, None, None]
    return pixels.astype(dtype)


def opened(text: str, data: Any) -> Opened:
    given = ArrayData.of(data)
    made = request(Source("net.cnn", text), data=given)
    return open_data(made.plan, Path(), arrays=given)


@pytest.mark.parametrize("dtype", ["u2", "i4", ">u2"])
def test_no_bit_is_lost(dtype: str) -> None:
    images = deep(dtype=dtype)
    data = opened(CLASSES.format(channels=2, more=""), {"train": (images, LABELS)} | {
        "val": (images[:4] % 256, LABELS[:4])
    })  # fmt: skip
    assert data.preparation.depth == 16
    for index in range(20):
        levels = numpy.moveaxis(data.image("train", index).numpy(), 0, -1)
        assert (numpy.rint(levels * 257) == images[index].astype(int)).all()
    assert float(data.image("val", 0).max()) < 1, "the same scale, though its numbers are small"
    assert "images have 16 bits a channel (arrays in memory): all of them count" in "\n".join(
        data.dataset.lines()
    )


@pytest.mark.parametrize("kind", ['npz "set.npz"', 'npy "."'])
def test_masks_stand_beside_them(tmp_path: Path, kind: str) -> None:
    images = deep()
    masks = (images[..., 0] > 30_050).astype("u1")
    numpy.savez(tmp_path / "set.npz", x_train=images, y_train=masks)
    numpy.save(tmp_path / "x_train.npy", images)
    numpy.save(tmp_path / "y_train.npy", masks)
    made = request(Source("n.cnn", MASKS + f"\ntrain {{ data {kind} }}"), base=tmp_path)
    data = open_data(made.plan, tmp_path)
    assert data.preparation.depth == 16
    for index in range(len(data.stores["train"])):
        levels = data.image("train", index)[0] * 257
        assert ((levels > 30_050) == data.mask("train", index).bool()).all()


@pytest.mark.usefixtures("no_report")
def test_a_run_learns_from_the_low_bits_and_predicts_with_them(tmp_path: Path) -> None:
    text = CLASSES.format(
        channels=1, more="train { epochs 30, batch 20, optimizer adam lr=0.01, validate every=30 }"
    )
    images = deep(3)  # of colors, for a network that takes gray
    options = {"device": "cpu", "quiet": True, "output": tmp_path / "run"}
    result = dotcnn.train(
        text, data={"train": (images, LABELS), "val": (images, LABELS)}, **options
    )
    assert result.metrics["top1"] == 1
    found = dotcnn.predict(tmp_path / "run", images, device="cpu")
    assert [each.guesses[0].name for each in found] == [str(label) for label in LABELS]
    again = dotcnn.evaluate(tmp_path / "run", data=(images, LABELS), part="all", device="cpu")
    assert again.metrics["top1"] == 1


def test_eight_bits_stay_eight() -> None:
    small = deep() % 256
    data = opened(CLASSES.format(channels=2, more=""), (small, LABELS))
    assert data.preparation.depth == 8
    assert data.image("train", 0).dtype == torch.uint8
    images = [numpy.array([0, 255], "i8"), numpy.array([0.0, 1.0]), numpy.array([-1, 300]),
              numpy.array([0, 70_000]), numpy.zeros(0, "u2"), numpy.array([True])]  # fmt: skip
    assert {depth_of_array(each) for each in images} == {8}
    assert depth_of_array(numpy.array([0, 256])) == 16


def test_targets_are_bytes() -> None:
    images = deep(3)
    clean = "network N { input 3x8x8\n conv 3 1x1 }\ntrain { loss mse }"
    assert opened(clean, (images, images)).preparation.depth == 8


def test_what_would_lose_bits_is_refused() -> None:
    text = CLASSES.format(channels=3, more="augment { randaugment }")
    with pytest.raises(SpecError, match="the images have 16 bits"):
        opened(text, (deep(3), LABELS))


def test_colors_become_gray_with_their_fractions() -> None:
    assert as_grey(torch.full((3, 1, 1), 100.25)).item() == pytest.approx(100.25)
