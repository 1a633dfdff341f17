"""Mermaid output, which GitHub and many editors render."""

from __future__ import annotations

from collections.abc import Iterator

from .palette import TINTS
from .picture import Box, Frame, Picture


def mermaid(picture: Picture, *, horizontal: bool = False) -> str:
    lines = ["---", f"title: {_yaml(f'{picture.title}: {picture.subtitle}')}", "---"]
    lines += [f"flowchart {'LR' if horizontal else 'TB'}", *_inside(picture)]
    for arrow in picture.arrows:
        label = f"|{quoted(arrow.source.output)}|" if arrow.labeled else ""
        line = "-.->" if arrow.target.aux else "-->"
        lines.append(f"  n{arrow.source.number} {line}{label} n{arrow.target.number}")
    for box in picture.boxes:
        if box.dashed:
            lines.append(f"  style n{box.number} stroke-dasharray:4 3")
    for kind in picture.kinds():
        tint = TINTS[kind]
        # The text stays dark on light boxes, whatever theme the page has.
        lines.append(f"  classDef {kind} fill:{tint.fill},stroke:{tint.stroke},color:#1b222c")
    return "\n".join(lines)


def _inside(picture: Picture) -> Iterator[str]:
    stack: list[Frame | None] = [picture.root]
    level = 1
    while stack:
        frame = stack.pop()
        if frame is None:
            level -= 1
            yield "  " * level + "end"
            continue
        if frame is not picture.root:
            title = frame.title + (f" x{frame.count}" if frame.count > 1 else "")
            yield "  " * level + f"subgraph g{frame.number}[{quoted(title.strip() or ' ')}]"
            level += 1
            stack.append(None)
        for box in frame.boxes:
            yield "  " * level + _box(box)
        stack.extend(reversed(frame.frames))


def _box(box: Box) -> str:
    lines = [line for line, _ in box.lines()]
    if box.count > 1:
        lines.append(f"x{box.count}")
    text = "<br/>".join(_escape(line) for line in lines)
    opening, closing = ("([", "])") if box.small else ("[", "]")
    return f'n{box.number}{opening}"{text}"{closing}:::{box.kind}'


def quoted(text: str) -> str:
    return f'"{_escape(text)}"'


def _escape(text: str) -> str:
    """Escapes every character that is special in Mermaid, Markdown or HTML by its number."""
    return "".join(c if c.isalnum() or c in " .,:=+-/()·" else f"#{ord(c)};" for c in text)


def _yaml(text: str) -> str:
    import json

    return json.dumps(text)
