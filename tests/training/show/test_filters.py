"""`--filters`: which weights are shown of which layer, and how."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dotcnn.compiler.report.style import Style
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.show.choose_layer import choose_layer
from dotcnn.training.show.learned.layer_filters import (
    Filters,
    filters_lines,
    filters_of,
    filters_sheet,
)
from dotcnn.training.show.pictures.as_html import sheet_page
from dotcnn.training.show.pictures.as_png import sheet_png
from dotcnn.training.show.pictures.colors import filter_pictures
from dotcnn.training.show.subject import Subject

from .looking import subject


def sets(subject: Subject, layer: str) -> list[Filters]:
    return filters_of(subject, choose_layer(subject, layer, "--filters"))


def lines(filters: Filters) -> str:
    return "\n".join(filters_lines(filters, Style(120)))


@pytest.mark.parametrize(
    ("body", "layer", "shape", "kind"),
    [
        ("conv 8 5x3", "conv", (8, 3, 5, 3), "color"),
        ("bn, conv 8 3x3", "conv", (8, 3, 3, 3), "color"),
        ("conv 8, conv 50 3x3", "conv2", (50, 8, 3, 3), "rows"),
        ("conv 8, conv 300 1x1", "conv2", (300, 8, 1, 1), "matrix"),
        ("conv 8, depthwise 3x3", "depthwise", (8, 1, 3, 3), "tiles"),
        ("conv 8, conv 6 3x3 groups=2", "conv2", (6, 4, 3, 3), "rows"),
        ("conv 8, deconv 6 2x2 stride=2", "deconv", (6, 8, 2, 2), "rows"),
        ("flatten, fc 10", "fc", (10, 3, 8, 8), "color"),
        ("conv 8, relu, flatten, dropout 0.1, fc 10", "fc", (10, 8, 8, 8), "rows"),
        ("flatten, fc 9, relu, fc 5", "fc2", (5, 9, 1, 1), "matrix"),
        ("conv 8, pool avg global, flatten, fc 5", "fc", (5, 8, 1, 1), "matrix"),
        ("filter sobel_x, conv 2", "filter", (1, 1, 3, 3), "tiles"),
    ],
)
def test_filters_of_any_layer(body: str, layer: str, shape: tuple[int, ...], kind: str) -> None:
    looked = subject(body, "3x8x8")
    (filters,) = sets(looked, layer)
    assert filters.weights.shape == shape
    kinds = {"color": filters.colors, "matrix": filters.is_matrix, "tiles": filters.is_picture}
    assert next((name for name, holds in kinds.items() if holds), "rows") == kind
    sheet = filters_sheet(looked, [filters])
    assert sheet_png(sheet).startswith(b"\x89PNG")
    assert "data:image/png" in sheet_page(sheet)
    assert lines(filters)


def test_a_separable_convolution_has_two_sets() -> None:
    looked = subject("conv 4, separable 6 3x3 same")
    depthwise, pointwise = sets(looked, "separable")
    assert depthwise.weights.shape == (4, 1, 3, 3)
    assert pointwise.weights.shape == (6, 4, 1, 1)
    assert pointwise.is_matrix


def test_a_deconvolution_in_groups_has_the_filters_of_each_output() -> None:
    looked = subject("conv 4, deconv 6 3x3 groups=2")
    (filters,) = sets(looked, "deconv")
    weight = looked.module.get_parameter("deconv.weight").detach()
    assert filters.weights.shape == (6, 2, 3, 3)
    assert torch.equal(filters.weights[4, 1], weight[3, 1])
    assert filters.input_of(4, 1) == 3


def test_a_fully_connected_layer_is_seen_as_the_map_that_it_reads() -> None:
    looked = subject("conv 2, flatten, fc 5")
    (filters,) = sets(looked, "fc")
    weight = looked.module.get_parameter("fc.weight").detach()
    assert torch.equal(filters.weights[3, 1], weight[3].view(2, 16, 16)[1])


def test_blue_first_is_shown_as_the_colors_that_they_are() -> None:
    looked = subject("conv 4 3x3")
    bgr = replace(looked, image_preparation=replace(looked.preparation, order="bgr"))
    (filters,), (flipped,) = sets(looked, "conv"), sets(bgr, "conv")
    assert torch.equal(filters.weights.flip(1), flipped.weights)


def test_zero_has_the_same_color_in_every_filter() -> None:
    weights = torch.tensor([[1.0, 0.0], [-0.01, 0.0]]).view(2, 1, 1, 2)
    pictures, reach = filter_pictures(weights)
    assert torch.equal(pictures[0, :, 0, 1], pictures[1, :, 0, 1])
    assert pictures[0, 0, 0, 0] > pictures[0, 2, 0, 0], "above zero it is orange"
    assert pictures[1, 0, 0, 0] < pictures[1, 2, 0, 0], "below zero it is blue"
    torch.testing.assert_close(reach, torch.tensor([1.0, 0.01]))
    colors, _ = filter_pictures(torch.zeros(1, 3, 2, 2))
    assert set(colors.flatten().tolist()) == {128}


def test_few_small_filters_are_numbers() -> None:
    looked = subject("conv 4 3x3")
    with torch.no_grad():
        looked.module.get_parameter("conv.weight")[2] = torch.arange(27.0).view(3, 3, 3)
    printed = lines(sets(looked, "conv:2")[0])
    assert "filter 2" in printed
    assert "  input green" in printed
    assert ["9", "10", "11"] in [line.split() for line in printed.splitlines()]


def test_filters_that_learned_nothing_are_counted() -> None:
    looked = subject("conv 9 3x3")
    with torch.no_grad():
        looked.module.get_parameter("conv.weight")[[1, 5]] = 0
    assert "2 filters are almost zero" in lines(sets(looked, "conv")[0])


def test_if_not_all_are_shown_it_is_said() -> None:
    looked = subject("conv 200 3x3")
    (filters,) = sets(looked, "conv")
    assert len(filters.shown) == 128
    assert list(filters.shown) == sorted(filters.shown)
    page = sheet_page(filters_sheet(looked, [filters]))
    assert "Shown: the 128 with the largest norm of 200" in page


@pytest.mark.parametrize(
    ("layer", "message"),
    [("relu", "the closest layer that has some is `conv`"), ("input", "has no filters")],
)
def test_layers_without_filters(layer: str, message: str) -> None:
    with pytest.raises(SpecError) as raised:
        sets(subject("conv 2, relu, flatten, fc 2"), layer)
    assert message in str(raised.value)


def test_random_filters_are_refused_and_fixed_ones_are_not() -> None:
    looked = subject("filter sobel_x, conv 2", learned=False)
    with pytest.raises(SpecError, match="needs a trained network"):
        sets(looked, "conv")
    assert "2" in lines(sets(looked, "filter")[0])


@pytest.mark.parametrize(
    ("input", "conv", "said", "picture"),
    [
        ("2x12", "conv 3 5", "3 filters of 2x5", (3, 2, 1, 5)),
        ("1x6x8x8", "conv 2 3x5x5", "2 filters of 1x3x5x5", (2, 1, 5, 15)),
        ("3x6x8x8", "conv 2 3x5x5", "2 filters of 3x3x5x5", (2, 3, 5, 15)),
    ],
)
def test_filters_of_series_and_volumes(
    input: str, conv: str, said: str, picture: tuple[int, ...]
) -> None:
    looked = subject(f"{conv}\npool avg global, flatten, fc 2", input)
    (filters,) = filters_of(looked, choose_layer(looked, "conv", "--filters"))
    assert said in filters.described()
    assert filters.weights.shape == picture
    weights = looked.module.get_submodule("conv").weight
    if len(picture) == 4 and weights.ndim == 5:  # slice 1 stands beside slice 0
        assert torch.equal(filters.weights[0, 0, :, 5:10], weights[0, 0, 1].detach())
    assert filters_sheet(looked, [filters]).groups
    assert list(filters_lines(filters, Style()))
