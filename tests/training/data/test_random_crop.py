"""Random crops of whole images, compared with torchvision's on photographs that are not square."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image
from torch import Tensor

from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.compiler.plan import TrainPlan, plan
from dotcnn.compiler.plan.fusion import crop_when_read, fuse
from dotcnn.compiler.report.explain.augment import explain_augment
from dotcnn.compiler.report.style import PLAIN
from dotcnn.training.augment.random_crop import RandomCrop
from dotcnn.training.augment.sheet import sheet
from dotcnn.training.data.images.decode import decode
from dotcnn.training.data.images.resize import training_fit
from dotcnn.training.data.loader.store import OnDisk, WholeInMemory
from dotcnn.training.data.opened import Opened
from dotcnn.training.runtime.import_torchvision import torchvision

from .sets import opened, planned, spec

COUNT = 1500
SIZES = [(60, 100), (100, 60), (40, 400)]


def photographs(root: Path, sizes: list[tuple[int, int]] = SIZES, count: int = 4) -> Path:
    """Noise in color, of several sizes (height and width) in each of two classes."""
    noise = numpy.random.default_rng(0)
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
        for place in range(count):
            size = sizes[place % len(sizes)]
            pixels = noise.integers(0, 256, (*size, 3), dtype=numpy.uint8)
            Image.fromarray(pixels).save(root / name / f"{place:03}.png")
    return root


def crop_of(augment: str, more: str = "", input: str = "3x32x32") -> RandomCrop:
    crop = RandomCrop.of(planned_for_files(augment, more, input))
    assert crop is not None
    return crop


def planned_for_files(augment: str, more: str = "", input: str = "3x32x32") -> TrainPlan:
    sections = f"augment {{ {augment} }}\n{more}"
    return plan(elaborate(spec('folder "x"', input=input, head="2", more=sections)))


def summary(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Means and deciles of area, aspect ratio and center of boxes (left, top, width, height), as
    shares of the image."""
    left, top, width, height = boxes.double().unbind(1)
    rows, columns = size
    numbers = torch.stack([
        width * height / (rows * columns),
        (width / height).log(),
        (left + width / 2) / columns,
        (top + height / 2) / rows,
    ])  # fmt: skip
    deciles = numbers.quantile(torch.linspace(0.1, 0.9, 9, dtype=torch.float64), dim=1)
    return torch.cat([numbers.mean(1)[None], numbers.std(1)[None], deciles])


@pytest.mark.parametrize(
    ("size", "scale"),
    [((60, 100), "8%..100%"), ((100, 60), "50%..100%"), ((40, 400), "8%..100%")],
)
def test_boxes_are_distributed_as_those_of_torchvision(size: tuple[int, int], scale: str) -> None:
    """All over the image: where it is long, in its ends too."""
    low = float(scale.split("%")[0]) / 100
    draw = torchvision("transforms").RandomResizedCrop.get_params
    torch.manual_seed(0)
    image, theirs = torch.zeros(3, *size), []
    for _ in range(COUNT):
        top, left, height, width = draw(image, (low, 1.0), (3 / 4, 4 / 3))
        theirs.append([left, top, width, height])
    crop = crop_of(f"crop scale={scale}")
    ours = list(crop.boxes([size] * COUNT, 0, range(COUNT)))
    difference = summary(torch.tensor(ours), size) - summary(torch.tensor(theirs), size)
    assert difference.abs().max() < 0.08
    left, top, width, height = torch.tensor(ours).unbind(1)
    assert (left >= 0).all()
    assert (top >= 0).all()
    assert (left + width <= size[1]).all()
    assert (top + height <= size[0]).all()


def test_pixels_are_those_of_torchvision() -> None:
    """For the same box, from the resolution of the file."""
    v2 = torchvision("transforms.v2.functional")
    generator = torch.Generator().manual_seed(0)
    images = [
        torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=generator) for size in SIZES
    ]
    crop = crop_of("crop scale=8%..100%")
    boxes = crop.boxes(SIZES, 3, [5, 6, 7])
    for image, found, (left, top, width, height) in zip(
        images, crop(images, 3, [5, 6, 7]), boxes, strict=True
    ):
        reference = v2.resized_crop(image, top, left, height, width, [32, 32], antialias=True)
        assert (found.int() - reference.int()).abs().max() <= 2


def test_a_crop_of_fixed_size_reaches_both_ends() -> None:
    """As `Resize(40), RandomCrop(32)` does; the images are not made square before."""
    crop = crop_of("resize 40, crop")
    boxes = torch.tensor(list(crop.boxes([(40, 80)] * COUNT, 0, range(COUNT))))
    for axis, places in ((0, 80 - 32 + 1), (1, 40 - 32 + 1)):
        counts = boxes[:, axis].bincount()
        assert len(counts) == places
        assert counts.min() > 0.5 * COUNT / places
        assert counts.max() < 1.6 * COUNT / places
    images = [torch.zeros(3, 60, 120, dtype=torch.uint8)]
    assert crop(images, 0, [0]).shape == (1, 3, 32, 32)


