"""`evaluate { tiles }`: images of any size keep it. Training is on random crops of them, evaluation
and prediction on whole images, by tiles; `crop balanced=` finds the pixels of rare classes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import dotcnn
from dotcnn import SpecError
from dotcnn.compiler.plan.data import UNLABELLED
from dotcnn.compiler.plan.loss import CrossEntropy
from dotcnn.compiler.plan.plan import TrainPlan
from dotcnn.dsl.source import Source
from dotcnn.training.augment.random_crop import RandomCrop
from dotcnn.training.data.open import open_data
from dotcnn.training.masks.tiling import Tiling, bands, outputs_of
from dotcnn.training.metrics.tiled_evaluation import count_tiled
from dotcnn.training.request import request
from dotcnn.training.tasks.segmentation import Segmentation

from ..mask_sets import save, spec, squares
from ..small import trained

SIZES = (40, 71), (33, 50), (64, 32), (20, 90)
"""One is lower than the network's input of 24x32."""


def write_sizes(root: Path) -> Path:
    for part, count in (("train", 8), ("val", 4)):
        for number in range(count):
            image, mask = squares(number + 100 * len(part), SIZES[number % len(SIZES)])
            save(root / part / "images" / f"{number}.png", image)
            save(root / part / "masks" / f"{number}.png", mask)
    (root / "classes.txt").write_text("background\nred\nblue\n")
    return root


def tiled_spec(root: Path, augment: str = "crop balanced=50%", evaluate: str = "tiles") -> str:
    train = f'data folder "{root}"\nepochs 4\nbatch 4\noptimizer adamw lr=2e-2'
    return spec(train) + f"augment {{\n{augment}\n}}\nevaluate {{ {evaluate} }}\n"


def test_validation_evaluation_and_prediction_answer_whole_images(tmp_path: Path) -> None:
    root = write_sizes(tmp_path / "data")
    text = tiled_spec(root, evaluate="tiles overlap=50%").replace(
        "epochs 4", "epochs 4\nloss cross_entropy"
    )
    trained(tmp_path / "run", text)
    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    outcome = dotcnn.evaluate(tmp_path / "run", device="cpu")
    assert int(outcome.confusion.sum()) == sum(height * width for height, width in SIZES)
    if last["best"]:
        assert last["val"]["miou"] == pytest.approx(outcome.metrics["miou"], abs=1e-6)
    files = [root / "val" / "images" / f"{number}.png" for number in range(4)]
    table = torch.zeros(3, 3, dtype=torch.int64)
    for one, file in zip(dotcnn.predict(tmp_path / "run", files), files, strict=True):
        with Image.open(str(file).replace("images", "masks")) as picture:
            truth = torch.from_numpy(numpy.array(picture)).long()
        assert one.mask is not None
        assert one.mask.shape == truth.shape
        table += (truth * 3 + one.mask).flatten().bincount(minlength=9).view(3, 3)
    assert torch.equal(table, outcome.confusion)


class Blur(nn.Module):
    """A network whose answers depend on the pixels around, as far as 3 of them."""

    def forward(self, images: Tensor) -> Tensor:
        mean = nn.functional.avg_pool2d(images, 7, 1, 3)
        return torch.cat([images[:, :1], mean[:, :2]], 1)


def answer(images: Tensor) -> Tensor:
    outputs: Tensor = Blur()(images / 64)
    return outputs


