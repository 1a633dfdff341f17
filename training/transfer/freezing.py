"""Freezes layers: their weights get no gradients, their norms and dropouts are in evaluation mode.

If all layers from the input to some layer are frozen, autograd records nothing for them, since no
tensor there requires a gradient. So nothing else is needed to save their time and memory.
"""

from __future__ import annotations

from torch import nn

from ...compiler.plan.strategy import Stage, Strategy


class Freezing:
    """Freezes and unfreezes layers as a strategy says."""

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy

    def enable_gradients(self, module: nn.Module) -> None:
        """Enables gradients for all parameters that are trained in some epoch, because the
        optimizer has to know them all."""
        trained = self.trained_since(module)
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(name in trained)

    def trained_since(self, module: nn.Module) -> dict[str, int]:
        """The first epoch in which each parameter is trained, counted from 1."""
        first_epochs: dict[str, int] = {}
        for stage in self.strategy.stages:
            frozen = self._names(stage)
            for name, _ in module.named_parameters():
                if not _is_in(name, frozen):
                    first_epochs.setdefault(name, stage.epoch)
        return first_epochs

    def always_frozen(self, module: nn.Module) -> frozenset[str]:
        """The names of the tensors in a module's state dict that are frozen in all epochs."""
        frozen = frozenset.intersection(*map(self._names, self.strategy.stages))
        return frozenset(name for name in module.state_dict() if _is_in(name, frozen))

    def start_epoch(self, module: nn.Module, epoch: int) -> None:
        """Freezes the layers of an epoch, counted from 0, in a module in training mode."""
        frozen = self._names(self.strategy.stage(epoch + 1))
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(not _is_in(name, frozen))
        for name, part in module.named_modules():
            if name in frozen:
                part.eval()

    def _names(self, stage: Stage) -> frozenset[str]:
        nodes = self.strategy.network.nodes
        return frozenset(nodes[index].name for index in stage.frozen)


def _is_in(name: str, parts: frozenset[str]) -> bool:
    """Whether a parameter belongs to one of the parts."""
    while "." in name:
        name = name.rpartition(".")[0]
        if name in parts:
            return True
    return False


def factors_of(strategy: Strategy, module: nn.Module) -> dict[str, float]:
    """The learning-rate factor of each parameter, by name."""
    nodes = strategy.network.nodes
    by_layer = {nodes[index].name: factor for index, factor in strategy.factors.items()}
    factors: dict[str, float] = {}
    for name, _ in module.named_parameters():
        layer = name
        while "." in layer and layer not in by_layer:
            layer = layer.rpartition(".")[0]
        if layer in by_layer:
            factors[name] = by_layer[layer]
    return factors
