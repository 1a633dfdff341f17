"""The warning for dead networks: the outputs are the same for every image, but the loss is finite.

A learning rate that is too large can push the inputs of all ReLUs so far below zero that their
outputs are always zero, and so are the gradients. From then on the loss stays at that of guessing.
"""

from __future__ import annotations

from ...compiler.network import Network
from ...compiler.plan.layer_names import LayerNames


def constant_outputs(network: Network, epoch: int, rate: float) -> str:
    """The text of the warning, with suggestions."""
    tries = [f"a smaller learning rate, like {rate / 10:.3g}", "`optimizer adamw lr=1e-3`"]
    last = LayerNames(network).last
    relus_after_last = [
        node.name
        for node in network.nodes
        if last is not None and node.index > last.index and node.op.word == "relu" and not node.aux
    ]
    relu = relus_after_last[0] if relus_after_last else ""
    why = f": `{relu}`, after the last layer, may block all gradients" if relu else ""
    if relu:
        tries.append(f"a head without `{relu}`")
    return (
        f"warning: after epoch {epoch} the network gives the same outputs for every image, so it"
        f" cannot learn{why}. Try {', or '.join(tries)}"
    )
