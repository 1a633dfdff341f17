"""What becomes of every tensor of both sides, once it is known which layers belong together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Literal, NamedTuple

from torch import Tensor

from .layer import COUNTER, Axes, Held, Layer, Shape, without_ones
from .pairing import Evidence, Pairing

Status = Literal["matched", "reshaped", "adapted", "kept", "reinitialised", "ambiguous", "unused"]
"""`kept` is ours that needs nothing from anybody: fixed values, the counter of a batch norm."""

_EVIDENCE: Mapping[Evidence, str] = {"place": "", "order": "by order", "names": "by names"}


@dataclass(frozen=True)
class Transfer:
    """How one of ours comes from one of theirs."""

    key: str
    axes: Axes = ()
    """The order that theirs have to be brought into first."""
    flat_map: Shape = ()
    """The map, channels x height x width, that theirs took made flat with its channels last."""
    channels: Literal["", "sum", "spread"] = ""
    """What is done about channels of the image: weights of three colours are summed for grey, where
    all three would be the same; those of grey are spread evenly over three."""

    def apply(self, tensor: Tensor, shape: Shape) -> Tensor:
        if self.axes:
            tensor = tensor.permute(self.axes)
        if self.flat_map:
            channels, height, width = self.flat_map
            tensor = tensor.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        if self.channels == "sum":
            tensor = tensor.sum(1, keepdim=True)
        if self.channels == "spread":
            tensor = (tensor / shape[1]).expand(shape)
        return tensor.reshape(shape).contiguous()


@dataclass(frozen=True)
class Row:
    """One tensor of ours, of theirs, or both."""

    ours: str
    theirs: str
    status: Status
    our_shape: Shape | None
    their_shape: Shape | None
    notes: tuple[str, ...] = ()
    evidence: Evidence = "place"
    """What it was told by."""
    layer: str = ""
    """The layer of ours that it belongs to, or whose partner it belongs to."""
    their_layer: str = ""
    transfer: Transfer | None = field(default=None, repr=False)
    """None where ours gets nothing."""

    @property
    def note(self) -> str:
        return ", ".join(self.notes)

    def described(self) -> str:
        """What ours is, and why it gets nothing."""
        if self.their_shape:
            why = f", theirs ({self.theirs}) is {shown(self.their_shape)}"
        else:
            why = f": {self.note}" if self.note else ""
        return f"{self.ours} is {shown(self.our_shape)}{why}"


def shown(shape: Iterable[int] | None) -> str:
    return "x".join(map(str, shape or ())) or "one number"


def rows_of(
    ours: Sequence[Layer], theirs: Sequence[Layer], found: Pairing, first: Collection[Layer]
) -> Iterator[Row]:
    """`first` are the layers of ours whose weights may be adapted to images of other colours."""
    for layer in ours:
        if layer in found.pairs:
            yield from _pair(layer, found.pairs[layer], found.evidence[layer], layer in first)
        else:
            among = found.undecided.get(layer, ())
            yield from _alone(layer, [other.name for other in theirs if other in among])
    used, doubtful = found.taken, found.doubtful
    for layer in theirs:
        if layer not in used:
            status: Status = "ambiguous" if layer in doubtful else "unused"
            for held in layer.tensors.values():
                yield unused(held, layer.name, status)


def unused(held: Held, layer: str, status: Status = "unused", note: str = "") -> Row:
    notes = (note,) if note else ()
    return Row("", held.key, status, None, held.shape, notes, their_layer=layer)


def _alone(layer: Layer, among: Sequence[str]) -> Iterator[Row]:
    status: Status
    if layer.fixed:
        status, note = "kept", "its values are fixed"
    elif among:
        status = "ambiguous"
        many = len(among) > 1
        note = f"one of {len(among)}: {_listed(among)}" if many else f"{among[0]} or nothing"
    else:
        status, note = "reinitialised", "no counterpart"
    for our in layer.tensors.values():
        yield Row(our.key, "", status, our.shape, None, (note,), layer=layer.name)


def _listed(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names) if len(names) <= most else ", ".join([*names[: most - 1], "…"])


# ---- two layers that belong together -----------------------------------------------------------


class _Verdict(NamedTuple):
    status: Status
    transfer: Transfer | None = None
    note: str = ""


def _pair(ours: Layer, theirs: Layer, evidence: Evidence, adapt: bool) -> Iterator[Row]:
    remarks = [_EVIDENCE[evidence], *_differences(ours, theirs)]

    def row(our: Held | None, their: Held | None, verdict: _Verdict) -> Row:
        return Row(
            our.key if our else "",
            their.key if their else "",
            verdict.status,
            our.shape if our else None,
            their.shape if their else None,
            tuple(filter(None, [verdict.note, *remarks])),
            evidence,
            ours.name,
            theirs.name,
            verdict.transfer,
        )

    weights = None
    if "weight" in ours.tensors and "weight" in theirs.tensors:
        weights = _of_weights(ours, theirs.tensors["weight"], adapt)
    for role, our in ours.tensors.items():
        their = theirs.tensors.get(role)
        if their is None:
            kept = role == COUNTER
            verdict = _Verdict("kept") if kept else _nothing(f"there is no {role} in the source")
        elif role == "weight" and weights is not None:
            verdict = weights
        else:
            verdict = _of_tensors(our, their)
            if weights is not None and weights.transfer is None and verdict.transfer is not None:
                verdict = _nothing("its weight has a different shape")
        yield row(our, their, verdict)
    for role, their in theirs.tensors.items():
        if role not in ours.tensors:
            note = "" if role == COUNTER else f"there is no {role} in the spec"
            yield row(None, their, _Verdict("unused", note=note))


def _nothing(note: str) -> _Verdict:
    return _Verdict("reinitialised", note=note)


def _of_tensors(our: Held, their: Held) -> _Verdict:
    """Of any tensor: the same, or the same but for ones at the end or the order of its axes."""
    if without_ones(our.shape) != without_ones(their.shape):
        return _nothing("another shape")
    how = Transfer(their.key, their.axes)
    if their.axes:
        return _Verdict("reshaped", how, "outputs were last")
    return _Verdict("matched" if our.shape == their.shape else "reshaped", how)


def _of_weights(ours: Layer, their: Held, adapt: bool) -> _Verdict:
    """Of what makes a layer what it is."""
    our, arriving = ours.tensors["weight"], ours.arriving
    verdict = _of_tensors(our, their)
    if verdict.transfer is not None:
        is_flat = len(our.shape) == 2 and len(arriving) == 3 and prod(arriving[1:]) > 1
        if their.axes and is_flat:
            how = Transfer(their.key, their.axes, arriving)
            return _Verdict("reshaped", how, "flattened with channels last")
        return verdict
    if our.shape[:1] == their.shape[:1] and _as_large_as_the_map(arriving, our.shape, their.shape):
        how = Transfer(their.key, their.axes)
        return _Verdict("reshaped", how, "a filter as large as the map")
    channels = _channels(our.shape, their.shape)
    if channels and adapt:
        note = "colours summed" if channels == "sum" else "grey repeated for each color"
        return _Verdict("adapted", Transfer(their.key, their.axes, channels=channels), note)
    return verdict


def _as_large_as_the_map(arriving: Shape, our: Shape, their: Shape) -> bool:
    """Whether one is a linear layer over a flat map, and the other a convolution over all of it."""
    flat = (prod(arriving),)
    filters = {(bool(our[2:]), our[1:]), (bool(their[2:]), their[1:])}
    return filters == {(True, arriving), (False, flat)}


def _channels(our: Shape, their: Shape) -> Literal["", "sum", "spread"]:
    if len(our) != 4 or len(their) != 4 or (our[0], our[2:]) != (their[0], their[2:]):
        return ""
    return {(1, 3): "sum", (3, 1): "spread"}.get((our[1], their[1]), "")  # type: ignore[return-value]


def _differences(ours: Layer, theirs: Layer) -> Iterator[str]:
    """Settings that are known of both and differ: weights fit, outputs do not."""
    for name, value in ours.settings.items():
        other = theirs.settings.get(name, value)
        if other != value:
            yield f"{name} {_short(value)}, theirs {_short(other)}"


def _short(value: object) -> str:
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
