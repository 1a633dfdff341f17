"""The rows of a match: one for each tensor of the spec and of the source, with its status.

The spec's network is the target: its tensors are filled from those of the source.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from .layer import COUNTER, Axes, Held, Layer, Shape, without_ones
from .pairing import Evidence, Pairing

Status = Literal["matched", "reshaped", "adapted", "kept", "reinitialized", "ambiguous", "unused"]
"""`kept` tensors need no weights: fixed values, the counter of a batch norm."""

_EVIDENCE: Mapping[Evidence, str] = {"place": "", "order": "by order", "names": "by names"}


@dataclass(frozen=True)
class Transfer:
    """How to compute a tensor of the target from one of the source, or from several, joined."""

    keys: tuple[str, ...]
    axes: Axes = ()
    """The permutation of the source's axes that comes first."""
    reversed: bool = False
    """Whether the first two axes then count in the other direction."""
    flat_map: Shape = ()
    """The shape of the feature map, channels x height x width, that the source flattens with its
    channels last."""
    channels: Literal["", "sum", "spread"] = ""
    """How weights are adapted to images with another number of channels. For gray images, the
    weights of the three colors are summed; for color images, those of gray are spread evenly."""

    def apply(self, tensors: Mapping[str, Tensor], shape: Shape) -> Tensor:
        """The tensor, from those of the source by key."""
        joined = [tensors[key] for key in self.keys]
        tensor = torch.cat(joined) if len(joined) > 1 else joined[0]
        if self.axes:
            tensor = tensor.permute(self.axes)
        if self.reversed:
            tensor = tensor.flip(0, 1)
        if self.flat_map:
            channels, height, width = self.flat_map
            tensor = tensor.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        if self.channels == "sum":
            tensor = tensor.sum(1, keepdim=True)
        if self.channels == "spread":
            tensor = (tensor / shape[1]).expand(shape)
        return tensor.reshape(shape).contiguous()


@dataclass(frozen=True)
class MatchRow:
    """A tensor of the target, of the source, or a pair of both; see also `by_layer`."""

    target: str
    """Its key in the spec's network; empty if only the source has it."""
    source: str
    """Its key in the source; empty if only the target has it."""
    status: Status
    target_shape: Shape | None
    source_shape: Shape | None
    notes: tuple[str, ...] = ()
    evidence: Evidence = "place"
    """How the layers were paired."""
    layer: str = ""
    """The layer of the target that it belongs to, or that its layer is paired with."""
    source_layer: str = ""
    transfer: Transfer | None = field(default=None, repr=False)
    """None if the target gets no weights."""
    differences: tuple[str, ...] = ()
    """Settings that differ between the two layers, such as the stride; also in `notes`."""

    @property
    def note(self) -> str:
        return ", ".join(self.notes)

    def described(self) -> str:
        """The shape of the target, and why it gets no weights."""
        if self.source_shape:
            why = f" in the spec, but {shown(self.source_shape)} in the source ({self.source})"
        else:
            why = f": {self.note}" if self.note else ""
        return f"{self.target} is {shown(self.target_shape)}{why}"


def shown(shape: Iterable[int] | None) -> str:
    return "x".join(map(str, shape or ())) or "a scalar"


def rows_of(
    targets: Sequence[Layer], sources: Sequence[Layer], pairing: Pairing, first: Collection[Layer]
) -> Iterator[MatchRow]:
    """`first` are the target's layers whose weights may be adapted to other image channels."""
    for layer in targets:
        if layer in pairing.pairs:
            yield from _pair(layer, pairing.pairs[layer], pairing.evidence[layer], layer in first)
        else:
            among = pairing.undecided.get(layer, ())
            yield from _alone(layer, [other.name for other in sources if other in among])
    used, doubtful = pairing.taken, pairing.doubtful
    for layer in sources:
        if layer not in used:
            status: Status = "ambiguous" if layer in doubtful else "unused"
            for held in layer.tensors.values():
                yield unused(held, layer.name, status)


def unused(held: Held, layer: str, status: Status = "unused", note: str = "") -> MatchRow:
    notes = (note,) if note else ()
    return MatchRow("", held.key, status, None, held.shape, notes, source_layer=layer)


def _alone(layer: Layer, among: Sequence[str]) -> Iterator[MatchRow]:
    status: Status
    if layer.fixed:
        status, note = "kept", "its values are fixed"
    elif among:
        status = "ambiguous"
        many = len(among) > 1
        note = f"one of {len(among)}: {_listed(among)}" if many else f"{among[0]} or none"
    else:
        status, note = "reinitialized", "no counterpart"
    for target in layer.tensors.values():
        yield MatchRow(target.key, "", status, target.shape, None, (note,), layer=layer.name)


def _listed(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names) if len(names) <= most else ", ".join([*names[: most - 1], "…"])


