"""Mistakes that people make in the syntax, and the sentence each deserves.

A table: every row is a broken snippet and the function that knows it when the parser stumbles
there. Rows are tried in the order written; the first that recognises its mistake explains it. A
test reads every snippet and finds the row that it belongs to.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator

from .characters import shorten
from .diagnostics import Diagnostic, Edit, Label
from .lexer import END
from .source import Span
from .trouble import (
    DEFINITIONS,
    HEADERS,
    KEYWORDS,
    NOTHING_MORE,
    OPERANDS,
    SIGNS,
    STATEMENT_ENDS,
    VALUES,
    WORDS,
    Explanation,
    Mend,
    Trouble,
)

Recogniser = Callable[[Trouble], Explanation | None]
TABLE: list[tuple[str, str, Recogniser]] = []
"""Code, broken snippet, and who knows it."""


def explain(trouble: Trouble) -> Explanation:
    tried = None
    for _, _, recognise in TABLE:
        if recognise is tried:
            continue
        tried = recognise
        explanation = recognise(trouble)
        if explanation:
            return explanation
    return _anything_else(trouble)


def mistake(code: str, *snippets: str) -> Callable[[Recogniser], Recogniser]:
    def enter(recognise: Recogniser) -> Recogniser:
        TABLE.extend((code, snippet, recognise) for snippet in snippets)
        return recognise

    return enter


def _say(
    code: str,
    message: str,
    span: Span,
    help: str = "",
    *,
    label: str = "",
    labels: tuple[Label, ...] = (),
    edits: tuple[Edit, ...] = (),
    mend: Mend | None = None,
) -> Explanation:
    diagnostic = Diagnostic(code, message, span, label, labels, help=help, edits=edits)
    return Explanation(diagnostic, mend)


# ---- braces; braces.py has seen to it that they pair, as far as it could ---------------------


@mistake("unopened-brace", "network A {\n  conv 64\n}\n}\n")
def _unopened_brace(at: Trouble) -> Explanation | None:
    if at.kind != "RBRACE" or at.braces:
        return None
    return _say(
        "unopened-brace",
        "this `}` closes nothing",
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
        return _say(
            "stray-brace",
            "this statement has a body already",
            at.span,
            "for two side by side, write `{ | path | path }`",
            mend=anonymous,
        )
    return _say(
        "stray-brace",
        "a `{` opens the body of a word, and here is no word",
        at.span,
        "write one before it: `residual { … }`",
        mend=anonymous,
    )


def _brace_on_next_line(at: Trouble, brace: Span, gap: Span, mend: Mend) -> Explanation:
    between = at.source.text[gap.start : brace.start]
    # A comment between the two would swallow the brace.
    edits = (Edit(Span(at.source, gap.start, brace.start), " "),) if not between.strip() else ()
    return _say(
        "stray-brace",
        "a body begins on the line of its word: a statement ends with its line",
        brace,
        "move the `{` to the end of the line before",
        edits=edits,
        mend=mend,
    )


# ---- statements where a value is wanted ---------------------------------------------------


@mistake(
    "statement-as-value", "conv [for x in 3]", "conv [x for x in y]", "conv max(1 if a else 2)"
)
def _statement_in_brackets(at: Trouble) -> Explanation | None:
    if at.kind not in ("FOR", "IF") or at.after in ("COMMA", "RPAR", "RSQB", "EQUAL"):
        return None
    if not at.in_parentheses and at.before not in ("LSQB", "LPAR"):
        return None
    loop = at.kind == "FOR"
    return _say(
        "statement-as-value",
        f"`{at.text}` is a statement; it cannot stand inside of a value",
        at.span,
        "write the items out: `[64, 128, 256]`" if loop else "write `if c { … } else { … }` around",
    )


@mistake("statement-as-value", "let x = if a { 3 } else { 4 }")
def _if_as_value(at: Trouble) -> Explanation | None:
    if at.kind != "IF" or "NUMBER" not in at.accepts or at.at_statement_start or at.can_separate:
        return None
    return _say(
        "statement-as-value",
        "`if` is a statement; it cannot stand in the place of a value",
        at.span,
        "write the `if` around the whole statement, or choose by `max` and `min`",
    )


# ---- names of definitions --------------------------------------------------------------------


@mistake("missing-name", "network {\n  conv 64\n}", "block (width) { conv width }")
def _missing_name(at: Trouble) -> Explanation | None:
    if at.before not in DEFINITIONS or at.kind not in ("LBRACE", "LPAR", "NEWLINE", "COLON", END):
        return None
    word = at.text_at(-1)
    example = "network Net { … }" if word == "network" else "block part(width) { … }"
    can_follow = at.kind in ("LBRACE", "LPAR")
    return _say(
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
    """Everything behind `network` up to a blank, a parenthesis or a brace is meant as its name."""
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
    return _say(
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
    return _say(
        "twice",
        f"`{at.text}` stands here twice",
        at.span,
        "take one out",
        edits=(Edit(Span(at.source, at.gap.start, at.end), ""),),
        mend=at.drop(),
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
    return _say(
        "reserved-word",
        f"`{at.text}` is a word of the language and cannot be a name",
        at.span,
        f"take another: `{at.text}_`, say",
        edits=(Edit(at.span, f"{at.text}_"),),
        mend=Mend(((read_as, at.start, at.span_at(count - 1).end),), skip=count),
    )


# ---- labels and colons -----------------------------------------------------------------------


@mistake("two-labels", "network A {\n  a: b: conv 64\n}")
def _two_labels(at: Trouble) -> Explanation | None:
    if at.kind == "COLON" and at.first == -3 and at.kind_at(-2) == "COLON":
        return _say(
            "two-labels",
            "a statement has one label",
            at.span_of(-3, 0),
            f"keep `{at.text_at(-3)}:` or `{at.text_at(-1)}:`",
            edits=(Edit(Span(at.source, at.span_at(-3).start, at.previous.start), ""),),
        )
    return None


@mistake("quotes", "network A {\n  from torchvision:ResNet50\n}", "from timm:resnet50.a1_in1k")
def _name_with_a_colon(at: Trouble) -> Explanation | None:
    if (
        at.kind != "COLON"
        or at.kind_at(-2) != "WORD"
        or not {at.kind_at(-1), at.kind_at(1)} <= WORDS
    ):
        return None
    before, after = at.span_of(-1, -1), at.span_of(1, 1)
    if not before.end == at.start == at.end - 1 == after.start - 1:
        return None
    span = at.span_of(-1, 1)
    fixed = f'"{span.text}"'
    return _say(
        "quotes",
        "a name with a `:` in it stands between double quotes",
        span,
        f"write `{shorten(fixed)}`",
        edits=(Edit(span, fixed),),
    )


@mistake("label", "3: conv 64", '"stem": conv 64', "stem.first: conv 64", "the stem: conv 64")
def _bad_label(at: Trouble) -> Explanation | None:
    if at.kind == "COLON" and at.first == -2 and at.kind_at(-2) == at.before == "WORD":
        first = -2
    elif at.after == "COLON" and at.at_statement_start and at.kind in ("NUMBER", "STRING", "PATH"):
        first = 0
    else:
        return None
    if at.kind_at(1 if first else 2) in NOTHING_MORE:
        return None
    span = at.span_of(first, -1 if first else 0)
    plain = re.sub(r"\W+", "_", span.text.strip('"'), flags=re.ASCII).strip("_")
    plain = f"part{plain}" if plain[:1].isdigit() or not plain else plain
    return _say(
        "label",
        "a label is one word of letters, digits and `_`",
        span,
        f"write `{shorten(plain)}:`",
        edits=(Edit(span, plain),),
    )


@mistake("label", "a: let x = 3", "a: block b() { conv 3 }")
def _label_on_definition(at: Trouble) -> Explanation | None:
    if at.before != "COLON" or at.kind not in ("LET", "BLOCK", "NETWORK", "IMPORT"):
        return None
    return _say(
        "label",
        f"a label names what a statement produces; `{at.text}` produces nothing by itself",
        at.span_at(-2),
        "take the label out",
        edits=(Edit(Span(at.source, at.span_at(-2).start, at.start), ""),),
        mend=Mend(((at.kind, at.start, at.end),), skip=1, back=2),
    )


@mistake(
    "colon-for-brace",
    "network A {\n  repeat 3:\n    conv 64\n}",
    "network A:\n  conv 64\n",
    "network A { if classes > 3: dropout 0.5\n}",
    "network A {\n  if classes > 3 { relu }\n  else:\n    bn\n}",
    "network A: { conv 3 }",
)
def _colon_for_brace(at: Trouble) -> Explanation | None:
    message = "a body stands in braces; a colon only follows a label"
    if at.kind == "ELSE" and at.after == "COLON":  # its `if` had a colon, too, and was given up
        edits = at.braces_around_body(at.span_at(1))
        return _say("colon-for-brace", message, at.span_at(1), _BRACES, edits=edits)
    if at.kind != "COLON" or at.before == "COLON" or at.in_parentheses:
        return None
    if at.after == "LBRACE":
        return _say(
            "colon-for-brace",
            message,
            at.span,
            "take the `:` out",
            edits=(Edit(at.span, ""),),
            mend=at.drop(),
        )
    if at.after in ("NEWLINE", END):
        if at.brace_was_forgotten:
            return _say(
                "colon-for-brace",
                message,
                at.span,
                "write `{` instead",
                edits=(Edit(at.span, " {"),),
                mend=at.instead("LBRACE", surplus=-1),
            )
        edits = at.braces_around_body(at.span)
        return _say("colon-for-brace", message, at.span, _BRACES, edits=edits)
    if at.header and "LBRACE" in at.accepts:
        return _say(
            "colon-for-brace",
            message,
            at.span,
            _BRACES,
            edits=(Edit(at.span, " {"), _brace_at_end_of_line(at)),
        )
    return None


_BRACES = "write `{` here, and `}` where the body ends"


def _brace_at_end_of_line(at: Trouble) -> Edit:
    """A closing brace behind the last word of this line that its body has to itself."""
    end = at.span_at(_last_of_body(at)).end
    return Edit(Span(at.source, end, end), " }")


def _last_of_body(at: Trouble) -> int:
    """The offset of the last token that a body beginning here could hold on this line."""
    last, depth = 0, 0
    while at.kind_at(last + 1) not in ("NEWLINE", END, "ELSE"):
        depth += (at.kind_at(last + 1) == "LBRACE") - (at.kind_at(last + 1) == "RBRACE")
        if depth < 0:
            break
        last += 1
    return last


@mistake(
    "colon-for-brace",
    "network A {\n  residual:\n    conv 64\n}",
    "network A {\n  residual:\n    conv 64\n  }\n}",
    "network A {\n  residual: { conv 64 }\n}",
)
def _label_without_statement(at: Trouble) -> Explanation | None:
    if at.before != "COLON" or at.kind not in ("LBRACE", *NOTHING_MORE):
        return None
    word = at.text_at(-2)
    if at.kind == "LBRACE":
        return _say(
            "colon-for-brace",
            f"`{word}:` is a label, and a label names the statement behind it",
            at.previous,
            f"write `{word} {{` for a body, or name what follows: `{word}: residual {{ … }}`",
            edits=(Edit(at.previous, ""),),
            mend=Mend(back=1),
        )
    replaced = at.kind == "NEWLINE" and at.brace_was_forgotten
    edits: tuple[Edit, ...] = (Edit(at.previous, " {"),)
    if not replaced:
        edits = at.braces_around_body(at.previous) if at.kind == "NEWLINE" else ()
    return _say(
        "colon-for-brace",
        f"nothing follows the label `{word}:`",
        at.previous,
        f"write `{word} {{ … }}` for a body, or the statement that `{word}` names on this line",
        edits=edits,
        mend=Mend((("LBRACE", *at.previous[1:]),), back=1, surplus=-1) if replaced else None,
    )


# ---- let, for, repeat, if --------------------------------------------------------------------


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
)
def _let(at: Trouble) -> Explanation | None:
    if at.kind_at(at.first) != "LET":
        return None
    if at.before == "LET":
        if at.kind in KEYWORDS and at.after == "EQUAL":
            return None
        return _say("let", "`let` gives a name to a value", at.previous, "write `let name = value`")
    name = at.text_at(-1)
    if at.kind in VALUES and at.can_separate:
        return _say(
            "let",
            "`let` gives a name to one value",
            at.span,
            "write several as a list, between `[` and `]`, separated by commas",
        )
    if "EQUAL" not in at.accepts or at.after == "COLON":
        return None
    if at.kind == "COMMA":
        return _say(
            "let",
            "a `let` gives one name",
            at.previous,
            f"write a `let` for each: `let {name} = …`",
        )
    if at.kind in ("COLON", "COMPARISON"):
        sign = at.span_of(0, 1) if at.after == "EQUAL" else at.span
        return _say(
            "let",
            f"`let` is written with one `=`, not with `{sign.text}`",
            sign,
            f"write `let {name} = {at.words(1 + (at.after == 'EQUAL'), at.end_of_head(1))}`",
            edits=(Edit(sign, " =" if at.follows_closely(0) else "="),),
            mend=Mend((("EQUAL", *sign[1:]),), skip=2 if at.after == "EQUAL" else 1),
        )
    value_follows = at.kind in VALUES | WORDS
    return _say(
        "let",
        f"`=` is missing behind `{shorten(name)}`",
        at.gap,
        f"write `let {shorten(name)} = {at.words(0, at.end_of_head())}`",
        edits=(Edit(at.gap, " ="),) if value_follows else (),
        mend=at.insert("EQUAL") if value_follows else None,
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
        return _say(
            "for-in",
            "several names are separated by commas",
            at.gap,
            f"write a comma before `{shorten(at.text)}`",
            edits=(Edit(at.gap, ","),),
            mend=at.insert("COMMA"),
        )
    if at.kind not in VALUES | WORDS | {"KEY"} and not instead_of_in:
        return _say(
            "for-in", "there is nothing to go through", at.gap, "write `for name in [ … ] { … }`"
        )
    fixed = " in" if instead_of_in and at.follows_closely(0) else "in"
    names, first = at.words(at.first + 1, 0), 1 if instead_of_in else 0
    items = at.words(first, at.end_of_head(first), "[ … ]")
    return _say(
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
        return _say(
            "for-names",
            "the names of a `for` stand without parentheses",
            at.span_of(0, last),
            f"write `for {at.words(1, last, 'name')} in …`",
            edits=(Edit(at.span, ""), Edit(closing, "")),
            mend=Mend(tuple(_tokens(at, 1, last)), skip=last + 1),
        )
    if at.before == "COMMA":
        return _say(
            "for-names",
            "a name is missing behind the comma",
            at.previous,
            "take the comma out, or name what follows",
            edits=(Edit(at.previous, ""),) if at.kind == "IN" else (),
        )
    return _say(
        "for-names",
        "`for` needs a name for the item that it has come to",
        at.previous,
        "write `for name in [ … ] { … }`",
    )


def _tokens(at: Trouble, first: int, behind: int) -> Iterator[tuple[str, int, int]]:
    for offset in range(first, behind):
        span = at.span_at(offset)
        yield at.kind_at(offset), span.start, span.end


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
    return _say(
        "for-list",
        "a list stands between `[` and `]`",
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
        return _say(
            "repeat",
            "`repeat` needs to know how often",
            at.previous,
            "write `repeat 3 { … }`",
        )
    if at.kind == "IN":
        return _say(
            "repeat",
            "`repeat` counts; `for` goes through a list",
            at.span_at(at.first),
            "write `for i in [ … ] { … }`, or `repeat 3 as i { … }`",
        )
    wanted = at.kind == "WORD" and "AS" in at.accepts and at.text not in _FILLERS
    if wanted and at.after == "LBRACE":
        return _say(
            "repeat",
            "`as` is missing before the name of the index",
            at.gap,
            f"write `repeat {at.words(at.first + 1, 0)} as {shorten(at.text)}`",
            edits=(Edit(at.gap, " as"),),
            mend=at.insert("AS"),
        )
    if at.before == "AS" or at.kind_at(-2) == "AS":
        return _say(
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
    return _say(
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
    return _say(
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
    return _say(
        "else",
        "an `if` has one `else`, the last" if second else "this `else` belongs to no `if`",
        at.span,
        "write `else if` for all but the last"
        if second
        else "it stands behind the body of an `if`: `if c { … } else { … }`",
    )


@mistake(
    "missing-brace",
    "network A {\n  repeat 3\n    conv 64\n  }\n}",
    "block b(width)\n  conv 64\n",
    "network A { if classes > 3 relu\n}",
    "network A { if classes > 3 relu } else { bn }\n}",
)
def _missing_brace(at: Trouble) -> Explanation | None:
    if "LBRACE" not in at.accepts or not at.header or at.before == "COMMA":
        return None
    if at.kind in ("NEWLINE", "RBRACE", "COMMA", END):
        forgotten = at.brace_was_forgotten
        edits: tuple[Edit, ...] = (Edit(at.gap, " {"),)
        if not forgotten:
            edits = at.braces_around_body(at.gap) if at.kind == "NEWLINE" else ()
        return _say(
            "missing-brace",
            f"`{at.header}` has no body",
            at.gap,
            "open it here with `{`" if forgotten else "put it in braces: `{ … }`",
            edits=edits,
            mend=at.insert("LBRACE", surplus=-1) if forgotten else None,
        )
    defines = at.opening in DEFINITIONS
    if at.kind in WORDS and at.before in (*OPERANDS, "ELSE") and not defines:
        closed = at.surplus > 0 and at.kind_at(_last_of_body(at) + 1) == "RBRACE"
        opening = Edit(at.gap, " {")
        return _say(
            "missing-brace",
            f"the body of `{at.header}` stands in braces",
            at.gap,
            "open it here with `{`" if closed else _BRACES,
            edits=(opening,) if closed else (opening, _brace_at_end_of_line(at)),
            mend=at.insert("LBRACE", surplus=-1) if closed else None,
        )
    return None


# ---- imports ---------------------------------------------------------------------------------


@mistake(
    "import-path",
    "import blocks\nnetwork A { conv 3 }",
    "import blocks/resnet.cnn",
    'import ("blocks.cnn")',
    "import",
)
def _import_path(at: Trouble) -> Explanation | None:
    if at.before != "IMPORT":
        return None
    message = "`import` takes the path of a file, between double quotes"
    strings = [offset for offset in range(3) if at.kind_at(offset) == "STRING"]
    if at.kind == "LPAR" and strings and at.kind_at(strings[0] + 1) == "RPAR":
        text = at.text_at(strings[0])
        whole = at.span_of(0, strings[0] + 1)
        return _say(
            "import-path",
            "`import` takes no parentheses",
            whole,
            f"write `import {shorten(text)}`",
            edits=(Edit(whole, text),),
            mend=Mend(tuple(_tokens(at, strings[0], strings[0] + 1)), skip=strings[0] + 2),
        )
    line = re.compile(r"[^\s,#{}()\"']*").match(at.source.text, at.start)
    name = line.group() if line and at.kind != "NEWLINE" else ""
    if not name:
        return _say("import-path", message, at.previous, 'write `import "blocks.cnn"`')
    path = name if name.endswith(".cnn") else f"{name}.cnn"
    whole = Span(at.source, at.start, at.start + len(name))
    return _say(
        "import-path",
        message,
        whole,
        f'write `import "{shorten(path)}"`',
        edits=(Edit(whole, f'"{path}"'),),
    )


@mistake("import-names", 'import "a.cnn" as b', "from a import b", 'import "a.cnn", "b.cnn"')
def _import_names(at: Trouble) -> Explanation | None:
    message = "an `import` makes all blocks of one file known, under their own names"
    if at.kind == "IMPORT" and at.kind_at(at.first) == "WORD" and at.text_at(at.first) == "from":
        file = at.text_at(-1)
        path = file if file.startswith('"') else f'"{file}.cnn"'
        whole = at.span_of(at.first, max(0, at.end_of_line()))
        return _say(
            "import-names",
            message,
            whole,
            f"write `import {shorten(path)}`",
            edits=(Edit(whole, f"import {path}"),),
        )
    if at.kind_at(at.first) == "IMPORT" and at.before == "STRING":
        if at.kind == "STRING":
            return _one_import_each(at, at.gap)
        if at.kind == "AS":
            whole = at.span_of(0, 1) if at.after == "WORD" else at.span
            edit = Edit(Span(at.source, at.gap.start, whole.end), "")
            return _say("import-names", message, whole, "take it out", edits=(edit,))
    if at.kind == "STRING" and at.before == "COMMA" and at.kind_at(-3) == "IMPORT":
        return _one_import_each(at, at.previous)
    return None


def _one_import_each(at: Trouble, gap: Span) -> Explanation:
    return _say(
        "import-names",
        "an `import` names one file",
        at.span,
        f"write `import {shorten(at.text)}` on a line of its own",
        edits=(Edit(Span(at.source, gap.start, at.start), "\nimport "),),
    )


# ---- bars ------------------------------------------------------------------------------------


@mistake("or", "if a == 1 || b == 2 { relu }")
def _double_bar(at: Trouble) -> Explanation | None:
    if at.kind != "VBAR" or at.after != "VBAR" or not at.follows_closely(1):
        return None
    if "OR" not in at.accepts:
        return None
    sign = at.span_of(0, 1)
    return _say(
        "or",
        "`||` is written `or` here",
        sign,
        "write `or`",
        edits=(Edit(sign, " or "),),
        mend=Mend((("OR", sign.start, sign.end),), skip=2),
    )


@mistake("stray-bar", "network A {\n  inception { conv 64 | conv 32 }\n}", "conv 64 | relu")
def _stray_bar(at: Trouble) -> Explanation | None:
    if at.kind != "VBAR" or not (at.at_statement_start or at.can_separate):
        return None
    if not at.braces or _head_of_brace(at, at.braces[-1]) in HEADERS:
        bars = [0, *_bars_behind(at, "NEWLINE")]
        return _say(
            "stray-bar",
            "`|` begins a path of a merge; here there is nothing to merge",
            at.span,
            "separate statements by a comma or a new line, or write `concat { | path | path }`",
            edits=tuple(Edit(_bar_with_blanks(at, bar), ",") for bar in bars),
            mend=_with_commas(at, bars),
        )
    brace = at.braces[-1]
    bars = [0, *_bars_behind(at)]
    return _say(
        "stray-bar",
        "every path begins with `|`, the first one too",
        at.span,
        "write a `|` behind the `{`",
        labels=(Label(Span(at.source, brace, brace + 1), "the first path starts here"),),
        edits=(Edit(Span(at.source, brace + 1, brace + 1), " |"),),
        mend=_with_commas(at, bars),
    )


def _head_of_brace(at: Trouble, brace: int) -> str:
    """The type of the token that the statement opening a brace begins with."""
    types = at.tokens.types
    index = bisect_left(at.tokens.starts, brace)
    while index > 0 and types[index - 1] not in (*STATEMENT_ENDS, "COLON"):
        index -= 1
    return types[index]


def _bars_behind(at: Trouble, end: str = "") -> Iterator[int]:
    """The bars that follow in the same body, up to a token of a type."""
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
    """Reads bars as commas, so that paths become statements and nobody stumbles again."""
    read = list(_tokens(at, 0, bars[-1] + 1))
    for bar in bars:
        read[bar] = ("COMMA", *read[bar][1:])
    return Mend(tuple(read), skip=len(read))


def _bar_with_blanks(at: Trouble, bar: int) -> Span:
    """A bar and the blanks before it on its line."""
    span = at.span_at(bar)
    if at.kind_at(bar - 1) in ("NEWLINE", END):
        return span
    return Span(at.source, at.span_at(bar - 1).end, span.end)


# ---- habits from Python ----------------------------------------------------------------------


@mistake(
    "python-call", "network A {\n  conv(64, 3)\n}", "conv(64, 3, stride=2), relu", "nn.Conv2d(64)"
)
def _python_call(at: Trouble) -> Explanation | None:
    if at.kind not in ("FUNCTION_NAME", "PATH") or not at.at_statement_start:
        return None
    if at.after != "LPAR" or not at.follows_closely(1):
        return None
    closing, written = _without_parentheses(at, 0)
    whole = at.span_of(0, closing)
    alone = not at.follows_closely(closing + 1) or at.kind_at(closing + 1) in NOTHING_MORE
    complete = at.kind_at(closing + 1) in (*NOTHING_MORE, "LBRACE")
    help = f"write `{written}`" if written else "write the word, a blank, and its arguments"
    return _say(
        "python-call",
        "arguments follow their word, separated by blanks, without parentheses",
        whole,
        help,
        edits=(Edit(whole, written),) if written and alone else (),
        mend=Mend((("WORD", at.start, at.end),), skip=closing + 1) if complete else None,
    )


def _without_parentheses(at: Trouble, word: int) -> tuple[int, str]:
    """The end of a call as Python writes them, and how it is written here; "" if that is long."""
    closing = at.matching(word + 1)
    whole = at.span_of(word, closing).text
    arguments = [_as_argument(at, *part) for part in _parts(at, word + 2, closing)]
    written = " ".join([at.text_at(word).rsplit(".", 1)[-1], *arguments])
    short = len(written) < 100 and "\n" not in whole and "\r" not in whole
    return closing, written if short else ""


def _parts(at: Trouble, first: int, behind: int) -> Iterator[tuple[int, int]]:
    """The first and the last token of each argument, between the commas outside of brackets."""
    depth, begin = 0, first
    for offset in range(first, behind + 1):
        kind = at.kind_at(offset)
        if depth == 0 and (kind == "COMMA" or offset == behind):
            if offset > begin:
                yield begin, offset - 1
            begin = offset + 1
        depth += (kind in ("LPAR", "LSQB")) - (kind in ("RPAR", "RSQB"))


def _as_argument(at: Trouble, first: int, last: int) -> str:
    """An argument as it is written without commas: in parentheses where blanks divide it."""
    name = ""
    if at.kind_at(first) == "KEY":
        name, first = at.text_at(first), first + 1
    elif at.kind_at(first) == "WORD" and at.kind_at(first + 1) == "EQUAL":
        name, first = f"{at.text_at(first)}=", first + 2
    if first > last:
        return name
    value = at.span_of(first, last).text
    simple = at.behind_value(first) > last
    return f"{name}{value}" if simple and value[0] != "-" else f"{name}({value})"


@mistake("assignment", "network A {\n  width = 64\n}", "width=64", "x = conv 64 3x3", "a := conv 3")
def _assignment(at: Trouble) -> Explanation | None:
    if at.kind == "KEY" and at.at_statement_start:
        name, sign = at.text[:-1], at.span
    elif at.kind == "EQUAL" and at.first == -1 and at.before == "WORD":
        name, sign = at.text_at(-1), at.span_of(-1, 0)
    elif at.kind == "EQUAL" and at.first == -2 and at.before == "COLON":
        name, sign = at.text_at(-2), at.span_of(-2, 0)
    else:
        return None
    if _after_comma(at):
        return None
    span = Span(at.source, sign.start, sign.start + len(name))
    if at.after in WORDS and at.kind_at(2) in VALUES | WORDS | {"KEY"}:
        whole, layer = sign, ""
        if at.kind_at(2) == "LPAR":  # `x = conv(64)`
            last, layer = _without_parentheses(at, 1)
            whole = at.span_of(at.first, last)
        return _say(
            "assignment",
            "what a layer produces is named by a label in front of it",
            span,
            f"write `{shorten(name)}: {layer or at.words(1, at.end_of_head(1))}`",
            edits=(Edit(whole, f"{name}: {layer}" if layer else f"{name}:"),),
        )
    behind = at.kind_at(at.behind_value(1))
    complete = at.after in VALUES | WORDS and behind in {*NOTHING_MORE, *SIGNS}
    return _say(
        "assignment",
        "a value gets its name with `let`",
        span,
        f"write `let {shorten(name)} = {at.words(1, at.end_of_head(1))}`",
        edits=(Edit(sign, f"let {name} ="),) if complete else (),
    )


def _after_comma(at: Trouble) -> bool:
    """Whether a comma, meant to separate arguments, has ended the call before this place."""
    comma = at.first - 1
    if at.kind_at(comma) != "COMMA":
        return False
    first = comma
    while at.kind_at(first - 1) not in (*STATEMENT_ENDS, "COMMA", END):
        first -= 1
    return at.kind_at(first) == "WORD"


@mistake(
    "spaced-equals",
    "network A {\n  conv 64 3x3 stride = 2\n}",
    "block b(width = 3) { conv 64 }",
    "conv max(a = 3)",
    "conv 64 on = 3",
)
def _spaced_equals(at: Trouble) -> Explanation | None:
    if at.kind != "EQUAL" or at.before not in ("WORD", "PATH", "SWITCH") or _in_condition(at):
        return None
    if at.kind_at(-2) == "KEY" or (_after_comma(at) and at.first == -1):
        return None
    key = at.text_at(-1)
    if at.after in ("NEWLINE", "COMMA", "RBRACE", "LBRACE", "RPAR", "RSQB", "VBAR", END):
        return _say(
            "missing-value",
            f"a value is missing behind `{shorten(key)}=`",
            Span(at.source, at.previous.start, at.end),
            "write one right behind the sign: a number, a name, a list, …",
        )
    value = at.span_of(1, at.behind_value(1) - 1)
    glued = Span(at.source, at.previous.start, value.start)
    return _say(
        "spaced-equals",
        "an argument's name, `=` and its value are written without blanks",
        Span(at.source, at.previous.start, value.end),
        f"write `{shorten(key)}={shorten(value.text)}`",
        edits=(Edit(glued, f"{key}="),),
        mend=Mend((("KEY", at.previous.start, at.end),), skip=1, back=1),
    )


def _in_condition(at: Trouble) -> bool:
    if at.opening != "IF" or at.in_parentheses:
        return False
    return bool({"LBRACE", "NUMBER"} & at.accepts) and not at.can_separate


@mistake("equals-in-condition", "network A {\n  if stride=1 { conv 64 }\n}", "if a = 1 { conv 64 }")
def _equals_in_condition(at: Trouble) -> Explanation | None:
    if at.kind not in ("KEY", "EQUAL") or not _in_condition(at):
        return None
    sign = Span(at.source, at.end - 1, at.end)
    name = at.text[:-1]
    left = shorten(name if at.kind == "KEY" else at.text_at(-1))
    read = (("PATH" if "." in name else "WORD", at.start, sign.start),) if at.kind == "KEY" else ()
    return _say(
        "equals-in-condition",
        "one `=` gives a value; two compare",
        sign,
        f"write `{left} == {at.words(1, at.behind_value(1))}`",
        edits=(Edit(sign, "=="),),
        mend=Mend((*read, ("COMPARISON", sign.start, sign.end)), skip=1),
    )


@mistake("argument-in-parentheses", "conv 64 (stride=2)", "conv 64 [stride=2]")
def _argument_in_parentheses(at: Trouble) -> Explanation | None:
    if at.kind != "KEY" or at.before not in ("LPAR", "LSQB") or "NUMBER" not in at.accepts:
        return None
    last = at.matching(-1)
    whole = at.span_of(-1, last)
    parts = list(_parts(at, 0, last))
    written = " ".join(_as_argument(at, *part) for part in parts)
    one_line = "\n" not in whole.text and "\r" not in whole.text
    return _say(
        "argument-in-parentheses",
        "an argument given by name stands without parentheses",
        whole,
        f"write `{shorten(written)}`",
        edits=(Edit(whole, written),) if one_line else (),
    )


# ---- statements and separators ---------------------------------------------------------------


@mistake("argument-behind-body", "residual { conv 64 } shortcut=pad", "residual { conv 64 } 3")
def _argument_behind_body(at: Trouble) -> Explanation | None:
    if at.before != "RBRACE" or not at.can_separate or at.kind not in VALUES | {"KEY"}:
        return None
    behind = at.end_of_head()
    argument = at.span_of(0, behind - 1).text
    taken_out = Span(at.source, at.gap.start, at.span_at(behind - 1).end)
    begins = at.end_of_head(at.first)
    after_head = Span(at.source, at.span_at(begins - 1).end, at.span_at(begins - 1).end)
    one_body = at.opening == "WORD" and at.kind_at(begins) == "LBRACE"
    head = at.words(at.first, begins) if one_body and "\n" not in argument else ""
    return _say(
        "argument-behind-body",
        "arguments stand in front of the body",
        at.span_of(0, behind - 1),
        f"write `{head} {shorten(argument)} {{ … }}`" if head else "move it before the `{`",
        edits=(Edit(after_head, f" {argument}"), Edit(taken_out, "")) if head else (),
    )


@mistake(
    "missing-separator",
    "network A {\n  residual { conv 64 } relu\n}",
    "conv 64 3x3 repeat 2 { relu }",
    "block a() { relu } network B { conv 3 }",
)
def _missing_separator(at: Trouble) -> Explanation | None:
    starts_statement = at.kind in ("WORD", "FUNCTION_NAME", *HEADERS, "LET", "IMPORT")
    if not starts_statement or not at.can_separate:
        return None
    if at.kind == "FUNCTION_NAME" and at.before != "RBRACE":
        return None
    return _say(
        "missing-separator",
        f"`{shorten(at.text)}` begins another statement, and nothing separates the two",
        at.span,
        f"put a comma or a new line before `{shorten(at.text)}`",
        edits=(Edit(at.gap, ","),),
        mend=at.insert("NEWLINE"),
    )


@mistake("comma-in-arguments", "conv 64, 3x3, stride=2", "conv 64, stride = 2", "conv, 64")
def _comma_in_arguments(at: Trouble) -> Explanation | None:
    equal = at.kind == "EQUAL" and at.first == -1 and at.before == "WORD"
    if not equal and not (at.at_statement_start and at.kind in VALUES | {"KEY"}):
        return None
    if not _after_comma(at):
        return None
    comma_at = -2 if equal else -1
    comma = at.span_at(comma_at)
    argument = at.span_at(-1 if equal else 0)
    # Other commas of the line that arguments follow: the same habit, told once.
    others = []
    offset = 0
    while at.kind_at(offset) not in (*STATEMENT_ENDS, END):
        if at.kind_at(offset) == "COMMA":
            follows = at.kind_at(offset + 1)
            if follows not in VALUES | {"KEY"} and at.kind_at(offset + 2) != "EQUAL":
                break
            others.append(at.span_at(offset))
        elif at.kind_at(offset) in ("LPAR", "LSQB"):
            offset = at.matching(offset)
        offset += 1
    mend = at.drop(offset) if at.kind_at(offset) in NOTHING_MORE else None
    first = comma_at
    while at.kind_at(first - 1) not in (*STATEMENT_ENDS, "COMMA", END):
        first -= 1
    without = re.sub(r"\s*,", " ", at.span_of(first, offset - 1).text)
    if equal:
        without = re.sub(r"\s*=\s*", "=", without)
    edits = [Edit(span, "" if _blank_follows(span) else " ") for span in (comma, *others)]
    if equal:  # `stride = 2`
        edits.append(Edit(Span(at.source, argument.end, at.span_at(1).start), "="))
    return _say(
        "comma-in-arguments",
        f"a comma ends a statement, and `{shorten(argument.text)}` cannot begin one",
        argument,
        f"arguments are separated by blanks: `{shorten(without)}`",
        labels=(Label(comma, "ends the statement before"),),
        edits=tuple(edits),
        mend=mend,
    )


def _blank_follows(span: Span) -> bool:
    return span.source.text[span.end : span.end + 1] in (" ", "\t", "\n", "\r")


@mistake("comment", "-- a comment", "% a comment")
def _foreign_comment(at: Trouble) -> Explanation | None:
    if at.kind not in ("NEGATIVE", "MINUS", "MODULO") or not at.at_statement_start:
        return None
    twice = at.kind in ("NEGATIVE", "MINUS")
    if twice and not (at.after == "NEGATIVE" and at.follows_closely(1)):
        return None
    sign = at.span_of(0, 1 if twice else 0)
    return _say(
        "comment",
        "a comment starts with `#`",
        sign,
        f"write `#` instead of `{sign.text}`",
        edits=(Edit(sign, "#"),),
    )


@mistake("statement-start", "network A {\n  64 conv\n}", "nn.conv 64", "conv { 1, 2 }")
def _statement_start(at: Trouble) -> Explanation | None:
    if not at.at_statement_start or at.kind not in VALUES | {"PATH"}:
        return None
    if at.kind == "PATH":
        return _say(
            "statement-start",
            f"`{shorten(at.text)}` is a dotted name; a statement begins with a plain word",
            at.span,
            f"write `{shorten(at.text.rsplit('.', 1)[-1])} …`, or `from {shorten(at.text)}` to "
            "go on from there",
        )
    if at.before == "LBRACE" and at.kind != "NEGATIVE":
        return _say(
            "statement-start",
            f"braces hold statements, and `{shorten(at.text)}` cannot begin one",
            at.span,
            "a list stands between `[` and `]`",
        )
    return _say(
        "statement-start",
        f"a statement begins with a word, not with `{shorten(at.text)}`",
        at.span,
        "write the layer first, then its arguments: `conv 64 3x3`",
    )


# ---- brackets and what they hold -------------------------------------------------------------


@mistake("extra-comma", "conv [1,,2]", "block b(,) { relu }", "conv max(1,, 2)")
def _extra_comma(at: Trouble) -> Explanation | None:
    if at.kind != "COMMA" or at.before not in ("COMMA", "LPAR", "LSQB") or at.can_separate:
        return None
    if at.before == "LPAR" and "RPAR" not in at.accepts:
        return None
    where = "between these two commas" if at.before == "COMMA" else "before this comma"
    return _say(
        "extra-comma",
        f"there is nothing {where}",
        at.span,
        "take one out, or write what is missing" if at.before == "COMMA" else "take it out",
        edits=(Edit(at.span, ""),),
        mend=at.drop(),
    )


@mistake("parameter", "block b(3) { relu }", "block b(x: 3) { relu }", "block b(x: int) { relu }")
def _parameter(at: Trouble) -> Explanation | None:
    if at.opening not in DEFINITIONS or "RPAR" not in at.accepts:
        return None
    if at.kind == "COLON" and at.before == "WORD":
        name = at.text_at(-1)
        if at.after in VALUES:
            glued = Span(at.source, at.previous.start, at.span_at(1).start)
            return _say(
                "parameter",
                "a default is given with `=`",
                at.span,
                f"write `{shorten(name)}={shorten(at.text_at(1))}`",
                edits=(Edit(glued, f"{name}="),),
                mend=Mend((("KEY", at.previous.start, at.end),), skip=1, back=1),
            )
        typed = at.span_of(0, 1) if at.after == "WORD" else at.span
        return _say(
            "parameter",
            "a parameter has a name and perhaps a default, but no type",
            typed,
            f"write `{shorten(name)}`, or `{shorten(name)}=64`",
            edits=(Edit(typed, ""),),
            mend=at.drop(2 if at.after == "WORD" else 1),
        )
    if at.kind in VALUES | {"PATH", "TIMES"} and "WORD" in at.accepts:
        return _say(
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
    return _say(
        "parameter",
        "parameters stand in parentheses, separated by commas",
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
    return _say(
        "missing-comma",
        "a comma is missing",
        at.gap,
        f"write `{shorten(at.text_at(-1))}, {shorten(at.text)}`",
        edits=(Edit(at.gap, ","),),
        mend=at.insert("COMMA"),
    )


# ---- colons, whatever else they may mean -----------------------------------------------------


@mistake("stray-colon", "network A {\n  conv 64: bn\n}", "conv 64 stride: 2", "a::conv 3")
def _stray_colon(at: Trouble) -> Explanation | None:
    if at.kind != "COLON" or at.before in ("IF", "IN", "REPEAT"):
        return None
    if at.before == "COLON":
        return _say(
            "stray-colon",
            "a label ends with one colon",
            at.span,
            "take the second one out",
            edits=(Edit(at.span, ""),),
            mend=at.drop(),
        )
    if at.before == "WORD" and at.after in VALUES and at.first < -1:
        name, value = at.text_at(-1), at.text_at(1)
        glued = Span(at.source, at.previous.start, at.span_at(1).start)
        return _say(
            "stray-colon",
            "an argument gets its value with `=`",
            at.span,
            f"write `{shorten(name)}={shorten(value)}`",
            edits=(Edit(glued, f"{name}="),),
            mend=Mend((("KEY", at.previous.start, at.end),), skip=1, back=1),
        )
    return _say(
        "stray-colon",
        "a colon stands only behind a label, at the start of a statement",
        at.span,
        "give an argument by name with `=`: `stride=2`; name a layer in front: `stem: conv 64`",
    )


# ---- expressions -----------------------------------------------------------------------------


@mistake("chained-comparison", "if 1 < width < 3 { conv 3 }", "crop 0..1..2")
def _chained(at: Trouble) -> Explanation | None:
    if at.kind not in ("COMPARISON", "TO") or at.before not in OPERANDS:
        return None
    if at.kind == "TO":
        return _say(
            "chained-comparison", "a range has two ends", at.span, "write `low..high`: `0.5..1`"
        )
    middle = at.text_at(-1)
    if at.kind_at(-2) != "COMPARISON":
        return _say("chained-comparison", "comparisons do not chain", at.span, _JOIN)
    rest = f"{at.text} {at.words(1, at.behind_value(1))}"
    return _say(
        "chained-comparison",
        "comparisons do not chain",
        at.span,
        f"join two with `and`: `{at.words(-3, 0)} and {shorten(middle)} {rest}`",
        edits=(Edit(Span(at.source, at.gap.start, at.start), f" and {middle} "),),
        mend=at.insert("AND", "WORD"),
    )


_JOIN = "join two with `and`: `1 < x and x < 3`"


@mistake("missing-operand", "conv 20 % stride=2")
def _spaced_percent(at: Trouble) -> Explanation | None:
    if at.before != "MODULO" or at.kind_at(-2) != "NUMBER":
        return None
    number = at.span_of(-2, -1)
    return _say(
        "missing-operand",
        "a percentage is written without a blank",
        number,
        f"write `{shorten(at.text_at(-2))}%`",
        edits=(Edit(number, f"{at.text_at(-2)}%"),),
    )


@mistake("missing-operand", "conv 4 *\nrelu", "let x = 3 +", "conv * 4", "rotate - 20")
def _missing_operand(at: Trouble) -> Explanation | None:
    if at.before in SIGNS:
        sign = at.text_at(-1)
        return _say(
            "missing-operand",
            f"a value is missing behind `{sign}`",
            at.previous,
            f"write what stands to the right of `{sign}`",
        )
    if at.kind == "MINUS" and at.after in ("NUMBER", "WORD", "PATH"):
        return _say(
            "missing-operand",
            "there is nothing to subtract from",
            at.span,
            f"for a negative value, write `-{shorten(at.text_at(1))}` without a blank",
            edits=(Edit(Span(at.source, at.start, at.span_at(1).start), "-"),),
            mend=at.instead("NEGATIVE"),
        )
    if at.kind not in SIGNS:
        return None
    return _say(
        "missing-operand",
        f"a value is missing before `{at.text}`",
        at.span,
        f"write what stands to the left of `{at.text}`",
    )


@mistake(
    "missing-value", "let x =\n", "for a in { conv 3 }", "if { relu }", "let a = ()", "conv a="
)
def _missing_value(at: Trouble) -> Explanation | None:
    if "NUMBER" not in at.accepts or at.at_statement_start:
        return None
    if at.kind not in ("COLON", "LBRACE", "RPAR", "RSQB", *NOTHING_MORE):
        return None
    example = "one right behind the sign: a number, a name, a list, …"
    if at.before != "KEY":
        example = "one: a number, a name, a list, …"
    if at.before == "IN":
        example = "a list: `[64, 128]`"
    elif at.before == "IF":
        example = "a condition: `if width > 64 { … }`"
    return _say(
        "missing-value",
        f"a value is missing behind `{shorten(at.text_at(-1))}`",
        at.previous,
        f"write {example}",
    )


@mistake("stray-equals", "conv stride=2=3", "= 3", "conv 64 = 3", "conv a=b=c")
def _stray_equals(at: Trouble) -> Explanation | None:
    if at.kind == "KEY":
        sign = Span(at.source, at.end - 1, at.end)
    elif at.kind == "EQUAL":
        sign = at.span
    else:
        return None
    return _say(
        "stray-equals",
        "an `=` stands between a name and its value, once",
        sign,
        "an argument is written `stride=2`, a name for a value `let width = 64`",
    )


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


def _anything_else(at: Trouble) -> Explanation:
    if at.kind == END and at.braces:
        brace = Span(at.source, at.braces[-1], at.braces[-1] + 1)
        help = "close it with `}` where its body ends"
        return _say("unclosed-brace", "this `{` is never closed", brace, help)
    found = _DESCRIBED.get(at.kind, f"`{shorten(at.text)}`")
    expected = [words for kind, words in _EXPECTED if kind in at.accepts]
    listed = ", ".join(expected[:-1]) + (" or " if expected[:-1] else "") + "".join(expected[-1:])
    return _say(
        "syntax",
        f"{found} cannot stand here",
        at.span,
        f"what could stand here: {listed}" if listed else "",
    )
