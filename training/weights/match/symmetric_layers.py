"""Layers of ours that stand alike, so that any of theirs might belong to any: names, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .color_refinement import refine
from .flow import Flow, Label
from .layer import Layer
from .names import Tag, count_upwards, told_apart
from .pairing import Evidence, Pairing


def alike(flow: Flow, label: Label, *, details: bool, ordered: bool) -> list[list[Layer]]:
    """Groups of two layers or more, in the order of the flow."""
    (colours,) = refine(
        [flow], [[label(part) for part in flow.parts]], details=details, ordered=ordered
    )
    groups: dict[int, list[Layer]] = {}
    for layer, part in flow.places.items():
        groups.setdefault(colours[part], []).append(layer)
    return [group for group in groups.values() if len(group) > 1]


def decide_by_names(
    groups: Iterable[Sequence[Layer]],
    found: Pairing,
    tagged: Mapping[Layer, frozenset[Tag]],
    by_order: bool,
) -> None:
    """Pairs of layers that are alike stay where names say the same, or where order may decide;
    else they are in doubt."""
    for group in groups:
        paired = [our for our in group if our in found.pairs]
        if not paired:
            continue
        theirs = [found.pairs[our] for our in paired]
        names = [their.name for their in theirs]
        words = told_apart([tagged[our] for our in paired], names)
        if count_upwards(names) or words == list(range(len(names))):
            evidence: Evidence = "names"
        elif by_order and words is None:
            evidence = "order"
        else:
            found.doubt(group, theirs)
            continue
        for our in paired:
            found.evidence[our] = evidence
