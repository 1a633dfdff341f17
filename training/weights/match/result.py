"""The result of `match`: state dict, table, and errors with advice if layers get no weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Literal

import torch
from torch import Tensor, nn

from ....compiler.network import Network
from ....compiler.report.figures import plural
from ....compiler.report.style import PLAIN, Style
from ....dsl.diagnostics import Diagnostic, SpecError
from .proof import Proof, prove
from .rows import MatchRow, Status, shown
from .table import by_layer, summary, table

Basis = Literal["dataflow", "untraced", "dict"]
"""The source is a module that was traced, one that could not be traced, or a state dict."""

_MISSING: tuple[Status, ...] = ("reinitialized", "ambiguous")


@dataclass(frozen=True)
class Match:
    """Which tensor of the source fills which tensor of a network, and which are left over."""

    rows: tuple[MatchRow, ...]
    network: str
    basis: Basis
    how: str
    """The basis of the match in words: dataflow, or layer types, shapes, order and names."""
    _source: Mapping[str, Tensor] = field(repr=False)
    _networks: tuple[Network, nn.Module] | None = field(default=None, repr=False)
    """Both networks, if the source is a module."""
    same_graph: bool = False
    """Whether both are modules with the same dataflow, but for shapes and settings."""

    @property
    def complete(self) -> bool:
        """Whether every tensor of the network that needs weights gets them, and, if the source is a
        module, both networks then compute the same."""
        return not self.missing() and self.problem() is None

    @cached_property
    def proof(self) -> Proof | None:
        """What came out when both networks were run on an image of noise, with the same random
        weights; None if the source is not a module, or one whose weights have no values. They are
        run on first use."""
        if self._networks is None or any(tensor.is_meta for tensor in self._source.values()):
            return None
        network, source = self._networks
        missing = {row.layer for row in self.missing()}
        return prove(network, self.rows, source, missing)

    @property
    def ambiguous(self) -> bool:
        return bool(self.having("ambiguous"))

    def having(self, *statuses: Status, in_target: bool | None = None) -> list[MatchRow]:
        """The rows with these statuses. `in_target` limits them to tensors of the network, or
        (False) to those that only the source has."""
        return [
            row
            for row in self.rows
            if row.status in statuses and (in_target is None or bool(row.target) == in_target)
        ]

    def missing(self, allow: Iterable[str] = ()) -> list[MatchRow]:
        """The rows of the network that get no weights, except in the layers or blocks `allow`."""
        allowed = tuple(f"{name}." for name in allow)
        return [
            row
            for row in self.having(*_MISSING, in_target=True)
            if not f"{row.target}.".startswith(allowed)
        ]

    def counts(self) -> Counter[Status]:
        """The number of layers for each status; a layer has the worst status of its tensors."""
        return Counter(row.status for row in by_layer(self.rows))

    def values(self, *statuses: Status) -> int:
        """The number of values in the network's tensors with these statuses."""
        return sum(prod(row.target_shape or ()) for row in self.having(*statuses, in_target=True))

    # ---- the tensors ---------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Tensor]:
        """The matched tensors, buffers included, with the keys and shapes of the network."""
        return {
            row.target: row.transfer.apply(self._source, row.target_shape or ())
            for row in self.rows
            if row.transfer is not None
        }

    def amended(self, rows: Iterable[MatchRow], beside: Mapping[str, Tensor]) -> Match:
        """The match with other rows, which may also use the tensors in `beside`."""
        return replace(self, rows=tuple(rows), _source={**self._source, **beside})

    def load_into(self, module: nn.Module) -> None:
        """Copies the matched tensors into a module of this network; the others stay as they are."""
        state = self.state_dict()
        own = module.state_dict()
        wrong = [
            f"{key}: {shown(tensor.shape)} does not fit into {shown(own[key].shape)}"
            if key in own
            else f"{key}: the module has no such weight"
            for key, tensor in state.items()
            if key not in own or own[key].shape != tensor.shape
        ]
        if wrong:
            message = f"this module is not {self.network}"
            raise SpecError([_diagnostic(message, wrong, "load the spec that was matched")])
        with torch.no_grad():
            for key, tensor in state.items():
                own[key].copy_(tensor)

    def require_complete(self, allow: Iterable[str] = ()) -> None:
        """Raises SpecError if a layer gets no weights, except the layers or blocks `allow`."""
        missing = self.missing(allow)
        if missing:
            first = list({row.layer: row for row in reversed(missing)}.values())[::-1]
            message = f"these weights do not fill {plural(len(first), 'layer')} of {self.network}"
            help = "; ".join(self._advice(missing))
            raise SpecError([_diagnostic(message, [row.described() for row in first], help)])
        problem = self.problem()
        if problem is not None:
            raise SpecError([problem])

    def problem(self) -> Diagnostic | None:
        """The error for networks that compute something else with the same weights: layers of the
        source have more tensors, activations diverge, or graphs differ and cannot be run."""
        left = [row for row in self.having("unused", in_target=False) if row.layer and row.note]
        if left:
            return _diagnostic(
                f"{plural(len(left), 'tensor')} of these weights has no place in {self.network}"
                if len(left) == 1
                else f"{len(left)} tensors of these weights have no place in {self.network}",
                [f"{row.source} is {shown(row.source_shape)}: {row.note}" for row in left],
                "write the spec with the structure of the source, such as `bias=on` for its biases;"
                " `load_into` loads the other weights all the same",
            )
        if self.proof is None or (self.proof.agreement is None and self.same_graph):
            return None
        divergence = self.proof.divergence
        if self.proof.agreement is None:
            return _diagnostic(
                f"whether {self.network} computes what their source does is not known",
                [f"the networks could not be run: {self.proof.why}"],
                "write the spec for the images that the source accepts; `load_into` loads the"
                " weights all the same",
            )
        if divergence is None:
            return None
        differing = {row.layer: ", ".join(row.differences) for row in self.rows if row.differences}
        return _diagnostic(
            f"these weights fit into {self.network}, but it computes something else than their"
            " source",
            [
                f"for an image of noise, activations diverge at {divergence.described()}",
                *(f"{layer} has {settings}" for layer, settings in differing.items()),
            ],
            "write the spec so that it computes what the source does; if it is meant to differ,"
            " `load_into` loads the weights all the same",
        )

    # ---- as text -------------------------------------------------------------------------------

    def summary(self) -> str:
        text = summary(self.rows, self.values(*_MISSING), self.network, self.how)
        return f"{text} {self.proof.described()}" if self.proof else text

    def table(self, style: Style = PLAIN) -> str:
        """A table with one line for each layer, a summary, and advice about missing weights."""
        return table(self.rows, self.summary(), self._advice(self.missing()), style)

    def _advice(self, missing: Sequence[MatchRow]) -> list[str]:
        """What to do about layers that get no weights, with code to paste where possible."""
        return [*self._about_ambiguous(missing), *_about_other_shapes(missing)]

    def _about_ambiguous(self, missing: Sequence[MatchRow]) -> Iterator[str]:
        targets = _layers(missing, "ambiguous")
        sources = {row.source_layer for row in self.having("ambiguous", in_target=False)}
        if targets and len(sources) != len(targets):
            yield (
                f"the source has {len(sources)} candidates for these {len(targets)} layers: use"
                " weights of a network with the same number"
            )
        elif targets:
            yield _AMBIGUOUS[self.basis]
            yield (
                "`match(…, by_order=True)` assigns them in the order of the source: check that it"
                " is the order of the spec"
            )


