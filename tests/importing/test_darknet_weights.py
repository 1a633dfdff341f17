"""Weights of Darknet: in the order of its layers, whatever its header, and refused where they end
early or late.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import pytest

from dotcnn.compiler.importing.import_network import Imported, import_network
from dotcnn.compiler.importing.readers import Given, format_of
from dotcnn.dsl.diagnostics import SpecError

Array = Any
CFG = """\
[net]
height=4
width=4
channels=2
[convolutional]
filters=3
size=3
batch_normalize=1
activation=leaky
[convolutional]
filters=2
size=1
activation=linear
[connected]
output=5
batch_normalize=1
activation=linear
"""
SHAPES = (
    ("conv", (3,), (3,), (3,), (3,), (3, 2, 3, 3)),  # biases, scales, means, variances, filters
    ("conv", (2,), (2, 3, 1, 1)),
    ("fc", (5,), (5, 8), (5,), (5,), (5,)),
)


def arrays() -> list[list[Array]]:
    random = numpy.random.default_rng(0)
    return [
        [random.uniform(0.1, 1, shape).astype("<f4") for shape in shapes] for _, *shapes in SHAPES
    ]


def packed(
    layers: Sequence[Sequence[Array]], header: bytes = struct.pack("<3iq", 0, 2, 5, 7)
) -> bytes:
    return header + b"".join(each.tobytes() for layer in layers for each in layer)


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    path = tmp_path / "small.cfg"
    path.write_text(CFG)
    return path


def imported(cfg: Path, data: bytes) -> Imported:
    file = cfg.with_suffix(".weights")
    file.write_bytes(data)
    format = format_of(str(cfg))
    assert format is not None
    return import_network(Given(str(cfg), weights=str(file)), format)


def problem(cfg: Path, data: bytes) -> str:
    with pytest.raises(SpecError) as caught:
        imported(cfg, data)
    (one,) = caught.value.diagnostics
    return f"{one.span.line if one.span else 0}: {one.message}"


def test_weights_lie_where_darknet_has_them(cfg: Path) -> None:
    conv, plain, fc = layers = arrays()
    for header in (
        struct.pack("<3iq", 0, 2, 5, 7),
        struct.pack("<3ii", 0, 1, 0, 7),
    ):
        made = imported(cfg, packed(layers, header))
        one, norm, two, three, last = (each for each in made.graph.layers if each.weights)
        assert (one.weights["weight"] == conv[4]).all()
        assert (norm.weights["bias"] == conv[0]).all()
        assert (norm.weights["weight"] == conv[1]).all()
        assert (norm.weights["running_mean"] == conv[2]).all()
        assert (norm.weights["running_var"] == conv[3]).all()
        assert (two.weights["bias"] == plain[0]).all()
        assert (three.weights["weight"] == fc[1]).all()
        assert (last.weights["bias"] == fc[0]).all()
        assert (last.weights["running_var"] == fc[4]).all()


def test_the_first_files_have_matrices_the_other_way_round(cfg: Path) -> None:
    layers = arrays()
    matrix = layers[2][1]
    layers[2][1] = numpy.ascontiguousarray(matrix.T)
    made = imported(cfg, packed(layers, struct.pack("<3ii", 1001, 0, 0, 7)))
    fc = next(each for each in made.graph.layers if each.op.word == "fc")
    assert (fc.weights["weight"] == matrix).all()


def test_files_that_are_cut_early(cfg: Path) -> None:
    message = problem(cfg, packed(arrays()[:1]))
    assert message.startswith("10: small.weights ends before this layer")
    assert message.endswith("none for the last 2 layers")
    data = packed(arrays())
    assert problem(cfg, data[:-20]).startswith("14: small.weights ends within the weights")
    assert "ends within a number" in problem(cfg, data[:-1])
    assert "8 numbers more than" in problem(cfg, data + bytes(32))
    assert "is damaged" in problem(cfg, data[:10])


def test_weights_of_another_network(cfg: Path) -> None:
    layers = arrays()
    layers[0][3][1] = -1
    assert "`rolling_variance` of `[convolutional] in line 5` has variances below 0" in problem(
        cfg, packed(layers)
    )
    layers[0][3][1] = numpy.inf
    assert "infinite or NaN" in problem(cfg, packed(layers))


def test_what_comes_after_a_layer_that_cannot_be_said(tmp_path: Path) -> None:
    cfg = tmp_path / "small.cfg"
    cfg.write_text(CFG + "[yolo]\n")
    file = cfg.with_suffix(".weights")
    file.write_bytes(packed(arrays()))
    format = format_of(str(cfg))
    assert format is not None
    made = import_network(Given(str(cfg), weights=str(file)), format, partial=True)
    assert made.graph.has_weights
