"""Loads pretrained weights into a new module, matched by structure, and reinitializes the rest."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from ...compiler.network import Network
from ...compiler.plan.plan import Transfer
from ...compiler.plan.strategy import Strategy
from ...compiler.report.figures import plural
from ...dsl.diagnostics import SpecError
from ..data.diagnostic import listed
from ..weights.activation_check import Divergence
from ..weights.match import Match, match
from ..weights.match.folded import unfolded
from ..weights.match.layer import COUNTER, last_part
from .mismatch import incomplete, invalid_weights, without_norms
from .source import Source


class Loaded(NamedTuple):
    lines: tuple[str, ...]
    """A summary for the user, before training starts."""
    table: str
    """The full report, with every layer."""
    taken: frozenset[str]
    """The names of the tensors that were loaded."""


def load_weights(
    network: Network, transfer: Transfer, strategy: Strategy, source: Source, module: nn.Module
) -> Loaded:
    """Loads the weights of a source into a module. Raises SpecError if layers get no weights, or if
    weights are invalid."""
    matched = match(network, _with_dataflow(source.weights, module), adapt_channels=True)
    reset = _reset_layers(network, strategy, matched)
    norms: list[str] = []
    if matched.missing(reset):
        matched, filled = unfolded(network, matched)
        norms = [name for name in filled if name not in reset]
    missing = matched.missing(reset)
    if missing:
        raise SpecError([incomplete(network, transfer, strategy, matched, missing)])
    trained_norms = [name for name in norms if _is_trained(name, strategy)]
    if trained_norms:
        raise SpecError([without_norms(network, transfer, trained_norms)])
    invalid = list(_invalid(matched, module.state_dict(), reset))
    if invalid:
        raise SpecError([invalid_weights(network, transfer, invalid)])
    prefixes = tuple(f"{name}." for name in reset)
    fresh = {
        key: tensor.clone()
        for key, tensor in module.state_dict().items()
        if key.startswith(prefixes)
    }
    matched.load_into(module)
    module.load_state_dict(fresh, strict=False)
    taken = frozenset(key for key in matched.state_dict() if not key.startswith(prefixes))
    # These get their filters from the images (optim/whitening.py).
    random = tuple(name for name in reset if name != network.init.whitened)
    lines, text = _lines(matched, source, random, norms), _text(matched, source, random)
    if random != reset:
        lines.append(f"{network.init.whitened} gets filters that whiten the training images")
    if isinstance(source.weights, nn.Module) and matched.proof and matched.proof.divergence:
        lines.append(_divergence(matched, source, matched.proof.divergence))
        text += f"\n{lines[-1]}\n"
    return Loaded(tuple(lines), text, taken)


def _reset_layers(network: Network, strategy: Strategy, matched: Match) -> tuple[str, ...]:
    """The layers to reinitialize: those of the strategy, and auxiliary heads that the source does
    not have. Many files leave these out, because they are not needed after training."""
    missing = {row.layer for row in matched.missing()}
    heads = []
    for head in network.aux:
        layers = {node.name for node in head.own if node.weights}
        if layers and layers <= missing:
            heads.append(head.name)
    inside = tuple(f"{name}." for name in heads)
    return (*(name for name in strategy.new_layers if not name.startswith(inside)), *heads)


def _with_dataflow(
    weights: nn.Module | Mapping[str, Tensor], module: nn.Module
) -> nn.Module | Mapping[str, Tensor]:
    """Weights whose names are exactly those of the module, as a module: then they are of this
    network, even if layers of the same shape are ambiguous or the head has another size."""
    if isinstance(weights, nn.Module) or _names(weights) != _names(module.state_dict()):
        return weights
    filled = copy.deepcopy(module)
    for key, tensor in weights.items():
        path, _, name = key.rpartition(".")
        part = filled.get_submodule(path)
        if name in part._parameters:
            part._parameters[name] = nn.Parameter(tensor, requires_grad=False)
        else:
            part._buffers[name] = tensor
    return filled


def _names(weights: Mapping[str, Tensor]) -> set[str]:
    """The names of the weights, without the counters of norms, which old files do not have."""
    return {name for name in weights if last_part(name) != COUNTER}


def _is_trained(name: str, strategy: Strategy) -> bool:
    """Whether a layer is trained in some epoch."""
    return strategy.network.by_name[name].index not in strategy.stages[-1].frozen


def _invalid(
    matched: Match, state: Mapping[str, Tensor], reset: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Tensors to load that are not valid weights: their names in the network, and what they have
    instead. `state` is the state dict of the network."""
    prefixes = tuple(f"{name}." for name in reset)
    for key, tensor in matched.state_dict().items():
        if key.startswith(prefixes) or not state[key].is_floating_point():
            continue
        if not tensor.is_floating_point():
            yield key, str(tensor.dtype).removeprefix("torch.")
        elif not tensor.isfinite().all():
            yield key, "NaN or infinite values"


def _lines(matched: Match, source: Source, reset: Sequence[str], norms: Sequence[str]) -> list[str]:
    lines = [f"weights are loaded from {source.name}: {matched.summary()}"]
    if norms:
        lines.append(
            f"{plural(len(norms), 'norm')} of {matched.network} were folded into the convolutions"
            " before them; frozen, they only add the bias of these"
        )
    lines += [f"{row.target}: {row.note}" for row in matched.having("adapted", in_target=True)]
    if reset:
        lines.append(f"{listed(list(reset), 3)} {_verb(reset)} initialized at random")
    return lines


def _verb(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _text(matched: Match, source: Source, reset: Sequence[str]) -> str:
    random = f"\n\ninitialized at random: {', '.join(reset)}" if reset else ""
    table = matched.table().partition("\nhelp: ")[0]  # the help is for callers of `match`
    return f"weights of {source.name}\n\n{table}{random}\n"


# ---- weights that fit, but are of another network ----------------------------------------------


def _divergence(matched: Match, source: Source, divergence: Divergence) -> str:
    differing = {row.layer: ", ".join(row.differences) for row in matched.rows if row.differences}
    first = next((f"{layer} has {settings}" for layer, settings in differing.items()), "")
    others = f", and {len(differing) - 1} more" if len(differing) > 1 else ""
    why = f"{first}{others}" if first else "an activation, a pool or a padding differs"
    return (
        f"warning: the weights of {source.name} fit, but activations diverge at"
        f" {divergence.described()}; {why}"
    )
