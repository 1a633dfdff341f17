"""Mistakes with `let`, `for`, `repeat`, `if`, `else`: incomplete heads, bodies without braces."""

from __future__ import annotations

from ..characters import shorten
from ..diagnostics import Edit
from ..lexer import END
from ..source import Span
from ..trouble import (
    DEFINITIONS,
    KEYWORDS,
    NOTHING_MORE,
    OPERANDS,
    STATEMENT_ENDS,
    VALUES,
    WORDS,
    Explanation,
    Mend,
    Trouble,
)
from .colons import BRACES, brace_at_end_of_line, last_of_body
from .table import mistake, say, tokens


@mistake(
    "let",
    "let x 3",
    "let = 3",
    "let x == 3",
    "let x: 3",
    "let x := 3",
    "let a, b = 3, 4",
    "let a.b = 3",
    "let x = 3 4",
    "let x = conv 64 3x3",
    "let widths = 64, 128",
)
def _let(at: Trouble) -> Explanation | None:
    if at.kind_at(at.first) != "LET":
        return _list_of_let(at)
    if at.before == "LET":
        if at.kind in KEYWORDS and at.after == "EQUAL":
            return None
        return say("let", "`let` gives a name to a value", at.previous, "write `let name = value`")
    name = at.text_at(-1)
    is_layer = at.before == "WORD" and at.kind_at(-2) == "EQUAL" and at.first == -4
    if at.kind in VALUES | {"KEY"} and is_layer:
        name, layer = at.text_at(-3), at.words(-1, at.end_of_head())
        return say(
            "let",
            "a layer's output is named by a label in front of the layer",
            at.span_of(-4, -2),
            f"write `{shorten(name)}: {layer}`",
            edits=(Edit(at.span_of(-4, -2), f"{name}:"),),
        )
    if at.kind in VALUES and at.can_separate:
        return say(
            "let",
            "`let` gives a name to one value",
            at.span,
            "write several as a list, between `[` and `]`, separated by commas",
        )
    if "EQUAL" not in at.accepts or at.after == "COLON":
        return None
    if at.kind == "COMMA":
        return say(
            "let",
            "a `let` gives one name",
            at.previous,
            f"write a `let` for each: `let {name} = …`",
        )
    if at.kind in ("COLON", "COMPARISON"):
        sign = at.span_of(0, 1) if at.after == "EQUAL" else at.span
        return say(
            "let",
            f"`let` is written with one `=`, not with `{sign.text}`",
            sign,
            f"write `let {name} = {at.words(1 + (at.after == 'EQUAL'), at.end_of_head(1))}`",
            edits=(Edit(sign, " =" if at.follows_closely(0) else "="),),
            mend=Mend((("EQUAL", *sign[1:]),), skip=2 if at.after == "EQUAL" else 1),
        )
    value_follows = at.kind in VALUES | WORDS
    return say(
        "let",
        f"`=` is missing after `{shorten(name)}`",
        at.gap,
        f"write `let {shorten(name)} = {at.words(0, at.end_of_head())}`",
        edits=(Edit(at.gap, " ="),) if value_follows else (),
        mend=at.insert("EQUAL") if value_follows else None,
    )


def _list_of_let(at: Trouble) -> Explanation | None:
    """`let widths = 64, 128`: the comma has ended the `let`."""
    if not at.at_statement_start or at.kind not in VALUES or at.before != "COMMA":
        return None
    first = -1
    while at.kind_at(first) in VALUES | {"COMMA"}:
        first -= 1
    if at.kind_at(first) != "EQUAL" or at.kind_at(first - 2) != "LET":
        return None
    last = 0
    while at.kind_at(last + 1) == "COMMA" and at.kind_at(last + 2) in VALUES:
        last += 2
    values = at.span_of(first + 1, last)
    return say(
        "let",
        "`let` gives a name to one value; a list is written between `[` and `]`",
        values,
        f"write `[{shorten(values.text)}]`",
        edits=(Edit(values, f"[{values.text}]"),),
        mend=at.drop(last + 1),
    )


