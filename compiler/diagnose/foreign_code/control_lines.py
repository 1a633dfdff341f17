"""Heads of loops and conditions of other languages: `for (i = 0; i < 3; i++)`, `foreach w in`."""

from __future__ import annotations

import re
from collections.abc import Callable

from .translation import Translation

_Written = Callable[["re.Match[str]"], str]

_IS = re.compile(r"\bis\b(\s+not\b)?")

_LINES: tuple[tuple[re.Pattern[str], str, _Written, str], ...] = (
    (
        re.compile(
            r"for\s*\(\s*(?:(?:int|let|var|auto)\s+)?(?P<name>\w+)\s*=\s*0\s*;\s*(?P=name)\s*<"
            r"\s*(?P<count>\w+)\s*;[^;(){}\n]*\)"
        ),
        "a loop that counts is written with `repeat`",
        lambda found: f"repeat {found['count']} as {found['name']}",
        "",
    ),
    (
        re.compile(r"for\s+(?P<name>\w+)\s*=\s*(?P<first>[01])\s*(?:to|:|,)\s*(?P<count>\w+)"),
        "a loop that counts is written with `repeat`",
        lambda found: f"repeat {found['count']} as {found['name']}",
        "it counts from 0",
    ),
    (
        re.compile(r"foreach(?P<rest>\s+\w+\s+in\b[^{}\n]*[^{}\s])"),
        "a loop over a list begins with `for`",
        lambda found: f"for{found['rest']}",
        "",
    ),
    (
        re.compile(r"(?:else\s+)?if\b[^{}\n]*\bis\b[^{}\n]*[^{}\s]"),
        "values are compared with `==`",
        lambda found: _IS.sub(lambda one: "!=" if one[1] else "==", found[0]),
        "",
    ),
)


def control_line(start: int, line: str, place: int) -> Translation | None:
    """The head of a loop or condition around a place; `start` is where its line begins."""
    for pattern, message, written, advice in _LINES:
        for found in pattern.finditer(line):
            own = not line[: found.start()].strip(" \t{},|")
            if own and found.start() <= place - start <= found.end() + 1:
                first, last = start + found.start(), start + found.end()
                return Translation(first, last, message, written(found), advice)
    return None
