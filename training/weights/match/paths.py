"""Finds what names have words for: layers on shortcut and pooling paths (`downsample`, `pool`), and
factors of residual paths (`gamma`)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from .flow import Flow
from .layer import Layer, last_part
from .linear_order import depths
from .names import Tag, tags
from .operations import comparable


def path_tags(flow: Flow) -> dict[Layer, frozenset[Tag]]:
    """The tags of each layer. A path goes from one fork or merge to the next."""
    depth = depths(flow)
    return {
        layer: frozenset((*_tags(flow, _path(flow, part), depth), *_own_tags(flow, layer, part)))
        for layer, part in flow.places.items()
    }


def _own_tags(flow: Flow, layer: Layer, part: int) -> Iterator[Tag]:
    """Factors at the end of a residual path scale it; elsewhere, they belong to a norm. Vectors of
    distances are along an axis."""
    yield from tags(last_part(layer.name)) & {"height", "width"}
    if layer.kind == "factors" and any(flow.parts[u.by].what == "add" for u in flow.uses[part]):
        yield "scale"


def _path(flow: Flow, part: int) -> list[int]:
    """The layers on the path of a part, in order."""
    path = [part]
    while (first := _only_source(flow, path[0])) is not None:
        path.insert(0, first)
    while len(uses := flow.uses[path[-1]]) == 1 and flow.parts[uses[0].by].layer is not None:
        path.append(uses[0].by)
    return path


def _only_source(flow: Flow, part: int) -> int | None:
    inputs = flow.parts[part].inputs
    source = inputs[0].part
    alone = len(inputs) == 1 and len(flow.uses[source]) == 1
    return source if alone and flow.parts[source].layer is not None else None


def _tags(flow: Flow, path: list[int], depth: list[int]) -> Iterator[Tag]:
    ends = flow.uses[path[-1]]
    through = [*_own_operations(flow, path[0])]
    through += [name for part in path[1:] for name in flow.parts[part].inputs[0].through]
    through += [name for use in ends for name in use.through] if len(ends) == 1 else []
    if any("pool" in name for name in comparable(through)):
        yield "pool"
    if len(ends) == 1 and flow.parts[ends[0].by].what == "add":
        others = [link.part for link in flow.parts[ends[0].by].inputs if link.part != path[-1]]
        if others and all(depth[other] > depth[path[-1]] for other in others):
            yield "shortcut"


def _own_operations(flow: Flow, part: int) -> list[str]:
    """The operations before the first layer of a path, without those that all paths share."""
    link = flow.parts[part].inputs[0]
    ways = [use.through for use in flow.uses[link.part]]
    steps = zip(*ways, strict=False) if len(ways) > 1 else ()
    shared = sum(1 for _ in takewhile(lambda names: len(set(names)) == 1, steps))
    return list(link.through[shared:])
