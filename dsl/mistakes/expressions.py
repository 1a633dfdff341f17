"""Mistakes in expressions: a missing operand or value, chained comparisons, an extra `=`."""

from __future__ import annotations

from ..characters import shorten
from ..diagnostics import Edit
from ..source import Span
from ..trouble import NOTHING_MORE, OPERANDS, SIGNS, WORDS, Explanation, Trouble
from .table import mistake, say


@mistake("chained-comparison", "if 1 < width < 3 { conv 3 }", "crop 0..1..2")
def _chained(at: Trouble) -> Explanation | None:
    if at.kind not in ("COMPARISON", "TO") or at.before not in OPERANDS:
        return None
    if at.kind == "TO":
        return say(
            "chained-comparison", "a range has two ends", at.span, "write `low..high`: `0.5..1`"
        )
    middle = at.text_at(-1)
    if at.kind_at(-2) != "COMPARISON":
        return say("chained-comparison", "comparisons do not chain", at.span, _JOIN)
    rest = f"{at.text} {at.words(1, at.behind_value(1))}"
    return say(
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
    return say(
        "missing-operand",
        "a percentage is written without a space",
        number,
        f"write `{shorten(at.text_at(-2))}%`",
        edits=(Edit(number, f"{at.text_at(-2)}%"),),
    )


@mistake("missing-operand", "cell [*maps, one]", "cell [one, *maps]")
def _unpacked_list(at: Trouble) -> Explanation | None:
    if at.kind != "TIMES" or at.before not in ("LSQB", "COMMA") or at.after not in WORDS:
        return None
    if not at.in_parentheses:
        return None
    name = shorten(at.text_at(1))
    return say(
        "missing-operand",
        "a list inside another is not unpacked by `*`",
        at.span,
        f"join two lists with `+`: `{name} + [one]`",
    )


@mistake("missing-operand", "network A {\n  if channels > 4 and < 10 { conv 3 }\n}")
def _compared_twice(at: Trouble) -> Explanation | None:
    """`channels > 4 and < 10`."""
    if at.kind != "COMPARISON" or at.before not in ("AND", "OR"):
        return None
    sign = -2
    while sign > at.first and at.kind_at(sign) != "COMPARISON":
        sign -= 1
    if at.kind_at(sign) != "COMPARISON" or at.kind_at(sign - 1) not in WORDS:
        return None
    name = at.text_at(sign - 1)
    rest = at.words(0, at.behind_value(1))
    return say(
        "missing-operand",
        f"a value is missing after `{at.text_at(-1)}`",
        at.previous,
        f"write `{at.words(sign - 1, 0)} {shorten(name)} {rest}`",
        edits=(Edit(Span(at.source, at.start, at.start), f"{name} "),),
    )


@mistake("missing-operand", "conv 4 *\nrelu", "let x = 3 +", "conv * 4", "rotate - 20")
def _missing_operand(at: Trouble) -> Explanation | None:
    if at.before in SIGNS:
        sign = at.text_at(-1)
        return say(
            "missing-operand",
            f"a value is missing after `{sign}`",
            at.previous,
            f"write what is to the right of `{sign}`",
        )
    if at.kind == "MINUS" and at.after in ("NUMBER", "WORD", "PATH"):
        return say(
            "missing-operand",
            "there is nothing to subtract from",
            at.span,
            f"for a negative value, write `-{shorten(at.text_at(1))}` without a space",
            edits=(Edit(Span(at.source, at.start, at.span_at(1).start), "-"),),
            mend=at.instead("NEGATIVE"),
        )
    if at.kind not in SIGNS:
        return None
    return say(
        "missing-operand",
        f"a value is missing before `{at.text}`",
        at.span,
        f"write what is to the left of `{at.text}`",
    )


@mistake(
    "missing-value", "let x =\n", "for a in { conv 3 }", "if { relu }", "let a = ()", "conv a="
)
def _missing_value(at: Trouble) -> Explanation | None:
    if "NUMBER" not in at.accepts or at.at_statement_start:
        return None
    if at.kind not in ("COLON", "LBRACE", "RPAR", "RSQB", *NOTHING_MORE):
        return None
    example = "one right after the sign: a number, a name, a list, …"
    if at.before != "KEY":
        example = "one: a number, a name, a list, …"
    if at.before == "IN":
        example = "a list: `[64, 128]`"
    elif at.before == "IF":
        example = "a condition: `if width > 64 { … }`"
    return say(
        "missing-value",
        f"a value is missing after `{shorten(at.text_at(-1))}`",
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
    return say(
        "stray-equals",
        "an `=` is written once, between a name and its value",
        sign,
        "an argument is written `stride=2`, a name for a value `let width = 64`",
    )
