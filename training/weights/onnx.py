"""The weights in a graph of ONNX, by what they are for. The graph is read, not run.

Exporters name what they put together as they like (`onnx::Conv_193`). Which tensors are a layer,
and which of them is its bias, is said by the node that takes them; and so is the order.
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
"""What the inputs of a node are, in their order."""


def arrays_of(graph: Any) -> dict[str, Any]:
    """Of each tensor the array, in the order in which they are used; as torch has its axes."""
    from onnx import numpy_helper

    held = {tensor.name: tensor for tensor in graph.initializer}
    same = {}
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in held:  # one for several that are equal
            same[node.output[0]] = node.input[0]
    found: dict[str, Any] = {}
    used: set[str] = set()
    for node, name, key in _named(graph, {*held, *same}):
        tensor = held[same.get(name, name)]
        used.add(tensor.name)
        array = numpy_helper.to_array(tensor)
        found.setdefault(key, array.T if _outputs_last(node, array) else array)
    for name, tensor in held.items():
        if name not in used:
            found.setdefault(name, numpy_helper.to_array(tensor))
    return found


def _named(graph: Any, held: set[str]) -> Iterator[tuple[Any, str, str]]:
    """Of each tensor that a node takes: the node, the tensor's name, and what it is to be called,
    after the layer and what it is for there; as it is where that is not known."""
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
    """What it was called in the module, where a tensor says that; else what the graph calls it."""
    said = [prefix_of(name) for name in takes if role_of(name) and prefix_of(name)]
    if said and said[0] not in known:
        return said[0]
    return str(node.name) or f"{node.op_type}.{number}"


def _outputs_last(node: Any, array: Any) -> bool:
    """Whether a matrix has inputs x outputs, which torch has the other way around."""
    if array.ndim != 2 or node.op_type not in ("Gemm", "MatMul"):
        return False
    return not any(one.name == "transB" and one.i for one in node.attribute)
