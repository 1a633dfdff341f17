"""Mistakes with names of blocks, networks and values: missing, two words, reserved words."""

from __future__ import annotations

import re

from ..characters import shorten
from ..diagnostics import Edit
from ..lexer import END
from ..source import Span
from ..trouble import (
    DEFINITIONS,
    KEYWORDS,
    NOTHING_MORE,
    STATEMENT_ENDS,
    Explanation,
    Mend,
    Trouble,
)
from .table import mistake, say


@mistake("missing-name", "network {\n  conv 64\n}", "block (width) { conv width }")
def _missing_name(at: Trouble) -> Explanation | None:
    if at.before not in DEFINITIONS or at.kind not in ("LBRACE", "LPAR", "NEWLINE", "COLON", END):
        return None
    word = at.text_at(-1)
    example = "network Net { … }" if word == "network" else "block part(width) { … }"
    can_follow = at.kind in ("LBRACE", "LPAR")
    return say(
        "missing-name",
        f"this {word} has no name",
        at.previous,
        f"name it: `{example}`",
        edits=(Edit(at.gap, " Net" if word == "network" else " part"),) if can_follow else (),
        mend=at.insert("WORD") if can_follow else None,
    )


@mistake(
    "bad-name",
    "network ResNet-50 { conv 3 }",
    'network "My Net" { conv 3 }',
    "network A.B { conv 3 }",
    "network My Net { conv 3 }",
    "network 50 { conv 3 }",
)
def _bad_name(at: Trouble) -> Explanation | None:
    """Takes everything after `network` up to a blank, a parenthesis or a brace as the intended
    name.
    """
    glued = ("MINUS", "NEGATIVE", "NUMBER", "STRING")
    if at.before in DEFINITIONS and at.kind in ("STRING", "PATH", "NUMBER", "SIZE"):
        name = 0
    elif at.kind_at(-2) in DEFINITIONS and (
        at.kind in glued or (at.kind == "WORD" and at.opening == "NETWORK")
    ):
        name = -1
    else:
        return None
    last = name
    while at.kind_at(last + 1) not in ("LPAR", *STATEMENT_ENDS, END, "COLON", "COMMA"):
        last += 1
    span = at.span_of(name, last)
    plain = re.sub(r"\W+", "_", span.text.strip("\"'"), flags=re.ASCII).strip("_")
    plain = f"Net{plain}" if plain[:1].isdigit() or not plain else plain
    opening = (("WORD", span.start, span.end),)
    return say(
        "bad-name",
        "a name is one word of letters, digits and `_`",
        span,
        f"write `{shorten(plain)}`",
        edits=(Edit(span, plain),),
        mend=Mend(opening if name == 0 else (), skip=last + 1),
    )


@mistake("twice", "repeat 3 as as i { relu }", "for a in in [1] { relu }", "let let a = 3")
def _twice(at: Trouble) -> Explanation | None:
    if at.kind not in KEYWORDS or at.kind != at.before or at.kind == "NOT":
        return None
    return say(
        "twice",
        f"`{at.text}` is written twice here",
        at.span,
        "take one out",
        edits=(Edit(Span(at.source, at.gap.start, at.end), ""),),
        mend=at.drop(),
    )


@mistake("label", "network A {\n  conv 3 as stem\n}")
def _label_behind(at: Trouble) -> Explanation | None:
    """`conv 64 3x3 as stem`."""
    layer = at.kind_at(at.first) == "WORD" and at.opening == "WORD"
    if at.kind != "AS" or at.after != "WORD" or at.kind_at(2) not in NOTHING_MORE or not layer:
        return None
    name = at.text_at(1)
    start = at.span_at(at.first).start
    return say(
        "label",
        "a label is written in front of its layer",
        at.span_of(0, 1),
        f"write `{shorten(name)}: {at.words(at.first, 0)}`",
        edits=(
            Edit(Span(at.source, start, start), f"{name}: "),
            Edit(Span(at.source, at.gap.start, at.span_at(1).end), ""),
        ),
        mend=at.drop(2),
    )


@mistake(
    "bad-name",
    "network A {\n  my-stem: conv 64 3x3\n}",
    "network A {\n  conv-bn 64 3x3\n}",
)
def _hyphen(at: Trouble) -> Explanation | None:
    """`my-stem: conv 64`, `early-stop 5`."""
    if at.kind not in ("MINUS", "NEGATIVE") or at.first != -1 or at.before != "WORD":
        return None
    last = 0
    while at.kind_at(last) in ("MINUS", "NEGATIVE", "WORD", "NUMBER") and at.follows_closely(last):
        last += 1
    if last < 2:
        return None
    span = at.span_of(-1, last - 1)
    plain = re.sub("-+", "_", span.text)
    return say(
        "bad-name",
        "a name is one word of letters, digits and `_`",
        span,
        f"write `{shorten(plain)}`",
        edits=(Edit(span, plain),),
        otherwise="layers are separated by commas; words of one name are joined by `_`",
    )


@mistake("reserved-word", "let in = 3", "block repeat() { conv 3 }", "network A { conv 3 as }")
def _reserved_word(at: Trouble) -> Explanation | None:
    if at.kind not in KEYWORDS or not at.text:
        return None
    a_name_fits = {"WORD", "FUNCTION_NAME"} & at.accepts
    if not a_name_fits or at.opening == "FOR" or at.before in ("REPEAT", "IF"):
        return None
    if (at.at_statement_start or at.can_separate) and at.kind not in ("AS", "IN"):
        return None
    read_as, count = "WORD", 1
    if at.after == "EQUAL" and at.follows_closely(1) and at.opening != "LET":
        read_as, count = "KEY", 2
    return say(
        "reserved-word",
        f"`{at.text}` is a word of the language and cannot be a name",
        at.span,
        f"use another name, for example `{at.text}_`",
        edits=(Edit(at.span, f"{at.text}_"),),
        mend=Mend(((read_as, at.start, at.span_at(count - 1).end),), skip=count),
    )
