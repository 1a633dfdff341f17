"""Reads the text format of protocol buffers: messages of fields, each with its place. Nothing is
known here of what the fields mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from lark import Lark, Token, Transformer_NonRecursive, UnexpectedCharacters, UnexpectedInput
from lark.exceptions import VisitError

from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.source import Source, Span

GRAMMAR = Path(__file__).with_name("text_format.lark")
MAX_DEPTH = 50
MAX_CHARACTERS = 2_000_000
"""Ten times what the longest networks need; they are read in seconds."""

_BRACES = re.compile(r"""[{}<>]|#[^\r\n]*|"(?:\\.|[^"\\\r\n])*"|'(?:\\.|[^'\\\r\n])*'""")


class Word(str):
    """A name that is a value: `MAX`, `true`."""

    __slots__ = ()


class Field(NamedTuple):
    name: str
    value: Message | Word | str | float
    span: Span
    """The place of the value; of a message, that of its name."""


class Message:
    """Fields in the order written."""

    __slots__ = ("by_name", "fields")

    def __init__(self, fields: list[Field]) -> None:
        self.fields = fields
        self.by_name: dict[str, list[Field]] = {}
        for each in fields:
            self.by_name.setdefault(each.name, []).append(each)

    def all(self, *names: str) -> list[Field]:
        """The fields of these names."""
        return [each for name in names for each in self.by_name.get(name, ())]

    def first(self, *names: str) -> Field | None:
        """The last field of one of these names: it is the one that counts."""
        found = self.all(*names)
        return found[-1] if found else None

    def messages(self, *names: str) -> Iterator[tuple[Message, Span]]:
        for each in self.all(*names):
            if isinstance(each.value, Message):
                yield each.value, each.span

    def message(self, name: str) -> Message:
        """The message of that name; an empty one if there is none."""
        merged = [field for message, _ in self.messages(name) for field in message.fields]
        return Message(merged)


class _Values(Transformer_NonRecursive[Token, Message]):
    """Values of grammar rules, without recursion however deep messages are."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source

    def start(self, children: list[Any]) -> Message:
        return Message([each for one in children for each in one])

    message = start

    def nested(self, children: list[Any]) -> list[Field]:
        name, message = children[0], children[-1]
        return [Field(str(name), message, self.place(name))]

    def plain(self, children: list[Any]) -> list[Field]:
        name, (value, span) = children
        return [Field(str(name), value, span)]

    def several(self, children: list[Any]) -> list[Field]:
        return [Field(str(children[0]), value, span) for value, span in children[1:]]

    def text(self, children: list[Token]) -> tuple[str, Span]:
        return "".join(each[1:-1] for each in children), self.place(children[0])

    def number(self, children: list[Token]) -> tuple[float, Span]:
        text = str(children[0])
        plain = text if text[:3].lower().startswith(("0x", "+0x", "-0x")) else text.rstrip("fF")
        try:
            value: float = int(plain, 0) if "x" in plain.lower() else int(plain[:40])
        except ValueError:
            value = float(plain)
        return value, self.place(children[0])

    def word(self, children: list[Token]) -> tuple[Word, Span]:
        return Word(children[0]), self.place(children[0])

    def place(self, token: Token) -> Span:
        assert token.start_pos is not None
        assert token.end_pos is not None
        return Span(self.source, token.start_pos, token.end_pos)


@cache
def _parser() -> Lark:
    return Lark(GRAMMAR.read_text(encoding="utf-8"), parser="lalr", lexer="basic")


def _check_depth(source: Source) -> None:
    """Before it is parsed, which takes long for messages within messages without end."""
    depth = 0
    for match in _BRACES.finditer(source.text):
        sign = match.group()
        depth += (sign in "{<") - (sign in "}>") if len(sign) == 1 else 0
        if depth > MAX_DEPTH:
            text = f"messages within more than {MAX_DEPTH} others"
            place = Span(source, match.start(), match.end())
            raise SpecError([Diagnostic("limit", text, place)])


def read_message(source: Source) -> Message:
    """The message of a text; raises SpecError at the place where it is none."""
    if len(source.text) > MAX_CHARACTERS:
        message = f"this file has more than {MAX_CHARACTERS:,} characters"
        raise SpecError([Diagnostic("limit", message, file=source.name)])
    _check_depth(source)
    try:
        tree = _parser().parse(source.text)
    except UnexpectedInput as error:
        at = getattr(error, "pos_in_stream", 0) or 0
        token = getattr(error, "token", None)
        if getattr(token, "type", "") == "$END":
            at, text = len(source.text), "the text ends within a message"
        elif isinstance(error, UnexpectedCharacters):
            text = "this character cannot stand here"
        else:
            text = f"`{str(token)[:30]}` cannot stand here"
        help = "a field is `name: value` or `name { … }`"
        place = Span(source, at, min(at + 1, len(source.text)))
        raise SpecError([Diagnostic("prototxt", text, place, help=help)]) from None
    try:
        return _Values(source).transform(tree)
    except VisitError as error:
        raise error.orig_exc from None
