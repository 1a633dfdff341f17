"""Errors for pretrained weights that do not fit the network, with help on what to write."""

from __future__ import annotations

from collections.abc import Sequence, Set

from ...compiler.network import Network
from ...compiler.plan.layer_names import LayerNames
from ...compiler.plan.plan import Transfer
from ...compiler.plan.strategy import Strategy
from ...compiler.report.figures import plural
from ...dsl.diagnostics import Diagnostic
from ..data.diagnostic import listed
from ..weights.match import Match, MatchRow


def incomplete(
    network: Network,
    transfer: Transfer,
    strategy: Strategy,
    matched: Match,
    missing: Sequence[MatchRow],
) -> Diagnostic:
    """The error for layers that get no weights, or weights of another shape."""
    layers = list({row.layer: row for row in reversed(missing)}.values())[::-1]
    shown = layers if len(layers) <= 12 else layers[:11]
    notes = [row.described() for row in shown]
    notes += [f"… {len(layers) - len(shown)} more"] if len(shown) < len(layers) else []
    return Diagnostic(
        "weights",
        f"the weights of {transfer.source.source} do not fill {plural(len(layers), 'layer')} of"
        f" {network.name}",
        transfer.source.span or network.root.span,
        notes=tuple(notes),
        help=_help(network, matched, [row.layer for row in layers], strategy.new_layers),
    )


def without_norms(network: Network, transfer: Transfer, norms: Sequence[str]) -> Diagnostic:
    """The error for norms that are trained here, but were folded into the layers before them."""
    first = network.by_name[norms[0]]
    return Diagnostic(
        "weights",
        f"{transfer.source.source} has no norms: they were folded into the convolutions before"
        f" them, and {listed(list(norms), 3)} {'is' if len(norms) == 1 else 'are'} trained here",
        transfer.source.span or first.span,
        notes=("a norm that is trained needs its statistics, which were lost when it was folded",),
        help="freeze them (`freeze all`), take the weights from before the export, or write the"
        " spec without norms",
    )


def invalid_weights(
    network: Network, transfer: Transfer, invalid: Sequence[tuple[str, str]]
) -> Diagnostic:
    """The error for tensors that fit, but are not valid weights: their names in the network, and
    what they have instead."""
    notes = [f"{key} would get {what}" for key, what in invalid[:5]]
    notes += [f"… {len(invalid) - 5} more"] if len(invalid) > 5 else []
    return Diagnostic(
        "weights",
        f"{transfer.source.source} has invalid weights for"
        f" {plural(len(invalid), 'tensor')} of {network.name}",
        transfer.source.span or network.root.span,
        notes=tuple(notes),
        help="use weights from before quantization, or from before training diverged",
    )


def _help(
    network: Network, matched: Match, layers: Sequence[str], new_layers: Sequence[str]
) -> str:
    last = LayerNames(network).last
    ambiguous, candidates = _ambiguous(matched)
    if ambiguous and ambiguous == candidates:
        return (
            "layers of the same shape are ambiguous in this file: use the run folder or the model"
            " (`torchvision:…`) instead, or label the layers of the spec with the names in the file"
        )
    if ambiguous:
        return (
            f"{plural(ambiguous, 'layer')} of the spec could be any of"
            f" {plural(candidates, 'layer')} of the source: use weights of {network.name}, or write"
            " the spec with the structure of the source"
        )
    if last is not None and list(layers) == [last.name]:
        reset = f"head reset part={last.name}" if new_layers else "head reset"
        return (
            f"write `{reset}` into `transfer`: the head is initialized at random, with its own size"
        )
    before = _last_filled(network, {*layers, *new_layers})
    if before:
        return (
            f"write `features {before}` to use only the layers up to there, frozen, or `features"
            f" {before} trained` to train them, too; or use weights of the same network"
        )
    return f"use weights of {network.name}, or write the spec with the structure of the source"


def _ambiguous(matched: Match) -> tuple[int, int]:
    """The number of ambiguous layers of the network, and of the source."""
    targets = {row.layer for row in matched.having("ambiguous", in_target=True)}
    sources = {row.source_layer for row in matched.having("ambiguous", in_target=False)}
    return len(targets), len(sources)


def _last_filled(network: Network, missing: Set[str]) -> str:
    """The last layer that gets weights, if all layers before it do; else empty."""
    names = [node.name for node in network.nodes if any(w.trainable for w in node.weights)]
    filled = len(names) - len(missing & set(names))
    return names[filled - 1] if filled and not missing & set(names[:filled]) else ""
