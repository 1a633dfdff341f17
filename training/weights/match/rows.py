"""What becomes of every tensor of both sides, once it is known which layers belong together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Literal

from .layer import COUNTER, Held, Layer, Shape
from .pairing import Evidence, Pairing
from .tensor_transform import Status, Transfer, Verdict, tensor, weight

Known = Literal["dataflow", "unfollowed", "dict"]
"""What there is of theirs: a module, one whose dataflow could not be followed, or mere tensors."""

_EVIDENCE: Mapping[Evidence, str] = {"place": "", "order": "by order", "names": "by names"}


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

    @property
    def note(self) -> str:
        return ", ".join(self.notes)


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
            one = _Pair(layer, other, pairing.evidence[number])
            yield from one.told(adapt and number in first)
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
    notes = (note,) if note else ()
    return Row("", held.key, status, None, held.shape, notes, their_layer=layer)


class _Pair:
    """Two layers that belong together."""

    def __init__(self, ours: Layer, theirs: Layer, evidence: Evidence) -> None:
        self._ours = ours
        self._theirs = theirs
        self._evidence = evidence
        self._remarks = [_EVIDENCE[evidence], *_differences(ours, theirs)]

    def told(self, adapt: bool) -> Iterator[Told]:
        ours, theirs = self._ours.tensors, self._theirs.tensors
        main = None
        if "weight" in ours and "weight" in theirs:
            main = weight(self._ours, self._theirs, adapt=adapt)
        for role, our in ours.items():
            if role not in theirs:
                yield self._missing(our, role), None
                continue
            verdict = main if role == "weight" and main else tensor(our, theirs[role])
            if main is not None and main.transfer is None and verdict.transfer is not None:
                verdict = Verdict("reinitialised", note="its weight has a different shape")
            yield self._row(our, theirs[role], verdict.status, verdict.note), verdict.transfer
        for role, their in theirs.items():
            if role not in ours:
                note = "" if role == COUNTER else f"there is no {role} in the spec"
                yield self._row(None, their, "unused", note), None

    def _missing(self, our: Held, role: str) -> Row:
        if role == COUNTER:
            return self._row(our, None, "kept", "")
        return self._row(our, None, "reinitialised", f"there is no {role} in the source")

    def _row(self, our: Held | None, their: Held | None, status: Status, note: str) -> Row:
        return Row(
            our.key if our else "",
            their.key if their else "",
            status,
            our.shape if our else None,
            their.shape if their else None,
            tuple(filter(None, [note, *self._remarks])),
            self._evidence,
            self._ours.name,
            self._theirs.name,
        )


def _alone(layer: Layer, among: Sequence[str]) -> Iterator[Told]:
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
        yield Row(our.key, "", status, our.shape, None, (note,), layer=layer.name), None


def _listed(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names) if len(names) <= most else ", ".join([*names[: most - 1], "…"])


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
