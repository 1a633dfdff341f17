"""Somebody's weights into a module that is new: what fits by structure, and what begins anew."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import NamedTuple

from torch import Tensor, nn

from ...compiler.graph import Network
from ...compiler.plan.parts import Parts
from ...compiler.plan.strategy import Strategy
from ...compiler.plan.transfer import Transfer
from ...compiler.report.figures import plural
from ...dsl.diagnostics import Diagnostic, SpecError
from ..data.said import listed
from ..matching import Match, Row, match
from ..matching.folded import unfolded
from .parting import Alike, Parting, compare
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
    norms: tuple[str, ...] = ()
    if found.missing(begins):
        found, norms = unfolded(network, found)
    missing = found.missing(begins)
    if missing:
        raise SpecError([_incomplete(network, transfer, strategy, found, missing)])
    learning = [name for name in norms if name not in begins and _learns(name, strategy)]
    if learning:
        raise SpecError([_without_norms(network, transfer, learning)])
    unsound = list(_unsound(found, module.state_dict(), begins))
    if unsound:
        raise SpecError([_no_numbers(network, transfer, unsound)])
    anew = tuple(f"{name}." for name in begins)
    fresh = {
        key: tensor.clone() for key, tensor in module.state_dict().items() if key.startswith(anew)
    }
    found.load_into(module)
    module.load_state_dict(fresh, strict=False)
    taken = frozenset(key for key in found.state_dict() if not key.startswith(anew))
    lines, text = _lines(found, source, begins, norms), _text(found, source, begins)
    if isinstance(source.weights, nn.Module):
        alike = _alike(network, found, source.weights, begins, module)
        if alike is not None and alike.parting is not None:
            lines.append(_parting(found, source, alike.parting))
            text += f"\n{lines[-1]}\n"
        elif alike is not None and alike.compared:
            text += f"\nan image of noise comes to the same in both: {alike.compared} layers\n"
    return Begun(tuple(lines), text, taken)


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
    """Weights that go by the very names of ours, as a module: they are of this network, though
    layers of one shape might leave that open, and its head may be of another size."""
    if isinstance(weights, nn.Module) or set(weights) != set(module.state_dict()):
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
            yield key, "values that are no numbers"


def _lines(found: Match, source: Source, anew: Sequence[str], norms: Sequence[str]) -> list[str]:
    lines = [f"weights are those of {source.said}: {found.summary()}"]
    if norms:
        lines.append(
            f"{plural(len(norms), 'norm')} of {found.network} were folded into the convolutions"
            " before them; frozen, they add what those had as a bias, and change nothing else"
        )
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


# ---- what fits, and is another network all the same ------------------------------------------


def _alike(
    network: Network, found: Match, theirs: nn.Module, begins: Sequence[str], module: nn.Module
) -> Alike | None:
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


def _parting(found: Match, source: Source, parting: Parting) -> str:
    off = "not as many" if parting.off is None else f"off by {parting.off:.2g} of their spread"
    remarks = {row.layer: row.note for row in found.rows if ", theirs " in row.note}
    first = next((f"{layer} has {note}" for layer, note in remarks.items()), "")
    more = f", and so on in {len(remarks) - 1} more" if len(remarks) > 1 else ""
    why = f"{first}{more}" if first else "an activation, a pool or a padding differs"
    return (
        f"{source.said} fits, and is another network all the same: at {parting.layer} other numbers"
        f" arrive than in theirs ({off}); {why}"
    )


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


def _without_norms(network: Network, transfer: Transfer, norms: Sequence[str]) -> Diagnostic:
    begins = network.by_name[norms[0]]
    return Diagnostic(
        "weights",
        f"{transfer.source.source} has no norms: they were folded into the convolutions before"
        f" them, and {listed(list(norms), 3)} {'learns' if len(norms) == 1 else 'learn'} here",
        transfer.source.span or begins.span,
        notes=(
            "a norm that learns measures what arrives, and needs what it was before it was folded",
        ),
        help="freeze them (`freeze all`), take the weights from before the export, or write the"
        " spec without norms",
    )


def _no_numbers(
    network: Network, transfer: Transfer, unsound: Sequence[tuple[str, str]]
) -> Diagnostic:
    notes = [f"{key} would get {what}" for key, what in unsound[:5]]
    notes += [f"… {len(unsound) - 5} more"] if len(unsound) > 5 else []
    return Diagnostic(
        "weights",
        f"{transfer.source.source} holds something else than weights for"
        f" {plural(len(unsound), 'tensor')} of {network.name}",
        transfer.source.span or network.root.span,
        notes=tuple(notes),
        help="take weights from before they were quantised, or from before a training diverged",
    )


def _help(network: Network, found: Match, layers: Sequence[str], anew: Sequence[str]) -> str:
    last = Parts(network).last
    if found.ambiguous:
        return (
            "layers of one shape cannot be told apart by what this file says: name the folder of"
            " its run, or the model itself (`torchvision:…`), whose dataflow tells; or give labels"
            " as theirs are"
        )
    if last is not None and list(layers) == [last.name]:
        reset = (
            "head reset" if last.name not in anew and not anew else f"head reset part={last.name}"
        )
        return f"write `{reset}` into `transfer`: the head begins anew, with a size of its own"
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
