"""ONNX files of many tools: each becomes a spec whose outputs are those of onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest
from onnx import TensorProto, helper

from dotcnn.compiler.importing.import_network import Imported, import_network
from dotcnn.compiler.importing.readers import Given, format_of
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.importing.from_onnx import onnx_reader
from dotcnn.training.importing.from_onnx.onnx_reader import module_path
from dotcnn.training.importing.imported_weights import compared
from importing.onnx_nets import NETS, Builder, function


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
        "`QuantizeLinear` cannot be said here, 2 times: the network is quantized; export it as it"
        " is before that, in floating point"
    )
    assert first.span is not None
    assert first.span.source.line(first.span.line).startswith("QuantizeLinear(x, w0, w1) -> ")


def broken(name: str) -> Any:
    """A file that is wrong."""
    b = Builder("batch", 3, 8, 8)
    output = b.conv("x", 3, 4)
    match name:
        case "circle":
            b.nodes += [
                helper.make_node("Relu", ["b"], ["a"]),
                helper.make_node("Relu", ["a"], ["b"]),
            ]
        case "two of a name":
            b.nodes += [helper.make_node("Relu", ["x"], [output])]
        case "nobody's input":
            output = b.add("Relu", "nothing")
        case "nobody's output":
            output = "nothing"
        case "size":
            b.weights[0].dims[0] = 2**62
        case "short":
            b.weights[0].raw_data = b.weights[0].raw_data[:-4]
        case "outside":
            b.weights[0].data_location = 1
            b.weights[0].ClearField("raw_data")
            b.weights[0].external_data.add(key="location", value="../../secret")
        case "recursion":
            nodes = [helper.make_node("F", ["x"], ["y"], domain="local")]
            b.functions.append(function("F", nodes, ["x"], ["y"]))
            output = b.add("F", output, domain="local")
        case "too many":
            for at in range(40):
                nodes = [
                    helper.make_node(f"F{at + 1}", ["x"], ["a"], domain="local"),
                    helper.make_node(f"F{at + 1}", ["a"], ["y"], domain="local"),
                ]
                b.functions.append(function(f"F{at}", nodes, ["x"], ["y"]))
            output = b.add("F0", output, domain="local")
        case "constant":
            output = b.add("Add", output, b.add("ConstantOfShape", b.ints(2**40)))
        case "stride":
            output = b.conv(output, 4, 4, strides=[0, 1])
        case "channels":
            output = b.conv(output, 5, 4)
        case "reshape":
            output = b.add("Reshape", output, b.ints(5, 7))
        case "nothing given":
            b.inputs[0].type.tensor_type.shape.dim[2].dim_param = "height"
    return b.model(output)


BROKEN = {
    "circle": "this node needs its own output",
    "two of a name": "`conv_0_0` is given by two nodes",
    "nobody's input": "it reads `nothing`, which no node before it gives",
    "nobody's output": "no node gives the output `nothing`",
    "size": "`w0` has 432 bytes, and its shape needs 498,062,089,990,157,893,632",
    "short": "`w0` has 428 bytes, and its shape needs 432",
    "outside": "refers to data outside its folder (../../secret)",
    "recursion": "the function `F` calls itself",
    "too many": "this network has more than 300 nodes, with its functions",
    "constant": "`ConstantOfShape` cannot be said here: it computes too many numbers",
    "stride": "its numbers are not those of a window",
    "channels": "weights for 5 channels meet 4",
    "reshape": "9,216 numbers do not make 5x7".replace("9,216", f"{61 * 4 * 36:,}"),
    "nothing given": "nothing says the size of `x`",
}


@pytest.mark.parametrize("name", BROKEN)
def test_wrong_files_are_refused_where_they_are_wrong(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_reader, "MAX_NODES", 300)
    with pytest.raises(SpecError) as error:
        imported(broken(name), tmp_path)
    first = error.value.diagnostics[0]
    assert BROKEN[name] in first.message
    assert first.span is not None or name == "outside"


def test_the_size_of_the_input_may_be_given(tmp_path: Path) -> None:
    found = imported(broken("nothing given"), tmp_path, input_shape=(3, 9, 10))
    assert "input 3x9x10" in found.body
    assert "random images are those" in found.compared


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_weights_of_16_and_64_bits(kind: int, tmp_path: Path) -> None:
    b = Builder("batch", 3, 8, 8, kind=kind)
    found = imported(b.model(b.add("Relu", b.conv("x", 3, 4))), tmp_path)
    assert "in 32 bits" in found.compared  # onnxruntime has no convolution in 64


def test_weights_beside_the_file(tmp_path: Path) -> None:
    b = Builder("batch", 3, 8, 8)
    model = b.model(b.conv("x", 3, 4))
    onnx.save(
        model, tmp_path / "net.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )
    format = format_of("net.onnx")
    assert format is not None
    found = compared(import_network(Given(str(tmp_path / "net.onnx")), format))
    assert "random images are those" in found.compared


def test_names_of_modules() -> None:
    names = {
        ("/layer1/layer1.0/conv2/Conv", "Conv"): "layer1.0.conv2",
        ("/features/features.3/features.3.1/Relu", "Relu"): "features.3.1",
        ("/Flatten", "Flatten"): "",
        ("Conv_17", "Conv"): "",
        ("node_conv2d_3", "Conv"): "",
        ("model/block1/conv1/Conv2D__12", "Conv"): "model.block1.conv1.Conv2D",
        ("resnetv17_conv0_fwd", "Conv"): "",
        ("pool5", "MaxPool"): "pool5",
    }
    assert {key: module_path(*key) for key in names} == names


def test_operators_that_are_called_like_functions_of_a_program(tmp_path: Path) -> None:
    b = Builder("batch", 3, 8, 8)
    with pytest.raises(SpecError, match="`relu` cannot be said here, 2 times"):
        imported(b.model(b.add("relu", b.add("relu", b.conv("x", 3, 4)))), tmp_path)


def test_maps_that_no_memory_holds_are_not_run(tmp_path: Path) -> None:
    b = Builder("batch", 3, 8, 8)
    x = b.conv("x", 3, 4)
    for _ in range(25):
        x = b.add("Concat", x, x, axis=1)
    assert imported(b.model(x), tmp_path).compared == ""
