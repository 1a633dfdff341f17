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
from .dicts import pair_dict
from .flow import Flow
from .groups import layers_of_dict
from .layer import Held, Layer, prefix_of
from .modules import pair_flows
from .ours import flow_of_network, layers_of_node
from .pairing import Pairing
from .result import Match
from .rows import Known, Row, tell, unused
from .tensor_transform import Status
from .theirs import follow
from .wrappers import unwrapped

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
        return _from_module(network, ours, source, example, adapt_channels, by_order)
    return _from_dict(network, ours, unwrapped(source), adapt_channels, by_order)


def _from_module(
    network: Network,
    ours: Flow,
    source: nn.Module,
    example: Tensor | None,
    adapt: bool,
    by_order: bool,
) -> Match:
    tensors = {
        key: tensor.detach()
        for key, tensor in (
            *source.named_parameters(remove_duplicate=False),
            *source.named_buffers(remove_duplicate=False),
        )
    }
    saved = set(source.state_dict())
    followed = follow(source, network.input.shape, example)
    if followed.flow is None:
        layers = layers_of_dict({key: tensors[key] for key in tensors if key in saved})
        pairing = pair_dict(ours, layers, by_order=by_order)
        how = f"kinds, shapes, order and names, as {followed.how}"
        theirs = dict(enumerate(layers))
        return _told(network, ours, theirs, pairing, tensors, saved, "unfollowed", how, adapt)
    flow = followed.flow
    pairing = pair_flows(ours, flow, by_order=by_order)
    theirs = {part: flow.layer(part) for part in flow.layers}
    return _told(network, ours, theirs, pairing, tensors, saved, "dataflow", followed.how, adapt)


def _from_dict(
    network: Network, ours: Flow, tensors: Mapping[str, Tensor], adapt: bool, by_order: bool
) -> Match:
    layers = layers_of_dict(tensors)
    pairing = pair_dict(ours, layers, by_order=by_order)
    how = "kinds, shapes, order and names"
    theirs = dict(enumerate(layers))
    return _told(network, ours, theirs, pairing, tensors, set(tensors), "dict", how, adapt)


def _told(
    network: Network,
    ours: Flow,
    theirs: Mapping[int, Layer],
    pairing: Pairing,
    tensors: Mapping[str, Tensor],
    saved: Set[str],
    known: Known,
    how: str,
    adapt: bool,
) -> Match:
    told = list(tell(_all_of(network, ours), theirs, pairing, _first(ours), adapt))
    taken = {row.theirs for row, _ in told if row.ours}
    told = [(row, transfer) for row, transfer in told if row.ours or row.theirs not in taken]
    placed = {row.theirs for row, _ in told}
    spare = [
        unused(Held(key, tuple(tensor.shape)), prefix_of(key) or key, note="not in its dataflow")
        for key, tensor in tensors.items()
        if key in saved and key not in placed
    ]
    transfers = {row.ours: transfer for row, transfer in told if transfer is not None}
    rows = (*(row for row, _ in told), *spare)
    return Match(rows, network.name, known, how, transfers, tensors)


def _all_of(network: Network, ours: Flow) -> dict[int, Layer]:
    """Also the layers that no output needs, which have no place in the flow."""
    found = {part: ours.layer(part) for part in ours.layers}
    placed = {layer.name for layer in found.values()}
    for node in network.nodes:
        for layer in layers_of_node(node) if node.weights else ():
            if layer.name not in placed:
                found[-1 - len(found)] = layer
    return found


def _first(ours: Flow) -> set[int]:
    """The layers that take the image."""
    return {
        part
        for part in ours.layers
        if any(ours.parts[link.part].what == "input" for link in ours.parts[part].inputs)
    }
