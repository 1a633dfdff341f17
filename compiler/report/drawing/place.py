"""Layout with Graphviz' `dot`, which comes with the wheel of pygraphviz. It gets only sizes and
connections, no text and no fonts: so drawings look the same everywhere, and no text of a spec
reaches it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from .dot import Sizes, skeleton
from .picture import Arrow, Box, Frame, Picture

Point = tuple[float, float]


class NotInstalled(Exception):
    """A library that only drawing needs is not installed."""

    def __init__(self, library: str) -> None:
        super().__init__(library)
        self.message = f"drawing needs {library}, which is not installed"
        self.help = 'pip install "dotcnn[draw]"; --format dot and mermaid need nothing'


@dataclass
class Placed:
    """Positions from the top left corner, in pixels."""

    width: float
    height: float
    boxes: dict[Box, Point] = field(default_factory=dict)
    """The center of each box."""
    frames: dict[Frame, tuple[float, float, float, float]] = field(default_factory=dict)
    """Left, top, right, bottom of each frame."""
    arrows: list[tuple[Arrow, list[Point]]] = field(default_factory=list)
    """The points of each arrow's Bezier curves; the last is the tip of the arrow."""


def place(picture: Picture, sizes: Sizes) -> Placed:
    """Lays out a picture; raises NotInstalled."""
    layout = _graphviz(skeleton(picture, sizes))
    left, bottom, right, top = map(float, layout["bb"].split(","))
    placed = Placed(right - left, top - bottom)

    def point(text: str) -> Point:
        x, y = text.split(",")[-2:]
        return float(x) - left, top - float(y)

    boxes = {f"n{box.number}": box for box in picture.boxes}
    frames = {f"cluster_{frame.number}": frame for frame in picture.frames}
    for item in layout.get("objects", ()):
        if item["name"] in boxes:
            placed.boxes[boxes[item["name"]]] = point(item["pos"])
        elif "bb" in item:
            x1, y1, x2, y2 = map(float, item["bb"].split(","))
            placed.frames[frames[item["name"]]] = (x1 - left, top - y2, x2 - left, top - y1)
    names = [item["name"] for item in layout["objects"]]
    arrows = {(a.source.number, a.target.number): a for a in picture.arrows}
    for edge in layout.get("edges", ()):
        ends = boxes[names[edge["tail"]]].number, boxes[names[edge["head"]]].number
        # `e,x,y` is the tip; the curve itself begins at the other box.
        tips = [part for part in edge["pos"].split() if part.startswith("e,")]
        curve = [point(part) for part in edge["pos"].split() if part[0] not in "es"]
        placed.arrows.append((arrows[ends], [*curve, *map(point, tips)]))
    return placed


def _graphviz(text: str) -> dict[str, Any]:
    try:
        import pygraphviz
    except ImportError:
        raise NotInstalled("pygraphviz") from None
    graph = pygraphviz.AGraph(string=text)
    try:
        data: bytes = graph.draw(format="json0", prog="dot")
    finally:
        graph.close()
    layout: dict[str, Any] = json.loads(data)
    return layout
