"""Mistakes with values: a statement in place of a value, as in `let x = if a { 3 } else { 4 }`, and
choices between values that are not complete.
"""

from __future__ import annotations

from ..characters import shorten
from ..diagnostics import Edit
from ..source import Span
from ..trouble import Explanation, Trouble
from .table import mistake, say

_CHOICE = "a choice between values is written `64 if wide else 32`"


@mistake("statement-as-value", "conv [for x in 3]", "conv [x for x in y]", "conv (if a 3 else 4)")
def _statement_in_brackets(at: Trouble) -> Explanation | None:
    if at.kind not in ("FOR", "IF") or at.after in ("COMMA", "RPAR", "RSQB", "EQUAL"):
        return None
    if not at.in_parentheses and at.before not in ("LSQB", "LPAR", "AT"):
        return None
    loop = at.kind == "FOR"
    return say(
        "statement-as-value",
        f"`{at.text}` is a statement; it cannot be part of a value"
        if loop
        else "a value cannot begin with `if`",
        at.span,
        "write the items out: `[64, 128, 256]`" if loop else _CHOICE,
    )


@mistake("statement-as-value", "let x = if a { 3 } else { 4 }", "let x = if a 3 else 4")
def _if_as_value(at: Trouble) -> Explanation | None:
    if at.kind != "IF" or "NUMBER" not in at.accepts or at.at_statement_start or at.can_separate:
        return None
    kinds = ("LBRACE", "RBRACE", "ELSE", "LBRACE", "RBRACE")
    places: list[int] = []
    offset = 1
    while len(places) < len(kinds) and at.kind_at(offset) not in ("NEWLINE", "$END"):
        if at.kind_at(offset) == kinds[len(places)]:
            places.append(offset)
        offset += 1
    edits: tuple[Edit, ...] = ()
    help = _CHOICE
    if len(places) == len(kinds) and places[2] == places[1] + 1 and places[3] == places[2] + 1:
        first, second, _, third, last = places
        condition, one = at.span_of(1, first - 1).text, at.span_of(first + 1, second - 1).text
        meant = f"{one} if {condition} else {at.span_of(third + 1, last - 1).text}"
        help, edits = f"write `{shorten(meant)}`", (Edit(at.span_of(0, last), meant),)
    return say("statement-as-value", "a value cannot begin with `if`", at.span, help, edits=edits)


@mistake(
    "missing-else",
    "let x = 3 if a",
    "conv (64 if a) 3x3",
    "conv max(1 if a 2)",
    "conv 64 if a { relu }",
)
def _without_else(at: Trouble) -> Explanation | None:
    if "ELSE" not in at.accepts or at.before == "RBRACE":
        return None
    begin = -1
    while begin > at.first and at.kind_at(begin) != "IF":
        begin -= 1
    if at.kind_at(begin) != "IF" or begin <= at.first:
        return None
    before = at.span_at(begin - 1).end
    if at.kind == "LBRACE":
        return say(
            "missing-else",
            "an `if` with a body begins another statement",
            at.span_at(begin),
            "put a comma or a new line before `if`",
            edits=(Edit(Span(at.source, before, before), ","),),
        )
    written = at.words(begin - 1, 0)
    return say(
        "missing-else",
        "a choice between values has two: `else` and the other value are missing",
        at.gap,
        f"write `{written} else …`",
    )
