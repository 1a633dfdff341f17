"""The rows of a filter as MATLAB, C, `--matrix` and textbooks write them, `(1 0 -1; 1 0 -1)`, as
lists of a spec: `filter [[1, 0, -1], [1, 0, -1]]`.
"""

from __future__ import annotations

import math
import re

from .translation import Translation

_MOST = 2_000
"""The most characters of a matrix that are read."""

_WORD = re.compile(r"(?<![\w.])filter[ \t]+(?=[-+.\d(\[{])")
_OTHER = re.compile(r"[^-+.\deE,;/ \t\r\n()\[\]{}]")
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?(?:/\d+)?")
_CLOSING = {"(": ")", "[": "]", "{": "}"}


def matrix_at(text: str, place: int) -> Translation | None:
    """The filter whose numbers stand at a place, if they can be divided into rows."""
    before = text[max(place - _MOST, 0) : place + 1]
    words = [found for found in _WORD.finditer(before) if not _OTHER.search(before, found.end())]
    if not words:
        return None
    start = place + 1 - len(before) + words[-1].start()
    first = place + 1 - len(before) + words[-1].end()
    end = _end(text, first)
    rows = _rows(text[first:end])
    if end <= place or rows is None:
        return None
    written = ", ".join(f"[{', '.join(row)}]" for row in rows)
    message = "the numbers of a filter are lists of one length, with commas between them"
    return Translation(start, end, message, f"filter [{written}]")


def _end(text: str, first: int) -> int:
    """The end of a matrix: where its bracket closes; without one, that of its line."""
    if text[first] not in _CLOSING:
        line = re.compile(r"[-+.\deE,;/ \t]*").match(text, first)
        return first + len(line[0].rstrip(" \t,;")) if line else first
    open_ones: list[str] = []
    for offset in range(first, min(first + _MOST, len(text))):
        sign = text[offset]
        if sign in _CLOSING:
            open_ones.append(_CLOSING[sign])
        elif open_ones[-1:] == [sign]:
            open_ones.pop()
        if not open_ones:
            return offset + 1
    return first


def _rows(matrix: str) -> list[list[str]] | None:
    """The numbers by rows, as a spec writes them; None if they do not form rows of one length."""
    inner = re.sub(r"\A[(\[{]([\s\S]*)[)\]}]\Z", r"\1", matrix).strip()
    nested = re.findall(r"[(\[{]([^()\[\]{}]*)[)\]}]", inner)
    between = next((sign for sign in (";", "\n", "/") if sign in inner), "\n")
    lines = nested or [line for line in inner.split(between) if line.strip()]
    rows = [re.split(r"[,\s]+", line.strip(" \t\r\n,")) for line in lines]
    if len(rows) == 1 and (side := math.isqrt(len(rows[0]))) ** 2 == len(rows[0]):
        rows = [rows[0][n : n + side] for n in range(0, len(rows[0]), side)]
    if len({len(row) for row in rows}) != 1:
        return None
    if not all(_NUMBER.fullmatch(number) for row in rows for number in row):
        return None
    return [[_in_a_spec(number) for number in row] for row in rows]


def _in_a_spec(number: str) -> str:
    """`0.5` for `.5`, `1` for `+1` and for `1.`"""
    whole = re.sub(r"(?<!\d)\.(?=\d)", "0.", number.lstrip("+"))
    return re.sub(r"\.(?!\d)", "", whole)