@pytest.mark.parametrize("size", [(16, 16), (50, 70), (7, 90), (90, 7)])
def test_the_counts_of_an_image_do_not_depend_on_its_bands(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    images = torch.randint(256, (2, 3, *size), dtype=torch.uint8)
    masks = torch.randint(4, (2, *size), dtype=torch.uint8)
    masks[masks == 3] = UNLABELLED
    task, tiling = Segmentation(("a", "b", "c")), Tiling((16, 16), 0.5)
    outputs = outputs_of(answer, images, tiling)
    whole, tiled = (task.tally(CrossEntropy(), torch.device("cpu")).thorough() for _ in range(2))
    for image, mask in zip(outputs, masks, strict=True):
        whole.add(image[None], mask[None])
    quality = count_tiled(answer, images, masks, tiling, [tiled])
    assert torch.equal(whole.confusion(), tiled.confusion())
    assert tiled.metrics() == pytest.approx(whole.metrics(), abs=1e-5)
    assert torch.allclose(quality, task.quality(outputs, masks))


def test_memory_is_needed_for_a_row_of_tiles() -> None:
    tall = torch.zeros(1, 3, 500, 40, dtype=torch.uint8)
    rows = list(bands(answer, tall, Tiling((16, 16))))
    assert sum(band.rows.shape[2] for band in rows) == 500
    assert max(band.rows.shape[2] for band in rows) <= 16
    assert [band.top for band in rows] == sorted(band.top for band in rows)


def test_tiles_of_a_network_that_sees_little_leave_no_seams() -> None:
    """Where the middle of a tile says the same as the whole image would, so does the blend."""
    torch.manual_seed(0)
    image = torch.randint(256, (1, 3, 70, 90), dtype=torch.uint8)
    expected = answer(image)
    found = outputs_of(answer, image, Tiling((32, 32), 0.5))
    inner = (slice(None), slice(None), slice(4, -4), slice(4, -4))
    assert (found - expected)[inner].abs().max() < 0.05 * expected.abs().max()
    assert (found - expected)[inner].abs().mean() < 2e-3 * expected.abs().max()


# ---- training --------------------------------------------------------------------------------


def planned(tmp_path: Path, augment: str, evaluate: str = "tiles") -> TrainPlan:
    return request(Source("net.cnn", tiled_spec(tmp_path, augment, evaluate))).plan


def crop_of(tmp_path: Path, augment: str) -> RandomCrop:
    write_sizes(tmp_path)
    crop = RandomCrop.of(planned(tmp_path, augment))
    assert crop is not None
    return crop


@pytest.mark.parametrize(
    ("augment", "side"), [("crop balanced=100%", 3), ("crop scale=5%..10% balanced=100%", 15)]
)
def test_balanced_crops_are_around_classes_drawn_with_equal_chances(
    tmp_path: Path, augment: str, side: int
) -> None:
    """A class of nine pixels is in the middle of as many crops as one of thousands."""
    image = torch.zeros(4, 200, 300, dtype=torch.uint8)
    image[3, 100 : 100 + side, 150 : 150 + side] = 2
    image[3, :, 280:] = UNLABELLED
    crop = crop_of(tmp_path, augment)
    cut = crop([image] * 200, 0, range(200), masks=1)
    assert cut.shape == (200, 4, 24, 32)
    middle = cut[:, 3, 10:14, 14:18]
    assert 0.4 < float((middle == 2).flatten(1).any(1).float().mean()) < 0.62


def test_a_share_of_crops_is_balanced_and_the_others_stay_as_they_are(tmp_path: Path) -> None:
    image = torch.zeros(4, 200, 300, dtype=torch.uint8)
    image[3, 100:102, 150:155] = 2
    image[0] = torch.arange(300) % 256
    image[1] = torch.arange(200)[:, None]
    plain, some = crop_of(tmp_path, "crop"), crop_of(tmp_path, "crop balanced=30%")
    cuts = [crop([image] * 300, 3, range(300), masks=1) for crop in (plain, some)]
    moved = (cuts[0] != cuts[1]).flatten(1).any(1)
    assert 0.2 < float(moved.float().mean()) < 0.4
    assert torch.equal(some([image] * 9, 3, range(9), masks=1), cuts[1][:9])


def test_smaller_images_are_filled_up_and_what_is_added_has_no_label(tmp_path: Path) -> None:
    crop = crop_of(tmp_path, "crop")
    image = torch.full((4, 20, 90), 2, dtype=torch.uint8)
    (cut,) = crop([image], 0, [0], masks=1)
    assert cut.shape == (4, 24, 32)
    assert (cut[:3] == 2).all()
    assert (cut[3, :20] == 2).all()
    assert (cut[3, 20:] == UNLABELLED).all()


@pytest.mark.parametrize(("augment", "budget"), [("crop", None), ("flip horizontal", 0)])
def test_batches_are_crops_in_training_and_whole_images_in_evaluation(
    tmp_path: Path, augment: str, budget: int | None
) -> None:
    """From memory, and from files; also where no `crop` is written."""
    write_sizes(tmp_path)
    data = open_data(planned(tmp_path, augment), tmp_path, budget=budget, cache=tmp_path)
    (first, _) = data.training()(0)
    assert first.images.shape == (4, 3, 24, 32)
    shapes = [tuple(batch.labels.shape) for batch in data.evaluation()(0)]
    assert shapes == [(1, *size) for size in SIZES]
    assert sum(data.dataset.parts[1].counts) == sum(height * width for height, width in SIZES)
    data.training().close()


@pytest.mark.parametrize(
    ("augment", "evaluate", "message", "help"),
    [
        ("rotate 5\ncrop", "tiles", "`rotate` needs all to have the same", "write `crop` first"),
        ("crop", "tiles overlap=90%", "each pixel is answered 100 times", "overlap=75%"),
        ("crop", "tiles 33", "", ""),
        ("crop balanced=30%", "resize 24x32", "crops are only balanced where", "tiles"),
    ],
)
def test_mistakes(tmp_path: Path, augment: str, evaluate: str, message: str, help: str) -> None:
    write_sizes(tmp_path)
    with pytest.raises(SpecError) as caught:
        planned(tmp_path, augment, evaluate)
    (found,) = caught.value.diagnostics
    assert message in found.message
    assert help in found.help


def test_a_network_for_whole_images_has_no_tiles() -> None:
    text = "network A { input 3x32x32\nconv 4, pool avg global, flatten, fc classes }\n"
    for more, message in (
        ("evaluate { tiles }", "tiles are put together pixel by pixel"),
        ("augment { crop balanced=30% }", "only masks give pixels a class"),
    ):
        with pytest.raises(SpecError, match=message):
            request(Source("net.cnn", f"{text}train {{ data cifar10 }}\n{more}"))
