"""ONNX files of many tools: each becomes a spec whose outputs are those of onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

from dotcnn.compiler.importing.import_network import Imported, import_network
from dotcnn.compiler.importing.readers import Given, format_of
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.importing.imported_weights import compared
from importing.onnx_nets import NETS, Builder


def imported(model: Any, folder: Path, *, partial: bool = False, **options: Any) -> Imported:
    file = folder / "net.onnx"
    file.write_bytes(model.SerializeToString())
    format = format_of(file.name)
    assert format is not None
    found = import_network(Given(str(file), **options), format, partial=partial)
    return compared(found)


@pytest.mark.parametrize("name", NETS)
def test_outputs_are_those_of_onnxruntime(name: str, tmp_path: Path) -> None:
    model = NETS[name]()
    assert "random images are those of the original" in imported(model, tmp_path).compared


def test_the_first_versions_broadcast_along_an_axis_that_they_name(tmp_path: Path) -> None:
    b = Builder(2, 3, 8, 8)
    bias = b.weight(8)
    x = b.add("Add", b.conv("x", 3, 8, 3, bias=False), bias, broadcast=1, axis=1)
    found = imported(b.model(x, opset=6), tmp_path)
    assert "conv 8 3x3\n" in found.body
    assert found.weights["conv.bias"].shape == (8,)


def test_what_cannot_be_said_is_listed_with_its_node(tmp_path: Path) -> None:
    b = Builder("batch", 3, 8, 8)
    scale, zero = b.weight(value=numpy.float32(0.1)), b.weight(value=numpy.uint8(3))
    x = "x"
    for _ in range(2):
        x = b.add("QuantizeLinear", x, scale, zero)
        x = b.conv(b.add("DequantizeLinear", x, scale, zero), 3, 3, 3)
    with pytest.raises(SpecError) as error:
        imported(b.model(x), tmp_path)
    first = error.value.diagnostics[0]
    assert first.message == (
        "`QuantizeLinear` cannot be said here, 2 times: the network is quantized: export it before"
        " that, in floating point"
    )
    assert first.span is not None
    assert first.span.source.line(first.span.line).startswith("QuantizeLinear(x, w0, w1) -> ")
