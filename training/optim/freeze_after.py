"""Freezes layers after some epochs (`freeze_after 3 conv1`): their weights get no more gradients,
and their norms and dropouts go to evaluation mode."""

from __future__ import annotations

from torch import nn

from ...compiler.network import Network
from ...compiler.plan.layer_names import LayerNames
from ...compiler.plan.train import FreezeAfter


class FrozenAfter:
    """The layers of a directive, which are frozen once their epochs are over."""

    def __init__(self, network: Network, directive: FreezeAfter) -> None:
        self.epochs = directive.epochs
        nodes = LayerNames(network).all_of(directive.parts)
        self.names = frozenset(node.name for node in nodes)

    def start_epoch(self, module: nn.Module, epoch: int) -> None:
        """Called at the start of each epoch, counted from 0, with the module in training mode."""
        if epoch < self.epochs:
            return
        for name, part in module.named_modules():
            if name in self.names:
                part.eval().requires_grad_(False)
