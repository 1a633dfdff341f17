"""Splits a network in two: a frozen part, computed once for each image, and a trained part.

    cut = cut_at(network, module, frozen)
    rows = cut.early(module)(images)          # images x numbers
    logits = cut.late(module)(rows)

Both parts use the layers of the module itself, so training the late part changes the module.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from ...compiler.network import Network
from ...compiler.network import Node as Layer
from ..optim.precision import FULL, Precision
from ..runtime.eval_mode import evaluating


class _Tracer(fx.Tracer):
    """Traces a module without looking inside its layers, which may behave differently in
    training."""

    def __init__(self, layers: Collection[str]) -> None:
        super().__init__()
        self._layers = layers

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return name in self._layers or super().is_leaf_module(module, name)


@dataclass(frozen=True, eq=False)
class Cut:
    graph: fx.Graph
    early_nodes: frozenset[fx.Node]
    """The nodes that are not trained and do not depend on trained ones."""
    border: tuple[fx.Node, ...]
    """Those of them whose outputs the late part uses: the features."""
    shapes: tuple[tuple[int, ...], ...]
    """The shape of each feature, for one image."""
    dtypes: tuple[torch.dtype, ...]
    """The type in which each feature is computed."""
    channels: tuple[int, ...]
    """Those of each input: a sample has them one after the other."""

    @property
    def numbers(self) -> int:
        """The number of values that are kept for each image."""
        return sum(map(prod, self.shapes))

    def early(self, module: nn.Module) -> nn.Module:
        return _early(module, self.graph, self.early_nodes, self.border, self.channels)

    def late(self, module: nn.Module) -> nn.Module:
        """The late part. It takes rows of features, also with two more axes of size 1, which make
        them look like images."""
        graph = fx.Graph()
        known: dict[fx.Node, fx.Node] = {}
        rows = graph.call_method("flatten", (graph.placeholder("rows"), 1))
        pieces = graph.call_method("split", (rows, [prod(shape) for shape in self.shapes], 1))
        parts = zip(self.border, self.shapes, self.dtypes, strict=True)
        for place, (node, shape, dtype) in enumerate(parts):
            piece = graph.call_method("to", (graph.call_function(_item, (pieces, place)), dtype))
            known[node] = graph.call_method("unflatten", (piece, 1, shape))
        for node in self.graph.nodes:
            if node.op not in ("placeholder", "output") and node not in self.early_nodes:
                known[node] = graph.node_copy(node, known.__getitem__)
            elif node.op == "output":
                graph.output(fx.node.map_arg(node.args[0], known.__getitem__))
        return fx.GraphModule(module, graph)


def _item(pieces: tuple[Tensor, ...], place: int) -> Tensor:
    return pieces[place]


def cut_at(
    network: Network, module: nn.Module, frozen: Collection[int], precision: Precision = FULL
) -> Cut | None:
    """Splits a network after its frozen layers. None if the first layers are not frozen, or the
    network cannot be split there."""
    layers = network.by_name
    graph = _Tracer(layers).trace(module)
    early: set[fx.Node] = set()
    for node in graph.nodes:
        alone = node.op != "output" and not _changes(node, module, layers, frozen)
        if alone and all(source in early for source in node.all_input_nodes):
            early.add(node)
    border = tuple(
        node
        for node in graph.nodes
        if node in early and any(user not in early for user in node.users)
    )
    # The late part may use an input itself where others have features.
    if all(node.op == "placeholder" for node in border):
        return None
    channels = tuple(node.shape[0] for node in network.inputs)
    if len(channels) == 1 and any(node.op == "placeholder" for node in border):
        return None
    sample = (sum(channels), *network.input.shape[1:])
    with precision.autocast(next(module.parameters()).device) or nullcontext():
        values = _border_values(module, graph, frozenset(early), border, channels, sample)
    if not all(
        isinstance(value, Tensor) and value.ndim > 1 and len(value) == _PROBES for value in values
    ):
        return None
    return Cut(
        graph,
        frozenset(early),
        border,
        tuple(tuple(value.shape[1:]) for value in values),
        tuple(value.dtype for value in values),
        channels,
    )


_PROBES = 2
"""The number of images with which the shapes of the features are determined."""


def _changes(
    node: fx.Node, module: nn.Module, layers: dict[str, Layer], frozen: Collection[int]
) -> bool:
    """Whether the output of a node changes during training, or is random."""
    if node.op == "get_attr":
        owner = layers.get(str(node.target).rpartition(".")[0])
        return owner is None or owner.index not in frozen
    if node.op != "call_module":
        return False
    layer = layers.get(str(node.target))
    if layer is None:
        part = module.get_submodule(str(node.target))
        return any(True for _ in part.parameters()) or any(True for _ in part.buffers())
    if layer.index in frozen:
        return False
    trained = any(weight.trainable for weight in layer.weights)
    has_statistics = layer.op.kind == "norm" and bool(layer.weights)
    random = layer.op.kind == "dropout" or layer.op.word == "pool stochastic"
    return trained or has_statistics or random


def _inputs(graph: fx.Graph, into: fx.Graph, channels: tuple[int, ...]) -> dict[fx.Node, fx.Node]:
    """The inputs of a graph in another one, which takes samples: all inputs as one."""
    given = [node for node in graph.nodes if node.op == "placeholder"]
    if len(given) == 1:
        return {given[0]: into.node_copy(given[0])}
    pieces = into.call_method("split", (into.placeholder("samples"), list(channels), 1))
    return {node: into.call_function(_item, (pieces, place)) for place, node in enumerate(given)}


def _early(
    module: nn.Module,
    graph: fx.Graph,
    early: Collection[fx.Node],
    border: tuple[fx.Node, ...],
    channels: tuple[int, ...],
) -> fx.GraphModule:
    early_graph = fx.Graph()
    known = _inputs(graph, early_graph, channels)
    for node in graph.nodes:
        if node in early and node not in known:
            pool = module.get_submodule(str(node.target)) if node.op == "call_module" else None
            if isinstance(pool, nn.MaxPool2d) and not pool.return_indices:
                how = (pool.kernel_size, pool.stride, pool.padding, pool.dilation, pool.ceil_mode)
                known[node] = early_graph.call_function(max_pool, (known[node.args[0]], *how))
            else:
                known[node] = early_graph.node_copy(node, known.__getitem__)
    flat = [early_graph.call_method("flatten", (known[node], 1)) for node in border]
    early_graph.output(early_graph.call_function(torch.cat, (flat, 1)))
    return fx.GraphModule(module, early_graph)


def max_pool(
    maps: Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool
) -> Tensor:
    """Max pooling with the same result as `nn.MaxPool2d`. On a CPU, the maps are converted to
    channels-last and back, because torch is several times slower in the other layout."""
    if maps.device.type == "cpu" and maps.ndim == 4:
        given, maps = maps, maps.contiguous(memory_format=torch.channels_last)
        pooled = F.max_pool2d(maps, kernel, stride, padding, dilation, ceil)
        return pooled if maps is given else pooled.contiguous()
    return F.max_pool2d(maps, kernel, stride, padding, dilation, ceil)


def _border_values(
    module: nn.Module,
    graph: fx.Graph,
    early: Collection[fx.Node],
    border: tuple[fx.Node, ...],
    channels: tuple[int, ...],
    shape: tuple[int, ...],
) -> list[Any]:
    """The features of images of zeros."""
    early_graph = fx.Graph()
    known = _inputs(graph, early_graph, channels)
    for node in graph.nodes:
        if node in early and node not in known:
            known[node] = early_graph.node_copy(node, known.__getitem__)
    early_graph.output(tuple(known[node] for node in border))
    traced = fx.GraphModule(module, early_graph)
    device = next(module.parameters()).device
    with evaluating(traced), torch.no_grad():
        return list(traced(torch.zeros(_PROBES, *shape, device=device)))
