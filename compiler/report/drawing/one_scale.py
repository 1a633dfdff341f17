"""Draws the maps of several networks, below each other and to one scale: `cnn draw lenet5 vgg16
--scale volumes`."""

from __future__ import annotations

from collections.abc import Sequence

from ...analysis import Analysis
from .scene import Item, Scene, Words, assembled, moved
from .sizes import LABEL, MAIN
from .volumes import Scales, legend, maps_of

_HEAD = 34.0
"""For the name of a network and its figures."""
_GAP = 26.0
"""Between two networks."""


def one_scale(
    analyses: Sequence[Analysis], *, max_depth: int | None = None, unfold: bool = False
) -> Scene:
    """Raises TooLarge."""
    drawn = [maps_of(each, max_depth=max_depth, unfold=unfold) for each in analyses]
    scales = Scales.that_show(drawn)
    items: list[Item] = []
    y = 0.0
    for maps in drawn:
        maps.draw(scales)
        items.append(Words(0, y + 12, maps.picture.title, MAIN, bold=True, anchor="start"))
        figures = maps.picture.subtitle
        items.append(Words(0, y + 27, figures, LABEL, paint="faint", anchor="start"))
        items += [moved(item, 0, y + _HEAD) for item in maps.items]
        y += _HEAD + maps.height + _GAP
    title = f"{len(drawn)} networks to one scale"
    width = max(maps.width for maps in drawn)
    return assembled(title, [scales.line(drawn)], legend(drawn), items, width, y - _GAP)
