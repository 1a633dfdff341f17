"""Texts of a spec as Python: unused names, comments as docstrings.

Text of a spec reaches the emitted source only through this module or through `repr`.
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
from ..ops.base import HELPERS
from .layout import WIDTH

NAMESPACE = frozenset(
    "torch nn F Tensor NamedTuple typing self cls super forward predict main init_weights model "
    "module annotations".split()
)
"""Names that emitted text uses itself, besides keywords and builtins."""

_FUNCTIONS = frozenset(re.findall(r"^def (\w+)", "\n".join(HELPERS), re.MULTILINE))
"""Functions that layers call: a variable of such a name would hide them."""

RESERVED = NAMESPACE.union(_FUNCTIONS, keyword.kwlist, keyword.softkwlist, dir(builtins))

_WORD = re.compile(r"[A-Za-z][A-Za-z_0-9]*\Z")


class Names:
    """The identifiers of one scope of the emitted text; each is used once."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = {*taken}

    def free(self, wanted: str, fallback: str = "value") -> str:
        """The wanted name, or a similar one that is a valid identifier and not used yet."""
        name = wanted.lstrip("_")
        if not _WORD.match(name):
            name = fallback
        if name in RESERVED:
            name += "_"
        result, number = name, 1
        while result in self.taken or result in RESERVED:
            number += 1
            result = f"{name.rstrip('_')}{number}"
        self.taken.add(result)
        return result


def singular(name: str) -> str:
    """`cell` for `cells`; empty if it does not look like the name of several."""
    several = len(name) > 2 and name.endswith("s") and not name.endswith("ss")
    if several and name.endswith(("ches", "shes", "xes")):
        return name[:-2]
    return name[:-1] if several else ""


def camel(word: str) -> str:
    """The class name for a word: `InvertedResidual` for `inverted_residual`; `SEUnit` stays."""
    return "".join(part[:1].upper() + part[1:] for part in word.split("_"))


def docstring(lines: list[str], indent: int) -> list[str]:
    """Lines of text as a docstring, escaped so that they cannot end it."""
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
        end = " " if safe[0].endswith('"') else ""  # so that there are not four quotes in a row
        return [f'{margin}"""{safe[0]}{end}"""']
    return [f'{margin}"""{safe[0]}', *(margin + line if line else "" for line in safe[1:]),
            f'{margin}"""']  # fmt: skip


def _refilled(lines: list[str], width: int) -> list[str]:
    """Wraps paragraphs that are too wide."""
    result: list[str] = []
    for is_text, group in groupby(lines, key=bool):
        paragraph = list(group)
        if is_text and max(map(len, paragraph)) > width:
            whole = " ".join(paragraph)
            paragraph = wrap(whole, width, break_long_words=False, break_on_hyphens=False)
        result += paragraph
    return result


def _plain(line: str) -> str:
    """A line that cannot end its docstring and contains no hidden characters."""
    line = _visible(line.expandtabs().strip())
    return line.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def _visible(line: str) -> str:
    """Replaces control characters, separators and surrogates by `?`."""
    return "".join(
        char if char == " " or unicodedata.category(char)[0] not in "CZ" else "?" for char in line
    )


class Comments:
    """The comments of a spec: above a block or a network, and at the top of a file."""

    def __init__(self, program: Program) -> None:
        self.by_line: dict[Source, dict[int, Comment]] = {
            spec.source: {c.span.line: c for c in spec.comments if c.alone}
            for spec in program.files
        }

    def above(self, span: Span) -> list[str]:
        """The comment lines directly above; those at the top of a file belong to the file."""
        comments = self.by_line.get(span.source, {})
        first = span.line
        while first - 1 in comments:
            first -= 1
        return [] if first == 1 else self.lines(span.source, first)

    def top(self, source: Source) -> list[str]:
        """The comment lines at the top of a file."""
        return self.lines(source, 1)

    def lines(self, source: Source, line: int) -> list[str]:
        comments = self.by_line.get(source, {})
        result = []
        while line in comments:
            result.append(comments[line].text.lstrip("#").strip())
            line += 1
        return result
