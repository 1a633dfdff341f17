"""What does not learn now: its weights get no gradients, its norms and dropouts are in evaluation.

Where everything from the image to some layer is frozen, autograd notes nothing of it by itself: no
tensor there asks for a gradient.
"""

from __future__ import annotations

from torch import nn

from ...compiler.plan.strategy import Stage, Strategy


class Freezing:
    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy

    def ever(self, module: nn.Module) -> None:
        """Lets learn what learns at any time: an optimiser has to know all of it."""
        learns = self.since(module)
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(name in learns)

    def since(self, module: nn.Module) -> dict[str, int]:
        """The epochs, counted from 1, from which on parameters learn, by their names."""
        found: dict[str, int] = {}
        for stage in self.strategy.stages:
            frozen = self._names(stage)
            for name, _ in module.named_parameters():
                if not _is_in(name, frozen):
                    found.setdefault(name, stage.epoch)
        return found

    def never(self, module: nn.Module) -> frozenset[str]:
        """Of a module's state, what is frozen all along."""
        frozen = frozenset.intersection(*map(self._names, self.strategy.stages))
        return frozenset(name for name in module.state_dict() if _is_in(name, frozen))

    def begin(self, module: nn.Module, epoch: int) -> bool:
        """An epoch, counted from 0, for a module in training mode. Returns whether other weights
        learn than before."""
        frozen = self._names(self.strategy.stage(epoch + 1))
        changed = False
        for name, parameter in module.named_parameters():
            learns = not _is_in(name, frozen)
            changed |= parameter.requires_grad != learns
            parameter.requires_grad_(learns)
        for name, part in module.named_modules():
            if name in frozen:
                part.eval()
        return changed

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
    """Of learning rates, by the names of parameters."""
    nodes = strategy.network.nodes
    by_layer = {nodes[index].name: factor for index, factor in strategy.factors.items()}
    found: dict[str, float] = {}
    for name, _ in module.named_parameters():
        layer = name
        while "." in layer and layer not in by_layer:
            layer = layer.rpartition(".")[0]
        if layer in by_layer:
            found[name] = by_layer[layer]
    return found
