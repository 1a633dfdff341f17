"""Where text comes from, and places in it.

A place is stored as two offsets; lines and columns are worked out when somebody asks, because a
parse makes a hundred thousand spans and a person looks at three of them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

# The three line ends in use. Python's own splitlines() also breaks at form feeds and U+2028,
# which editors do not count as lines.
_LINE_END = re.compile(r"\r\n|\n|\r")


class Source:
    """One text, with the name that messages call it by."""

    def __init__(self, name: str, text: str, path: Path | None = None) -> None:
        self.name = name
        self.text = text
        self.path = path
        """The real file, all links followed; None for text from standard input or a string."""

    def __repr__(self) -> str:
        return f"Source({self.name!r})"

    @cached_property
    def line_starts(self) -> list[int]:
        """The offset at which each line begins."""
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    @property
    def line_count(self) -> int:
        return len(self.line_starts)

    def locate(self, offset: int) -> tuple[int, int]:
        """The line and column of an offset, both counted from 1, columns in characters."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line, counted from 1, without its line end."""
        start = self.line_starts[number - 1]
        end = self.line_starts[number] if number < self.line_count else len(self.text)
        return self.text[start:end].rstrip("\r\n")

    def span(self, start: int, end: int) -> Span:
        return Span(self, start, end)


class Span(NamedTuple):
    """The characters from `start` up to, not including, `end`."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        return self.source.locate(self.start)[0]

    @property
    def column(self) -> int:
        return self.source.locate(self.start)[1]

    @property
    def end_line(self) -> int:
        return self.source.locate(self.end)[0]

    @property
    def end_column(self) -> int:
        """The column just after the last character."""
        return self.source.locate(self.end)[1]

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def __repr__(self) -> str:
        return f"<{self.source.name}:{self.line}:{self.column}-{self.end_line}:{self.end_column}>"
