"""Matches pretrained weights of another model to the layers of a network, by structure.

    matched = match(network, torchvision.models.resnet50())     # or its state dict
    print(matched.table())
    matched.require_complete()
    matched.load_into(module)

If the source is a module, its dataflow graph is compared with that of the network. A state dict
has only layer types, shapes, an order and names. If these allow several assignments, the layers are
ambiguous and get no weights, unless names decide clearly or `by_order` is set; the table says so.

__init__.py          match; result.py, rows.py, table.py: its result, as data and text
flow.py, layer.py    the dataflow graph of layers with weights, and one layer of it
network_flow.py      the graph of a compiled network
module_flow.py       the graph of a torch module: fx_trace.py, else traced_run.py; builder.py
by_structure.py      matches two graphs: color_refinement.py, align.py
state_dict.py        a state dict as a list of layers
dicts.py             matches it to a graph: by_order.py, by_names.py, sides.py; ready.py
names.py, paths.py   what names say about order and kinds of paths
attention_flow.py    attention in the dataflow graph
rejoin.py            what the source has as several layers and the network as one
folded.py            batch norms that were folded into convolutions
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from torch import Tensor, nn

from ....compiler.network import Network
from .by_structure import pair_flows
from .dicts import pair_dict
from .flow import Flow
from .fx_trace import held_by
from .layer import Held, Layer, prefix_of
from .module_flow import trace
from .network_flow import flow_of_network, layers_of_node
from .rejoin import joined_dict, rejoined
from .result import Basis, Match
from .rows import MatchRow, Status, rows_of, unused
from .state_dict import layers_of_dict, unwrapped

__all__ = ["Match", "MatchRow", "Status", "match"]


def match(
    network: Network,
    source: nn.Module | Mapping[str, object],
    *,
    example: Tensor | None = None,
    adapt_channels: bool = False,
    by_order: bool = False,
) -> Match:
    """Finds the tensor of `source` for each tensor of the network.

    `example` is an input batch for modules that cannot be traced without one. `adapt_channels`
    adapts the first convolution from three color channels to gray, or the reverse. `by_order`
    assigns ambiguous layers in the order of the source.
    """
    flow = flow_of_network(network)
    if isinstance(source, nn.Module):
        tensors = {key: tensor.detach() for key, tensor in held_by(source)}
        saved: Set[str] = source.state_dict().keys()
        source_flow, how = trace(source, network.input.shape, example)
        if source_flow is not None:
            shapes = {key: tuple(tensors[key].shape) for key in tensors if key in saved}
            source_flow = rejoined(flow, source_flow, shapes)
    else:
        tensors = unwrapped(source)
        saved, source_flow, how = tensors.keys(), None, ""
    basis: Basis = "untraced" if how else "dict"
    if source_flow is not None:
        basis = "dataflow"
        sources = list(source_flow.places)
        pairing = pair_flows(flow, source_flow, by_order=by_order)
    else:
        sources = layers_of_dict({key: tensors[key] for key in tensors if key in saved})
        sources = joined_dict(flow.places, sources)
        pairing = pair_dict(flow, sources, by_order=by_order)
        how = f"layer types, shapes, order and names{how and ', because '}{how}"
    first = _first(flow) if adapt_channels else ()
    rows = [*rows_of(_all_layers(network, flow), sources, pairing, first)]
    taken = {row.source for row in rows if row.target}
    rows = [row for row in rows if row.target or row.source not in taken]
    placed = {key for layer in sources for held in layer.tensors.values() for key in held.keys}
    rows += [
        unused(
            Held(key, tuple(tensor.shape)),
            prefix_of(key) or key,
            note="not in the dataflow of the source",
        )
        for key, tensor in tensors.items()
        if key in saved and key not in placed
    ]
    networks = (network, source) if isinstance(source, nn.Module) else None
    return Match(tuple(rows), network.name, basis, how, tensors, networks, pairing.same_graph)


def _all_layers(network: Network, flow: Flow) -> list[Layer]:
    """All layers with weights, also those that no output needs: these are not in the flow."""
    layers = {layer.name: layer for layer in flow.places}
    for node in network.nodes:
        for layer in layers_of_node(node) if node.weights else ():
            layers.setdefault(layer.name, layer)
    return list(layers.values())


def _first(flow: Flow) -> set[Layer]:
    """The layers whose input is the image."""
    return {
        layer
        for layer, part in flow.places.items()
        if any(flow.parts[link.part].what == "input" for link in flow.parts[part].inputs)
    }
