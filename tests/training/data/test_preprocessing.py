"""Preprocessing compared with torchvision, and measured mean and deviation."""

from __future__ import annotations

import math
from pathlib import Path

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dotcnn.compiler.plan import plan
from dotcnn.training.data.images.image_file import BadImage
from dotcnn.training.data.images.pixel_statistics import counted, mean_and_std
from dotcnn.training.data.images.preprocessing import NoPreparation, Preparation
from dotcnn.training.data.images.resize import Fit, evaluation_fit, training_fit
from dotcnn.training.data.loader.order import sample
from dotcnn.training.runtime.import_torchvision import torchvision

from .sets import fill, network, opened, picture, planned, spec


def random_image(channels: int, height: int, width: int) -> torch.Tensor:
    """The same for a size, whatever was drawn before."""
    size = (channels, height, width)
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, size, generator=generator, dtype=torch.uint8)


# ---- size ------------------------------------------------------------------------------------


def as_pillow(image: torch.Tensor) -> Image.Image:
    return Image.fromarray(image.permute(1, 2, 0).numpy())


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize(("height", "width"), [(33, 50), (50, 33), (20, 20), (9, 100), (16, 16)])
@pytest.mark.parametrize("resize", [16, 19, (20, 24)])
def test_sizes_are_those_of_torchvision(
    mode: str, height: int, width: int, resize: int | tuple[int, int]
) -> None:
    """Resize and CenterCrop of a picture of Pillow's, to within a level. Bicubic ones overshoot,
    and Pillow cuts that off between its two passes: of noise, single pixels are up to 7 off."""
    transforms = torchvision("transforms")
    image = random_image(3, height, width)
    to = transforms.InterpolationMode
    how = {"bilinear": to.BILINEAR, "bicubic": to.BICUBIC, "nearest": to.NEAREST_EXACT}[mode]
    steps = transforms.Compose([transforms.Resize(resize, how), transforms.CenterCrop(16)])
    found = Fit(resize, mode, (16, 16))(image)
    if mode == "nearest":
        assert torch.equal(found, steps(image))
        return
    expected = torch.from_numpy(numpy.array(steps(as_pillow(image)))).permute(2, 0, 1)
    assert found.shape == expected.shape
    off = (found.int() - expected.int()).abs()
    assert off.max() <= (1 if mode == "bilinear" else 7)
    assert off.float().mean() < 0.3


@given(st.integers(1, 60), st.integers(1, 60), st.integers(4, 30), st.integers(1, 4))
def test_what_comes_out_is_what_the_network_takes(
    height: int, width: int, side: int, crop: int
) -> None:
    fit = Fit(side, "bilinear", (crop, crop))
    assert fit(torch.zeros((1, height, width), dtype=torch.uint8)).shape == (1, crop, crop)
    assert fit.resized(height, width) == tuple(
        side if size == min(height, width) else int(side * size / min(height, width))
        for size in (height, width)
    )


def test_what_is_very_long_is_refused() -> None:
    with pytest.raises(BadImage, match="would be enlarged to"):
        Fit(224, "bilinear", (224, 224))(torch.zeros((1, 1, 10**6), dtype=torch.uint8))


def test_given_and_default_preprocessing() -> None:
    plain = evaluation_fit(planned("digits", input="1x8x8"))
    assert plain == Fit(8, "bilinear", (8, 8))
    assert plain.leaves(8, 8)
    large = evaluation_fit(planned("imagenet", input="3x224x224"))
    assert large == Fit(256, "bilinear", (224, 224))
    said = planned(
        "imagenet", input="3x64x48", more="evaluate { resize 80x60 mode=bicubic, crop 64x48 }"
    )
    assert evaluation_fit(said) == Fit((80, 60), "bicubic", (64, 48))


def test_where_parts_are_cut_out_in_training_there_is_more_of_the_image() -> None:
    """Of arrays, all that the resize leaves, as a square; the crop then is the augmentation's."""

    def fit(augment: str) -> Fit:
        return training_fit(planned("stl10", input="3x224x224", more=augment))

    assert fit("") == fit("augment { flip horizontal }") == Fit(256, "bilinear", (224, 224))
    assert fit("augment { crop 224 scale=0.35..1 }") == Fit(256, "bilinear", (256, 256))
    assert fit("augment { resize 300, crop 224 }") == Fit(300, "bilinear", (300, 300))


# ---- numbers ---------------------------------------------------------------------------------


def prepared(more: str, images: torch.Tensor, measured: tuple[float, ...] = (0.0,)) -> torch.Tensor:
    channels = images.shape[1]
    made = planned("imagenet", input=f"{channels}x8x8", head="10", more=more)
    return Preparation.of(made, measured, (1.0,)).prepare(images)


