"""Mistakes with separators: commas, new lines, comments of other languages."""

from __future__ import annotations

import re

from ..characters import shorten
from ..diagnostics import Edit, Label
from ..lexer import END
from ..source import Span
from ..trouble import HEADERS, NOTHING_MORE, STATEMENT_ENDS, VALUES, WORDS, Explanation, Trouble
from .python import after_comma
from .table import mistake, say


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
    return say(
        "argument-behind-body",
        "arguments go before the body",
        at.span_of(0, behind - 1),
        f"write `{head} {shorten(argument)} {{ … }}`" if head else "move it before the `{`",
        otherwise="move it before the `{`",
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
    return say(
        "missing-separator",
        f"`{shorten(at.text)}` begins another statement, without a separator between them",
        at.span,
        f"put a comma or a new line before `{shorten(at.text)}`",
        edits=(Edit(at.gap, ","),),
        mend=at.insert("NEWLINE"),
    )


@mistake("comma-in-arguments", "dropout 0,5", "train {\n  optimizer adam lr=0,001\n}")
def _decimal_comma(at: Trouble) -> Explanation | None:
    close = at.follows_closely(0) and at.follows_closely(-1)
    if at.before != "COMMA" or at.kind not in ("NUMBER", "PERCENT", "FACTOR") or not close:
        return None
    if at.text_at(-2) != "0":
        return None
    number = at.span_of(-2, 0)
    return say(
        "comma-in-arguments",
        "a decimal point is a point; a comma ends a statement",
        number,
        f"write `{shorten(number.text.replace(',', '.'))}`",
        edits=(Edit(at.span_at(-1), "."),),
        mend=at.drop(),
    )


@mistake("comma-in-arguments", "conv 64, 3x3, stride=2", "conv 64, stride = 2", "conv, 64")
def _comma_in_arguments(at: Trouble) -> Explanation | None:
    equal = at.kind == "EQUAL" and at.first == -1 and at.before == "WORD"
    if not equal and not (at.at_statement_start and at.kind in VALUES | {"KEY"}):
        return None
    if not after_comma(at):
        return None
    comma_at = -2 if equal else -1
    comma = at.span_at(comma_at)
    argument = at.span_at(-1 if equal else 0)
    # Further commas before arguments on this line are the same mistake: reported once.
    others = []
    offset = 0
    while at.kind_at(offset) not in (*STATEMENT_ENDS, END):
        if at.kind_at(offset) == "COMMA":
            follows = at.kind_at(offset + 1)
            if follows not in VALUES | {"KEY"} and at.kind_at(offset + 2) != "EQUAL":
                break
            others.append(at.span_at(offset))
        elif at.kind_at(offset) in ("LPAR", "LSQB", "AT"):
            offset = at.matching(offset)
        offset += 1
    mend = at.drop(offset) if at.kind_at(offset) in NOTHING_MORE else None
    first = comma_at
    while at.kind_at(first - 1) not in (*STATEMENT_ENDS, "COMMA", END):
        first -= 1
    without = re.sub(r"(?<!\s)\s*+,", " ", at.span_of(first, offset - 1).text)
    if equal:
        without = re.sub(r"(?<!\s)\s*+=\s*+", "=", without)
    edits = [Edit(span, "" if _blank_follows(span) else " ") for span in (comma, *others)]
    if equal:  # `stride = 2`
        edits.append(Edit(Span(at.source, argument.end, at.span_at(1).start), "="))
    return say(
        "comma-in-arguments",
        f"a comma ends a statement, and `{shorten(argument.text)}` cannot begin one",
        argument,
        f"arguments are separated by spaces: `{shorten(without)}`",
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
    return say(
        "comment",
        "a comment starts with `#`",
        sign,
        f"write `#` instead of `{sign.text}`",
        edits=(Edit(sign, "#"),),
    )


@mistake(
    "statement-start",
    "network A {\n  3 * conv 64 3x3\n}",
    "network A {\n  3x conv 64 3x3\n}",
    "network A {\n  3x(conv 64 3x3)\n}",
)
def _times(at: Trouble) -> Explanation | None:
    """`3 * conv 64 3x3`, `3x(conv 64 3x3)`."""
    if not at.at_statement_start or at.kind not in ("NUMBER", "FACTOR"):
        return None
    first = 2 if at.kind == "NUMBER" and at.after == "TIMES" else 1
    if at.kind == "NUMBER" and first == 1:
        return None
    brackets = at.kind_at(first) == "LPAR"
    if at.kind_at(first + brackets) not in WORDS:
        return None
    last = at.matching(first) if brackets else at.end_of_head(first) - 1
    count = at.text.rstrip("xX")
    body = at.words(first + 1, last) if brackets else at.words(first, last + 1)
    opened = Span(
        at.source, at.start, at.span_at(first).end if brackets else at.span_at(first).start
    )
    behind = at.span_at(last).end
    return say(
        "statement-start",
        "layers are repeated by `repeat`",
        at.span_of(0, first - 1),
        f"write `repeat {count} {{ {body} }}`",
        edits=(
            Edit(opened, f"repeat {count} {{ "),
            Edit(at.span_at(last) if brackets else Span(at.source, behind, behind), " }"),
        ),
    )


@mistake("statement-start", "network A {\n  64 conv\n}", "nn.conv 64", "conv { 1, 2 }")
def _statement_start(at: Trouble) -> Explanation | None:
    if not at.at_statement_start or at.kind not in VALUES | {"PATH"}:
        return None
    if at.kind == "PATH" and at.after in VALUES:
        return say(
            "statement-start",
            f"`{shorten(at.text)}` is a dotted name; a statement begins with a plain word",
            at.span,
            f"where values are searched, in `sweep`, write `{shorten(at.text)} in [1, 2]`, or a"
            " range: `0..1`",
        )
    if at.kind == "PATH":
        return say(
            "statement-start",
            f"`{shorten(at.text)}` is a dotted name; a statement begins with a plain word",
            at.span,
            f"write `{shorten(at.text.rsplit('.', 1)[-1])} …`, or `from {shorten(at.text)}` to "
            "continue from there",
        )
    if at.before == "LBRACE" and at.kind != "NEGATIVE":
        return say(
            "statement-start",
            f"braces hold statements, and `{shorten(at.text)}` cannot begin one",
            at.span,
            "a list is written between `[` and `]`",
        )
    return say(
        "statement-start",
        f"a statement begins with a word, not with `{shorten(at.text)}`",
        at.span,
        "write the layer first, then its arguments: `conv 64 3x3`",
    )
