"""Somebody's weights for one of our networks: matched by structure, not by names.

    found = match(network, torchvision.models.resnet50())     # or its state dict
    print(found.table())
    found.require_complete()
    found.load_into(module)

Of a module, the graph of its dataflow is compared with ours. Of a mere dict of tensors there are
kinds, shapes, an order and names; where these leave several ways, nothing is taken unless names
decide clearly or `by_order` allows it, and the table says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from torch import Tensor, nn

from ....compiler.network import Network
from .by_structure import pair_flows
from .dicts import pair_dict
from .flow import Flow
from .layer import Held, Layer, prefix_of
from .ours import flow_of_network, layers_of_node
from .result import Known, Match
from .rows import Row, Status, rows_of, unused
from .state_dict import layers_of_dict, unwrapped
from .theirs import follow
from .traced import held_by

__all__ = ["Match", "Row", "Status", "match"]


def match(
    network: Network,
    source: nn.Module | Mapping[str, object],
    *,
    example: Tensor | None = None,
    adapt_channels: bool = False,
    by_order: bool = False,
) -> Match:
    """What of `source` belongs to what of the network.

    `example` is an input for modules that can only be followed with one. `adapt_channels` lets the
    first convolution be one for images of three colours where ours are grey, or the other way
    around. `by_order` lets the order decide what nothing else tells apart.
    """
    ours = flow_of_network(network)
    if isinstance(source, nn.Module):
        tensors = {key: tensor.detach() for key, tensor in held_by(source)}
        saved: Set[str] = source.state_dict().keys()
        followed = follow(source, network.input.shape, example)
        flow, how = followed.flow, followed.how
    else:
        tensors = unwrapped(source)
        saved, flow, how = tensors.keys(), None, ""
    known: Known = "unfollowed" if how else "dict"
    if flow is not None:
        known = "dataflow"
        theirs, pairing = list(flow.places), pair_flows(ours, flow, by_order=by_order)
    else:
        theirs = layers_of_dict({key: tensors[key] for key in tensors if key in saved})
        pairing = pair_dict(ours, theirs, by_order=by_order)
        how = f"kinds, shapes, order and names{how and ', as '}{how}"
    first = _first(ours) if adapt_channels else ()
    rows = [*rows_of(_all_of(network, ours), theirs, pairing, first)]
    taken = {row.theirs for row in rows if row.ours}
    rows = [row for row in rows if row.ours or row.theirs not in taken]
    placed = {row.theirs for row in rows}
    rows += [
        unused(Held(key, tuple(tensor.shape)), prefix_of(key) or key, note="not in its dataflow")
        for key, tensor in tensors.items()
        if key in saved and key not in placed
    ]
    return Match(tuple(rows), network.name, known, how, tensors)


def _all_of(network: Network, ours: Flow) -> list[Layer]:
    """Also the layers that no output needs, which have no place in the flow."""
    found = {layer.name: layer for layer in ours.places}
    for node in network.nodes:
        for layer in layers_of_node(node) if node.weights else ():
            found.setdefault(layer.name, layer)
    return list(found.values())


def _first(ours: Flow) -> set[Layer]:
    """The layers that take the image."""
    return {
        layer
        for layer, part in ours.places.items()
        if any(ours.parts[link.part].what == "input" for link in ours.parts[part].inputs)
    }