_AMBIGUOUS: Mapping[Basis, str] = {
    "dataflow": "numbered names (`path1`, `path2`) would tell these layers apart",
    "untraced": "the module could not be traced: `match(network, module, example=images)` runs it"
    " on images of a suitable size",
    "dict": "pass the module instead of its state dict: its dataflow may tell them apart",
}

_FEW = 4
"""The most layers that are probably meant to be reinitialized: a head, a stem."""


def _about_other_shapes(missing: Sequence[MatchRow]) -> Iterator[str]:
    layers = _layers(missing, "reinitialized")
    if layers and len(layers) <= _FEW:
        listed = ", ".join(f'"{name}"' for name in layers)
        yield f"`require_complete(allow=[{listed}])` allows these to be initialized at random"
    elif layers:
        yield f"with {len(layers)} layers of different shapes, the source is a different network"


def _layers(rows: Sequence[MatchRow], status: Status) -> list[str]:
    return list(dict.fromkeys(row.layer for row in rows if row.status == status))


def _diagnostic(message: str, facts: list[str], help: str, most: int = 12) -> Diagnostic:
    shown = facts if len(facts) <= most else [*facts[: most - 1], f"… {len(facts) - most + 1} more"]
    return Diagnostic("weights", message, notes=tuple(shown), help=help)
