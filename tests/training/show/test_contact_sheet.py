"""The contact sheet of `cnn show`: which layers and channels are on it, and that it can be read."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from dotcnn.training.show.input_images import InputImage
from dotcnn.training.show.pictures import contact_sheet as sheet
from dotcnn.training.show.pictures.contact_sheet import sheet_png
from dotcnn.training.show.subject import Subject

from .pages import HOSTILE, LAYERS, images_of, subject_of


def outputs_of(subject: Subject, images: list[InputImage]) -> dict[int, Tensor]:
    with torch.inference_mode():
        return subject.layers(torch.stack([image.input for image in images]))


def texts_of(monkeypatch: pytest.MonkeyPatch, *arguments: Any, **options: Any) -> list[str]:
    """The lines of a sheet."""
    written: dict[str, None] = {}
    text = sheet._Sheet._text

    def noted(self: Any, x: int, y: int, line: str, *others: Any) -> None:
        written[line] = None
        text(self, x, y, line, *others)

    monkeypatch.setattr(sheet._Sheet, "_text", noted)
    png = sheet_png(*arguments, **options)
    picture = Image.open(io.BytesIO(png))
    assert picture.format == "PNG"
    assert picture.width < 1500
    return list(written)


def test_layers_share_a_row_with_their_norm_and_activation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    subject = subject_of(LAYERS)
    images = images_of(subject, 2)
    lines = texts_of(monkeypatch, subject, images, outputs_of(subject, images))
    assert "conv1" in lines
    assert "conv 8 3x3 same · bn · relu" in lines
    assert "relu" not in lines
    assert any(line.startswith("Gray is scaled") for line in lines)
    assert any("initial random" in line for line in lines)


def test_a_deep_network_is_folded_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    body = ", ".join(["conv 2 3x3 same, relu"] * 90)
    subject = subject_of(f"network deep {{ input 1x8x8, {body} }}\n")
    images = images_of(subject)
    lines = texts_of(monkeypatch, subject, images, outputs_of(subject, images))
    assert {"conv1", "conv90"} <= set(lines)
    assert sum(line.startswith("conv") and line[4:].isdigit() for line in lines) <= 64
    assert any(line.startswith("Not on this sheet") for line in lines)


def test_a_named_layer_shows_more_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = subject_of("network wide { input 1x8x8, conv 40 3x3, relu }\n")
    images = images_of(subject)
    outputs = outputs_of(subject, images)
    node = subject.network.nodes[1]
    lines = texts_of(monkeypatch, subject, images, outputs, "abs", layers=[node])
    assert {str(channel) for channel in range(40)} <= set(lines)


@pytest.mark.parametrize("style", ["raw", "abs", "scaled"])
def test_what_gray_means(style: sheet.Style) -> None:
    values = torch.tensor([[-2.0, 0.0, 1.0]])
    levels = sheet._levels(values, style, (-4.0, 4.0)).tolist()
    assert levels == [{"raw": [64, 128, 159], "abs": [128, 0, 64], "scaled": [0, 170, 255]}[style]]


def test_names_of_any_kind_and_numbers_that_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = subject_of("network n { input 1x8x8, conv 2 3x3, flatten, fc 3 }\n")
    (image,) = images_of(subject)
    named = InputImage("ツ" * 300 + HOSTILE, image.input, image.pixels, "é")
    outputs = outputs_of(subject, [named])
    outputs[1] = outputs[1].clone()
    outputs[1][0, 0, 0, 0] = float("nan")
    outputs[1][0, 1] = float("inf")
    lines = texts_of(monkeypatch, subject, [named], outputs)
    assert any("ツ" in line for line in lines)
