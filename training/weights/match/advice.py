"""What can be done about layers that get nothing: something to paste, where there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .rows import Known, Row
from .tensor_transform import Status

_FEW = 4
"""Layers that are likely meant to begin anew: a head, a stem."""

_NOT_FOLLOWED = (
    "its dataflow could not be followed: `match(network, module, example=images)` runs it on"
    " images of a suitable size"
)
_IN_DOUBT: dict[Known, str] = {
    "dataflow": "numbered names (`path1`, `path2`) would tell these apart",
    "unfollowed": _NOT_FOLLOWED,
    "dict": "pass the module instead of its state dict: its dataflow may tell them apart",
}


def advice(rows: Sequence[Row], missing: Sequence[Row], known: Known) -> list[str]:
    """For those rows of ours that get nothing, the `missing` ones."""
    return [*_about_doubt(rows, missing, known), *_about_the_rest(missing)]


def _about_doubt(rows: Sequence[Row], missing: Sequence[Row], known: Known) -> Iterator[str]:
    ours = _layers(missing, "ambiguous")
    if not ours:
        return
    theirs = {row.their_layer for row in rows if row.status == "ambiguous" and not row.ours}
    if len(theirs) != len(ours):
        yield (
            f"the source has {len(theirs)} candidates for these {len(ours)} layers: use weights "
            f"of a"
            " network with the same number"
        )
        return
    yield _IN_DOUBT[known]
    yield "`match(…, by_order=True)` assigns them in their order, which has to be the spec's"


def _about_the_rest(missing: Sequence[Row]) -> Iterator[str]:
    layers = _layers(missing, "reinitialised")
    if layers and len(layers) <= _FEW:
        listed = ", ".join(f'"{name}"' for name in layers)
        yield f"`require_complete(allow=[{listed}])` allows these to be initialized at random"
    elif layers:
        yield f"with {len(layers)} layers of different shapes, the source is a different network"


def _layers(rows: Sequence[Row], status: Status) -> list[str]:
    return list(dict.fromkeys(row.layer for row in rows if row.status == status))
