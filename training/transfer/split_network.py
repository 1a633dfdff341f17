"""A network in two: what is computed from an image once for all, and what learns from that.

    cut = cut_at(network, module, frozen)
    rows = cut.early(module)(images)          # images x numbers
    logits = cut.late(module)(rows)

Both are made of the module's own layers: what one learns, the other has.
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
    """Layers are left whole: what some of them do depends on whether they learn."""

    def __init__(self, layers: Collection[str]) -> None:
        super().__init__()
        self._layers = layers

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return name in self._layers or super().is_leaf_module(module, name)


@dataclass(frozen=True, eq=False)
class Cut:
    graph: fx.Graph
    early_nodes: frozenset[fx.Node]
    """What neither learns nor comes from what does."""
    border: tuple[fx.Node, ...]
    """Those of them that what learns takes."""
    shapes: tuple[tuple[int, ...], ...]
    """Of each, for one image."""
    dtypes: tuple[torch.dtype, ...]
    """Of each, where it is computed."""

    @property
    def numbers(self) -> int:
        """Kept of each image."""
        return sum(map(prod, self.shapes))

    def early(self, module: nn.Module) -> nn.Module:
        return _early(module, self.graph, self.early_nodes, self.border)

    def late(self, module: nn.Module) -> nn.Module:
        """Takes rows, also such with two axes more of size 1, as images have them."""
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
    """None where nothing is computed from images that does not learn, or where it cannot be told
    apart."""
    layers = network.by_name
    graph = _Tracer(layers).trace(module)
    early: set[fx.Node] = set()
    for node in graph.nodes:
        alone = node.op != "output" and not _learns(node, module, layers, frozen)
        if alone and all(source in early for source in node.all_input_nodes):
            early.add(node)
    border = tuple(
        node
        for node in graph.nodes
        if node in early and any(user not in early for user in node.users)
    )
    if not border or any(node.op == "placeholder" for node in border):
        return None
    with precision.autocast(next(module.parameters()).device) or nullcontext():
        found = _values(module, graph, frozenset(early), border, network.input.shape)
    if not all(
        isinstance(value, Tensor) and value.ndim > 1 and len(value) == _PROBES for value in found
    ):
        return None
    return Cut(
        graph,
        frozenset(early),
        border,
        tuple(tuple(value.shape[1:]) for value in found),
        tuple(value.dtype for value in found),
    )


_PROBES = 2
"""Images with which it is found out what a border looks like."""


def _learns(
    node: fx.Node, module: nn.Module, layers: dict[str, Layer], frozen: Collection[int]
) -> bool:
    """Whether what a node does changes while something is learned, or is drawn at random."""
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
    learned = any(weight.trainable for weight in layer.weights)
    moves = layer.op.kind == "norm" and bool(layer.weights)
    drawn = layer.op.kind == "dropout" or layer.op.word == "pool stochastic"
    return learned or moves or drawn


def _early(
    module: nn.Module, graph: fx.Graph, early: Collection[fx.Node], border: tuple[fx.Node, ...]
) -> fx.GraphModule:
    made = fx.Graph()
    known: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        if node in early:
            pool = module.get_submodule(str(node.target)) if node.op == "call_module" else None
            if isinstance(pool, nn.MaxPool2d) and not pool.return_indices:
                how = (pool.kernel_size, pool.stride, pool.padding, pool.dilation, pool.ceil_mode)
                known[node] = made.call_function(max_pool, (known[node.args[0]], *how))
            else:
                known[node] = made.node_copy(node, known.__getitem__)
    flat = [made.call_method("flatten", (known[node], 1)) for node in border]
    made.output(made.call_function(torch.cat, (flat, 1)))
    return fx.GraphModule(module, made)


def max_pool(
    maps: Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool
) -> Tensor:
    """What `nn.MaxPool2d` comes to, to the bit: on a CPU with channels last, there and back, as
    torch's own is several times as slow where they are not."""
    if maps.device.type == "cpu" and maps.ndim == 4:
        given, maps = maps, maps.contiguous(memory_format=torch.channels_last)
        found = F.max_pool2d(maps, kernel, stride, padding, dilation, ceil)
        return found if maps is given else found.contiguous()
    return F.max_pool2d(maps, kernel, stride, padding, dilation, ceil)


def _values(
    module: nn.Module,
    graph: fx.Graph,
    early: Collection[fx.Node],
    border: tuple[fx.Node, ...],
    shape: tuple[int, ...],
) -> list[Any]:
    """What comes to the border, for images of nothing."""
    made = fx.Graph()
    known: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        if node in early:
            known[node] = made.node_copy(node, known.__getitem__)
    made.output(tuple(known[node] for node in border))
    traced = fx.GraphModule(module, made)
    device = next(module.parameters()).device
    with evaluating(traced), torch.no_grad():
        return list(traced(torch.zeros(_PROBES, *shape, device=device)))
