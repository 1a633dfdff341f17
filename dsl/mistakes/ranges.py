"""Ranges of numbers that are written as something else: `lr log 1e-3, 1`, `lr in log 1e-3..1`."""

from __future__ import annotations

from ..diagnostics import Edit
from ..lexer import END
from ..trouble import NOTHING_MORE, Explanation, Trouble
from .table import mistake, say

_ENDS = ("NUMBER", "PERCENT", "DURATION")


@mistake("range", "sweep {\n  lr log 1e-3, 1\n}", "sweep {\n  drop log 1%, 50%\n}")
def _range_with_a_comma(at: Trouble) -> Explanation | None:
    if at.kind not in _ENDS or at.after not in NOTHING_MORE or at.before != "COMMA":
        return None
    if at.kind_at(-2) not in _ENDS or at.text_at(-3) != "log":
        return None
    low, high = at.text_at(-2), at.text
    return say(
        "range",
        "a range is written with two dots between its ends",
        at.span_of(-2, 0),
        f"write `{low}..{high}`",
        edits=(Edit(at.span_of(-2, 0), f"{low}..{high}"),),
    )


@mistake("range", "sweep {\n  lr in log 1e-3..1\n}")
def _choices_of_a_range(at: Trouble) -> Explanation | None:
    if at.kind not in _ENDS or at.text_at(-1) != "log" or at.text_at(-2) != "in":
        return None
    place = at.text_at(-3)
    return say(
        "range",
        "`in` is followed by choices, and a range has no `in`",
        at.span_of(-2, -1),
        f"write `{place} log 1e-4..1e-1`, or choices: `{place} in [1e-3, 1e-2]`",
        edits=(Edit(at.span_of(-2, -1), "log"),),
    )


@mistake("range", "sweep {\n  width in 8, 16\n}", "sweep {\n  width in 8 16 32\n}")
def _choices_without_brackets(at: Trouble) -> Explanation | None:
    comma = at.before == "COMMA"
    if at.kind not in _ENDS or at.text_at(-3 if comma else -2) != "in":
        return None
    first = -2 if comma else -1
    if at.kind_at(first) not in _ENDS:
        return None
    last = 0
    while at.kind_at(last + 1) in (*_ENDS, "COMMA") and at.kind_at(last + 1) != END:
        last += 1
    choices = [at.text_at(n) for n in range(first, last + 1) if at.kind_at(n) in _ENDS]
    written = f"[{', '.join(choices)}]"
    return say(
        "range",
        "several choices are a list, in brackets",
        at.span_of(first, last),
        f"write `in {written}`",
        edits=(Edit(at.span_of(first, last), written),),
    )
