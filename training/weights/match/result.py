"""What a match came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from ....compiler.report.figures import plural
from ....compiler.report.style import PLAIN, Style
from ....dsl.diagnostics import Diagnostic, SpecError
from .advice import advice
from .rows import Known, Row
from .table import folded, numbers, summary, table
from .tensor_transform import Status, Transfer

_MISSING: tuple[Status, ...] = ("reinitialised", "ambiguous")


@dataclass(frozen=True)
class Match:
    """Every tensor of a network, and of what its weights are to come from."""

    rows: tuple[Row, ...]
    network: str
    known: Known
    how: str
    """What theirs was known by, in words: its dataflow, or kinds, shapes and order."""
    _transfers: Mapping[str, Transfer] = field(repr=False)
    _source: Mapping[str, Tensor] = field(repr=False)

    @property
    def complete(self) -> bool:
        """Whether ours gets all that it needs."""
        return not self.having(*_MISSING, ours=True)

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

    def counts(self) -> Counter[Status]:
        """Layers by status: that of what a layer has worst off."""
        return Counter(line.status for line in folded(self.rows))

    def state_dict(self) -> dict[str, Tensor]:
        """What was found, under our keys and in our shapes, buffers too."""
        return {
            row.ours: self._transfers[row.ours].apply(
                self._source[self._transfers[row.ours].key], row.our_shape or ()
            )
            for row in self.rows
            if row.ours in self._transfers
        }

    def amended(
        self, rows: tuple[Row, ...], transfers: Mapping[str, Transfer], more: Mapping[str, Tensor]
    ) -> Match:
        """With other rows; `transfers` and `more` are of ours that had nothing, and of tensors
        beside theirs."""
        return replace(
            self,
            rows=rows,
            _transfers={**self._transfers, **transfers},
            _source={**self._source, **more},
        )

    def load_into(self, module: nn.Module) -> None:
        """Copies what was found into a module of this network; the rest of it stays as it is."""
        state = self.state_dict()
        there = module.state_dict()
        wrong = [
            f"{key}: {_shape(tensor.shape)} does not fit into {_shape(there[key].shape)}"
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
            raise SpecError([_diagnostic(message, [_described(row) for row in first], help)])

    def missing(self, allow: Iterable[str] = ()) -> list[Row]:
        """The rows of ours that get nothing."""
        allowed = tuple(allow)
        return [
            row
            for row in self.having(*_MISSING, ours=True)
            if not any(row.ours == name or row.ours.startswith(f"{name}.") for name in allowed)
        ]

    def table(self, style: Style = PLAIN) -> str:
        """One line a layer, and a summary."""
        return table(self.rows, self.summary(), self._advice(self.missing()), style)

    def summary(self) -> str:
        return summary(self.rows, self.network, self.how)

    def numbers(self, *statuses: Status) -> int:
        """How many numbers of ours are in tensors of some statuses."""
        return numbers(self.rows, *statuses)

    def _advice(self, missing: Sequence[Row]) -> list[str]:
        return advice(self.rows, missing, self.known)


def _described(row: Row) -> str:
    theirs = f", theirs {row.theirs}: {_shape(row.their_shape)}" if row.their_shape else ""
    note = f" ({row.note})" if row.note and not theirs else ""
    return f"{row.ours}: {_shape(row.our_shape)}{theirs}{note}"


def _shape(shape: Iterable[int] | None) -> str:
    return "x".join(map(str, shape or ())) or "one number"


def _diagnostic(message: str, facts: list[str], help: str, most: int = 12) -> Diagnostic:
    shown = facts if len(facts) <= most else [*facts[: most - 1], f"… {len(facts) - most + 1} more"]
    return Diagnostic("weights", message, notes=tuple(shown), help=help)
