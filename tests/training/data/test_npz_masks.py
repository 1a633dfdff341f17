"""`data npz` where labels are masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

from dotcnn import SpecError
from dotcnn.dsl.source import Source
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.request import request

SPEC = 'network N {{ input 3x6x8\n conv classes 1x1 }}\ntrain {{ data npz "set.npz" {arguments} }}'


def opened(root: Path, arguments: str = "val=25%", **arrays: Any) -> Opened:
    numpy.savez(root / "set.npz", **arrays)
    made = request(Source("net.cnn", SPEC.format(arguments=arguments)), base=root, here=root)
    return open_data(made.plan, made.base)


def images(count: int = 12) -> Any:
    return (numpy.arange(count)[:, None, None, None] * 10 + numpy.zeros((1, 6, 8, 3))).astype("u1")


def masks(count: int = 12) -> Any:
    return numpy.arange(count)[:, None, None] % 3 + numpy.zeros((1, 6, 8), int)


@pytest.mark.parametrize("shape", [(12, 6, 8), (12, 6, 8, 1), (12, 1, 6, 8)])
@pytest.mark.parametrize("kind", ["u1", "i8", "f4"])
def test_masks_are_found_by_their_shape(tmp_path: Path, shape: tuple[int, ...], kind: str) -> None:
    data = opened(tmp_path, images=images(), masks=masks().reshape(shape).astype(kind))
    assert (data.dataset.task, data.dataset.classes) == ("segmentation", ("0", "1", "2"))
    for index in range(len(data.stores["train"])):
        number = int(data.image("train", index)[0, 0, 0]) // 10
        assert (data.mask("train", index) == number % 3).all()


def test_what_stands_for_no_label(tmp_path: Path) -> None:
    labels = masks().astype("i2")
    labels[:, 0], labels[:, 1], labels[:, 2] = -1, 255, 9
    data = opened(tmp_path, "val=25% ignore=9", x_train=images(), y_train=labels,
                  class_names=numpy.array(["sky", "road", "car"]))  # fmt: skip
    assert data.dataset.classes == ("sky", "road", "car")
    assert (data.mask("train", 0)[:3] == 255).all()


def test_black_and_white(tmp_path: Path) -> None:
    white = ((masks() > 1) * 255).astype("u1")
    data = opened(tmp_path, x=images(), masks=white)
    assert data.dataset.classes == ("background", "object")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (masks()[:, :, :7], "12 images of 8x6 pixels in `x`, and 12 masks of 7x6 in `masks`"),
        (masks()[:9], "and 9 masks of 8x6"),
        (masks() - 2, "has the class number -2 in image #0"),
        (masks() + 400, "has the class number 402 in image #2"),
        (masks() + 0.5, "cannot be masks: it has 12x6x8 numbers of the type float64"),
        (numpy.zeros((12, 6, 8, 4)), "take `argmax` over the axis of classes"),
        (masks() * 0 - 1, "`masks` in set.npz have no class numbers"),
    ],
)
def test_what_cannot_be_masks_is_named(tmp_path: Path, labels: Any, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        opened(tmp_path, x=images(), masks=labels)
    assert said in str(caught.value)
