"""The contact sheet of `cnn show`: which layers and channels are on it, and what gray means."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
import torch
from PIL import Image

from dotcnn.training.show.input_images import InputImage
from dotcnn.training.show.pictures.as_png import sheet_png
from dotcnn.training.show.pictures.contact_sheet import Gray, contact_sheet, gray_levels
from dotcnn.training.show.pictures.picture_sheet import Group, PictureSheet
from dotcnn.training.show.run import Shown, run_network

from .pages import HOSTILE, LAYERS, images_of, subject_of


def shown(spec: str, count: int = 1) -> Shown:
    subject = subject_of(spec)
    return run_network(subject, images_of(subject, count))


def captions(group: Group) -> list[str]:
    return [line for cell in group.cells for line in cell.caption]


def row(sheet: PictureSheet, title: str) -> Group:
    (group,) = (each for each in sheet.groups if each.title == title)
    return group


def test_layers_share_a_row_with_their_norm_and_activation() -> None:
    sheet = contact_sheet(shown(LAYERS, 2))
    titles = [group.title for group in sheet.groups]
    assert titles.count("input") == titles.count("answer") == 2
    assert "relu" not in titles
    conv = row(sheet, "conv1")
    assert conv.beside[0] == "conv 8 3x3 same · bn · relu"
    assert sorted(captions(conv)) == sorted([*map(str, range(8))] * 2), "both images side by side"
    assert sheet.subtitle.startswith("Gray is scaled")
    assert "initial random" in sheet.subtitle


def test_a_deep_network_is_folded_and_says_so() -> None:
    body = ", ".join(["conv 2 3x3 same, relu"] * 90)
    sheet = contact_sheet(shown(f"network deep {{ input 1x8x8, {body} }}\n"))
    convs = [group.title for group in sheet.groups if group.title.startswith("conv")]
    assert {"conv1", "conv90"} <= set(convs)
    assert len(convs) <= 64
    assert sheet.without().startswith("Not on this sheet, because it would be too long: conv")
    assert "-o page.html" in sheet.without()


def test_a_named_layer_shows_more_channels() -> None:
    wide = shown("network wide { input 1x8x8, conv 40 3x3, relu }\n")
    sheet = contact_sheet(wide, "abs", layers=[wide.subject.network.nodes[1]])
    strength = wide.outputs[1].abs().mean((0, 2, 3))
    assert captions(sheet.groups[-1]) == [
        str(n) for n in strength.argsort(descending=True).tolist()
    ]


def test_one_output_is_not_a_class() -> None:
    """The softmax of a single number is 1, whatever it is."""
    sheet = contact_sheet(shown("network one { input 1x8x8, flatten, fc 1 }\n"))
    assert "answer" not in [group.title for group in sheet.groups]


@pytest.mark.parametrize("gray", ["raw", "abs", "scaled"])
def test_what_gray_means(gray: Gray) -> None:
    values = torch.tensor([[-2.0, 0.0, 1.0]])
    levels = gray_levels(values, gray, (-4.0, 4.0)).tolist()
    assert levels == [{"raw": [64, 128, 159], "abs": [128, 0, 64], "scaled": [0, 170, 255]}[gray]]


def test_names_of_any_kind_and_numbers_that_are_none() -> None:
    seen = shown("network n { input 1x8x8, conv 2 3x3, flatten, fc 3 }\n")
    (image,) = seen.images
    named = InputImage("ツ" * 300 + HOSTILE, image.input, image.pixels, "é")
    seen.outputs[1][0, 0, 0, 0] = float("nan")
    seen.outputs[1][0, 1] = float("inf")
    picture = Image.open(io.BytesIO(sheet_png(contact_sheet(replace(seen, images=[named])))))
    assert picture.format == "PNG"
    assert picture.width < 1500
