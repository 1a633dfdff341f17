"""Runs an ONNX file with onnxruntime, so that an imported network can be held against it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any, NamedTuple

import numpy

from ....compiler.shapes import Shape
from ..imported_weights import WrongPrecision

_FLOAT, _HALF, _DOUBLE, _BRAIN = 1, 10, 11, 16


class Port(NamedTuple):
    """An input or an output of the file."""

    name: str
    turned: bool
    """It has its channels last there."""
    shape: Shape = ()
    """Of an input, channels first."""


Run = Callable[[Sequence[Any]], Sequence[Any]]


def runner(
    model: Any, inputs: Sequence[Port], outputs: Sequence[Port], batch: int | None
) -> Run | None:
    """Runs the model on a batch for each input, channels first; None if onnxruntime is missing, or
    does not run the file. `batch` is the number of images that the file takes, if it is fixed."""
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    trial = [numpy.zeros((batch or 1, *port.shape), numpy.float32) for port in inputs]
    for form in (_sized, _single, _newer):
        try:
            data = form(model, inputs, batch).SerializeToString()
            with redirect_stdout(StringIO()):  # it prints what it raises
                session = onnxruntime.InferenceSession(
                    data, options, providers=["CPUExecutionProvider"]
                )
            run = _run(session, inputs, outputs, batch)
            run([each.astype(numpy.float64) for each in trial] if _doubles(session) else trial)
        except Exception:  # noqa: BLE001 (it has a dozen of its own; a file may be anything)
            continue
        return run
    return None


def _doubles(session: Any) -> bool:
    return any(each.type == "tensor(double)" for each in session.get_inputs())


def _run(session: Any, inputs: Sequence[Port], outputs: Sequence[Port], batch: int | None) -> Run:
    doubles = _doubles(session)

    def part(arrays: Sequence[Any]) -> list[Any]:
        given = {
            port.name: _turned(each, port, back=True)
            for port, each in zip(inputs, arrays, strict=True)
        }
        found = session.run([port.name for port in outputs], given)
        return [_turned(each, port, back=False) for port, each in zip(outputs, found, strict=True)]

    def run(arrays: Sequence[Any]) -> Sequence[Any]:
        if any((each.dtype == numpy.float64) != doubles for each in arrays):
            raise WrongPrecision
        if batch is None:
            return part(arrays)
        pieces = []
        for start in range(0, len(arrays[0]), batch):
            piece = [each[start : start + batch] for each in arrays]
            short = batch - len(piece[0])
            if short:
                piece = [numpy.concatenate([each, each[:1].repeat(short, 0)]) for each in piece]
            pieces.append([each[: batch - short] for each in part(piece)])
        return [numpy.concatenate(each) for each in zip(*pieces, strict=True)]

    return run


def _turned(array: Any, port: Port, *, back: bool) -> Any:
    if not port.turned:
        return array
    array = numpy.moveaxis(array, 1, -1) if back else numpy.moveaxis(array, -1, 1)
    return numpy.ascontiguousarray(array)


# ---- the file, so that onnxruntime takes it -----------------------------------------------------


def _sized(model: Any, inputs: Sequence[Port], batch: int | None) -> Any:
    """For images of the sizes that were asked for. Halves become numbers of 32 bits, as the weights
    are kept here."""
    copy = type(model)()
    copy.CopyFrom(model)
    wanted = {port.name: port for port in inputs}
    for value in copy.graph.input:
        port = wanted.get(value.name)
        if port is not None:
            dims = value.type.tensor_type.shape
            sizes = [*port.shape[1:], port.shape[0]] if port.turned else port.shape
            changed = [each.dim_value for each in dims.dim][1:] != list(sizes)
            if changed:
                del dims.dim[:]
                dims.dim.add(dim_value=batch) if batch else dims.dim.add(dim_param="images")
                for size in sizes:
                    dims.dim.add(dim_value=size)
                del copy.graph.value_info[:]
                for output in copy.graph.output:
                    output.type.tensor_type.ClearField("shape")
    return _changed(copy, {_HALF, _BRAIN})


def _single(model: Any, inputs: Sequence[Port], batch: int | None) -> Any:
    """In single precision: onnxruntime has not all operators in double."""
    return _changed(_sized(model, inputs, batch), {_DOUBLE})


def _newer(model: Any, inputs: Sequence[Port], batch: int | None) -> Any:
    """In a later version: onnxruntime knows those from the seventh on."""
    from onnx import version_converter

    return version_converter.convert_version(_sized(model, inputs, batch), 13)


def _changed(model: Any, kinds: set[int]) -> Any:
    """The model itself, with numbers of 32 bits in the place of some others."""
    from onnx import numpy_helper

    tensors = [*model.graph.initializer]
    for node in [node for body in (model.graph, *model.functions) for node in body.node]:
        for each in node.attribute:
            if each.HasField("t"):
                tensors.append(each.t)
            if each.name == "to" and each.i in kinds:
                each.i = _FLOAT
    for tensor in tensors:
        if tensor.data_type in kinds:
            array = numpy_helper.to_array(tensor).astype(numpy.float32)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        if value.type.tensor_type.elem_type in kinds:
            value.type.tensor_type.elem_type = _FLOAT
    for value in model.graph.value_info:
        if value.type.tensor_type.elem_type in kinds:
            value.type.tensor_type.elem_type = _FLOAT
    return model
