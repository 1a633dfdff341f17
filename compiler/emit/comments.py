"""The spec's own comments: those above a block or a network, those at the top of the file."""

from __future__ import annotations

from ...dsl.program import Program
from ...dsl.source import Source
from ...dsl.syntax import Comment


class Comments:
    """Comments by where they stand."""

    def __init__(self, program: Program) -> None:
        self.by_line: dict[Source, dict[int, Comment]] = {
            spec.source: {c.span.line: c for c in spec.comments if c.alone}
            for spec in program.files
        }

    def above(self, source: Source, line: int) -> list[str]:
        """The lines of comment directly above a line; those that begin the file are its own."""
        known = self.by_line.get(source, {})
        found: list[str] = []
        while line - 1 in known:
            line -= 1
            found.insert(0, _text(known[line]))
        return [] if line == 1 else found

    def top(self, source: Source) -> list[str]:
        """The lines of comment that a file begins with."""
        known = self.by_line.get(source, {})
        found = []
        line = 1
        while line in known:
            found.append(_text(known[line]))
            line += 1
        return found


def _text(comment: Comment) -> str:
    return comment.text.lstrip("#").strip()
