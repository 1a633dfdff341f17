"""Arrays that a program passes, `data=(images, labels)`: masks, target images, images alone, labels
by the names of outputs. They are read as those of a .npz file (test_npz.py, test_npz_masks.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

import dotcnn
from dotcnn import SpecError
from dotcnn.dsl.source import Source
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.data.sources.arrays_given import ArrayData
from dotcnn.training.request import request

MASKS = "network N { input 3x8x8\n conv classes 1x1 }"
CLEAN = "network N { input 3x8x8\n conv 3 1x1 }\ntrain { loss mse }"
LARGER = "network N { input 1x8x8\n upsample 2\n conv 1 1x1 }\ntrain { loss l1 }"
STEPS = "network N { input 2x16\n conv classes 1 }"


def opened(text: str, data: Any) -> Opened:
    given = ArrayData.of(data)
    made = request(Source("net.cnn", text), data=given)
    return open_data(made.plan, Path(), arrays=given)


def pixels(count: int = 10, size: int = 8, channels: int = 3) -> Any:
    shape = (count, size, size, channels)
    return numpy.random.default_rng(0).integers(0, 256, shape).astype("u1")


def number(data: Opened, part: str, images: Any) -> list[int]:
    """Which of the images each of a part is."""
    stored = [data.image(part, index).numpy() for index in range(len(data.stores[part]))]
    channels_last = [numpy.moveaxis(each[: images.shape[-1]], 0, -1) for each in stored]
    return [int((images == each).all((1, 2, 3)).argmax()) for each in channels_last]


@pytest.mark.parametrize("as_tensors", [False, True])
def test_masks(as_tensors: bool) -> None:
    images = pixels()
    masks = (images[..., 0] > 90).astype("i8") + (images[..., 1] > 90)
    masks[:, 0] = -1
    convert = torch.from_numpy if as_tensors else numpy.asarray
    data = opened(MASKS, (convert(images), convert(masks)))
    assert (data.dataset.task, data.dataset.classes) == ("segmentation", ("0", "1", "2"))
    for place, index in enumerate(number(data, "val", images)):
        mask = data.mask("val", place)
        assert (mask[0] == 255).all()
        assert (mask[1:].numpy() == masks[index, 1:]).all()


def test_masks_of_series() -> None:
    x = numpy.random.default_rng(0).normal(size=(12, 2, 16)).astype("f4")
    data = opened(STEPS, {"train": (x, (x[:, 0] > 0).astype(int)), "val": (x[:4], x[:4, 0] > 0)})
    assert data.dataset.task == "segmentation"
    assert (data.mask("val", 1).numpy() == (x[1, 0] > 0)).all()


def test_target_images() -> None:
    """Also of a network that enlarges images. Without a loss that says so, they are not masks."""
    clean = pixels()
    noisy = 255 - clean
    data = opened(CLEAN, (noisy, clean / 255))
    assert data.dataset.task == "image_to_image"
    image, target = data.input_and_target("train", 0)
    assert torch.equal(image, 255 - target)
    small, large = pixels(6, 8, 1), pixels(6, 16, 1)
    data = opened(LARGER, {"train": (small, large), "val": (small[:2], large[:2])})
    assert [each.shape[1:] for each in data.input_and_target("val", 0)] == [(8, 8), (16, 16)]
    with pytest.raises(SpecError, match="to learn images, write `loss mse`"):
        opened(CLEAN.replace("mse", "cross_entropy"), (noisy, clean))


@pytest.mark.parametrize("labels", [None, [0, 1] * 5, {"kind": [0, 1] * 5}])
def test_images_that_are_learned_themselves_need_no_labels(labels: Any) -> None:
    images = pixels()
    data = opened(CLEAN, images if labels is None else (images, labels))
    assert data.dataset.task == "image_to_image"
    assert data.image("train", 0).shape == (3, 8, 8)
    assert len(data.stores["train"]) == 8


@pytest.mark.parametrize(
    ("text", "data", "said"),
    [
        (MASKS, (pixels(), numpy.zeros((10, 4, 8), int)),
         "data has 10 images of 8x8 pixels in `images`, and 10 masks of 8x4 in `labels`"),
        (MASKS, (pixels(), numpy.full((10, 8, 8), -3)), "class number -3 in image #0"),
        (MASKS, (pixels(), numpy.full((10, 8, 8), 2**63, "u8")), "class number 9223372036854"),
        (MASKS, (pixels(), numpy.full((10, 8, 8), 0.5)), "`labels` in data cannot be masks"),
        (MASKS, {"train": (pixels(), numpy.zeros((10, 8, 8), int)), "val": pixels()},
         "there are images and no labels"),
        (CLEAN, (pixels(), pixels(size=4)), "targets have 4 x 4 pixels"),
        (CLEAN, {"train": (pixels(), pixels()), "val": pixels()},
         "data has targets for train, and none for val"),
        (MASKS, (pixels(), {"mask": numpy.zeros((10, 8, 8), int)}),
         "there are labels for the outputs `mask`, and the network has one output"),
    ],
)  # fmt: skip
def test_mistakes(text: str, data: Any, said: str) -> None:
    with pytest.raises(SpecError) as error:
        opened(text, data)
    (diagnostic,) = error.value.diagnostics
    assert said in diagnostic.message
    assert diagnostic.file == "data"
    assert diagnostic.help
    assert "ignore=" not in diagnostic.help, "which is for a spec"


@pytest.mark.usefixtures("no_report")
def test_a_run_is_evaluated_on_other_masks(tmp_path: Path) -> None:
    images = pixels()
    masks = (images[..., 0] > 90).astype(int)
    options = {"output": tmp_path / "run", "epochs": 1, "device": "cpu", "quiet": True}
    dotcnn.train(MASKS, data=(images, masks), **options)
    outcome = dotcnn.evaluate(
        tmp_path / "run", data=(images[:3], masks[:3]), part="all", device="cpu"
    )
    assert 0 <= outcome.metrics["miou"] <= 1
    assert len(outcome.labels) == 3
