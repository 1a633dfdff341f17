"""Reads the weights of an ONNX model as a state dict. The graph is read, not run.

Exporters may give tensors any name (`onnx::Conv_193`). The nodes that use the tensors show which of
them form a layer, which is the weight and which the bias, and their order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from .match.layer import prefix_of, role_of

_NORM = ("", "weight", "bias", "running_mean", "running_var")
_ROLES: dict[str, tuple[str, ...]] = {
    "Conv": ("", "weight", "bias"),
    "ConvTranspose": ("", "weight", "bias"),
    "Gemm": ("", "weight", "bias"),
    "MatMul": ("", "weight"),
    "BatchNormalization": _NORM,
    "InstanceNormalization": _NORM[:3],
    "LayerNormalization": _NORM[:3],
    "PRelu": ("", "weight"),
}
"""The roles of the inputs of a node, in order."""


def arrays_of(graph: Any) -> dict[str, Any]:
    """The arrays by key, in the order of their use; axes in the order of torch."""
    from onnx import numpy_helper

    held = {tensor.name: tensor for tensor in graph.initializer}
    same = {}
    for node in graph.node:
        # Exporters store equal tensors once.
        if node.op_type == "Identity" and node.input[0] in held:
            same[node.output[0]] = node.input[0]
    arrays: dict[str, Any] = {}
    used: set[str] = set()
    for node, name, key in _named(graph, {*held, *same}):
        tensor = held[same.get(name, name)]
        used.add(tensor.name)
        array = numpy_helper.to_array(tensor)
        arrays.setdefault(key, array.T if _outputs_last(node, array) else array)
    for name, tensor in held.items():
        if name not in used:
            arrays.setdefault(name, numpy_helper.to_array(tensor))
    return arrays


def _named(graph: Any, held: set[str]) -> Iterator[tuple[Any, str, str]]:
    """For each use of a tensor: the node, the tensor's name, and its key, of layer and role; if the
    role is unknown, its name."""
    layers: dict[str, str] = {}
    known: set[str] = set()
    for number, node in enumerate(graph.node):
        takes = [name for name in node.input if name in held]
        if node.op_type == "Identity" or not takes:
            continue
        layer = _layer(node, takes, number, known)
        roles = _ROLES.get(node.op_type, ())
        before = next((layers[name] for name in node.input if name in layers), "")
        if node.op_type == "Add" and before:
            layer, roles = before, ("bias", "bias")
        for place, name in enumerate(node.input):
            if name in held:
                role = roles[place] if place < len(roles) else ""
                yield node, name, f"{layer}.{role}" if role else name
        if node.op_type in ("Conv", "Gemm", "MatMul"):
            layers[node.output[0]] = layer
            known.add(layer)


def _layer(node: Any, takes: Sequence[str], number: int, known: Collection[str]) -> str:
    """The name of the layer in the module, if a tensor has it; else the name of the node."""
    prefixes = [prefix_of(name) for name in takes if role_of(name) and prefix_of(name)]
    if prefixes and prefixes[0] not in known:
        return prefixes[0]
    return str(node.name) or f"{node.op_type}.{number}"


def _outputs_last(node: Any, array: Any) -> bool:
    """Whether a matrix is inputs x outputs; that of torch is outputs x inputs."""
    if array.ndim != 2 or node.op_type not in ("Gemm", "MatMul"):
        return False
    return not any(one.name == "transB" and one.i for one in node.attribute)
