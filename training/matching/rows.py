"""What becomes of every tensor of both sides, once it is known which layers belong together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from .layer import COUNTER, Held, Layer, Shape
from .pairing import Evidence, Pairing
from .transfer import Status, Transfer, Verdict, tensor, weight

_EVIDENCE: Mapping[Evidence, str] = {"place": "", "order": "by order", "names": "by names"}


@dataclass(frozen=True)
class Row:
    """One tensor of ours, of theirs, or both."""

    ours: str
    theirs: str
    status: Status
    our_shape: Shape | None
    their_shape: Shape | None
    note: str = ""
    layer: str = ""
    """The layer that it belongs to: ours where there is one, else theirs."""
    their_layer: str = ""


Told = tuple[Row, Transfer | None]


def tell(
    ours: Mapping[int, Layer],
    theirs: Mapping[int, Layer],
    pairing: Pairing,
    first: Set[int],
    adapt: bool,
) -> Iterator[Told]:
    """`first` are the layers of ours that take the image itself."""
    for number, layer in ours.items():
        if number in pairing.pairs:
            other = theirs[pairing.pairs[number]]
            remarks = [_EVIDENCE[pairing.evidence[number]], *_differences(layer, other)]
            yield from _paired(layer, other, adapt and number in first, remarks)
        else:
            among = [theirs[their].name for their in sorted(pairing.undecided.get(number, ()))]
            yield from _alone(layer, among)
    used, doubtful = pairing.taken, pairing.doubtful
    for number, layer in theirs.items():
        if number not in used:
            status: Status = "ambiguous" if number in doubtful else "unused"
            for held in layer.tensors.values():
                yield unused(held, layer.name, status), None


def unused(held: Held, layer: str, status: Status = "unused", note: str = "") -> Row:
    return Row("", held.key, status, None, held.shape, note, layer, layer)


def _paired(ours: Layer, theirs: Layer, adapt: bool, remarks: Sequence[str]) -> Iterator[Told]:
    main = "weight" in ours.tensors and "weight" in theirs.tensors
    verdict = weight(ours, theirs, adapt=adapt) if main else None
    lost = verdict is not None and verdict.transfer is None
    for role, our in ours.tensors.items():
        their = theirs.tensors.get(role)
        if their is None:
            yield _without(our, role, ours, theirs, remarks), None
            continue
        one = verdict if role == "weight" and verdict else tensor(our, their)
        if lost and one.transfer is not None:
            one = Verdict("reinitialised", note="its weight has another shape")
        note = ", ".join(filter(None, [one.note, *remarks]))
        shapes = our.shape, their.shape
        row = Row(our.key, their.key, one.status, *shapes, note, ours.name, theirs.name)
        yield row, one.transfer
    for role, their in theirs.tensors.items():
        if role not in ours.tensors:
            note = "" if role == COUNTER else f"ours has no {role}"
            row = Row("", their.key, "unused", None, their.shape, note, ours.name, theirs.name)
            yield row, None


def _without(our: Held, role: str, ours: Layer, theirs: Layer, remarks: Sequence[str]) -> Row:
    if role == COUNTER:
        return Row(our.key, "", "kept", our.shape, None, "", ours.name, theirs.name)
    note = ", ".join(filter(None, [f"theirs has no {role}", *remarks]))
    return Row(our.key, "", "reinitialised", our.shape, None, note, ours.name, theirs.name)


def _alone(layer: Layer, among: Sequence[str]) -> Iterator[Told]:
    status: Status
    if layer.fixed:
        status, note = "kept", "fixed values"
    elif among:
        status, note = "ambiguous", f"one of {_listed(among)}"
    else:
        status, note = "reinitialised", "nothing of its kind and shape in its place"
    for our in layer.tensors.values():
        yield Row(our.key, "", status, our.shape, None, note, layer.name), None


def _listed(names: Sequence[str], most: int = 4) -> str:
    shown = names if len(names) <= most else [*names[: most - 1], f"{len(names) - most + 1} more"]
    return ", ".join(shown)


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