# ---- pairs of layers ---------------------------------------------------------------------------


class _Verdict(NamedTuple):
    status: Status
    transfer: Transfer | None = None
    note: str = ""


def _pair(layer: Layer, source_layer: Layer, evidence: Evidence, adapt: bool) -> Iterator[MatchRow]:
    differences = tuple(_differences(layer, source_layer))

    def row(target: Held | None, source: Held | None, verdict: _Verdict) -> MatchRow:
        return MatchRow(
            target.key if target else "",
            source.key if source else "",
            verdict.status,
            target.shape if target else None,
            source.shape if source else None,
            tuple(filter(None, [verdict.note, _EVIDENCE[evidence], *differences])),
            evidence,
            layer.name,
            source_layer.name,
            verdict.transfer,
            differences,
        )

    weights = None
    if "weight" in layer.tensors and "weight" in source_layer.tensors:
        weights = _weight_verdict(layer, source_layer.tensors["weight"], adapt)
    for role, target in layer.tensors.items():
        source = source_layer.tensors.get(role)
        if source is None:
            kept = role == COUNTER
            verdict = _Verdict("kept") if kept else _rejected(f"there is no {role} in the source")
        elif role == "weight" and weights is not None:
            verdict = weights
        else:
            verdict = _verdict(target, source)
            if weights is not None and weights.transfer is None and verdict.transfer is not None:
                verdict = _rejected("its weight has a different shape")
        if layer.fixed and verdict.transfer is None:
            verdict = _Verdict("kept", note="its values are fixed")
        yield row(target, source, verdict)
    for role, extra in source_layer.tensors.items():
        if role not in layer.tensors:
            note = "" if role == COUNTER else f"there is no {role} in the spec"
            yield row(None, extra, _Verdict("unused", note=note))


def _rejected(note: str) -> _Verdict:
    return _Verdict("reinitialized", note=note)


def _verdict(target: Held, source: Held) -> _Verdict:
    """Accepts shapes that are equal up to trailing ones and the order of the axes."""
    if without_ones(target.shape) != without_ones(source.shape):
        return _rejected("different shape")
    how = Transfer(source.keys, source.axes)
    if source.parts:
        return _Verdict("reshaped", how, f"joined from {len(source.parts)}")
    if source.reversed:
        return _Verdict("reshaped", replace(how, reversed=True), "distances in reverse")
    if source.axes:
        return _Verdict("reshaped", how, "output channels last in the source")
    return _Verdict("matched" if target.shape == source.shape else "reshaped", how)


def _weight_verdict(layer: Layer, source: Held, adapt: bool) -> _Verdict:
    """As `_verdict`; a weight can also be reshaped or adapted to other image channels."""
    target, input_shape = layer.tensors["weight"], layer.input_shape
    verdict = _verdict(target, source)
    if verdict.transfer is not None:
        is_flat = len(target.shape) == 2 and len(input_shape) == 3 and prod(input_shape[1:]) > 1
        if source.axes and is_flat and not source.reversed:
            how = Transfer(source.keys, source.axes, flat_map=input_shape)
            return _Verdict("reshaped", how, "flattened with channels last")
        return verdict
    same_outputs = target.shape[:1] == source.shape[:1]
    if same_outputs and _covers_map(input_shape, target.shape, source.shape):
        how = Transfer(source.keys, source.axes)
        return _Verdict("reshaped", how, "a kernel as large as the feature map")
    channels = _channels(target.shape, source.shape)
    if channels and adapt:
        note = "color channels summed" if channels == "sum" else "gray spread over three channels"
        return _Verdict("adapted", Transfer(source.keys, source.axes, channels=channels), note)
    return verdict


def _covers_map(input_shape: Shape, target: Shape, source: Shape) -> bool:
    """Whether one is a linear layer on the flattened feature map, and the other a convolution whose
    kernel is as large as the map."""
    flat = (prod(input_shape),)
    filters = {(bool(target[2:]), target[1:]), (bool(source[2:]), source[1:])}
    return filters == {(True, input_shape), (False, flat)}


def _channels(target: Shape, source: Shape) -> Literal["", "sum", "spread"]:
    if len(target) != 4 or len(source) != 4 or (target[0], target[2:]) != (source[0], source[2:]):
        return ""
    return {(1, 3): "sum", (3, 1): "spread"}.get((target[1], source[1]), "")  # type: ignore[return-value]


def _differences(target: Layer, source: Layer) -> Iterator[str]:
    """Known settings that differ: the weights fit, but the outputs differ."""
    for name, value in target.settings.items():
        other = source.settings.get(name, value)
        if other != value:
            yield f"{name} {_short(value)} in the spec, {_short(other)} in the source"


def _short(value: object) -> str:
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