@pytest.mark.parametrize(
    ("augment", "read", "passes"),
    [
        ("crop scale=8%..100%, flip horizontal", ["crop"], ["flip"]),
        ("flip horizontal, crop scale=8%..100%, rotate 10", ["crop"], ["flip", "rotate"]),
        ("resize 40, flip both, crop", ["resize", "crop"], ["flip"]),
        ("crop", ["crop"], []),
        ("crop pad=4", [], ["crop"]),
        ("rotate 10, crop scale=8%..100%", [], ["rotate", "crop"]),
        ("resize 40x50, crop", ["resize"], ["crop"]),
        ("color brightness=0.2, crop", [], ["color", "crop"]),
        ("rotate 10", [], ["rotate"]),
    ],
)
def test_which_crops_are_done_when_images_are_read(
    augment: str, read: list[str], passes: list[str]
) -> None:
    made = planned_for_files(augment, "evaluate { resize 40 }")
    fusion = fuse(made)
    assert [step.directive.word for step in fusion.read] == read
    words = [step.directive.word for one in fusion.passes for step in one.steps]
    assert list(dict.fromkeys(words)) == passes
    assert (crop_when_read(made) is not None) == ("crop" in read)
    if "crop" in read:
        assert fusion.input_size == (32, 32)
        assert training_fit(made).crop == (32, 32)


def test_explain_says_what_is_done_when_images_are_read() -> None:
    made = planned_for_files("crop scale=8%..100%, flip horizontal")
    lines = explain_augment(fuse(made), PLAIN)
    assert lines[0].startswith("random crops of whole images, then 1 directive in 1 pass")
    done = "`crop scale=8%..100%` is done when images are read: random crops of whole images."
    assert done in lines
    (only,) = explain_augment(fuse(planned_for_files("crop scale=8%..100%")), PLAIN)[:1]
    assert only == "random crops of whole images; images are 3x32x32"


def test_arrays_of_one_size_are_cropped_in_batches() -> None:
    made = planned("digits", input="1x8x8", more="augment { crop scale=50%..100% }")
    assert crop_when_read(made) is None
    assert fuse(made).passes


AUGMENT = "augment { crop scale=20%..100%, flip horizontal }"


def photos(root: Path, **options: Any) -> Opened:
    data = f'folder "{root}" val=50%\n  batch 3\n  workers 0'
    return opened(data, input="3x32x32", more=AUGMENT, opening=options)


def test_files_and_memory_give_the_same_crops(tmp_path: Path) -> None:
    """Others in each epoch; the same in any batch, by any number of workers."""
    root = photographs(tmp_path, SIZES[:2], count=8)
    (root / "a" / "000.png").write_bytes(b"")
    data = f'folder "{root}" val=50% bad=10%\n  batch 3\n  workers 0'
    kept, streamed = (
        opened(data, input="3x32x32", more=AUGMENT, opening=options)
        for options in ({}, {"budget": 0})
    )
    assert isinstance(kept.stores["train"], WholeInMemory)
    assert isinstance(streamed.stores["train"], OnDisk)
    assert (kept.where, streamed.where) == ("memory", "files")
    assert kept.dataset == streamed.dataset
    for found in (kept, streamed):  # where worker processes do not fork, they get a pickled copy
        assert len(pickle.loads(pickle.dumps(found.stores["train"]))) == 7
    epochs = []
    for epoch in (0, 1):
        images: dict[int, Tensor] = {}
        for one, other in zip(
            kept.training()(epoch), streamed.training(batch=3)(epoch), strict=True
        ):
            assert torch.equal(one.images, other.images)
            images.update(zip(one.indices.tolist(), one.images, strict=True))
        for batch in streamed.training(batch=2)(epoch):
            for index, image in zip(batch.indices.tolist(), batch.images, strict=True):
                assert torch.equal(image, images[index])
        epochs.append(images)
    assert not any(torch.equal(epochs[0][index], epochs[1][index]) for index in epochs[0])
    for index, image in epochs[1].items():
        assert torch.equal(streamed.training_images([index], 1)[0][0], image)


def test_evaluation_is_never_cropped_at_random(tmp_path: Path) -> None:
    found = photos(photographs(tmp_path))
    for part in ("train", "val"):
        images = torch.cat([batch.images for batch in found.evaluation(part)(5)])
        for index, image in enumerate(images):
            source = found.stores[part].source
            whole = decode(source.path(index), 3)  # type: ignore[union-attr]
            assert torch.equal(image, found.preparation.fit(whole))


def test_the_sheet_shows_the_crops(tmp_path: Path) -> None:
    found = photos(photographs(tmp_path))
    together = sheet(found, images=2, epochs=2).groups[1].rows
    assert not torch.equal(together[0].images[0], together[1].images[0])
    alone = sheet(found, images=2, epochs=2).groups[2].rows
    labels = [row.label for row in alone]
    assert [label.split()[0] for label in labels if ": " not in label] == ["crop", "flip"], labels
