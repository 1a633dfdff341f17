"""A flow as a line: its layers one after the other, as code that carries it out might have them.

What leads to a layer comes before it, and each path is followed to its end before the next begins.
Which of two paths comes first is a matter of taste; so is where auxiliary heads stand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from .flow import COMMUTATIVE, Flow
from .layer import Layer

Paths = Literal["written", "short", "long"]
"""In a sum: as it is written, or the path of fewer layers (the shortcut) first, or last."""
Heads = Literal["written", "last", "before"]
"""Auxiliary heads: where they branch off, behind everything, or before the last layer."""


def line(flow: Flow, paths: Paths = "written", heads: Heads = "written") -> list[Layer]:
    """The layers, in the order in which they may have been put down."""
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
    """By part: how many layers there are on the longest way to it, itself included."""
    found: list[int] = []
    for part in flow.parts:
        before = max((found[link.part] for link in part.inputs), default=0)
        found.append(before + (part.layer is not None))
    return found


def visit(flow: Flow, key: Callable[[int], object]) -> list[Layer]:
    """From the outputs, the own one first, the others by depth; paths of a sum by the key."""
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
