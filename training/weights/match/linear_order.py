"""Orders the layers of a graph as code might define them, and so as a state dict has them.

The inputs of a layer come before it, and each path is finished before the next begins. Code may
define either of two paths first, and auxiliary heads in several places, so there are variants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from .flow import COMMUTATIVE, Flow
from .layer import Layer

Paths = Literal["written", "short", "long"]
"""The paths of a sum: as in the graph, or the shorter one (the shortcut) first or last."""
Heads = Literal["written", "last", "before"]
"""Auxiliary heads: where they branch off, after all layers, or before the last layer."""


def line(flow: Flow, paths: Paths = "written", heads: Heads = "written") -> list[Layer]:
    """The layers in one of these orders."""
    if paths == "written":
        order = list(flow.places)
    else:
        depth = depths(flow)
        sign = 1 if paths == "short" else -1
        order = visit(flow, lambda part: sign * depth[part])
    if heads == "written":
        return order
    main = [layer for layer in order if flow.places[layer] in flow.main]
    extra = [layer for layer in order if flow.places[layer] not in flow.main]
    return [*main, *extra] if heads == "last" else [*main[:-1], *extra, *main[-1:]]


def depths(flow: Flow) -> list[int]:
    """For each part, the number of layers on the longest path to it, itself included."""
    depth: list[int] = []
    for part in flow.parts:
        before = max((depth[link.part] for link in part.inputs), default=0)
        depth.append(before + (part.layer is not None))
    return depth


def visit(flow: Flow, key: Callable[[int], object]) -> list[Layer]:
    """Layers in depth-first order from the outputs: the main one, then the others by depth. The
    paths of a sum are sorted by `key`."""
    depth = depths(flow)
    outputs = flow.outputs[:1] + sorted(flow.outputs[1:], key=lambda part: depth[part])
    order: list[Layer] = []
    seen: set[int] = set()
    todo: list[tuple[int, bool]] = [(part, False) for part in reversed(outputs)]
    while todo:
        index, ready = todo.pop()
        if ready:
            layer = flow.parts[index].layer
            order += [layer] if layer else []
            continue
        if index in seen:
            continue
        seen.add(index)
        sources = [link.part for link in flow.parts[index].inputs]
        if flow.parts[index].what in COMMUTATIVE:
            sources.sort(key=key)  # type: ignore[arg-type]
        todo.append((index, True))
        todo += [(source, False) for source in reversed(sources)]
    return order
