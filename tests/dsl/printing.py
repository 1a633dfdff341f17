"""Formats a text, and checks what holds of every formatted text."""

from __future__ import annotations

import re
from textwrap import dedent

from dotcnn.dsl.lexer import lex
from dotcnn.dsl.parser import parse
from dotcnn.dsl.printer import print_spec
from dotcnn.dsl.source import Source
from dotcnn.dsl.syntax import Node, Spec, walk


def formatted(text: str) -> str:
    """The canonical text; what holds of every one is checked on the way."""
    spec = parse(text)
    result = print_spec(spec)
    again = parse(result)
    assert shape(again) == shape(spec)
    assert print_spec(again) == result
    assert [comment.text for comment in again.comments] == [c.text for c in spec.comments]
    assert places_of_comments(result) == places_of_comments(text)
    assert not re.search(r"[ \t\r]\n|\n\n\n|\A\n|\n\n\Z|[^\n]\Z", result)
    return result


def shape(spec: Spec) -> list[object]:
    """The tree as a flat list: comparing deep ones with `==` recurses too deeply for Python."""
    found: list[object] = []
    for node in walk(spec):
        found.append(type(node))
        for value in node.said():
            if not isinstance(value, Node):
                nodes = isinstance(value, tuple) and all(isinstance(v, Node) for v in value)
                found.append(len(value) if nodes else value)
    return found


# What may stand on the other side of a comment afterwards: separators, brackets that are not in
# the tree, and the words in front of an operand, which stay with it.
_MOVES = frozenset(
    "NEWLINE COMMA LPAR RPAR KEY EQUAL PLUS MINUS NEGATIVE TIMES DIVIDE FLOOR_DIVIDE MODULO"
    " COMPARISON AND OR NOT TO POWER AT IF ELSE".split()
)


def places_of_comments(text: str) -> list[tuple[str, int]]:
    """The comments, each with the number of words in front of it."""
    lexed = lex(Source("<text>", text))
    found = []
    words = index = 0
    for comment in lexed.comments:
        while index < len(lexed.starts) and lexed.starts[index] < comment.span.start:
            kind = lexed.types[index]
            let_name = kind == "WORD" and lexed.types[index - 1 : index] == ["LET"]  # or a KEY
            words += kind not in _MOVES and not kind.startswith("__") and not let_name
            index += 1
        found.append((comment.text, words))
    return found


def in_network(text: str) -> str:
    """Two levels deeper than it is written here."""
    return (
        "network N {\n" + "".join(f"  {line}\n" if line else "\n" for line in lines(text)) + "}\n"
    )


def lines(text: str) -> list[str]:
    return dedent(text).strip("\n").split("\n")
