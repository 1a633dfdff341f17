"""Matches the layers of two dataflow graphs: isomorphic graphs completely, others in parts.

In isomorphic graphs every layer has a counterpart, unless several layers are interchangeable. First
the shapes of the weights have to be equal; then not even they, so that a head for other classes, or
a layer of another shape, is still paired with its counterpart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from .align import align
from .color_refinement import Colors, interchangeable, refine, same
from .flow import Flow, Label, Part
from .layer import Layer
from .linear_order import depths, visit
from .names import Tag, assign_by_words, count_upwards, rank
from .pairing import Evidence, Pairing, decide_by_names
from .paths import path_tags


def pair_flows(target_flow: Flow, source_flow: Flow, *, by_order: bool = False) -> Pairing:
    """Pairs the layers of both. `by_order` assigns interchangeable layers in their order."""
    pairing = _same_graph(target_flow, source_flow, by_order)
    if pairing is not None:
        pairing.same_graph = True
        return pairing
    if len(target_flow.outputs) > 1 or len(source_flow.outputs) > 1:
        # Many modules come without their auxiliary heads, which are not needed after training.
        pairing = _same_graph(target_flow.without_heads(), source_flow.without_heads(), by_order)
    return _aligned(target_flow, source_flow, pairing or Pairing(), by_order)


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


def _same_graph(target_flow: Flow, source_flow: Flow, by_order: bool) -> Pairing | None:
    """Pairs for isomorphic graphs; None if the graphs differ."""
    flows = target_flow, source_flow
    colors = _colored(flows, _with_shape)
    if not same(colors):
        colors = _colored(flows, _without_shape)
        if not same(colors):
            return None
        colors = _divided(flows, colors, _with_shape)
    if any(len(other) > 1 for other, _ in _groups(flows, colors)):
        colors = _divided(flows, colors, _with_settings, details=True)
    return _paired(flows, colors, by_order)


def _colored(flows: Sequence[Flow], label: Label) -> list[Colors]:
    return refine(flows, [[label(part) for part in flow.parts] for flow in flows])


def _divided(
    flows: Sequence[Flow], colors: list[Colors], label: Label, details: bool = False
) -> list[Colors]:
    """Colors refined by another property of the parts. A color is split only if its parts have the
    same values of the property, equally often, in both graphs."""
    begin: list[list[tuple[int, Hashable]]] = [
        [(color, label(part)) for color, part in zip(each, flow.parts, strict=True)]
        for each, flow in zip(colors, flows, strict=True)
    ]
    # Color by color: if one part is set differently, the others can still be told apart.
    targets, sources = (Counter(each) for each in begin)
    uneven = {color for color, _ in (targets - sources) + (sources - targets)}
    even = [
        [(color, None if color in uneven else value) for color, value in each] for each in begin
    ]
    new = refine(flows, even, details=details)
    return new if same(new) else colors


Group = tuple[list[Layer], list[Layer]]
"""Layers of one color, in the target and in the source."""


def _groups(flows: Sequence[Flow], colors: Sequence[Colors]) -> list[Group]:
    groups: dict[int, Group] = {}
    for side, flow in enumerate(flows):
        for layer, index in flow.places.items():
            groups.setdefault(colors[side][index], ([], []))[side].append(layer)
    return list(groups.values())


def _paired(flows: Sequence[Flow], colors: list[Colors], by_order: bool) -> Pairing:
    """Pairs layers of unique colors. Groups of interchangeable layers are assigned by names or
    order, one after the other, because each assignment may decide other groups."""
    pairing = Pairing()
    evidence: Evidence = "place"
    undecided: list[Group] = []
    tagged = path_tags(flows[0])
    while True:
        groups = _groups(flows, colors)
        for targets, sources in groups:
            if len(targets) == 1 and targets[0] not in pairing.pairs:
                pairing.pair(targets[0], sources[0], evidence)
        group = next((g for g in groups if len(g[0]) > 1 and g not in undecided), None)
        if group is None:
            break
        order, evidence = _decided(group[1], [tagged[layer] for layer in group[0]], by_order)
        new = _separated(flows, colors, (group[0], order)) if order else None
        if new is None:
            undecided.append(group)
        else:
            colors, undecided = new, []
    for targets, sources in undecided:
        pairing.doubt(targets, sources)
    return pairing


def _decided(
    alike: Sequence[Layer], tagged: Sequence[frozenset[Tag]], by_order: bool
) -> tuple[Sequence[Layer], Evidence]:
    """The layers of the source in the order of the target, whose tags are given; empty if nothing
    decides it."""
    named = sorted(alike, key=lambda layer: rank(layer.name))
    if count_upwards([layer.name for layer in named]):
        return named, "names"
    words = assign_by_words(tagged, [layer.name for layer in alike])
    if words is not None:
        return [alike[index] for index in words], "names"
    return (alike if by_order else ()), "order"


def _separated(
    flows: Sequence[Flow], colors: Sequence[Colors], group: tuple[Sequence[Layer], ...]
) -> list[Colors] | None:
    """Colors in which these layers are distinct; None if the graphs then have different ones."""
    begin = []
    for flow, each, layers in zip(flows, colors, group, strict=True):
        place = {flow.places[layer]: number for number, layer in enumerate(layers)}
        begin.append([(color, place.get(index)) for index, color in enumerate(each)])
    new = refine(flows, begin)
    return new if same(new) else None


# ---- graphs that differ -------------------------------------------------------------------------


def _aligned(target_flow: Flow, source_flow: Flow, pairing: Pairing, by_order: bool) -> Pairing:
    """Pairs the remaining layers by aligning them, both graphs in the same order of execution."""
    flows = target_flow, source_flow
    known = {*pairing.pairs, *pairing.undecided}, {*pairing.taken, *pairing.doubtful}
    targets_left, sources_left = (
        [layer for layer in _in_one_order(flow, colors) if layer not in done]
        for flow, colors, done in zip(flows, _colored(flows, _with_shape), known, strict=True)
    )
    alignment = align(
        targets_left, sources_left, lambda layer: ((layer.kind, layer.variant), layer.form)
    )
    for target, source in alignment.pairs.items():
        pairing.pair(target, source)
    for target, among in alignment.doubtful.items():
        pairing.doubt([target], among)
    _doubt_the_displaced(target_flow, source_flow, pairing)
    groups = interchangeable(target_flow, _with_shape, details=True, ordered=True)
    decide_by_names(groups, pairing, path_tags(target_flow), by_order)
    return pairing


def _in_one_order(flow: Flow, colors: Colors) -> list[Layer]:
    depth = depths(flow)
    return visit(flow, lambda part: (-depth[part], colors[part]))


def _doubt_the_displaced(target_flow: Flow, source_flow: Flow, pairing: Pairing) -> None:
    """Doubts pairs whose layers have no neighbor in common, neither before nor after: they are in
    different places. Layers without a counterpart are skipped when looking for neighbors."""
    taken = pairing.taken
    displaced = [
        (target, source)
        for target, source in pairing.pairs.items()
        if not any(
            {
                other and pairing.pairs[other]
                for other in target_flow.nearest(target, forward, pairing.pairs)
            }
            & {*source_flow.nearest(source, forward, taken)}
            for forward in (False, True)
        )
    ]
    for target, source in displaced:
        pairing.doubt([target], [source])
