"""Runs an ONNX file with onnxruntime, so that an imported network can be held against it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy


class Port(NamedTuple):
    """An input or an output of the file."""

    name: str
    turned: bool
    """It has its channels last there."""


def runner(
    model: Any, inputs: Sequence[Port], outputs: Sequence[Port], batch: int | None
) -> Callable[[Sequence[Any]], Sequence[Any]] | None:
    """Runs the model on a batch for each input, channels first; None if onnxruntime is missing or
    does not take the file. `batch` is the number of images that the file takes, if it is fixed."""
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = None
    for newer in (None, 13):
        try:
            session = onnxruntime.InferenceSession(
                _serialized(model, newer), options, providers=["CPUExecutionProvider"]
            )
            break
        except Exception:  # noqa: BLE001 (it has a dozen of its own; a file may be anything)
            continue
    if session is None:
        return None
    types = {each.name: _TYPES.get(each.type, numpy.float32) for each in session.get_inputs()}

    def part(arrays: Sequence[Any]) -> list[Any]:
        given = {
            port.name: _turned(each, port, back=True).astype(types.get(port.name, numpy.float32))
            for port, each in zip(inputs, arrays, strict=True)
        }
        found = session.run([port.name for port in outputs], given)
        return [_turned(each, port, back=False) for port, each in zip(outputs, found, strict=True)]

    def run(arrays: Sequence[Any]) -> Sequence[Any]:
        count = len(arrays[0])
        if batch is None:
            return part(arrays)
        pieces = []
        for start in range(0, count, batch):
            piece = [each[start : start + batch] for each in arrays]
            short = batch - len(piece[0])
            if short:
                piece = [numpy.concatenate([each, each[:1].repeat(short, 0)]) for each in piece]
            pieces.append([each[: batch - short] for each in part(piece)])
        return [numpy.concatenate(each) for each in zip(*pieces, strict=True)]

    return run


def _serialized(model: Any, newer: int | None) -> bytes:
    """The file, if need be in a later version: onnxruntime knows those from the seventh on."""
    if newer is not None:
        from onnx import version_converter

        model = version_converter.convert_version(model, newer)
    data: bytes = model.SerializeToString()
    return data


_TYPES = {"tensor(float16)": numpy.float16, "tensor(double)": numpy.float64}


def _turned(array: Any, port: Port, *, back: bool) -> Any:
    if not port.turned:
        return array
    array = numpy.moveaxis(array, 1, -1) if back else numpy.moveaxis(array, -1, 1)
    return numpy.ascontiguousarray(array)
