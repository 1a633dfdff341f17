"""Layers of two flows brought together: the same graph if it can be, else what agrees of them.

Where both are the same graph, every layer has its partner, unless places are alike. First the
shapes of the weights have to be the same, then not even those: a head for other classes, or a
tensor of another shape in the middle, stands in its place all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from .align import align
from .color_refinement import Colours, alike, refine, same
from .flow import Flow, Label, Part
from .layer import Layer
from .linear_order import depths, visit
from .names import count_upwards, rank
from .pairing import Evidence, Pairing, decide_by_names
from .paths import path_tags


def pair_flows(targets: Flow, sources: Flow, *, by_order: bool = False) -> Pairing:
    """`by_order` takes what cannot be told apart as it comes."""
    found = _same_graph(targets, sources, by_order)
    if found is not None:
        return found
    if len(targets.outputs) > 1 or len(sources.outputs) > 1:
        # Many modules come without their auxiliary heads, which are of no use after training.
        found = _same_graph(targets.without_heads(), sources.without_heads(), by_order)
    return _aligned(targets, sources, found or Pairing(), by_order)


def _with_shape(part: Part) -> Hashable:
    layer = part.layer
    return part.what if layer is None else (layer.kind, layer.variant, layer.form)


def _without_shape(part: Part) -> Hashable:
    layer = part.layer
    return part.what if layer is None else (layer.kind, layer.variant)


def _with_settings(part: Part) -> Hashable:
    layer = part.layer
    if layer is None:
        return ()
    return layer.form, "bias" in layer.tensors, tuple(sorted(layer.settings.items()))


# ---- the same graph -----------------------------------------------------------------------------


def _same_graph(targets: Flow, sources: Flow, by_order: bool) -> Pairing | None:
    """None where the graphs differ."""
    flows = targets, sources
    colours = _coloured(flows, _with_shape)
    if not same(colours):
        colours = _coloured(flows, _without_shape)
        if not same(colours):
            return None
        colours = _divided(flows, colours, _with_shape)
    if any(len(mine) > 1 for mine, _ in _groups(flows, colours)):
        colours = _divided(flows, colours, _with_settings, details=True)
    return _paired(flows, colours, by_order)


def _coloured(flows: Sequence[Flow], label: Label) -> list[Colours]:
    return refine(flows, [[label(part) for part in flow.parts] for flow in flows])


def _divided(
    flows: Sequence[Flow], colours: list[Colours], label: Label, details: bool = False
) -> list[Colours]:
    """Colours that several have, divided by something more; as they were, unless both sides are
    divided in the same way."""
    begin: list[list[tuple[int, Hashable]]] = [
        [(colour, label(part)) for colour, part in zip(each, flow.parts, strict=True)]
        for each, flow in zip(colours, flows, strict=True)
    ]
    # One by one: that one of them is written differently says nothing about the others.
    targets, sources = (Counter(each) for each in begin)
    uneven = {colour for colour, _ in (targets - sources) + (sources - targets)}
    even = [[(c, None if c in uneven else more) for c, more in each] for each in begin]
    new = refine(flows, even, details=details)
    return new if same(new) else colours


Group = tuple[list[Layer], list[Layer]]
"""Layers of one colour, ours and theirs."""


def _groups(flows: Sequence[Flow], colours: Sequence[Colours]) -> list[Group]:
    found: dict[int, Group] = {}
    for side, flow in enumerate(flows):
        for layer, index in flow.places.items():
            found.setdefault(colours[side][index], ([], []))[side].append(layer)
    return list(found.values())


def _paired(flows: Sequence[Flow], colours: list[Colours], by_order: bool) -> Pairing:
    """One group of layers that are alike after the other is told apart by something else, which
    may tell others apart."""
    pairing = Pairing()
    evidence: Evidence = "place"
    undecided: list[Group] = []
    while True:
        groups = _groups(flows, colours)
        for targets, sources in groups:
            if len(targets) == 1 and targets[0] not in pairing.pairs:
                pairing.pair(targets[0], sources[0], evidence)
        group = next((g for g in groups if len(g[0]) > 1 and g not in undecided), None)
        if group is None:
            break
        order, evidence = _decided(group[1], by_order)
        new = _separated(flows, colours, (group[0], order)) if order else None
        if new is None:
            undecided.append(group)
        else:
            colours, undecided = new, []
    for targets, sources in undecided:
        pairing.doubt(targets, sources)
    return pairing


def _decided(alike: Sequence[Layer], by_order: bool) -> tuple[Sequence[Layer], Evidence]:
    """The order in which they go with ours; nothing where nothing decides that."""
    named = sorted(alike, key=lambda layer: rank(layer.name))
    if count_upwards([layer.name for layer in named]):
        return named, "names"
    return (alike if by_order else ()), "order"


def _separated(
    flows: Sequence[Flow], colours: Sequence[Colours], group: tuple[Sequence[Layer], ...]
) -> list[Colours] | None:
    """Colours in which each of these has one of its own, if that can be."""
    begin = []
    for flow, each, layers in zip(flows, colours, group, strict=True):
        place = {flow.places[layer]: number for number, layer in enumerate(layers)}
        begin.append([(colour, place.get(index)) for index, colour in enumerate(each)])
    new = refine(flows, begin)
    return new if same(new) else None


# ---- what agrees of two graphs ------------------------------------------------------------------


def _aligned(targets: Flow, sources: Flow, found: Pairing, by_order: bool) -> Pairing:
    """Pairs of what has none so far, by lines that follow both graphs in one order."""
    flows = targets, sources
    known = {*found.pairs, *found.undecided}, {*found.taken, *found.doubtful}
    targets_left, sources_left = (
        [layer for layer in _in_one_order(flow, colours) if layer not in done]
        for flow, colours, done in zip(flows, _coloured(flows, _with_shape), known, strict=True)
    )
    alignment = align(
        targets_left, sources_left, lambda layer: ((layer.kind, layer.variant), layer.form)
    )
    for target, source in alignment.pairs.items():
        found.pair(target, source)
    for target, among in alignment.doubtful.items():
        found.doubt([target], among)
    _doubt_the_displaced(targets, sources, found)
    groups = alike(targets, _with_shape, details=True, ordered=True)
    decide_by_names(groups, found, path_tags(targets), by_order)
    return found


def _in_one_order(flow: Flow, colours: Colours) -> list[Layer]:
    depth = depths(flow)
    return visit(flow, lambda part: (-depth[part], colours[part]))


def _doubt_the_displaced(targets: Flow, sources: Flow, found: Pairing) -> None:
    """What has no neighbour in common with its partner, neither before nor behind it, stands
    elsewhere, whatever its shape. Layers without partners are no neighbours but passed over."""
    taken = found.taken
    displaced = [
        (target, source)
        for target, source in found.pairs.items()
        if not any(
            {mine and found.pairs[mine] for mine in targets.nearest(target, forward, found.pairs)}
            & {*sources.nearest(source, forward, taken)}
            for forward in (False, True)
        )
    ]
    for target, source in displaced:
        found.doubt([target], [source])
