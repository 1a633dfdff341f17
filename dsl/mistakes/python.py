"""Habits from Python: `conv(64, 3)`, `width = 64`, `stride = 2`, `if stride=1`."""

from __future__ import annotations

from collections.abc import Iterator

from ..characters import shorten
from ..diagnostics import Edit
from ..lexer import END
from ..source import Span
from ..trouble import NOTHING_MORE, SIGNS, STATEMENT_ENDS, VALUES, WORDS, Explanation, Mend, Trouble
from .table import mistake, say


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
    help = f"write `{written}`" if written else "write the word, a space, and its arguments"
    return say(
        "python-call",
        "arguments follow their word, separated by spaces, without parentheses",
        whole,
        help,
        edits=(Edit(whole, written),) if written and alone else (),
        mend=Mend((("WORD", at.start, at.end),), skip=closing + 1) if complete else None,
    )


def _without_parentheses(at: Trouble, word: int) -> tuple[int, str]:
    """The end of a Python-style call, and how to write it here; "" if that is too long."""
    closing = at.matching(word + 1)
    whole = at.span_of(word, closing).text
    arguments = [_as_argument(at, *part) for part in _parts(at, word + 2, closing)]
    written = " ".join([at.text_at(word).rsplit(".", 1)[-1], *arguments])
    short = len(written) < 100 and "\n" not in whole and "\r" not in whole
    return closing, written if short else ""


def _parts(at: Trouble, first: int, behind: int) -> Iterator[tuple[int, int]]:
    """The first and last token of each argument: separated by commas outside brackets."""
    depth, begin = 0, first
    for offset in range(first, behind + 1):
        kind = at.kind_at(offset)
        if depth == 0 and (kind == "COMMA" or offset == behind):
            if offset > begin:
                yield begin, offset - 1
            begin = offset + 1
        depth += (kind in ("LPAR", "LSQB", "AT")) - (kind in ("RPAR", "RSQB"))


def _as_argument(at: Trouble, first: int, last: int) -> str:
    """An argument written without commas: in parentheses if it contains blanks."""
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
    if after_comma(at):
        return None
    span = Span(at.source, sign.start, sign.start + len(name))
    if at.after in WORDS and at.kind_at(2) in VALUES | WORDS | {"KEY"}:
        whole, layer = sign, ""
        if at.kind_at(2) == "LPAR":  # `x = conv(64)`
            last, layer = _without_parentheses(at, 1)
            whole = at.span_of(at.first, last)
        return say(
            "assignment",
            "a layer's output is named by a label in front of the layer",
            span,
            f"write `{shorten(name)}: {layer or at.words(1, at.end_of_head(1))}`",
            edits=(Edit(whole, f"{name}: {layer}" if layer else f"{name}:"),),
        )
    behind = at.kind_at(at.behind_value(1))
    complete = at.after in VALUES | WORDS and behind in {*NOTHING_MORE, *SIGNS}
    if not _is_used(at, name):
        return say(
            "assignment",
            f"`{shorten(name)}=…` cannot begin a statement",
            span,
            "an argument goes after its word: `conv 64 3x3 stride=2`; a value that is used further"
            " down gets its name with `let`: `let width = 64`",
        )
    return say(
        "assignment",
        "a value gets its name with `let`",
        span,
        f"write `let {shorten(name)} = {at.words(1, at.end_of_head(1))}`",
        edits=(Edit(sign, f"let {name} ="),) if complete else (),
    )


def _is_used(at: Trouble, name: str) -> bool:
    """Whether a name is used further down, outside of its own line."""
    behind = at.end_of_head(1) + at.position
    types = at.tokens.types
    return any(
        types[i] in ("WORD", "PATH", "FUNCTION_NAME")
        and at.source.text[at.tokens.starts[i] : at.tokens.ends[i]] == name
        for i in range(behind, len(types))
    )


def after_comma(at: Trouble) -> bool:
    """Whether a comma that was meant to separate arguments ended the call before this place."""
    comma = at.first - 1
    if at.kind_at(comma) != "COMMA":
        return False
    first = comma
    while at.kind_at(first - 1) not in (*STATEMENT_ENDS, "COMMA", END):
        first -= 1
    return at.kind_at(first) == "WORD"


_DECLARES = frozenset("const var val int float double set def define local auto final my".split())
"""Words that begin a declaration in other languages."""


@mistake("assignment", "const width = 64", "network A {\n  int width = 64\n}")
def _declaration(at: Trouble) -> Explanation | None:
    if at.kind != "EQUAL" or at.first != -2 or at.text_at(-2) not in _DECLARES:
        return None
    if at.kind_at(-2) != "WORD" or at.before != "WORD":
        return None
    behind = at.kind_at(at.behind_value(1))
    complete = at.after in VALUES | WORDS and behind in {*NOTHING_MORE, *SIGNS}
    return say(
        "assignment",
        "a value gets its name with `let`",
        at.span_at(-2),
        f"write `let {shorten(at.text_at(-1))} = {at.words(1, at.end_of_head(1))}`",
        edits=(Edit(at.span_at(-2), "let"),) if complete else (),
    )


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
    if at.kind_at(-2) == "KEY" or (after_comma(at) and at.first == -1):
        return None
    key = at.text_at(-1)
    if at.after in ("NEWLINE", "COMMA", "RBRACE", "LBRACE", "RPAR", "RSQB", "VBAR", END):
        return say(
            "missing-value",
            f"a value is missing after `{shorten(key)}=`",
            Span(at.source, at.previous.start, at.end),
            "write one right after the sign: a number, a name, a list, …",
        )
    value = at.span_of(1, at.behind_value(1) - 1)
    glued = Span(at.source, at.previous.start, value.start)
    return say(
        "spaced-equals",
        "an argument's name, `=` and its value are written without spaces",
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
    return say(
        "equals-in-condition",
        "one `=` gives a value; two compare",
        sign,
        f"write `{left} == {at.words(1, at.behind_value(1))}`",
        edits=(Edit(sign, "=="),),
        mend=Mend((*read, ("COMPARISON", sign.start, sign.end)), skip=1),
    )


@mistake("argument-in-parentheses", "conv 64 (stride=2)", "conv 64 [stride=2]")
def _argument_in_parentheses(at: Trouble) -> Explanation | None:
    if at.kind != "KEY" or at.before not in ("LPAR", "LSQB", "AT") or "NUMBER" not in at.accepts:
        return None
    last = at.matching(-1)
    whole = at.span_of(-1, last)
    parts = list(_parts(at, 0, last))
    written = " ".join(_as_argument(at, *part) for part in parts)
    one_line = "\n" not in whole.text and "\r" not in whole.text
    return say(
        "argument-in-parentheses",
        "an argument given by name is written without parentheses",
        whole,
        f"write `{shorten(written)}`",
        edits=(Edit(whole, written),) if one_line else (),
    )
