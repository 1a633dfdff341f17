"""Mistakes inside brackets: extra or missing commas, parameters of a block."""

from __future__ import annotations

from ..characters import shorten
from ..diagnostics import Edit
from ..lexer import END
from ..source import Span
from ..trouble import DEFINITIONS, STATEMENT_ENDS, VALUES, WORDS, Explanation, Mend, Trouble
from .table import mistake, say


@mistake("extra-comma", "conv [1,,2]", "block b(,) { relu }", "conv max(1,, 2)")
def _extra_comma(at: Trouble) -> Explanation | None:
    if at.kind != "COMMA" or at.before not in ("COMMA", "LPAR", "LSQB", "AT") or at.can_separate:
        return None
    if at.before == "LPAR" and "RPAR" not in at.accepts:
        return None
    where = "between these two commas" if at.before == "COMMA" else "before this comma"
    return say(
        "extra-comma",
        f"there is nothing {where}",
        at.span,
        "take one out, or write what is missing" if at.before == "COMMA" else "take it out",
        edits=(Edit(at.span, ""),),
        mend=at.drop(),
    )


@mistake("missing-brace", "network N (\n  input 3x8x8\n)", "block b(out) (\n  conv out\n)")
def _body_in_parentheses(at: Trouble) -> Explanation | None:
    """`network N (`, with the layers behind it; `block b(out) (`."""
    if at.opening not in DEFINITIONS:
        return None
    first = 0  # the parenthesis, as an offset
    if at.kind not in ("LPAR", "AT") or "LBRACE" not in at.accepts:
        first = at.first + 2
        between = Span(at.source, at.span_at(first).end, at.span_at(first + 1).start).text
        first_line = "\n" in between and at.kind in VALUES | WORDS
        if at.kind_at(first) not in ("LPAR", "AT") or at.before != "WORD" or first != -2:
            return None
        if not (first_line or at.kind in VALUES):
            return None
    last = at.matching(first)
    closed = at.kind_at(last) == "RPAR"
    opening, closing = at.span_at(first), at.span_at(last)
    what = "network" if at.opening == "NETWORK" else "block"
    return say(
        "missing-brace",
        f"the body of a {what} is written in braces",
        opening,
        "write `{` and `}` instead of `(` and `)`",
        edits=(Edit(opening, "{"), Edit(closing, "}")) if closed else (),
    )


@mistake("parameter", "block b(3) { relu }", "block b(x: 3) { relu }", "block b(x: int) { relu }")
def _parameter(at: Trouble) -> Explanation | None:
    if at.opening not in DEFINITIONS or "RPAR" not in at.accepts:
        return None
    if at.kind == "COLON" and at.before == "WORD":
        name = at.text_at(-1)
        if at.after in VALUES:
            glued = Span(at.source, at.previous.start, at.span_at(1).start)
            return say(
                "parameter",
                "a default is given with `=`",
                at.span,
                f"write `{shorten(name)}={shorten(at.text_at(1))}`",
                edits=(Edit(glued, f"{name}="),),
                mend=Mend((("KEY", at.previous.start, at.end),), skip=1, back=1),
            )
        typed = at.span_of(0, 1) if at.after == "WORD" else at.span
        if at.kind_at(2) == "EQUAL" or at.after == "KEY":  # `n: int = 2`
            value = at.span_at(3 if at.kind_at(2) == "EQUAL" else 2)
            typed = Span(at.source, at.start, value.start)
            return say(
                "parameter",
                "a parameter has a name and perhaps a default, but no type",
                typed,
                f"write `{shorten(name)}={shorten(value.text)}`",
                edits=(Edit(Span(at.source, at.previous.start, value.start), f"{name}="),),
                mend=Mend(
                    (("KEY", at.previous.start, at.end),),
                    skip=3 if at.kind_at(2) == "EQUAL" else 2,
                    back=1,
                ),
            )
        return say(
            "parameter",
            "a parameter has a name and perhaps a default, but no type",
            typed,
            f"write `{shorten(name)}`, or `{shorten(name)}=64`",
            edits=(Edit(typed, ""),),
            mend=at.drop(2 if at.after == "WORD" else 1),
        )
    if at.kind in VALUES | {"PATH", "TIMES"} and "WORD" in at.accepts:
        return say(
            "parameter",
            f"a parameter is a name, not `{shorten(at.text)}`",
            at.span,
            "write `block part(width, stride=1) { … }`",
        )
    return None


@mistake("parameter", "block b x y=2 { conv x }")
def _parameters_without_parentheses(at: Trouble) -> Explanation | None:
    if at.opening not in DEFINITIONS or at.kind_at(-2) not in DEFINITIONS:
        return None
    if at.kind not in ("KEY", "WORD", "LSQB"):
        return None
    behind = 0
    while at.kind_at(behind) not in (*STATEMENT_ENDS, "COLON", END):
        behind += 1
    words = [at.text_at(offset) for offset in range(behind)]
    written = "(" + ", ".join(words).replace("=, ", "=") + ")"
    whole = Span(at.source, at.gap.start, at.span_at(behind - 1).end)
    simple = all(
        at.kind_at(offset) in ("WORD", "KEY", "NUMBER", "SIZE") for offset in range(behind)
    )
    return say(
        "parameter",
        "parameters are written in parentheses, separated by commas",
        at.span_of(0, behind - 1),
        f"write `{shorten(at.text_at(-1) + written)}`" if simple else "write `block part(width)`",
        edits=(Edit(whole, written),) if simple else (),
        mend=at.drop(behind),
    )


@mistake("missing-comma", "for a in [1 2] { conv a }", "block b(x y) { conv x }", "conv max(1 2)")
def _missing_comma(at: Trouble) -> Explanation | None:
    starts_value = at.kind in VALUES | WORDS | {"KEY"}
    if not starts_value or "COMMA" not in at.accepts or "NEWLINE" in at.accepts:
        return None
    if not at.in_parentheses:
        return None
    return say(
        "missing-comma",
        "a comma is missing",
        at.gap,
        f"write `{shorten(at.text_at(-1))}, {shorten(at.text)}`",
        edits=(Edit(at.gap, ","),),
        mend=at.insert("COMMA"),
    )
