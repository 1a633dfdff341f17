"""Pretrained weights into a new module: what fits by structure, and what is reinitialized."""

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
from ..weights.match import Match, match
from ..weights.match.folded import unfolded
from ..weights.match.layer import COUNTER, last_part
from .activation_check import Agreement, Divergence, compare
from .mismatch import incomplete, not_weights, without_norms
from .source import Source


class Loaded(NamedTuple):
    lines: tuple[str, ...]
    """What was done, for a person who is about to see it learn."""
    table: str
    """The same in full: every layer."""
    taken: frozenset[str]
    """The tensors that came from there, by our names."""


def load_weights(
    network: Network, transfer: Transfer, strategy: Strategy, source: Source, module: nn.Module
) -> Loaded:
    """Raises SpecError where something of it has no place, or we need more than it has."""
    found = match(network, _told_apart(source.weights, module), adapt_channels=True)
    begins = _beginning_anew(network, strategy, found)
    norms: list[str] = []
    if found.missing(begins):
        found, filled = unfolded(network, found)
        norms = [name for name in filled if name not in begins]
    missing = found.missing(begins)
    if missing:
        raise SpecError([incomplete(network, transfer, strategy, found, missing)])
    learning = [name for name in norms if _learns(name, strategy)]
    if learning:
        raise SpecError([without_norms(network, transfer, learning)])
    unsound = list(_unsound(found, module.state_dict(), begins))
    if unsound:
        raise SpecError([not_weights(network, transfer, unsound)])
    anew = tuple(f"{name}." for name in begins)
    fresh = {
        key: tensor.clone() for key, tensor in module.state_dict().items() if key.startswith(anew)
    }
    found.load_into(module)
    module.load_state_dict(fresh, strict=False)
    taken = frozenset(key for key in found.state_dict() if not key.startswith(anew))
    lines, text = _lines(found, source, begins, norms), _text(found, source, begins)
    if isinstance(source.weights, nn.Module):
        agreement = _agreement(network, found, source.weights, begins, module)
        if agreement is not None and agreement.divergence is not None:
            lines.append(_divergence(found, source, agreement.divergence))
            text += f"\n{lines[-1]}\n"
        elif agreement is not None and agreement.compared:
            text += f"\nactivations agree for an image of noise: {agreement.compared} layers\n"
    return Loaded(tuple(lines), text, taken)


def _beginning_anew(network: Network, strategy: Strategy, found: Match) -> tuple[str, ...]:
    """What the strategy says, and auxiliary heads of which nothing is there: these are of no use
    after training, so that many a file is without them."""
    missing = {row.layer for row in found.missing()}
    heads = []
    for head in network.aux:
        layers = {node.name for node in head.scope.nodes() if node.weights}
        if layers and layers <= missing:
            heads.append(head.scope.name)
    inside = tuple(f"{name}." for name in heads)
    return (*(name for name in strategy.anew if not name.startswith(inside)), *heads)


def _told_apart(
    weights: nn.Module | Mapping[str, Tensor], module: nn.Module
) -> nn.Module | Mapping[str, Tensor]:
    """Weights that go by the very names of ours, as a module: they are of this network, though
    layers of one shape might leave that open, and its head may be of another size."""
    if isinstance(weights, nn.Module) or _names(weights) != _names(module.state_dict()):
        return weights
    theirs = copy.deepcopy(module)
    for key, tensor in weights.items():
        path, _, name = key.rpartition(".")
        part = theirs.get_submodule(path)
        if name in part._parameters:
            part._parameters[name] = nn.Parameter(tensor, requires_grad=False)
        else:
            part._buffers[name] = tensor
    return theirs


def _names(weights: Mapping[str, Tensor]) -> set[str]:
    """Those that every file has: not of counters, which old ones do without."""
    return {name for name in weights if last_part(name) != COUNTER}


def _learns(name: str, strategy: Strategy) -> bool:
    """Whether a layer learns at some time."""
    return strategy.network.by_name[name].index not in strategy.stages[-1].frozen


def _unsound(
    found: Match, ours: Mapping[str, Tensor], anew: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """What is to be taken and holds no weights that a network could work with: our names, and what
    there is instead."""
    begins = tuple(f"{name}." for name in anew)
    for key, tensor in found.state_dict().items():
        if key.startswith(begins) or not ours[key].is_floating_point():
            continue
        if not tensor.is_floating_point():
            yield key, str(tensor.dtype).removeprefix("torch.")
        elif not tensor.isfinite().all():
            yield key, "NaN or infinite values"


def _lines(found: Match, source: Source, anew: Sequence[str], norms: Sequence[str]) -> list[str]:
    lines = [f"weights are those of {source.said}: {found.summary()}"]
    if norms:
        lines.append(
            f"{plural(len(norms), 'norm')} of {found.network} were folded into the convolutions"
            " before them; frozen, they only add the bias of these"
        )
    lines += [f"{row.ours}: {row.note}" for row in found.having("adapted", ours=True)]
    if anew:
        lines.append(f"{listed(list(anew), 3)} {_verb(anew)} initialized at random")
    return lines


def _verb(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _text(found: Match, source: Source, anew: Sequence[str]) -> str:
    named = f"\n\ninitialized at random: {', '.join(anew)}" if anew else ""
    table = found.table().partition("\nhelp: ")[0]  # that is for whoever calls `match`
    return f"weights of {source.said}\n\n{table}{named}\n"


# ---- weights that fit, of another network ------------------------------------------------------


def _agreement(
    network: Network, found: Match, theirs: nn.Module, begins: Sequence[str], module: nn.Module
) -> Agreement | None:
    rows = found.having("matched", "reshaped", "adapted", ours=True)
    adapted = [row.their_shape for row in rows if row.status == "adapted"]
    shape = network.input.shape
    channels = adapted[0][1] if adapted and adapted[0] else shape[0]
    anew = [
        node.name
        for node in network.nodes
        if node.weights and any(f"{node.name}.".startswith(f"{name}.") for name in begins)
    ]
    partners = {row.layer: row.their_layer for row in rows if row.status != "adapted"}
    return compare(module, theirs, partners, anew, shape, channels)


def _divergence(found: Match, source: Source, divergence: Divergence) -> str:
    off = divergence.difference
    how = "their sizes differ" if off is None else f"off by {off:.2g} of their standard deviation"
    remarks = {row.layer: row.note for row in found.rows if ", theirs " in row.note}
    first = next((f"{layer} has {note}" for layer, note in remarks.items()), "")
    more = f", and {len(remarks) - 1} more" if len(remarks) > 1 else ""
    why = f"{first}{more}" if first else "an activation, a pool or a padding differs"
    return (
        f"warning: the weights of {source.said} fit, but activations diverge at {divergence.layer}"
        f" ({how}); {why}"
    )
