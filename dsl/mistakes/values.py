"""Mistakes with values: a statement in place of a value, as in `let x = if a { 3 } else { 4 }`."""

from __future__ import annotations

from ..trouble import Explanation, Trouble
from .table import mistake, say


@mistake(
    "statement-as-value", "conv [for x in 3]", "conv [x for x in y]", "conv max(1 if a else 2)"
)
def _statement_in_brackets(at: Trouble) -> Explanation | None:
    if at.kind not in ("FOR", "IF") or at.after in ("COMMA", "RPAR", "RSQB", "EQUAL"):
        return None
    if not at.in_parentheses and at.before not in ("LSQB", "LPAR"):
        return None
    loop = at.kind == "FOR"
    return say(
        "statement-as-value",
        f"`{at.text}` is a statement; it cannot be part of a value",
        at.span,
        "write the items out: `[64, 128, 256]`" if loop else "write `if c { … } else { … }` around",
    )


@mistake("statement-as-value", "let x = if a { 3 } else { 4 }")
def _if_as_value(at: Trouble) -> Explanation | None:
    if at.kind != "IF" or "NUMBER" not in at.accepts or at.at_statement_start or at.can_separate:
        return None
    return say(
        "statement-as-value",
        "`if` is a statement; it cannot be used as a value",
        at.span,
        "write the `if` around the whole statement, or choose with `max` and `min`",
    )
