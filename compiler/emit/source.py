"""Texts of a spec as Python: names that are free, comments as docstrings.

Nothing that a spec says reaches the source except through here or through `repr`.
"""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Iterable
from itertools import groupby
from textwrap import wrap

from ...dsl.program import Program
from ...dsl.source import Source, Span
from ...dsl.syntax import Comment
from .layout import WIDTH

NAMESPACE = frozenset(
    "torch nn F Tensor NamedTuple typing self cls super forward predict main init_weights model "
    "module annotations".split()
)
"""What emitted text uses itself, beside keywords and builtins."""

RESERVED = NAMESPACE | frozenset(keyword.kwlist) | frozenset(keyword.softkwlist) | {*dir(builtins)}

_WORD = re.compile(r"[A-Za-z][A-Za-z_0-9]*\Z")


class Names:
    """The identifiers of one scope of the emitted text; each is given once."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = {*taken}

    def free(self, wanted: str, fallback: str = "value") -> str:
        """The name that was wanted, or the nearest to it that Python allows and nobody has."""
        name = wanted.lstrip("_")
        if not _WORD.match(name):
            name = fallback
        if name in RESERVED:
            name += "_"
        found, number = name, 1
        while found in self.taken or found in RESERVED:
            number += 1
            found = f"{name.rstrip('_')}{number}"
        self.taken.add(found)
        return found


def camel(word: str) -> str:
    """`inverted_residual` as a class is called: `InvertedResidual`; `SEUnit` stays."""
    return "".join(part[:1].upper() + part[1:] for part in word.split("_"))


def docstring(lines: list[str], indent: int) -> list[str]:
    """Lines of text as a docstring that says them and does nothing else."""
    margin = "    " * indent
    safe = [_plain(line) for line in lines]
    if indent:
        safe = _refilled(safe, WIDTH - len(margin))
    while safe and not safe[0]:
        safe.pop(0)
    while safe and not safe[-1]:
        safe.pop()
    if not safe:
        return []
    if len(safe) == 1:
        end = " " if safe[0].endswith('"') else ""  # or four quotes would stand together
        return [f'{margin}"""{safe[0]}{end}"""']
    return [f'{margin}"""{safe[0]}', *(margin + line if line else "" for line in safe[1:]),
            f'{margin}"""']  # fmt: skip


def _refilled(lines: list[str], width: int) -> list[str]:
    """Paragraphs that have become too wide, on more lines."""
    found: list[str] = []
    for is_text, group in groupby(lines, key=bool):
        paragraph = list(group)
        if is_text and max(map(len, paragraph)) > width:
            whole = " ".join(paragraph)
            paragraph = wrap(whole, width, break_long_words=False, break_on_hyphens=False)
        found += paragraph
    return found


def _plain(line: str) -> str:
    """A line that cannot end the docstring it stands in, nor mean anything else than it shows."""
    line = _visible(line.expandtabs().strip())
    return line.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def _visible(line: str) -> str:
    """Without what ends a line or is not seen: controls, directions, separators, surrogates."""
    return "".join(
        char if char == " " or unicodedata.category(char)[0] not in "CZ" else "?" for char in line
    )


class Comments:
    """The spec's own: those above a block or a network, those at the top of a file."""

    def __init__(self, program: Program) -> None:
        self.by_line: dict[Source, dict[int, Comment]] = {
            spec.source: {c.span.line: c for c in spec.comments if c.alone}
            for spec in program.files
        }

    def above(self, span: Span) -> list[str]:
        """The lines of comment directly above; those that begin the file are its own."""
        known = self.by_line.get(span.source, {})
        first = span.line
        while first - 1 in known:
            first -= 1
        return [] if first == 1 else self.lines(span.source, first)

    def top(self, source: Source) -> list[str]:
        """The lines of comment that a file begins with."""
        return self.lines(source, 1)

    def lines(self, source: Source, line: int) -> list[str]:
        known = self.by_line.get(source, {})
        found = []
        while line in known:
            found.append(known[line].text.lstrip("#").strip())
            line += 1
        return found
