"""Reads .onnx files: the graph of a model with its tensors, also those in external data files."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from .bad_file import BadFile, damaged, guarded, too_large
from .open_file import open_regular, read_bytes, size_of
from .protobuf_wire import parts

MAX_BYTES = 2**31
"""The limit of protobuf itself."""
MAX_MESSAGES = 500_000
"""The most nodes and tensors: an empty one takes two bytes in a file, but hundreds in memory."""

_WRONG = "it is not an ONNX graph"
_GRAPH, _NODE, _TENSOR = 7, 1, 5
"""Field numbers of the graph in a model, and of nodes and tensors in the graph."""


def read_onnx(path: Path) -> Any:
    """The graph of a model with all its weights; raises BadFile."""
    return read_onnx_model(path).graph


def read_onnx_model(path: Path) -> Any:
    """A model with all its weights; raises BadFile."""
    try:
        import onnx
    except ImportError:
        raise BadFile("needs `onnx`", "missing-package", 'pip install "dotcnn[onnx]"') from None
    data = read_bytes(path, MAX_BYTES)
    if not data:
        raise damaged("it is empty")
    with guarded(_WRONG):
        _check_counts(memoryview(data))
        model = onnx.load_model_from_string(data)
    del data
    with guarded():
        _read_external(model.graph, path.parent, onnx.TensorProto.EXTERNAL)
    return model


def _check_counts(model: memoryview) -> None:
    """Counts the nodes and tensors of the graph without parsing them; raises BadFile for too
    many."""
    count = 0
    for field, part in parts(model, _WRONG):
        if field == _GRAPH:
            for inner, _ in parts(part, _WRONG):
                count += inner in (_NODE, _TENSOR)
                if count > MAX_MESSAGES:
                    raise too_large(f"has more than {MAX_MESSAGES:,} nodes and tensors")


def _read_external(graph: Any, folder: Path, external: int) -> None:
    """Reads weights that are in external files. These must be in the folder of the model, and all
    tensors together may not use more bytes than a file has."""
    left: dict[str, int] = {}
    for tensor in graph.initializer:
        if tensor.data_location != external:
            continue
        claimed = {entry.key: entry.value for entry in tensor.external_data}
        name = claimed.get("location", "")
        place = PurePosixPath(name.replace("\\", "/"))
        if not name or place.is_absolute() or ".." in place.parts:
            help = "save the model with its data beside it"
            raise BadFile(f"refers to data outside its folder ({name})", "code", help)
        try:
            with open_regular(folder / place) as file:
                size = size_of(file)
                start, length = int(claimed.get("offset", 0)), int(claimed.get("length", size))
                left[name] = left.get(name, size) - length
                if start < 0 or length < 0 or start + length > size or left[name] < 0:
                    raise damaged(f"it refers to more data in {name} than there is")
                file.seek(start)
                tensor.raw_data = file.read(length)
        except BadFile as error:
            if error.kind != "missing":
                raise
            help = f"put {name} into the same folder; it belongs to the model"
            raise BadFile(f"stores its data in {name}, which is missing", "missing", help) from None
        tensor.data_location = 0
        del tensor.external_data[:]
