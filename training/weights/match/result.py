"""What a match came to: every tensor, what can be loaded, and what to do about the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Literal

import torch
from torch import Tensor, nn

from ....compiler.report.figures import plural
from ....compiler.report.style import PLAIN, Style
from ....dsl.diagnostics import Diagnostic, SpecError
from .rows import Row, Status, shown
from .table import by_layer, summary, table

Known = Literal["dataflow", "unfollowed", "dict"]
"""What there is of theirs: a module, one whose dataflow could not be followed, or mere tensors."""

_MISSING: tuple[Status, ...] = ("reinitialised", "ambiguous")


@dataclass(frozen=True)
class Match:
    """Every tensor of a network, and of what its weights are to come from."""

    rows: tuple[Row, ...]
    network: str
    known: Known
    how: str
    """What theirs was known by, in words: its dataflow, or kinds, shapes and order."""
    _source: Mapping[str, Tensor] = field(repr=False)

    @property
    def complete(self) -> bool:
        """Whether ours gets all that it needs."""
        return not self.missing()

    @property
    def ambiguous(self) -> bool:
        return bool(self.having("ambiguous"))

    def having(self, *statuses: Status, ours: bool | None = None) -> list[Row]:
        """The rows of some statuses; only those of ours, or those of theirs alone."""
        return [
            row
            for row in self.rows
            if row.status in statuses and (ours is None or bool(row.ours) == ours)
        ]

    def missing(self, allow: Iterable[str] = ()) -> list[Row]:
        """The rows of ours that get nothing, but for layers whose names begin like these."""
        allowed = tuple(f"{name}." for name in allow)
        return [
            row
            for row in self.having(*_MISSING, ours=True)
            if not f"{row.ours}.".startswith(allowed)
        ]

    def counts(self) -> Counter[Status]:
        """Layers by status: that of what a layer has worst off."""
        return Counter(row.status for row in by_layer(self.rows))

    def numbers(self, *statuses: Status) -> int:
        """How many numbers of ours are in tensors of some statuses."""
        return sum(prod(row.our_shape or ()) for row in self.having(*statuses, ours=True))

    # ---- the tensors ---------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Tensor]:
        """What was found, under our keys and in our shapes, buffers too."""
        return {
            row.ours: row.transfer.apply(self._source[row.transfer.key], row.our_shape or ())
            for row in self.rows
            if row.transfer is not None
        }

    def amended(self, rows: Iterable[Row], beside: Mapping[str, Tensor]) -> Match:
        """With other rows, which may take tensors from beside theirs."""
        return replace(self, rows=tuple(rows), _source={**self._source, **beside})

    def load_into(self, module: nn.Module) -> None:
        """Copies what was found into a module of this network; the rest of it stays as it is."""
        state = self.state_dict()
        there = module.state_dict()
        wrong = [
            f"{key}: {shown(tensor.shape)} does not fit into {shown(there[key].shape)}"
            if key in there
            else f"{key}: the module has no such weight"
            for key, tensor in state.items()
            if key not in there or there[key].shape != tensor.shape
        ]
        if wrong:
            message = f"this module is not {self.network}"
            raise SpecError([_diagnostic(message, wrong, "load the spec that was matched")])
        with torch.no_grad():
            for key, tensor in state.items():
                there[key].copy_(tensor)

    def require_complete(self, allow: Iterable[str] = ()) -> None:
        """Raises SpecError unless ours gets all that it needs, but for layers whose names begin
        like one of those allowed."""
        missing = self.missing(allow)
        if missing:
            first = list({row.layer: row for row in reversed(missing)}.values())[::-1]
            message = f"these weights do not fill {plural(len(first), 'layer')} of {self.network}"
            help = "; ".join(self._advice(missing))
            raise SpecError([_diagnostic(message, [row.described() for row in first], help)])

    # ---- as text -------------------------------------------------------------------------------

    def summary(self) -> str:
        return summary(self.rows, self.numbers(*_MISSING), self.network, self.how)

    def table(self, style: Style = PLAIN) -> str:
        """One line a layer, and a summary."""
        return table(self.rows, self.summary(), self._advice(self.missing()), style)

    def _advice(self, missing: Sequence[Row]) -> list[str]:
        """What can be done about layers that get nothing: something to paste, where there is."""
        return [*self._about_doubt(missing), *_about_other_shapes(missing)]

    def _about_doubt(self, missing: Sequence[Row]) -> Iterator[str]:
        ours = _layers(missing, "ambiguous")
        theirs = {row.their_layer for row in self.having("ambiguous", ours=False)}
        if ours and len(theirs) != len(ours):
            yield (
                f"the source has {len(theirs)} candidates for these {len(ours)} layers: use weights"
                " of a network with the same number"
            )
        elif ours:
            yield _IN_DOUBT[self.known]
            yield (
                "`match(…, by_order=True)` assigns them in their order, which has to be the spec's"
            )


_IN_DOUBT: Mapping[Known, str] = {
    "dataflow": "numbered names (`path1`, `path2`) would tell these apart",
    "unfollowed": "its dataflow could not be followed: `match(network, module, example=images)`"
    " runs it on images of a suitable size",
    "dict": "pass the module instead of its state dict: its dataflow may tell them apart",
}

_FEW = 4
"""Layers that are likely meant to begin anew: a head, a stem."""


def _about_other_shapes(missing: Sequence[Row]) -> Iterator[str]:
    layers = _layers(missing, "reinitialised")
    if layers and len(layers) <= _FEW:
        listed = ", ".join(f'"{name}"' for name in layers)
        yield f"`require_complete(allow=[{listed}])` allows these to be initialized at random"
    elif layers:
        yield f"with {len(layers)} layers of different shapes, the source is a different network"


def _layers(rows: Sequence[Row], status: Status) -> list[str]:
    return list(dict.fromkeys(row.layer for row in rows if row.status == status))


def _diagnostic(message: str, facts: list[str], help: str, most: int = 12) -> Diagnostic:
    shown = facts if len(facts) <= most else [*facts[: most - 1], f"… {len(facts) - most + 1} more"]
    return Diagnostic("weights", message, notes=tuple(shown), help=help)