def test_presets_are_the_published_formulas() -> None:
    images = random_image(3, 8, 8)[None]
    transforms = torchvision("transforms.functional")
    unit = images.float() / 255
    expected = transforms.normalize(unit, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    torch.testing.assert_close(prepared("evaluate { normalize imagenet }", images), expected)
    torch.testing.assert_close(prepared("evaluate { normalize none }", images), unit)
    torch.testing.assert_close(prepared("evaluate { normalize inception }", images), unit * 2 - 1)
    blue_first = images.float().flip(1) - torch.tensor([103.939, 116.779, 123.68]).view(3, 1, 1)
    torch.testing.assert_close(prepared("evaluate { normalize caffe }", images), blue_first)
    own = "evaluate { normalize mean=(1, 2, 3) std=2 scale=1 }"
    expected = (images.float() - torch.tensor([1.0, 2, 3]).view(3, 1, 1)) / 2
    torch.testing.assert_close(prepared(own.replace("std=2", "std=(2, 2, 2)"), images), expected)


def test_one_number_stands_for_all_channels() -> None:
    images = random_image(3, 8, 8)[None]
    found = prepared("evaluate { normalize mean=0.5 std=0.25 }", images)
    torch.testing.assert_close(found, (images.float() / 255 - 0.5) / 0.25)


def test_measured_numbers_are_those_of_the_images_to_learn_from(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 20, "b": 20})
    found = opened(f'folder "{tmp_path}"')
    images = found.stores["train"].images.double() / 255  # type: ignore[union-attr]
    assert found.preparation.mean == pytest.approx(images.mean((0, 2, 3)).tolist(), abs=1e-6)
    assert found.preparation.std == pytest.approx(
        images.transpose(0, 1).flatten(1).std(1, correction=0).tolist(), abs=1e-6
    )
    every = found.preparation.prepare(found.stores["train"].images)  # type: ignore[union-attr]
    assert every.dtype == torch.float32
    torch.testing.assert_close(every.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    deviation = every.transpose(0, 1).flatten(1).std(1)
    torch.testing.assert_close(deviation, torch.ones(3), atol=1e-3, rtol=0)
    streamed = opened(f'folder "{tmp_path}"', opening={"budget": 0})
    assert streamed.preparation == found.preparation


def test_measured_with_blue_first(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 20, "b": 20})
    plain = opened(f'folder "{tmp_path}"').preparation
    turned = opened(f'folder "{tmp_path}"', more="evaluate { normalize measured order=bgr }")
    assert turned.preparation.mean == plain.mean[::-1]
    images = turned.stores["train"].images  # type: ignore[union-attr]
    torch.testing.assert_close(turned.preparation.prepare(images), plain.prepare(images).flip(1))


def test_a_channel_that_never_changes() -> None:
    counts = counted(torch.full((5, 1, 4, 4), 51, dtype=torch.uint8))
    assert mean_and_std(counts, 1 / 255) == ((0.2,), (1.0,))


@given(st.lists(st.integers(0, 255), min_size=1, max_size=50))
def test_counted_numbers(values: list[int]) -> None:
    images = torch.tensor(values, dtype=torch.uint8).view(-1, 1, 1, 1)
    (mean,), (std,) = mean_and_std(counted(images), 1.0)
    assert mean == pytest.approx(float(numpy.mean(values)), rel=1e-5, abs=1e-5)
    expected = float(numpy.std(values)) or 1.0
    assert math.isclose(std, expected, rel_tol=1e-5)


def test_of_large_sets_a_part_of_everywhere_is_counted() -> None:
    assert sample(100, 100).tolist() == list(range(100))
    part = sample(2**20, 2**9)
    assert len(part) == 2**9
    assert part.min() < 2**13
    assert part.max() > 2**20 - 2**13


# ---- as text ---------------------------------------------------------------------------------


def test_preprocessing_survives_a_round_trip_through_json(tmp_path: Path) -> None:
    """With a run, so that images are met the same way ever after."""
    fill(tmp_path / "set", {"a": 9, "b": 9})
    found = opened('folder "set"', tmp_path, more="evaluate { resize 12x10, normalize caffe }")
    preparation = found.preparation
    assert Preparation.from_json(preparation.to_json()) == preparation
    lines = preparation.lines()
    again = plan(network(spec("digits", more="evaluate {\n" + "\n".join(lines) + "\n}"), tmp_path))
    assert Preparation.of(again, (), ()) == preparation
    picture(4, (30, 20)).save(tmp_path / "one.png")
    image = preparation.image(tmp_path / "one.png")
    assert image.shape == (3, 8, 8)
    assert torch.equal(image, preparation.image((tmp_path / "one.png").read_bytes()))


@pytest.mark.parametrize("text", ["", "{}", "[]", "3", '{"format": 1}', "[" * 9999])
def test_text_that_is_not_a_preprocessing_record(text: str) -> None:
    with pytest.raises(NoPreparation):
        Preparation.from_json(text)


def test_numbers_that_do_not_fit_each_other() -> None:
    well = Preparation(1, Fit(8, "bilinear", (8, 8)), 1 / 255, (0.5,), (0.5,)).to_json()
    for old, new in [('"channels": 1', '"channels": 3'), ('"rgb"', '"xyz"'), ("0.5\n", "0\n")]:
        assert old in well
        with pytest.raises(NoPreparation):
            Preparation.from_json(well.replace(old, new))