@mistake(
    "for-in",
    "network A {\n  for width [64, 128] { conv width }\n}",
    "for i = 1 { conv i }",
    "for a of [1, 2] { conv a }",
    "for a: [1, 2] { conv a }",
)
def _for_in(at: Trouble) -> Explanation | None:
    if at.opening != "FOR" or not {"IN", "COMMA"} <= at.accepts:
        return None
    instead_of_in = at.kind in ("EQUAL", "COLON") or at.text in ("of", "from", "over", "through")
    if at.kind == "WORD" and not instead_of_in:
        return say(
            "for-in",
            "several names are separated by commas",
            at.gap,
            f"write a comma before `{shorten(at.text)}`",
            edits=(Edit(at.gap, ","),),
            mend=at.insert("COMMA"),
        )
    if at.kind not in VALUES | WORDS | {"KEY"} and not instead_of_in:
        return say(
            "for-in", "there is no list to loop over", at.gap, "write `for name in [ … ] { … }`"
        )
    fixed = " in" if instead_of_in and at.follows_closely(0) else "in"
    names, first = at.words(at.first + 1, 0), 1 if instead_of_in else 0
    items = at.words(first, at.end_of_head(first), "[ … ]")
    return say(
        "for-in",
        "`in` is missing between the name and the list",
        at.span if instead_of_in else at.gap,
        f"write `for {names} in {items}`",
        edits=(Edit(at.span, fixed),) if instead_of_in else (Edit(at.gap, " in"),),
        mend=at.instead("IN") if instead_of_in else at.insert("IN"),
    )


@mistake(
    "for-names",
    "for (a, b) in [(1, 2)] { conv a }",
    "for in [1, 2] { conv 3 }",
    "for a, in [1, 2] { conv a }",
    "for 3 in [1, 2] { conv 3 }",
)
def _for_names(at: Trouble) -> Explanation | None:
    if at.opening != "FOR" or "WORD" not in at.accepts or "NUMBER" in at.accepts:
        return None
    if at.kind == "LPAR":
        last = at.matching(0)
        closing = at.span_at(last)
        return say(
            "for-names",
            "the names of a `for` are written without parentheses",
            at.span_of(0, last),
            f"write `for {at.words(1, last, 'name')} in …`",
            edits=(Edit(at.span, ""), Edit(closing, "")),
            mend=Mend(tuple(tokens(at, 1, last)), skip=last + 1),
        )
    if at.before == "COMMA":
        return say(
            "for-names",
            "a name is missing after the comma",
            at.previous,
            "take the comma out, or name what follows",
            edits=(Edit(at.previous, ""),) if at.kind == "IN" else (),
        )
    return say(
        "for-names",
        "`for` needs a name for the current item",
        at.previous,
        "write `for name in [ … ] { … }`",
    )


@mistake("for-list", "for a in 1, 2, 3 { conv a }")
def _for_list(at: Trouble) -> Explanation | None:
    if at.opening != "FOR" or at.kind != "COMMA" or "LBRACE" not in at.accepts:
        return None
    first, behind = at.first, 0
    while at.kind_at(first) != "IN":
        first += 1
    while at.kind_at(behind) not in (*STATEMENT_ENDS, END):
        behind += 1
    values = at.span_of(first + 1, behind - 1)
    return say(
        "for-list",
        "a list is written between `[` and `]`",
        values,
        f"write `[{shorten(values.text)}]`",
        edits=(Edit(values, f"[{values.text}]"),),
        mend=at.drop(behind),
    )


@mistake(
    "repeat",
    "repeat { conv 3 }",
    "repeat as i { conv 3 }",
    "repeat i in [1, 2] { conv i }",
    "repeat 3 i { conv 3 }",
    "repeat 3 as { conv 3 }",
    "repeat 3 as i, j { conv 3 }",
)
def _repeat(at: Trouble) -> Explanation | None:
    if at.opening != "REPEAT":
        return None
    if at.before == "REPEAT" and at.kind in ("LBRACE", "AS", *NOTHING_MORE):
        return say(
            "repeat",
            "`repeat` needs a number of repetitions",
            at.previous,
            "write `repeat 3 { … }`",
        )
    if at.kind == "IN":
        return say(
            "repeat",
            "`repeat` counts; `for` loops over a list",
            at.span_at(at.first),
            "write `for i in [ … ] { … }`, or `repeat 3 as i { … }`",
        )
    wanted = at.kind == "WORD" and "AS" in at.accepts and at.text not in _FILLERS
    if wanted and at.after == "LBRACE":
        return say(
            "repeat",
            "`as` is missing before the name of the index",
            at.gap,
            f"write `repeat {at.words(at.first + 1, 0)} as {shorten(at.text)}`",
            edits=(Edit(at.gap, " as"),),
            mend=at.insert("AS"),
        )
    if at.before == "AS" or at.kind_at(-2) == "AS":
        return say(
            "repeat",
            "`as` is followed by one name, that of the index",
            at.span_at(-1 if at.before == "AS" else -2),
            "write `repeat 3 as i { … }`",
        )
    return None


