"""`cnn predict` and `dotcnn.predict` with a network that answers for each pixel: masks in the size
of the images, PNG files, polygons, and large images by tiles."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

import dotcnn
from dotcnn import cli
from dotcnn.compiler.plan.evaluate import Tta
from dotcnn.training.data.images.preprocessing import Preparation
from dotcnn.training.data.images.resize import Fit
from dotcnn.training.inference.whole_image import WholeImages, classes_of
from dotcnn.training.masks.class_colors import class_colors
from dotcnn.training.masks.polygons import polygons
from dotcnn.training.masks.tiling import Tiling
from dotcnn.training.tasks.segmentation import Segmentation

from ..mask_sets import SIZE, mask_run, save, squares
from ..trained import small_run

Cnn = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cnn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Cnn:
    """A command in an empty folder, in which `run` is the run."""
    (tmp_path / "run").symlink_to(mask_run())
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = cli.main(list(arguments))
        return (code, *capfd.readouterr())

    return run


def write_images(folder: Path, count: int = 2, times: int = 2) -> list[numpy.ndarray]:
    """Images in several times the size of the network's input, and their masks."""
    masks = []
    for number in range(count):
        image, mask = squares(70 + number)
        large, wide = (each.repeat(times, 0).repeat(times, 1) for each in (image, mask))
        save(folder / f"{number}.png", large)
        masks.append(wide)
    return masks


def test_masks_have_the_size_of_the_images_and_fit_them(cnn: Cnn, tmp_path: Path) -> None:
    masks = write_images(tmp_path / "photos" / "deep")
    code, out, err = cnn("predict", "run", "photos", "-o", "found", "--overlay", "--polygons")
    assert (code, err.strip()) == (0, "wrote 2 masks into found")
    assert "background" in out
    for number, mask in enumerate(masks):
        with Image.open(tmp_path / "found" / "deep" / f"{number}.png") as picture:
            assert picture.mode == "P"
            found, painted = numpy.array(picture), numpy.array(picture.convert("RGB"))
        assert found.shape == mask.shape
        assert (found == mask).mean() > 0.9
        colors = class_colors(["background", "red", "blue"]).numpy()
        assert numpy.array_equal(painted, colors[found])
        with Image.open(tmp_path / "found" / "deep" / f"{number}_overlay.png") as overlay:
            assert overlay.size == mask.shape[::-1]
        outlines = json.loads((tmp_path / "found" / "deep" / f"{number}.json").read_text())
        assert sum(each["pixels"] for each in outlines["polygons"]) == mask.size


def test_without_a_folder_the_shares_are_printed(cnn: Cnn, tmp_path: Path) -> None:
    write_images(tmp_path / "photos", 1)
    code, out, err = cnn("predict", "run", "photos/0.png", "-n", "1")
    assert code == 0
    assert "photos/0.png" in out
    assert "2 other classes" in out
    assert "-o masks/ writes them" in err
    code, out, err = cnn("predict", "run", "photos/0.png", "--format", "json", "--polygons")
    (entry,) = json.loads(out)["images"]
    assert (entry["width"], entry["height"]) == (2 * SIZE[1], 2 * SIZE[0])
    assert sum(one["share"] for one in entry["predictions"]) == pytest.approx(1)
    assert {each["class"] for each in entry["polygons"]} <= {"background", "red", "blue"}


def test_files_of_others_are_kept(cnn: Cnn, tmp_path: Path) -> None:
    write_images(tmp_path / "photos", 1)
    code, _, err = cnn("predict", "run", "photos", "-o", "photos")
    assert code == 2
    assert "is an image already" in err
    save(tmp_path / "found" / "0.png", numpy.zeros((2, 2), numpy.uint8))
    code, _, err = cnn("predict", "run", "photos", "-o", "found")
    assert code == 2
    assert "--force" in err
    for options in (["--force"], []):  # the second time it is a mask of its own
        assert cnn("predict", "run", "photos", "-o", "found", *options)[0] == 0


