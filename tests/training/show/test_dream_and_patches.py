"""`--dream` and `--patches`: what excites a channel."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image

from dotcnn.compiler.report.style import Style
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.show.choose_layer import Chosen, choose_layer
from dotcnn.training.show.data_images import data_images
from dotcnn.training.show.learned.dream import dream, dream_lines, dream_sheet
from dotcnn.training.show.learned.patches import cut_out, patches, patches_lines, patches_sheet
from dotcnn.training.show.pictures.as_html import sheet_page
from dotcnn.training.show.pictures.as_png import sheet_png
from dotcnn.training.show.subject import Subject

from .looking import subject


def chosen(subject: Subject, written: str) -> Chosen:
    return choose_layer(subject, written, "--patches")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve dark images; image n has a bright pixel at row n, column 3, of brightness 100 + n."""
    below = tmp_path / "images" / "below"
    below.mkdir(parents=True)
    for number in range(12):
        pixels = numpy.full((16, 16, 3), 10, dtype=numpy.uint8)
        pixels[number, 3] = 100 + number
        Image.fromarray(pixels).save(below / f"{number:02}.png")
    (below / "broken.png").write_bytes(b"not an image")
    return tmp_path / "images"


def brightest(body: str = "conv 2 3x3 same") -> Subject:
    """The first channel is the brightness of the middle pixel, the second its opposite."""
    looked = subject(body)
    with torch.no_grad():
        weight = looked.module.get_parameter("conv.weight").zero_()
        weight[0, :, 1, 1], weight[1, :, 1, 1] = 1.0, -1.0
        looked.module.get_parameter("conv.bias").zero_()
    return looked


# ---- patches -----------------------------------------------------------------------------------


def test_the_patches_with_the_largest_values_best_first(folder: Path) -> None:
    looked = brightest()
    images = data_images(looked, str(folder))
    found = patches(looked, chosen(looked, "conv:0"), images, count=4)
    (channel,) = found.channels
    assert [Path(patch.name).name for patch in channel.patches] == [
        "11.png", "10.png", "09.png", "08.png",
    ]  # fmt: skip
    best = channel.patches[0]
    assert best.position == (11, 3)
    assert (best.rows, best.columns) == ((10, 12), (2, 4))
    assert best.value == pytest.approx(3 * 111 / 255)
    assert cut_out(best).shape == (3, 3, 3)
    assert cut_out(best)[:, 1, 1].tolist() == [111, 111, 111]
    assert found.searched == 12
    assert len(found.bad) == 1
    lines = "\n".join(patches_lines(looked, found, Style(120)))
    assert "11,3" in lines
    assert "broken.png" in lines
    sheet = patches_sheet(looked, found)
    assert sheet_png(sheet).startswith(b"\x89PNG")
    assert "11.png" in sheet_page(sheet)


def test_a_patch_at_the_border_is_clipped(folder: Path) -> None:
    looked = brightest()
    images = data_images(looked, str(folder))
    found = patches(looked, chosen(looked, "conv:0"), images, count=12)
    last = found.channels[0].patches[-1]
    assert last.position == (0, 3)
    assert last.rows == (0, 1)
    assert cut_out(last).shape == (3, 2, 3)


def test_of_equal_values_the_first_images_win(folder: Path) -> None:
    looked = brightest()
    images = data_images(looked, str(folder))
    found = patches(looked, chosen(looked, "conv:1"), images, count=3)
    assert [patch.image for patch in found.channels[0].patches] == [0, 1, 2]


def test_of_a_vector_the_whole_image_is_seen(folder: Path) -> None:
    looked = brightest("conv 2 3x3 same, pool avg global, flatten")
    images = data_images(looked, str(folder))
    found = patches(looked, chosen(looked, "flatten"), images)
    assert len(found.channels) == 2
    patch = found.channels[0].patches[0]
    assert patch.position is None
    assert cut_out(patch).shape == (3, 16, 16)


def test_data_without_images(tmp_path: Path, folder: Path) -> None:
    looked = brightest()
    with pytest.raises(SpecError, match="add `--data DIR`"):
        data_images(looked, None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SpecError, match="there are no images in"):
        data_images(looked, str(tmp_path / "empty"))
    only = data_images(looked, str(folder / "below" / "broken.png"))
    with pytest.raises(SpecError, match="no image of"):
        patches(looked, chosen(looked, "conv"), only)


# ---- dreams ------------------------------------------------------------------------------------


def test_a_dream_excites_more_than_any_image(folder: Path) -> None:
    looked = brightest()
    images = data_images(looked, str(folder))
    found = dream(looked, chosen(looked, "conv"), images=images, steps=25)
    assert all(each.mean > each.start for each in found.dreams)
    bright, dark = found.dreams
    assert bright.best_mean is not None
    assert bright.best_greatest is not None
    assert bright.mean > bright.best_mean
    assert bright.greatest > bright.best_greatest
    assert float(bright.picture[:, 8, 8].float().mean()) > 250
    assert float(dark.picture[:, 8, 8].float().mean()) < 5
    lines = "\n".join(dream_lines(looked, found, Style(120)))
    assert "best patch" in lines
    assert sheet_png(dream_sheet(looked, found)).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("body", "input", "layer"),
    [
        ("conv 8 3x3, relu, pool max 2x2, conv 8 3x3, relu", "3x16x16", "relu2:5"),
        ("conv 8 3x3, relu, flatten, fc 4, softmax", "1x8x8", "softmax:2"),
        ("flatten, fc 4", "5x3x7", "fc"),
        ("flatten, fc 4", "1x2x1", "fc"),
    ],
)
def test_the_same_seed_draws_the_same_picture(body: str, input: str, layer: str) -> None:
    looked = subject(body, input)
    first, again = (dream(looked, chosen(looked, layer), steps=5) for _ in range(2))
    assert all(
        torch.equal(one.picture, other.picture)
        for one, other in zip(first.dreams, again.dreams, strict=True)
    )
    assert first.dreams[0].picture.shape == looked.network.input.shape, "not smaller"
    other = dream(looked, chosen(looked, layer), steps=5, seed=1)
    assert not torch.equal(first.dreams[0].picture, other.dreams[0].picture)


def test_a_dead_channel_is_not_drawn() -> None:
    looked = subject("conv 2 3x3, relu, conv 2 3x3")
    with torch.no_grad():
        looked.module.get_parameter("conv2.weight")[1] = 0
    found = dream(looked, chosen(looked, "conv2"), steps=3)
    assert [each.dead for each in found.dreams] == [False, True]
    assert "Nothing was drawn for 1" in "\n".join(dream_lines(looked, found, Style(100)))


def test_random_weights_are_refused() -> None:
    looked = subject("conv 2 3x3", learned=False)
    with pytest.raises(SpecError, match="needs a trained network"):
        dream(looked, chosen(looked, "conv"))
    with pytest.raises(SpecError, match="is the image itself"):
        dream(subject("conv 2 3x3"), chosen(looked, "input"))


def test_a_layer_that_sees_little_has_a_smaller_picture() -> None:
    looked = subject(
        "conv 2 3x3, relu, pool max 2x2, conv 2 3x3, pool avg global, flatten", "3x96x80"
    )
    found = dream(looked, chosen(looked, "conv1:0"), steps=2)
    assert found.dreams[0].picture.shape == (3, 32, 32)
    found = dream(looked, chosen(looked, "flatten:0"), steps=1)
    assert found.dreams[0].picture.shape == (3, 96, 80)
