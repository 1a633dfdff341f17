"""Completes operations that depend on what follows them: `bias=auto`, in-place activations."""

from __future__ import annotations

from ..analysis.storage import write_over
from ..network import Network
from ..ops.base import Op


def settle(network: Network) -> None:
    known: dict[object, tuple[Op, tuple[Op, ...], Op]] = {}
    for node in network.nodes:
        if node.shared is not None:  # one module computes both
            node.op = node.shared.op
            continue
        followers = tuple([consumer.op for consumer in network.value_consumers[node.index]])
        key = (id(node.op), *map(id, followers))
        if key not in known:
            # The entry keeps the operations alive, so that their ids are not reused.
            known[key] = node.op, followers, node.op.settle(followers)
        settled = known[key][2]
        if settled is not node.op:
            node.op = settled
            node.forget_weights()
    write_over(network)
