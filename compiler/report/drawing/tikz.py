"""TikZ output: a document of one figure for LaTeX, which needs no other packages than common ones.

A paper takes it over with \\includegraphics of the PDF, or by \\input of what is between
\\begin{tikzpicture} and \\end{tikzpicture} with the colors above it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

from .palette import PAINTS
from .scene import Group, Item, Line, Point, Polygon, Rectangle, Scene, Words
from .svg import HEAD, arrowhead, toward

_POINT = 0.75
"""Points for each pixel."""

_ANCHORS = {"start": "base west", "middle": "base", "end": "base east"}


def tikz(scene: Scene) -> str:
    lines = [
        *[f"% {_comment(line.text)}" for line in scene.heading],
        "% pdflatex or tectonic makes a PDF of this file",
        r"\documentclass[border=2pt]{standalone}",
        r"\usepackage[T1]{fontenc}",
        r"\usepackage{lmodern}",
        r"\usepackage{tikz}",
        *_colors(),
        r"\begin{document}",
        r"\sffamily",
        r"\begin{tikzpicture}[x=0.75bp, y=-0.75bp, line width=0.9bp, inner sep=0pt,",
        "  outer sep=0pt, line join=round]",
        *_shapes(scene.items),
        r"\end{tikzpicture}",
        r"\end{document}",
    ]
    return "\n".join(lines) + "\n"


def _colors() -> Iterator[str]:
    for paint, inks in PAINTS.items():
        for part, ink in zip(("fill", "stroke"), inks, strict=True):
            if ink is not None:
                code = ink.light.removeprefix("#").upper()
                yield rf"\definecolor{{{_name(paint, part)}}}{{HTML}}{{{code}}}"


def _name(paint: str, part: str) -> str:
    return f"net-{paint}-{part}"


def _shapes(items: Iterable[Item]) -> Iterator[str]:
    for item in items:
        if isinstance(item, Group):
            yield from _shapes(item.items)
        elif isinstance(item, Rectangle):
            corners = f"rounded corners={item.radius * _POINT:g}bp"
            low = item.x + item.width, item.y + item.height
            path = f"{_at((item.x, item.y))} rectangle {_at(low)};"
            yield f"\\path[{_paint(item.paint, item.dashed)}, {corners}] {path}"
        elif isinstance(item, Line):
            yield from _line(item)
        elif isinstance(item, Polygon):
            path = " -- ".join(map(_at, item.points))
            yield f"\\path[{_paint(item.paint, False)}] {path} -- cycle;"
            if item.shade:
                yield f"\\path[fill=black, fill opacity={item.shade:g}] {path} -- cycle;"
        else:
            yield _words(item)


def _paint(paint: str, dashed: bool) -> str:
    fill, stroke = PAINTS[paint]
    options = [f"fill={_name(paint, 'fill')}"] if fill else []
    options += [f"draw={_name(paint, 'stroke')}"] if stroke else []
    options += ["dash pattern=on 3bp off 2.2bp"] if dashed else []
    return ", ".join(options)


def _line(item: Line) -> Iterator[str]:
    points = list(item.points)
    if item.head:
        points[-1] = toward(points[-1], points[-2], HEAD)
    _, stroke = PAINTS[item.paint]
    assert stroke is not None
    options = [f"draw={_name(item.paint, 'stroke')}", f"line width={item.thick * _POINT:g}bp"]
    options += [f"rounded corners={item.radius * _POINT:g}bp"] if len(points) > 2 else []
    options += ["dash pattern=on 3bp off 2.2bp"] if item.dashed else []
    yield f"\\path[{', '.join(options)}] {' -- '.join(map(_at, points))};"
    if item.head:
        corners = arrowhead(item.points[-2], item.points[-1])
        path = " -- ".join(map(_at, corners))
        yield f"\\path[fill={_name('head', 'fill')}] {path} -- cycle;"


def _words(item: Words) -> str:
    size = item.size * _POINT
    font = rf"\fontsize{{{size:g}}}{{{1.2 * size:g}}}\selectfont"
    font += r"\bfseries" if item.bold else ""
    options = f"anchor={_ANCHORS[item.anchor]}, text={_name(item.paint, 'fill')}, font={font}"
    return f"\\node[{options}] at {_at((item.x, item.y))} {{{escape(item.text)}}};"


def _at(point: Point) -> str:
    return (
        f"({point[0]:.4g},{point[1]:.4g})"
        if max(map(abs, point)) < 1000
        else (f"({point[0]:.1f},{point[1]:.1f})")
    )


_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    # Two of these in a row would become one dash, and a bracket might end an optional argument.
    "-": "{-}",
    "[": "{[}",
    "]": "{]}",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "…": r"\dots{}",
    "−": r"$-$",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
}


def escape(text: str) -> str:
    """Text that LaTeX prints as it is. Letters that its standard fonts lack lose their accents, and
    become a question mark if nothing is left.
    """
    return "".join(map(_character, text))


def _character(letter: str) -> str:
    if letter in _SPECIAL:
        return _SPECIAL[letter]
    if letter.isascii():
        return letter if letter.isprintable() else " "
    plain = unicodedata.normalize("NFKD", letter)
    kept = "".join(_SPECIAL.get(c, c) for c in plain if c.isascii() and c.isprintable())
    return kept or "?"


def _comment(text: str) -> str:
    """A text for a comment, which a line break would end."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)
