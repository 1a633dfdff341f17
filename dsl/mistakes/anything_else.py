"""The fallback for unknown syntax mistakes: names the unexpected token and the expected ones."""

from __future__ import annotations

from ..characters import shorten
from ..lexer import END
from ..source import Span
from ..trouble import Explanation, Trouble
from .table import say

_DESCRIBED = {
    "NEWLINE": "the end of the line",
    END: "the end of the text",
    "STRING": "text",
    "NUMBER": "a number",
}
_EXPECTED = [
    ("LBRACE", "`{`"),
    ("RPAR", "`)`"),
    ("RSQB", "`]`"),
    ("IN", "`in`"),
    ("EQUAL", "`=`"),
    ("COMMA", "`,`"),
    ("NUMBER", "a value"),
    ("WORD", "a name"),
    ("RBRACE", "`}`"),
    ("NEWLINE", "a new line"),
]


def anything_else(at: Trouble) -> Explanation:
    if at.kind == END and at.braces:
        brace = Span(at.source, at.braces[-1], at.braces[-1] + 1)
        help = "close it with `}` where its body ends"
        return say("unclosed-brace", "this `{` is never closed", brace, help)
    found = _DESCRIBED.get(at.kind, f"`{shorten(at.text)}`")
    expected = [words for kind, words in _EXPECTED if kind in at.accepts]
    listed = ", ".join(expected[:-1]) + (" or " if expected[:-1] else "") + "".join(expected[-1:])
    return say(
        "syntax",
        f"{found} is not expected here",
        at.span,
        f"expected here: {listed}" if listed else "",
    )
