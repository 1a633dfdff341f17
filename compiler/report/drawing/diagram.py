"""The usual drawing of a network: boxes in frames, with arrows."""

from __future__ import annotations

from collections.abc import Iterator

from .picture import Box, Frame, Picture, boxes_in
from .place import Placed, place
from .scene import Group, Item, Line, Rectangle, Scene, Words, assembled
from .sizes import (
    BADGE_HEIGHT,
    LABEL,
    LINE_HEIGHT,
    MAIN,
    SMALL,
    STACKED,
    badge_text,
    badge_width,
    box_lines,
    box_size,
    title_lines,
)


def diagram(picture: Picture, *, horizontal: bool = False) -> Scene:
    placed = place(picture, horizontal=horizontal)
    items = [
        *_frames(picture, placed),
        *_arrows(placed),
        *_frame_titles(picture, placed),
        *_labels(placed),
        *_boxes(picture, placed),
    ]
    subtitle, kinds = [picture.subtitle], picture.kinds()
    return assembled(picture.title, subtitle, kinds, items, placed.width, placed.height)


def _frames(picture: Picture, placed: Placed) -> Iterator[Item]:
    for frame in picture.frames:
        x0, y0, x1, y1 = placed.frames[frame]
        size = x1 - x0, y1 - y0
        if frame.count > 1:
            yield Rectangle(
                x0 + STACKED, y0 + STACKED, *size, "frame", 8, frame.aux or frame.shared
            )
        yield Rectangle(x0, y0, *size, "frame", 8, frame.aux or frame.shared)


def _frame_titles(picture: Picture, placed: Placed) -> Iterator[Item]:
    for frame in picture.frames:
        for number, line in enumerate(title_lines(frame)):
            x, y = placed.titles[frame]
            base = y - 4 + number * LINE_HEIGHT
            yield Words(x, base, line, SMALL, paint="faint", anchor="start")


def _frame_badges(picture: Picture, placed: Placed) -> dict[Box, list[Item]]:
    """By the first box of each frame: with Tab, a badge comes before what it unfolds."""
    badges: dict[Box, list[Item]] = {}
    for frame in picture.frames:
        if frame.count > 1:
            _, y0, x1, _ = placed.frames[frame]
            first = boxes_in(frame)[0]
            badge = _badge(x1 - 8 - badge_width(frame.count) / 2, y0 + 11, frame)
            badges.setdefault(first, []).append(badge)
    return badges


def _badge(x: float, y: float, of: Box | Frame) -> Item:
    width = badge_width(of.count)
    shape = Rectangle(x - width / 2, y - 8, width, BADGE_HEIGHT, "badge", radius=8)
    text = Words(x, y + 3.8, badge_text(of.count), SMALL, bold=True, paint="badge-text")
    return Group([shape, text], "repeat", data={"part": of.repeats[0]} if of.repeats else {})


def _boxes(picture: Picture, placed: Placed) -> Iterator[Item]:
    badges = _frame_badges(picture, placed)
    for box in picture.boxes:
        yield from badges.get(box, ())
        x, y = placed.boxes[box]
        width, height = box_size(box)
        left, top = x - width / 2, y - height / 2
        shape = width, height, box.kind, min(height / 2, 11) if box.small else 5, box.dashed
        items: list[Item] = []
        if box.count > 1:
            items.append(Rectangle(left + STACKED, top + STACKED, *shape))
        items.append(Rectangle(left, top, *shape))
        lines = box_lines(box)
        baseline = y - (len(lines) - 1) * LINE_HEIGHT / 2 + 4
        for position, (line, main) in enumerate(lines):
            size = MAIN if main else SMALL
            items.append(Words(x, baseline + position * LINE_HEIGHT, line, size, bold=main))
        layers = {"layers": " ".join(box.layers)}
        yield Group(items, "box", box.tooltip, layers, focusable=True)
        if box.count > 1:
            yield _badge(left + width, top, box)


def _arrows(placed: Placed) -> Iterator[Item]:
    for arrow, points, head in placed.arrows:
        yield Line(points, head, dashed=arrow.target.aux)


def _labels(placed: Placed) -> Iterator[Item]:
    """Output shapes, beside the beginning of each arrow."""
    for box, x, y, anchor in placed.labels:
        yield Words(x, y, box.output, LABEL, paint="faint", anchor=anchor, halo=True)
