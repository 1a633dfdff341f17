"""Weights in a graph of ONNX: what is a layer, and what is its bias, is said by the nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.weights.onnx import arrays_of
from dotcnn.training.weights.read import read_weights

onnx = pytest.importorskip("onnx")


def graph(*nodes: Any, **held: numpy.ndarray[Any, Any]) -> Any:
    tensors = [onnx.numpy_helper.from_array(array, name=name) for name, array in held.items()]
    return onnx.helper.make_graph(list(nodes), "net", [], [], initializer=tensors)


def node(kind: str, takes: str, gives: str, name: str = "", **more: Any) -> Any:
    return onnx.helper.make_node(kind, takes.split(), [gives], name=name, **more)


def numbers(*shape: int) -> numpy.ndarray[Any, Any]:
    return numpy.random.default_rng(len(shape)).random(shape, dtype=numpy.float32)


def test_a_layer_is_what_a_node_takes() -> None:
    """In the order of the nodes, whatever the tensors are called."""
    found = arrays_of(
        graph(
            node("Conv", "x 193 194", "y", "/stem/Conv"),
            node("BatchNormalization", "y s b m v", "z"),
            v=numbers(4), m=numbers(4), b=numbers(4), s=numbers(4),
            **{"194": numbers(4), "193": numbers(4, 3, 1, 1)},
        )
    )  # fmt: skip
    assert list(found) == [
        "/stem/Conv.weight",
        "/stem/Conv.bias",
        *(
            f"BatchNormalization.1.{role}"
            for role in ("weight", "bias", "running_mean", "running_var")
        ),
    ]


def test_names_that_say_what_they_are_stay() -> None:
    """And a bias that an optimiser has added belongs to the weight that it stands beside."""
    found = arrays_of(
        graph(
            node("Conv", "x conv1.weight conv1.weight_bias", "y", "node_Conv_291"),
            **{"conv1.weight": numbers(4, 3, 1, 1), "conv1.weight_bias": numbers(4)},
        )
    )
    assert list(found) == ["conv1.weight", "conv1.bias"]


def test_matrices_are_as_torch_has_them() -> None:
    """Outputs first; a sum behind a product is its bias."""
    weight, bias = numbers(3, 5), numbers(5)
    found = arrays_of(
        graph(node("MatMul", "x w", "y", "fc"), node("Add", "y b", "z", "sum"), w=weight, b=bias)
    )
    assert list(found) == ["fc.weight", "fc.bias"]
    assert (found["fc.weight"] == weight.T).all()
    plain = arrays_of(graph(node("Gemm", "x w b", "y", "fc"), w=weight, b=bias))
    assert (plain["fc.weight"] == weight.T).all()
    turned = arrays_of(graph(node("Gemm", "x w b", "y", "fc", transB=1), w=weight.T, b=bias))
    assert (turned["fc.weight"] == weight.T).all()


def test_one_tensor_for_several_layers() -> None:
    """Exporters keep what is equal once."""
    zeros, first, second = numpy.zeros(4, numpy.float32), numbers(4, 3, 1, 1), numbers(4, 4, 1, 1)
    found = arrays_of(
        graph(
            node("Identity", "zeros", "again"),
            node("Conv", "x a.weight zeros", "y", "one"),
            node("Conv", "y b.weight again", "z", "two"),
            **{"zeros": zeros, "a.weight": first, "b.weight": second},
        )
    )
    assert list(found) == ["a.weight", "a.bias", "b.weight", "b.bias"]
    assert (found["b.bias"] == 0).all()


def test_what_no_node_takes_is_there_as_well() -> None:
    assert list(arrays_of(graph(spare=numbers(3)))) == ["spare"]


def test_half_as_many_bits(tmp_path: Path) -> None:
    """bfloat16, which numpy does not know."""
    tensor = onnx.helper.make_tensor("w", onnx.TensorProto.BFLOAT16, [2], [1.5, -2.0])
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "net", [], [], [tensor])),
              tmp_path / "a.onnx")  # fmt: skip
    assert read_weights(tmp_path / "a.onnx")["w"].tolist() == [1.5, -2.0]


def test_a_tensor_that_is_not_all_there(tmp_path: Path) -> None:
    tensor = onnx.numpy_helper.from_array(numbers(4), name="w")
    tensor.dims[0] = 10**12
    model = onnx.helper.make_model(onnx.helper.make_graph([], "net", [], [], [tensor]))
    (tmp_path / "a.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(SpecError) as caught:
        read_weights(tmp_path / "a.onnx")
    assert caught.value.diagnostics[0].code == "weights-damaged"
