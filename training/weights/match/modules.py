"""Layers of two flows brought together: the same graph if it can be, else what agrees of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from .align import align
from .color_refinement import refine
from .flow import Flow
from .isomorphism import same_place, with_shape
from .line import depths, visit
from .pairing import Pairing
from .paths import path_tags
from .symmetric_layers import alike, decide_by_names


def pair_flows(ours: Flow, theirs: Flow, *, by_order: bool = False) -> Pairing:
    """Parts that are layers, ours and theirs."""
    found = same_place(ours, theirs, by_order=by_order)
    if found is not None:
        return found
    if len(ours.outputs) > 1 or len(theirs.outputs) > 1:
        # Many modules come without their auxiliary heads, which are of no use after training.
        inner = same_place(ours.without_heads(), theirs.without_heads(), by_order=by_order)
        if inner is not None:
            found = _lifted(inner, sorted(ours.main), sorted(theirs.main))
    if found is None:
        found = Pairing()
    return _aligned(ours, theirs, found, by_order)


def _lifted(pairing: Pairing, ours: Sequence[int], theirs: Sequence[int]) -> Pairing:
    """From the numbers that parts have without heads to those that they have with them."""
    return Pairing(
        {ours[our]: theirs[their] for our, their in pairing.pairs.items()},
        {ours[our]: evidence for our, evidence in pairing.evidence.items()},
        {ours[our]: {theirs[t] for t in among} for our, among in pairing.undecided.items()},
    )


def _aligned(ours: Flow, theirs: Flow, found: Pairing, by_order: bool) -> Pairing:
    """Pairs of what has none so far, by lines that follow both graphs in one order."""
    flows = ours, theirs
    known = {*found.pairs, *found.undecided}, {*found.taken, *found.doubtful}
    colours = refine(flows, [[with_shape(part) for part in flow.parts] for flow in flows])
    lines = []
    for flow, colour, done in zip(flows, colours, known, strict=True):
        depth = depths(flow)
        order = visit(flow, lambda part, d=depth, c=colour: (-d[part], c[part]))  # type: ignore[misc]
        lines.append([part for part in order if part not in done])
    our_line, their_line = lines
    alignment = align(
        [_kind_and_shape(ours, part) for part in our_line],
        [_kind_and_shape(theirs, part) for part in their_line],
    )
    for our, their in (*alignment.pairs.items(), *alignment.places.items()):
        found.pair(our_line[our], their_line[their])
    for our, among in alignment.doubtful.items():
        found.doubt([our_line[our]], {their_line[their] for their in among})
    _doubt_the_displaced(ours, theirs, found)
    tagged = path_tags(ours)
    decide_by_names(
        alike(ours, with_shape, details=True, ordered=True),
        found,
        lambda part: theirs.layer(part).name,
        tagged.__getitem__,
        by_order,
    )
    return found


def _kind_and_shape(flow: Flow, part: int) -> tuple[Hashable, Hashable]:
    layer = flow.layer(part)
    return (layer.kind, layer.variant), layer.form


def _doubt_the_displaced(ours: Flow, theirs: Flow, found: Pairing) -> None:
    """What has no neighbour in common with its partner, neither before nor behind it, stands
    elsewhere, whatever its shape. Layers without partners are no neighbours but passed over."""
    back = {their: our for our, their in found.pairs.items()}
    displaced = [
        (our, their)
        for our, their in found.pairs.items()
        if not any(
            _meet(
                ours.nearest(our, forward, found.pairs.__contains__),
                theirs.nearest(their, forward, back.__contains__),
                found,
            )
            for forward in (False, True)
        )
    ]
    for our, their in displaced:
        found.doubt([our], [their])


def _meet(
    ours: Iterable[tuple[int, bool]], theirs: Iterable[tuple[int, bool]], found: Pairing
) -> bool:
    """Whether there is a pair among neighbours, or both are at the end of the network."""
    mine = {(-1 if end else found.pairs[part], end) for part, end in ours}
    return not mine.isdisjoint((-1 if end else part, end) for part, end in theirs)
