"""Mistakes with colons: Python's `repeat 3:` with an indented body, labels without a statement."""

from __future__ import annotations

import re

from ..characters import shorten
from ..diagnostics import Edit
from ..lexer import END
from ..source import Span
from ..trouble import NOTHING_MORE, WORDS, Explanation, Mend, Trouble
from .table import mistake, say


@mistake("two-labels", "network A {\n  a: b: conv 64\n}")
def _two_labels(at: Trouble) -> Explanation | None:
    if at.kind == "COLON" and at.first == -3 and at.kind_at(-2) == "COLON":
        return say(
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
    return say(
        "quotes",
        "a name with a `:` in it is written between double quotes",
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
    return say(
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
    return say(
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
    message = "a body is written in braces; a colon only follows a label"
    if at.kind == "ELSE" and at.after == "COLON":  # its `if` had a colon, too, and was skipped
        edits = at.braces_around_body(at.span_at(1))
        return say("colon-for-brace", message, at.span_at(1), BRACES, edits=edits)
    if at.kind != "COLON" or at.before == "COLON" or at.in_parentheses:
        return None
    if at.after == "LBRACE":
        return say(
            "colon-for-brace",
            message,
            at.span,
            "take the `:` out",
            edits=(Edit(at.span, ""),),
            mend=at.drop(),
        )
    if at.after in ("NEWLINE", END):
        if at.brace_was_forgotten:
            return say(
                "colon-for-brace",
                message,
                at.span,
                "write `{` instead",
                edits=(Edit(at.span, " {"),),
                mend=at.instead("LBRACE", surplus=-1),
            )
        edits = at.braces_around_body(at.span)
        return say("colon-for-brace", message, at.span, BRACES, edits=edits)
    if at.header and "LBRACE" in at.accepts:
        return say(
            "colon-for-brace",
            message,
            at.span,
            BRACES,
            edits=(Edit(at.span, " {"), brace_at_end_of_line(at)),
        )
    return None


BRACES = "write `{` here, and `}` where the body ends"


def brace_at_end_of_line(at: Trouble) -> Edit:
    """A closing brace after the last word of this line, if the body is the rest of the line."""
    end = at.span_at(last_of_body(at)).end
    return Edit(Span(at.source, end, end), " }")


def last_of_body(at: Trouble) -> int:
    """The offset of the last token on this line that could belong to a body beginning here."""
    last, depth = 0, 0
    while at.kind_at(last + 1) not in ("NEWLINE", END, "ELSE"):
        depth += (at.kind_at(last + 1) == "LBRACE") - (at.kind_at(last + 1) == "RBRACE")
        if depth < 0:
            break
        last += 1
    return last


@mistake(
    "label",
    "network A {\n  one:\n  conv 64\n}",
    "network A {\n  conv 64\n  one:\n}",
    "network A {\n  one: # the first\n  conv 64\n}",
)
def _label_above_its_statement(at: Trouble) -> Explanation | None:
    """A label alone on its line, and no indented body after it."""
    if at.before != "COLON" or at.kind not in ("NEWLINE", "RBRACE", END):
        return None
    if at.indented_lines():
        return None
    word = at.span_at(-2)
    after = 0
    while at.kind_at(after) == "NEWLINE":
        after += 1
    if at.kind_at(after) in NOTHING_MORE or at.kind_at(after) == "RBRACE":
        return say(
            "label",
            f"nothing follows the label `{word.text}:`",
            word,
            "write the statement that it names after it, or take the label out",
            edits=(Edit(at.span_of(-2, -1), ""),),
        )
    between = Span(at.source, at.previous.end, at.span_at(after).start)
    return say(
        "label",
        f"the statement that `{word.text}:` names has to be on the same line",
        word,
        f"write `{word.text}: {at.words(after, at.end_of_head(after))}`",
        edits=() if between.text.strip() else (Edit(between, " "),),
        mend=at.drop(after),
    )


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
        return say(
            "colon-for-brace",
            f"`{word}:` is a label, and a label names the statement after it",
            at.previous,
            f"write `{word} {{` for a body, or name what follows: `{word}: residual {{ … }}`",
            edits=(Edit(at.previous, ""),),
            mend=Mend(back=1),
        )
    replaced = at.kind == "NEWLINE" and at.brace_was_forgotten
    edits: tuple[Edit, ...] = (Edit(at.previous, " {"),)
    if not replaced:
        edits = at.braces_around_body(at.previous) if at.kind == "NEWLINE" else ()
    return say(
        "colon-for-brace",
        f"nothing follows the label `{word}:`",
        at.previous,
        f"write `{word} {{ … }}` for a body, or the statement that `{word}` names on this line",
        edits=edits,
        mend=Mend((("LBRACE", *at.previous[1:]),), back=1, surplus=-1) if replaced else None,
    )
