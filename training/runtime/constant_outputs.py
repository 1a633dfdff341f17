"""A network that gives the same outputs for every image: it has died, though its loss is finite.

A learning rate that is too large drives the biases of ReLUs so far below zero that nothing gets
through, and no gradient gets back: the loss stays where guessing has it, from then on.
"""

from __future__ import annotations

from ...compiler.network import Network
from ...compiler.plan.layer_names import LayerNames


def constant_outputs(network: Network, epoch: int, rate: float) -> str:
    """The warning, with what to try."""
    tries = [f"a smaller learning rate, like {rate / 10:.3g}", "`optimizer adamw lr=1e-3`"]
    last = LayerNames(network).last
    behind = [
        node.name
        for node in network.nodes
        if last is not None and node.index > last.index and node.op.word == "relu" and not node.aux
    ]
    why = f": `{behind[0]}`, after the last layer, may block all gradients" if behind else ""
    if behind:
        tries.append(f"a head without `{behind[0]}`")
    return (
        f"warning: after epoch {epoch} the network gives the same outputs for every image, so it"
        f" cannot learn{why}. Try {', or '.join(tries)}"
    )
