"""Somebody's weights into a module that is new: what fits by structure, and what begins anew."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...compiler.graph import Network
from ...compiler.plan.parts import Parts
from ...compiler.plan.strategy import Strategy
from ...compiler.plan.transfer import Transfer
from ...compiler.report.figures import plural
from ...dsl.diagnostics import Diagnostic, SpecError
from ..data.said import listed
from ..matching import Match, Row, match
from .source import Source


class Begun(NamedTuple):
    lines: tuple[str, ...]
    """What was done, for a person who is about to see it learn."""
    table: str
    """The same in full: every layer."""
    taken: frozenset[str]
    """The tensors that came from there, by our names."""


def begin(
    network: Network, transfer: Transfer, strategy: Strategy, source: Source, module: nn.Module
) -> Begun:
    """Raises SpecError where something of it has no place, or we need more than it has."""
    found = match(network, _told_apart(source.weights, module), adapt_channels=True)
    heads = _heads_anew(network, strategy, found.missing(strategy.anew))
    begins = (*strategy.anew, *heads)
    missing = found.missing(begins)
    if missing:
        raise SpecError([_incomplete(network, transfer, strategy, found, missing)])
    anew = tuple(f"{name}." for name in begins)
    fresh = {
        key: tensor.clone() for key, tensor in module.state_dict().items() if key.startswith(anew)
    }
    found.load_into(module)
    module.load_state_dict(fresh, strict=False)
    taken = frozenset(key for key in found.state_dict() if not key.startswith(anew))
    return Begun(tuple(_lines(found, source, begins)), _text(found, source, begins), taken)


def _heads_anew(network: Network, strategy: Strategy, missing: Sequence[Row]) -> list[str]:
    """Auxiliary heads, or their last layers, that begin anew. They are of no use after training,
    so that many a file is without them; and where the network's head is another, so are theirs."""
    last = Parts(network).last
    resets = last is not None and last.name in strategy.anew
    found: list[str] = []
    for head in network.aux:
        layers = [node.name for node in head.scope.nodes() if node.weights]
        empty = [name for name in layers if any(row.layer == name for row in missing)]
        if empty and empty == layers:
            found.append(head.scope.name)
        elif resets and empty and empty == layers[-1:]:
            found += empty
    return found


def _told_apart(
    weights: nn.Module | Mapping[str, Tensor], module: nn.Module
) -> nn.Module | Mapping[str, Tensor]:
    """Weights that go by the very names and shapes of ours, as a module: they are of this network,
    though layers of one shape might leave that open."""
    if isinstance(weights, nn.Module) or _shapes(weights) != _shapes(module.state_dict()):
        return weights
    theirs = copy.deepcopy(module)
    theirs.load_state_dict(weights)
    return theirs


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {key: tensor.shape for key, tensor in weights.items()}


def _lines(found: Match, source: Source, anew: Sequence[str]) -> list[str]:
    lines = [f"weights are those of {source.said}: {found.summary()}"]
    lines += [f"{row.ours}: {row.note}" for row in found.having("adapted", ours=True)]
    if anew:
        lines.append(f"{listed(list(anew), 3)} {_verb(anew)} anew")
    return lines


def _verb(names: Sequence[str]) -> str:
    return "begins" if len(names) == 1 else "begin"


def _text(found: Match, source: Source, anew: Sequence[str]) -> str:
    named = f"\n\nanew: {', '.join(anew)}" if anew else ""
    table = found.table().partition("\nhelp: ")[0]  # that is for whoever calls `match`
    return f"weights of {source.said}\n\n{table}{named}\n"


# ---- what does not fit -----------------------------------------------------------------------


def _incomplete(
    network: Network,
    transfer: Transfer,
    strategy: Strategy,
    found: Match,
    missing: Sequence[Row],
) -> Diagnostic:
    layers = list({row.layer: row for row in reversed(missing)}.values())[::-1]
    shown = layers if len(layers) <= 12 else layers[:11]
    notes = [_described(row) for row in shown]
    notes += [f"… {len(layers) - len(shown)} more"] if len(shown) < len(layers) else []
    return Diagnostic(
        "weights",
        f"the weights of {transfer.source.source} do not fill {plural(len(layers), 'layer')} of"
        f" {network.name}",
        transfer.source.span or network.root.span,
        notes=tuple(notes),
        help=_help(network, found, [row.layer for row in layers], strategy.anew),
    )


def _described(row: Row) -> str:
    theirs = f", theirs ({row.theirs}) is {_shape(row.their_shape)}" if row.their_shape else ""
    note = f": {row.note}" if row.note and not theirs else ""
    return f"{row.ours} is {_shape(row.our_shape)}{theirs}{note}"


def _shape(shape: tuple[int, ...] | None) -> str:
    return "x".join(map(str, shape or ())) or "one number"


def _help(network: Network, found: Match, layers: Sequence[str], anew: Sequence[str]) -> str:
    last = Parts(network).last
    if found.ambiguous:
        return (
            "layers of one shape cannot be told apart by what this file says: name the folder of"
            " its run, or the model itself (`torchvision:…`), whose dataflow tells; or give labels"
            " as theirs are"
        )
    if last is not None and list(layers) == [last.name]:
        return "write `head reset` into `transfer`: the head begins anew, with a size of its own"
    before = _taken_over(network, {*layers, *anew})
    if before:
        return (
            f"write `features {before}` to take over what is up to there, frozen, or"
            " take weights of the same network"
        )
    return f"take weights of {network.name}, or write the spec as their network is"


def _taken_over(network: Network, missing: Set[str]) -> str:
    """The last layer that gets something, where everything before it does, too."""
    names = [node.name for node in network.nodes if any(w.trainable for w in node.weights)]
    filled = len(names) - len(missing & set(names))
    return names[filled - 1] if filled and not missing & set(names[:filled]) else ""
