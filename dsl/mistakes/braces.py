"""Mistakes with balanced braces: `}` that closes nothing, `{` without a word before it."""

from __future__ import annotations

from ..diagnostics import Edit
from ..source import Span
from ..trouble import OPERANDS, Explanation, Mend, Trouble
from .table import mistake, say


@mistake("unopened-brace", "network A {\n  conv 64\n}\n}\n")
def _unopened_brace(at: Trouble) -> Explanation | None:
    if at.kind != "RBRACE" or at.braces:
        return None
    return say(
        "unopened-brace",
        "this `}` does not close anything",
        at.span,
        "take it out, or write the `{` that it belongs to",
        edits=(Edit(at.span, ""),),
        mend=Mend(skip=1, surplus=-1),
    )


@mistake(
    "stray-brace",
    "network A\n{\n  conv 64\n}",
    "network A {\n  residual\n  {\n    conv 64\n  }\n}",
    "network A {\n  { conv 64 }\n}",
    "network A {\n  residual { conv 64 } { relu }\n}",
)
def _stray_brace(at: Trouble) -> Explanation | None:
    if at.kind == "NEWLINE" and at.after == "LBRACE" and "LBRACE" in at.accepts:
        return _brace_on_next_line(at, at.span_at(1), at.gap, at.drop())
    if at.kind != "LBRACE" or not (at.at_statement_start or at.can_separate):
        return None
    if at.before == "COLON":
        return None
    anonymous = at.insert("WORD") if at.at_statement_start else at.insert("NEWLINE", "WORD")
    if at.before == "NEWLINE" and at.kind_at(-2) in (*OPERANDS, "SWITCH"):
        end = at.span_at(-2).end
        return _brace_on_next_line(at, at.span, Span(at.source, end, end), anonymous)
    if at.before == "RBRACE":
        return say(
            "stray-brace",
            "this statement already has a body",
            at.span,
            "for two side by side, write `{ | path | path }`",
            mend=anonymous,
        )
    return say(
        "stray-brace",
        "a `{` opens the body of a word, and there is no word here",
        at.span,
        "write one before it: `residual { … }`",
        mend=anonymous,
    )


def _brace_on_next_line(at: Trouble, brace: Span, gap: Span, mend: Mend) -> Explanation:
    between = at.source.text[gap.start : brace.start]
    # A comment between the two would include the moved brace.
    edits = (Edit(Span(at.source, gap.start, brace.start), " "),) if not between.strip() else ()
    return say(
        "stray-brace",
        "a body begins on the line of its word: a statement ends with its line",
        brace,
        "move the `{` to the end of the line before",
        edits=edits,
        mend=mend,
    )
