"""Training on augmented images, and the contact sheet of `cnn augment`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from commands import run
from dotcnn import __version__
from dotcnn.compiler.plan.fusion import size_when_read
from dotcnn.dsl.source import Source
from dotcnn.training.augment import augmenter
from dotcnn.training.augment.sheet import difference, in_turn, sheet
from dotcnn.training.data.images.resize import training_fit
from dotcnn.training.data.open import open_data
from dotcnn.training.request import request
from dotcnn.training.trainer.train import train

from .done import planned

Capture = pytest.CaptureFixture[str]

SPEC = """
network Small {
  input 1x8x8
  conv 4 3x3 same, relu, pool max 2x2, flatten, fc 10
}
train { data digits, epochs 2, batch 128, optimizer adam lr=0.01 }
"""
AUGMENT = "augment { rotate 10, shift 10%, noise 0.05, erase, mixup 0.4, cutmix 1 p=50% }"


def learned(folder: Path, text: str) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    result = train(request(Source("small.cnn", text)), __version__, output=folder, device="cpu")
    return result.module.state_dict(), dict(result.metrics)  # type: ignore[union-attr]


def test_training_on_augmented_images_is_reproducible(tmp_path: Path) -> None:
    """Labels of mixed images go through loss and metrics; the same seed learns the same again."""
    first, metrics = learned(tmp_path / "first", SPEC + AUGMENT)
    again, _ = learned(tmp_path / "again", SPEC + AUGMENT)
    assert metrics["top1"] > 0.2
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_no_module_without_augmentation() -> None:
    opened = open_data(request(Source("small.cnn", SPEC)).plan, Path())
    assert augmenter(opened.plan, opened.preparation) is None


def test_augmentation_without_changes_equals_preprocessing() -> None:
    text = SPEC + "augment { flip horizontal p=0% }"
    opened = open_data(request(Source("small.cnn", text)).plan, Path())
    augment = augmenter(opened.plan, opened.preparation)
    assert augment is not None
    images = torch.stack([opened.image("train", index) for index in range(5)])
    found, _ = augment(images, torch.zeros(5, dtype=torch.int64), torch.arange(5))
    assert torch.allclose(found, opened.preparation.prepare(images), atol=1e-6)


@pytest.mark.parametrize(
    "directives",
    ["rotate 9", "crop pad=4", "resize 40, crop", "crop scale=8%..100%", "resize 48x40, crop 32"],
)
def test_image_sizes_are_those_of_the_compiler(directives: str) -> None:
    plan = planned(directives)
    assert training_fit(plan).crop == size_when_read(plan)


def test_memory_can_be_reused() -> None:
    """With `reuse`, as the training loop has it, the same images come out."""
    text = SPEC + "augment { rotate 10, noise 0.05 }"
    opened = open_data(request(Source("small.cnn", text)).plan, Path())
    images = torch.randint(0, 256, (3000, 1, 8, 8), dtype=torch.uint8)
    labels, indices = torch.zeros(3000, dtype=torch.int64), torch.arange(3000)
    fresh, used = (augmenter(opened.plan, opened.preparation, reuse=one) for one in (False, True))
    assert fresh is not None
    assert used is not None
    for epoch in range(3):
        one, other = (each(images, labels, indices, epoch)[0] for each in (fresh, used))
        assert torch.equal(one, other)


# ---- the sheet ---------------------------------------------------------------------------------


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "small.cnn"
    path.write_text(SPEC + 'augment {\n  rotate 10\n  color brightness=0.2  # "<b>"\n  cutmix\n}\n')
    monkeypatch.chdir(tmp_path)
    return path


def test_the_sheet_shows_all_that_there_is(spec: Path) -> None:
    opened = open_data(request(Source("small.cnn", spec.read_text())).plan, Path())
    found = sheet(opened, images=5, epochs=3)
    assert [len(group.rows) for group in found.groups] == [1, 3, 8]
    assert [row.label for row in found.groups[2].rows] == [
        "rotate 10", "rotate: degrees -10", "rotate: degrees 10", "color brightness=0.2",
        "difference, 2 times as strong; gray is no change", "color: brightness 0.8",
        "color: brightness 1.2", "cutmix",
    ]  # fmt: skip
    assert found.names == ("0", "1", "2", "3", "4")
    original = found.groups[0].rows[0].images
    assert torch.equal(original[3], opened.image("train", in_turn(opened, 5)[3]))
    for row in found.groups[1].rows:
        assert all(image.shape == (1, 8, 8) for image in row.images)
        assert any(not torch.equal(*pair) for pair in zip(row.images, original, strict=True))
    assert len({bytes(row.images[0].numpy()) for row in found.groups[1].rows}) == 3


def test_both_ends_of_a_range_are_shown(spec: Path) -> None:
    """With that value alone: other ranges of the directive change nothing meanwhile."""
    text = SPEC + "augment { color brightness=0.2 contrast=0.5 p=10% }"
    opened = open_data(request(Source("small.cnn", text)).plan, Path())
    rows = {row.label: row.images for row in sheet(opened, images=5, epochs=1).groups[2].rows}
    original = torch.stack([opened.image("train", index) for index in in_turn(opened, 5)]).float()
    for label, factor in (("color: brightness 0.8", 0.8), ("color: brightness 1.2", 1.2)):
        wanted = (original * factor).clamp(0, 255)
        assert (torch.stack(rows[label]).float() - wanted).abs().max() <= 1, label
    assert {"color: contrast 0.5", "color: contrast 1.5"} < rows.keys()


def test_a_small_change_is_shown_amplified() -> None:
    """By a factor that is said; what has not changed is mid-gray."""
    before = [torch.full((1, 8, 8), 100, dtype=torch.uint8)] * 2
    after = [before[0].clone(), before[1] + 3]
    (row,) = difference(before, after)
    assert row.label == "difference, 32 times as strong; gray is no change"
    assert torch.equal(row.images[0], torch.full((1, 8, 8), 128, dtype=torch.uint8))
    assert torch.equal(row.images[1], torch.full((1, 8, 8), 128 + 3 * 32, dtype=torch.uint8))
    assert not list(difference(before, before)), "nothing has changed"
    assert not list(difference(before, [255 - image for image in before])), "it can be seen"
    assert not list(difference(before, [image[:, :4] for image in before]))


def test_the_sheet_as_a_picture(spec: Path, capfd: Capture) -> None:
    found = run(capfd, "augment", spec, "-o", "sheet.png", "--images", 4, "--epochs", 2)
    assert (found.code, found.out) == (0, "")
    assert "wrote sheet.png" in found.err
    with Image.open("sheet.png") as picture:
        assert picture.width > 4 * 96
        assert picture.height > 6 * 96
        colours = picture.convert("L").getextrema()
    assert colours == (0, 255)


def test_the_sheet_as_a_page(spec: Path, capfd: Capture) -> None:
    assert run(capfd, "augment", spec, "-o", "sheet.html", "--images", 3).code == 0
    page = Path("sheet.html").read_text(encoding="utf-8")
    assert page.count("<img ") == 3 * (1 + 6 + 8)
    assert "3 directives in 3 passes" in page
    assert "http://" not in page
    assert "https://" not in page


def test_errors_of_the_contact_sheet(spec: Path, capfd: Capture) -> None:
    found = run(capfd, "augment", spec, "-o", "sheet.jpg")
    assert found.code == 2
    assert ".png or .html" in found.err
    found = run(capfd, "augment", spec, "-o", "sheet.png", "--set", "augment=off")
    assert found.code == 1
    assert "error[no-augment]: the spec has no augmentation" in found.err
    found = run(capfd, "augment", spec, "-o", "nowhere/sheet.png")
    assert found.code == 1
    assert "cannot write nowhere/sheet.png" in found.err
    assert run(capfd, "augment", "missing.cnn", "-o", "sheet.png").code == 1
    assert not Path("sheet.png").exists()
