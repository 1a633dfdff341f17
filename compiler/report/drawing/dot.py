"""Graphviz output, for who wants to lay out or style the drawing otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from .palette import FAINT, FRAME, GROUND, LINE, TEXT, TINTS
from .picture import Arrow, Box, Frame, Picture


def dot(picture: Picture, *, horizontal: bool = False) -> str:
    """The complete drawing with text and colors, for Graphviz."""
    lines = ["digraph network {", *[f"  {line}" for line in _head(picture)]]
    lines += ["  rankdir=LR"] if horizontal else []
    lines += _inside(picture)
    for arrow in picture.arrows:
        ends = f"n{arrow.source.number} -> n{arrow.target.number}"
        lines.append(f"  {ends} [{_arrow(arrow)}]")
    return "\n".join([*lines, "}"])


def _inside(picture: Picture) -> Iterator[str]:
    """Boxes nested in their frames."""
    stack: list[tuple[Frame | None, int]] = [(picture.root, 0)]
    opened: list[Frame] = []
    while stack:
        frame, level = stack.pop()
        if frame is None:
            opened.pop()
            yield "  " * (len(opened) + 1) + "}"
            continue
        inside = "  " * (level + 1)
        if frame is not picture.root:
            yield "  " * level + f"subgraph cluster_{frame.number} {{"
            yield f"{inside}graph [{_frame(frame)}]"
            opened.append(frame)
            stack.append((None, level))
        for box in frame.boxes:
            yield f"{inside}n{box.number} [{_box(box)}]"
        stack.extend((inner, level + 1) for inner in reversed(frame.frames))


def _head(picture: Picture) -> list[str]:
    title = f"{picture.title}\n{picture.subtitle}"
    font = 'fontname="Helvetica,Arial,sans-serif"'
    return [
        f"graph [label={quoted(title)} labelloc=t {font} fontcolor={quoted(TEXT.light)}]",
        f'node [shape=box style="rounded,filled" {font} fontsize=11]',
        f"edge [{font} fontsize=9 color={quoted(LINE.light)} fontcolor={quoted(FAINT.light)}"
        " arrowsize=0.6]",
    ]


def _box(box: Box) -> str:
    tint = TINTS[box.kind]
    lines = [line for line, _ in box.lines()]
    if box.count > 1:
        lines.append(f"x{box.count}")
    style = ' style="rounded,filled,dashed"' if box.dashed else ""
    return (
        f"label={quoted(chr(10).join(lines))} tooltip={quoted(box.tooltip)} "
        f"fillcolor={quoted(tint.fill)} color={quoted(tint.stroke)}{style}"
    )


def _frame(frame: Frame) -> str:
    title = frame.title + (f" x{frame.count}" if frame.count > 1 else "")
    style = "rounded,dashed" if frame.aux or frame.shared else "rounded,filled"
    return (
        f'label={quoted(title.strip())} labeljust=l style="{style}" fontsize=10 '
        f"color={quoted(FRAME.light)} fillcolor={quoted(GROUND.light)}"
    )


def _arrow(arrow: Arrow) -> str:
    label = f" label={quoted(arrow.source.output)}" if arrow.labeled else ""
    return f"weight={4 if arrow.straight else 1}{label}"


def quoted(text: str) -> str:
    """A quoted Graphviz string, in which backslashes are escaped."""
    plain = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