def test_images_of_the_same_name_get_files_of_their_own(cnn: Cnn, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_images(tmp_path / folder, 1)
    assert cnn("predict", "run", "a/0.png", "b/0.png", "-o", "found")[0] == 0
    assert sorted(path.name for path in (tmp_path / "found").iterdir()) == ["0.png", "0_2.png"]


def test_a_bad_image_is_named_and_the_others_go_on(cnn: Cnn, tmp_path: Path) -> None:
    write_images(tmp_path / "photos", 2)
    (tmp_path / "photos" / "1.png").write_bytes(b"not an image")
    code, _, err = cnn("predict", "run", "photos", "-o", "found")
    assert code == 1
    assert "photos/1.png: not an image" in err
    assert (tmp_path / "found" / "0.png").exists()
    assert not (tmp_path / "found" / "1.png").exists()


def test_a_network_that_classifies_images_has_no_masks(
    cnn: Cnn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(tmp_path / "photos", 1)
    code, _, err = cnn("predict", str(small_run()), "photos", "-o", "found")
    assert code == 2
    assert "answers for whole images" in err


def test_from_python() -> None:
    image, mask = squares(70)
    (one,) = dotcnn.predict(mask_run(), image)
    assert one.mask is not None
    assert (one.mask.dtype, one.mask.shape) == (torch.uint8, SIZE)
    assert (one.mask.numpy() == mask).mean() > 0.9
    assert one.guesses == ()
    assert one.shares[0].name == "background"
    assert sum(each.pixels for each in one.shares) == mask.size


# ---- whole images of any size ----------------------------------------------------------------


class Local(nn.Module):
    """A network whose answers depend on each pixel alone: tiles cannot be seen in them."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([images, images.sum(1, keepdim=True)], 1)


def whole(fit: Fit, tta: Tta | None = None, modules: int = 1) -> WholeImages:
    preparation = Preparation(3, fit, 1 / 255, (0.0,) * 3, (1.0,) * 3)
    task = Segmentation(("a", "b", "c", "d"))
    return WholeImages([Local()] * modules, preparation, task, torch.device("cpu"), tta, batch=3)


@pytest.mark.parametrize("size", [(16, 16), (17, 16), (40, 23), (16, 90), (5, 70)])
def test_tiles_cover_an_image_without_seams(size: tuple[int, int]) -> None:
    images = torch.randint(256, (2, 3, *size), dtype=torch.uint8)
    fit = Fit(16, "bilinear", (16, 16))
    resized = fit.whole(images)
    expected = Local()(resized / 255)
    assert torch.allclose(whole(fit).outputs(images), expected, atol=1e-5)


def test_tiles_overlap_and_are_evenly_spaced() -> None:
    rows, corners = Tiling((16, 16)).starts((16, 100))
    assert rows == [0]
    assert corners[0] == 0
    assert corners[-1] == 84
    steps = [after - before for before, after in pairwise(corners)]
    assert max(steps) <= 12
    assert max(steps) - min(steps) <= 1


def test_mirrored_views_are_mirrored_back() -> None:
    images = torch.randint(256, (1, 3, 16, 16), dtype=torch.uint8)
    fit = Fit((16, 16), "bilinear", (16, 16))
    plain, views = whole(fit).outputs(images), whole(fit, Tta(flip=True)).outputs(images)
    assert torch.allclose(views, plain.log_softmax(1), atol=1e-5)


def test_several_scales_and_networks_are_averaged() -> None:
    images = torch.full((1, 3, 16, 24), 100, dtype=torch.uint8)
    fit = Fit((16, 24), "bilinear", (16, 24))
    plain = whole(fit).outputs(images)
    views = whole(fit, Tta(scales=(0.5, 1.0, 1.5)), modules=2).outputs(images)
    assert torch.allclose(views, plain.log_softmax(1), atol=1e-5)


def test_classes_of_a_larger_image_are_those_of_interpolated_outputs() -> None:
    outputs = torch.randn(5, 7, 9)
    larger = F.interpolate(outputs[None], (20, 31), mode="bilinear", align_corners=False)
    assert torch.equal(classes_of(outputs, (20, 31)), larger[0].argmax(0).to(torch.uint8))


# ---- polygons --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_filled_polygons_are_the_mask(seed: int) -> None:
    random = numpy.random.default_rng(seed)
    height, width = random.integers(1, 9, 2)
    mask = random.integers(0, 2 + seed % 2, (height, width)).astype(numpy.uint8)
    filled = numpy.full(mask.shape, 99)
    for one in polygons(torch.from_numpy(mask), 3):
        inside = numpy.zeros(mask.shape, bool)
        for ring in (one.outline, *one.holes):
            for (x, y), (right, low) in zip(ring, ring[1:] + ring[:1], strict=True):
                assert x == right or y == low
                if x == right:
                    inside[min(y, low) : max(y, low), x:] ^= True
        assert inside.sum() == one.pixels
        assert (filled[inside] == 99).all()
        filled[inside] = one.number
    assert numpy.array_equal(filled, mask)


def test_a_hole_belongs_to_the_region_around_it() -> None:
    """A ring, in it a ring of the same class: two polygons, each with a hole."""
    mask = torch.zeros(9, 9, dtype=torch.uint8)
    mask[1:8, 1:8] = 1
    mask[2:7, 2:7] = 0
    mask[3:6, 3:6] = 1
    mask[4, 4] = 0
    outer, inner = [one for one in polygons(mask, 2) if one.number == 1]
    assert (outer.pixels, inner.pixels) == (24, 8)
    assert [len(outer.holes), len(inner.holes)] == [1, 1]
    assert outer.outline == [(1, 1), (8, 1), (8, 8), (1, 8)]
