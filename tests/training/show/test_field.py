"""Measured receptive fields, against theory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from commands import run
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.source import Source
from dotcnn.training.show.measure.measured_field import measure_field
from dotcnn.training.show.subject import Subject, subject_of_spec

CPU = torch.device("cpu")


def subject(body: str, input: str = "1x33x33") -> Subject:
    text = f"network Net {{\n  input {input}\n{body}\n}}"
    return subject_of_spec(Source("net.cnn", text), "0", device=CPU)


def test_no_gradient_lies_outside_the_square_of_theory() -> None:
    net = subject("conv 4 3x3, relu, conv 4 3x3 stride=2, relu, conv 4 3x3")
    measured = measure_field(net, net.network.output)
    rows, columns = measured.rows, measured.columns
    inside = measured.gradient[rows[0] : rows[1] + 1, columns[0] : columns[1] + 1]
    assert float(inside.sum()) == pytest.approx(1)
    assert bool((inside > 0).all()), "every pixel of the square matters"
    assert float(measured.gradient.sum()) == pytest.approx(1)


def test_one_mean_is_spread_evenly() -> None:
    net = subject("pool avg 9x9 stride=1")
    measured = measure_field(net, net.network.output)
    values = measured.gradient[measured.gradient > 0]
    assert len(values) == 81
    assert float(values.max() / values.min()) == pytest.approx(1, abs=1e-6)
    assert measured.square == (12, 20, 12, 20)
    assert measured.half == pytest.approx((0.25, 0.25))


def test_many_means_are_narrow() -> None:
    """Twelve means one after the other come close to a normal distribution: of their 25 pixels, 95
    % of the weight is within two deviations, sqrt(12 * 2/3) = 2.83."""
    net = subject("repeat 12 { pool avg 3x3 stride=1 }")
    measured = measure_field(net, net.network.output)
    assert measured.rows[1] - measured.rows[0] + 1 == 25
    assert measured.square is not None
    assert measured.square[1] - measured.square[0] + 1 in (11, 13)
    assert measured.half[0] > 0.9


@pytest.mark.parametrize("size", ["2x2", "3x3", "6x6", "4x7", "16x16"])
def test_the_measured_square_lies_in_that_of_theory(size: str) -> None:
    """A mean is even, at odd and at even sizes: all of the square is needed, and its inner half has
    a quarter of the gradient."""
    net = subject(f"pool avg {size} stride=1")
    measured = measure_field(net, net.network.output)
    assert measured.square == measured.theory == (*measured.rows, *measured.columns)
    assert measured.half == pytest.approx((0.25, 0.25))


def test_at_a_border_an_even_gradient_is_not_a_quarter() -> None:
    """Half of the field lies in the padding: its inner half is more of what is left."""
    net = subject("conv 1 9x9 pad=8 stride=20", input="1x9x9")
    measured = measure_field(net, net.network.output)
    assert measured.half[1] != pytest.approx(0.25)
    assert measured.half[1] <= 1


def test_dead_layers_let_nothing_through() -> None:
    net = subject("filter [[-1]], relu, filter [[-1]], relu")
    measured = measure_field(net, net.network.output)
    assert measured.square is None


def test_a_layer_without_a_map() -> None:
    net = subject("flatten, fc 3")
    with pytest.raises(SpecError, match="has no map"):
        measure_field(net, net.network.output)


def test_the_command(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = run(capfd, "show", "resnet20", "layer1", "--field")
    assert result.code == 0
    assert "layer1.2.relu2" in result.out or "layer1.2" in result.out
    assert "95 % of the gradient" in result.out
    file = tmp_path / "field.png"
    assert run(capfd, "show", "lenet5", "--field", "-o", file).code == 0
    assert file.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    told = run(capfd, "show", "lenet5", "conv2", "--field", "--format", "json")
    (field,) = json.loads(told.out)["fields"]
    first, last = field["in_theory"]["rows"]
    assert last - first + 1 == 14, "5 of conv1, 2 of pool1, and 4 steps of 2 of conv2"
    top, bottom = field["square_of_95_percent"]["rows"]
    assert first <= top <= bottom <= last, "no gradient lies outside theory"
    assert field["center"] == [sum(field["in_theory"][axis]) / 2 for axis in ("rows", "columns")]


def test_how_many_layers_cover_an_image(capfd: pytest.CaptureFixture[str]) -> None:
    result = run(capfd, "show", "vgg16", "--cover", "1000")
    assert "sees 1,000 pixels along an axis, 3x3 convolutions like" in result.out
    assert "500 convolutions: 1,001 pixels" in result.out
    assert "9 convolutions and 8 pools" in result.out