_FILLERS = ("then", "do", "times", "begin")


@mistake("missing-brace", "if classes > 3 then { relu }", "repeat 3 times { relu }")
def _filler(at: Trouble) -> Explanation | None:
    if not at.header or "LBRACE" not in at.accepts or at.text not in _FILLERS:
        return None
    if at.after not in ("LBRACE", "NEWLINE"):
        return None
    opens = at.after == "LBRACE"
    return say(
        "missing-brace",
        f"the body of `{at.header}` begins with `{{`, without `{at.text}`",
        at.span,
        f"take `{at.text}` out" if opens else "write `{` instead",
        edits=(Edit(Span(at.source, at.gap.start, at.end), ""),)
        if opens
        else (Edit(at.span, "{"),),
        mend=at.drop() if opens else None,
    )


@mistake("else", "if a { relu } else b { bn }", "if a { relu } else (a > 3) { bn }")
def _else_with_condition(at: Trouble) -> Explanation | None:
    if at.before != "ELSE" or at.kind not in VALUES | WORDS | {"NOT"}:
        return None
    behind = 0
    while at.kind_at(behind) not in (*STATEMENT_ENDS, END):
        behind += 1
    if at.kind_at(behind) != "LBRACE":
        return None
    return say(
        "else",
        "an `else` has no condition; an `else if` has",
        at.span_of(0, behind - 1),
        f"write `else if {at.words(0, behind)}`, or take the condition out",
        edits=(Edit(at.gap, " if"),),
        mend=at.insert("IF"),
    )


@mistake("else", "network A {\n  else { conv 3 }\n}", "if a { relu } else { bn } else { conv 3 }")
def _else_without_if(at: Trouble) -> Explanation | None:
    if at.kind != "ELSE":
        return None
    second = at.opening == "IF" and at.before == "RBRACE"
    return say(
        "else",
        "an `if` has one `else`, the last" if second else "this `else` does not belong to an `if`",
        at.span,
        "write `else if` for all but the last"
        if second
        else "it comes after the body of an `if`: `if c { … } else { … }`",
    )


@mistake(
    "missing-brace",
    "network A {\n  repeat 3\n    conv 64\n  }\n}",
    "block b(width)\n  conv 64\n",
    "network A { if classes > 3 relu\n}",
    "network A { if classes > 3 relu } else { bn }\n}",
    "network A { if classes > 3 let x = 5\n}",
    "network A { repeat 3 for a in [1] { relu }\n}",
)
def _missing_brace(at: Trouble) -> Explanation | None:
    if "LBRACE" not in at.accepts or not at.header or at.before == "COMMA":
        return None
    if at.kind in ("NEWLINE", "RBRACE", "COMMA", END):
        forgotten = at.brace_was_forgotten
        edits: tuple[Edit, ...] = (Edit(at.gap, " {"),)
        if not forgotten:
            edits = at.braces_around_body(at.gap) if at.kind == "NEWLINE" else ()
        return say(
            "missing-brace",
            f"`{at.header}` has no body",
            at.gap,
            "open it here with `{`" if forgotten else "put it in braces: `{ … }`",
            edits=edits,
            mend=at.insert("LBRACE", surplus=-1) if forgotten else None,
        )
    defines = at.opening in DEFINITIONS
    begins = at.kind in WORDS | {"LET", "REPEAT", "FOR"}
    if begins and at.before in (*OPERANDS, "ELSE") and not defines:
        closed = at.surplus > 0 and at.kind_at(last_of_body(at) + 1) == "RBRACE"
        opening = Edit(at.gap, " {")
        return say(
            "missing-brace",
            f"the body of `{at.header}` is written in braces",
            at.gap,
            "open it here with `{`" if closed else BRACES,
            edits=(opening,) if closed else (opening, brace_at_end_of_line(at)),
            mend=at.insert("LBRACE", surplus=-1) if closed else None,
        )
    return None
