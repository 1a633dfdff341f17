"""The drawings of a page: with repeated parts folded, with each of them unfolded, and of every
layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...analysis import Analysis
from .diagram import diagram
from .paint import TooLarge, picture
from .picture import Picture
from .svg import svg

MAX_CHARACTERS = 6_000_000
"""Of all drawings of a page together; beyond, parts do not unfold."""


class View(NamedTuple):
    """One drawing of the network."""

    name: str
    part: str
    """The repeated part that is unfolded in it; `*` for every layer."""
    svg: str


def views(
    analysis: Analysis,
    drawing: Picture,
    shown: str,
    *,
    max_depth: int | None = None,
    horizontal: bool = False,
    figures: Sequence[str] = (),
) -> list[View]:
    """The drawing as asked for, and those into which it unfolds."""
    repeats = [frame.repeats for frame in drawing.frames] + [box.repeats for box in drawing.boxes]
    parts = dict.fromkeys(part for names in repeats for part in names)
    result = [View("Repeated parts folded" if parts else "Drawing", "", shown)]
    used = len(shown)
    for part in [*parts, "*"] if parts else []:
        if used > MAX_CHARACTERS:
            break
        try:
            unfolded = picture(
                analysis,
                unfold=part == "*",
                max_depth=max_depth,
                opened={part},
                figures=figures,
            )
        except TooLarge:
            continue
        text = svg(diagram(unfolded, horizontal=horizontal))
        used += len(text)
        result.append(View("Every layer" if part == "*" else f"{part} unfolded", part, text))
    return result
