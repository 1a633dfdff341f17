"""Mistakes with `|`: outside a merge, missing before the first path, `||` for `or`."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from ..diagnostics import Edit, Label
from ..lexer import END
from ..source import Span
from ..trouble import HEADERS, STATEMENT_ENDS, Explanation, Mend, Trouble
from .table import mistake, say, tokens


@mistake("or", "if a == 1 || b == 2 { relu }")
def _double_bar(at: Trouble) -> Explanation | None:
    if at.kind != "VBAR" or at.after != "VBAR" or not at.follows_closely(1):
        return None
    if "OR" not in at.accepts:
        return None
    sign = at.span_of(0, 1)
    return say(
        "or",
        "`||` is written `or` here",
        sign,
        "write `or`",
        edits=(Edit(sign, " or "),),
        mend=Mend((("OR", sign.start, sign.end),), skip=2),
    )


@mistake(
    "stray-bar",
    "network A {\n  inception { conv 64 | conv 32 }\n}",
    "conv 64 | relu",
    "network A {\n  concat {\n    if on { relu }\n    | conv 32\n  }\n}",
)
def _stray_bar(at: Trouble) -> Explanation | None:
    if at.kind != "VBAR" or not (at.at_statement_start or at.can_separate):
        return None
    if not at.braces or _head_of_brace(at, at.braces[-1]) in HEADERS:
        bars = [0, *_bars_behind(at, "NEWLINE")]
        return say(
            "stray-bar",
            "`|` begins a path of a merge; here there is nothing to merge",
            at.span,
            "separate statements by a comma or a new line, or write `concat { | path | path }`",
            edits=tuple(Edit(_bar_with_blanks(at, bar), ",") for bar in bars),
            mend=_with_commas(at, bars),
        )
    brace = at.braces[-1]
    bars = [0, *_bars_behind(at)]
    first = _first_in_brace(at, brace)
    if first in HEADERS:
        return say(
            "stray-bar",
            f"paths that `{HEADERS[first]}` makes come after those that are written out",
            at.span,
            f"write this path before the `{HEADERS[first]}`, or into a condition of its own:"
            " `if on { | … }`",
            labels=(Label(Span(at.source, brace, brace + 1), "the paths begin here"),),
            mend=_with_commas(at, bars),
        )
    return say(
        "stray-bar",
        "every path begins with `|`, the first one too",
        at.span,
        "write a `|` after the `{`",
        labels=(Label(Span(at.source, brace, brace + 1), "the first path starts here"),),
        edits=(Edit(Span(at.source, brace + 1, brace + 1), " |"),),
        mend=_with_commas(at, bars),
    )


def _head_of_brace(at: Trouble, brace: int) -> str:
    """The type of the first token of the statement that opens a brace."""
    types = at.tokens.types
    index = bisect_left(at.tokens.starts, brace)
    while index > 0 and types[index - 1] not in (*STATEMENT_ENDS, "COLON"):
        index -= 1
    return types[index]


def _first_in_brace(at: Trouble, brace: int) -> str:
    """The type of the first token in a brace."""
    index = bisect_left(at.tokens.starts, brace) + 1
    while at.tokens.types[index] == "NEWLINE":
        index += 1
    return at.tokens.types[index]


def _bars_behind(at: Trouble, end: str = "") -> Iterator[int]:
    """The further bars in the same body, up to a token of the given type."""
    depth, offset = 0, 1
    while at.kind_at(offset) not in (END, end):
        kind = at.kind_at(offset)
        depth += (kind == "LBRACE") - (kind == "RBRACE")
        if depth < 0:
            return
        if kind == "VBAR" and depth == 0:
            yield offset
        offset += 1


def _with_commas(at: Trouble, bars: list[int]) -> Mend:
    """Reads bars as commas, so that paths become statements and cause no further errors."""
    read = list(tokens(at, 0, bars[-1] + 1))
    for bar in bars:
        read[bar] = ("COMMA", *read[bar][1:])
    return Mend(tuple(read), skip=len(read))


def _bar_with_blanks(at: Trouble, bar: int) -> Span:
    """The span of a bar and the blanks before it on its line."""
    span = at.span_at(bar)
    if at.kind_at(bar - 1) in ("NEWLINE", END):
        return span
    return Span(at.source, at.span_at(bar - 1).end, span.end)
