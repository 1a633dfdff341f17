"""Somebody's weights that do not fit: what is wrong, and what to write."""

from __future__ import annotations

from collections.abc import Sequence, Set

from ...compiler.network import Network
from ...compiler.plan.layer_names import LayerNames
from ...compiler.plan.plan import Transfer
from ...compiler.plan.strategy import Strategy
from ...compiler.report.figures import plural
from ...dsl.diagnostics import Diagnostic
from ..data.diagnostic import listed
from ..weights.match import Match, Row


def incomplete(
    network: Network,
    transfer: Transfer,
    strategy: Strategy,
    found: Match,
    missing: Sequence[Row],
) -> Diagnostic:
    """For layers that get nothing, or something of another shape."""
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
        help=_help(network, found, [row.layer for row in layers], strategy.anew),
    )


def without_norms(network: Network, transfer: Transfer, norms: Sequence[str]) -> Diagnostic:
    """For norms that learn, and were folded into what is before them."""
    begins = network.by_name[norms[0]]
    return Diagnostic(
        "weights",
        f"{transfer.source.source} has no norms: they were folded into the convolutions before"
        f" them, and {listed(list(norms), 3)} {'is' if len(norms) == 1 else 'are'} trained here",
        transfer.source.span or begins.span,
        notes=("a norm that is trained needs its statistics, which were lost when it was folded",),
        help="freeze them (`freeze all`), take the weights from before the export, or write the"
        " spec without norms",
    )


def not_weights(
    network: Network, transfer: Transfer, unsound: Sequence[tuple[str, str]]
) -> Diagnostic:
    """For tensors that fit and hold no weights: our names, and what there is instead."""
    notes = [f"{key} would get {what}" for key, what in unsound[:5]]
    notes += [f"… {len(unsound) - 5} more"] if len(unsound) > 5 else []
    return Diagnostic(
        "weights",
        f"{transfer.source.source} has invalid weights for"
        f" {plural(len(unsound), 'tensor')} of {network.name}",
        transfer.source.span or network.root.span,
        notes=tuple(notes),
        help="use weights from before quantization, or from before training diverged",
    )


def _help(network: Network, found: Match, layers: Sequence[str], anew: Sequence[str]) -> str:
    last = LayerNames(network).last
    doubtful, theirs = _doubtful(found)
    if doubtful and doubtful == theirs:
        return (
            "layers of the same shape cannot be told apart by this file: name the folder of"
            " its run, or the model itself (`torchvision:…`), whose dataflow tells; or give labels"
            " as theirs are"
        )
    if doubtful:
        return (
            f"the source has {plural(theirs, 'layer')} that {doubtful} of ours may be: take "
            f"weights of"
            f" {network.name}, or write the spec as their network is"
        )
    if last is not None and list(layers) == [last.name]:
        reset = f"head reset part={last.name}" if anew else "head reset"
        return (
            f"write `{reset}` into `transfer`: the head is initialized at random, with its own size"
        )
    before = _taken_over(network, {*layers, *anew})
    if before:
        return (
            f"write `features {before}` to use the layers up to there, frozen, or"
            " take weights of the same network"
        )
    return f"take weights of {network.name}, or write the spec as their network is"


def _doubtful(found: Match) -> tuple[int, int]:
    """How many layers of ours, and of theirs, cannot be told apart."""
    ours = {row.layer for row in found.having("ambiguous", ours=True)}
    theirs = {row.their_layer for row in found.having("ambiguous", ours=False)}
    return len(ours), len(theirs)


def _taken_over(network: Network, missing: Set[str]) -> str:
    """The last layer that gets something, where everything before it does, too."""
    names = [node.name for node in network.nodes if any(w.trainable for w in node.weights)]
    filled = len(names) - len(missing & set(names))
    return names[filled - 1] if filled and not missing & set(names[:filled]) else ""
