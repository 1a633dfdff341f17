"""Syntax tree builder: one method for each grammar rule turns the values of its parts into a node.
`start` and `end` are the offsets of the rule's text, brackets included.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from .characters import shorten
from .diagnostics import Diagnostic
from .source import Source, Span
from .syntax import (
    Argument,
    Arm,
    Binary,
    Block,
    Body,
    Branches,
    Call,
    Conditional,
    Duration,
    Expression,
    Factor,
    For,
    Function,
    If,
    Import,
    Item,
    Let,
    List,
    Name,
    Network,
    Number,
    OutputName,
    Parameter,
    Path,
    Percent,
    Range,
    Repeat,
    Setting,
    Size,
    Statement,
    String,
    Switch,
    Tuple,
    Unary,
)

MAX_EXPRESSION_DEPTH = 100

RESERVED = frozenset("and as block else for if import in let network not off on or repeat".split())
"""Words that cannot be names."""
_MAX_DIGITS = 100
_SECONDS = {"s": 1, "min": 60, "h": 3600}
_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)

_SUFFIXED = re.compile(r"([0-9.]+)([kKMGT](?:i?B)?)")
"""`300k`, `8GB`, `512MiB`."""
_POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}

Values = list[Any]
Statements: TypeAlias = tuple[Statement, ...]


def _plain(value: float) -> int | float:
    rounded = round(value, 3)
    return int(rounded) if rounded.is_integer() else rounded


class _Wrapped:
    """A value marked by its rule until the enclosing statement is complete."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Label(_Wrapped):
    """`name:` in front of a statement."""


class Key(_Wrapped):
    """`name=` in front of a value."""


class Index(_Wrapped):
    """`as i`."""


class Otherwise(_Wrapped):
    """`else { … }`."""


class TreeBuilder:
    """Builds the nodes of one source, from its text or the corrected text read in its place."""

    def __init__(self, source: Source, text: str) -> None:
        self.source = source
        self.text = text
        self.diagnostics: list[Diagnostic] = []
        self.depths: dict[int, int] = {}
        """The depth of nested operators below a node, by its id; few nodes are operators."""
        self.kept: list[object] = []
        """Keeps those nodes alive, so that no id is reused."""
        self.settings: list[Span] = []
        """The places of settings, `width in [16, 24]`, which only a section may have."""

    def report(self, code: str, message: str, start: int, end: int, help: str = "") -> None:
        self.diagnostics.append(Diagnostic(code, message, Span(self.source, start, end), help=help))

    # ---- tokens ----

    def name(self, start: int, end: int) -> Name:
        return Name(Span(self.source, start, end), self.text[start:end])

    def key(self, start: int, end: int) -> Key:
        word = self.text[start:end].rstrip("= \t")
        return Key(Name(Span(self.source, start, start + len(word)), word))

    def dotted(self, start: int, end: int) -> Path:
        return Path(Span(self.source, start, end), tuple(self.text[start:end].split(".")))

    def number(self, start: int, end: int) -> Number:
        text = self.text[start:end]
        return Number(Span(self.source, start, end), self._value(text, start), text)

    def _value(self, text: str, start: int) -> int | float:
        if len(text) > _MAX_DIGITS:
            return 0  # the lexer has reported it
        try:
            return int(text)
        except ValueError:
            pass
        suffixed = _SUFFIXED.fullmatch(text)
        try:
            if suffixed:
                times = (1024 if "i" in suffixed[2] else 1000) ** _POWERS[suffixed[2][0].upper()]
                return _plain(float(suffixed[1]) * times)
            value = float(text)
        except ValueError:
            return 0  # likewise
        if value == float("inf"):
            self.report("bad-number", f"`{text}` is too large", start, start + len(text))
        return value

    def percent(self, start: int, end: int) -> Percent:
        text = self.text[start:end]
        return Percent(Span(self.source, start, end), self._value(text[:-1], start) / 100, text)

    def factor(self, start: int, end: int) -> Factor:
        text = self.text[start:end]
        return Factor(Span(self.source, start, end), float(self._value(text[:-1], start)), text)

    def duration(self, start: int, end: int) -> Duration:
        text = self.text[start:end]
        number = text.rstrip("hmins")
        seconds = self._value(number, start) * _SECONDS[text[len(number) :]]
        return Duration(Span(self.source, start, end), float(seconds), text)

    def size(self, start: int, end: int) -> Size:
        text = self.text[start:end]
        # A size with blanks has been reported already; int() ignores blanks.
        dims = tuple(map(int, text.split("x"))) if len(text) <= _MAX_DIGITS else (0, 0)
        return Size(Span(self.source, start, end), dims)

    def switch(self, start: int, end: int) -> Switch:
        return Switch(Span(self.source, start, end), self.text[start:end] == "on")

    def string(self, start: int, end: int) -> String:
        text = self.text[start:end]
        inner = text[1:-1] if len(text) > 1 and text[-1] in "\"'" else text[1:]

        def plain(match: re.Match[str]) -> str:
            escape = match.group(1)
            if len(escape) == 5:
                return chr(int(escape[1:], 16))
            if escape not in _ESCAPES:
                at = start + 1 + match.start()
                self.report(
                    "bad-escape",
                    f"`\\{escape}` is not an escape sequence",
                    at,
                    at + 2,
                    "write `\\\\` for a backslash; folders are separated by `/` everywhere",
                )
            return _ESCAPES.get(escape, escape)

        return String(Span(self.source, start, end), _ESCAPE.sub(plain, inner))

    # ---- expressions ----

    def _deepen(self, node: Expression, parts: tuple[Expression, ...]) -> None:
        depth = 1 + max((self.depths.get(id(part), 0) for part in parts), default=0)
        if depth == MAX_EXPRESSION_DEPTH:  # once, not again for each enclosing node
            self.diagnostics.append(
                Diagnostic(
                    "limit",
                    f"more than {MAX_EXPRESSION_DEPTH} nested operations",
                    node.span,
                    help="give a part of it a name: `let part = …`",
                )
            )
        self.depths[id(node)] = depth
        self.kept.append(node)

    def binary(self, values: Values, start: int, end: int) -> Binary:
        left, operator, right = values
        node = Binary(Span(self.source, start, end), operator, left, right)
        self._deepen(node, (left, right))
        return node

    def unary(self, values: Values, start: int, end: int) -> Unary:
        operator, operand = values
        node = Unary(Span(self.source, start, end), operator, operand)
        self._deepen(node, (operand,))
        return node

    def range(self, values: Values, start: int, end: int) -> Range:
        low, high = values
        node = Range(Span(self.source, start, end), low, high)
        self._deepen(node, (low, high))
        return node

    def conditional(self, values: Values, start: int, end: int) -> Conditional:
        value, condition, otherwise = values
        node = Conditional(Span(self.source, start, end), value, condition, otherwise)
        self._deepen(node, (value, condition, otherwise))
        return node

    def item(self, values: Values, start: int, end: int) -> Item:
        value, index = values
        node = Item(Span(self.source, start, end), value, index)
        self._deepen(node, (value, index))
        return node

    def function(self, values: Values, start: int, end: int) -> Function:
        name, *arguments = values
        node = Function(Span(self.source, start, end), name, tuple(arguments))
        self._deepen(node, tuple(argument.value for argument in arguments))
        return node

    def tuple(self, values: Values, start: int, end: int) -> Tuple:
        node = Tuple(Span(self.source, start, end), tuple(values))
        self._deepen(node, node.items)
        return node

    def list(self, values: Values, start: int, end: int) -> List:
        node = List(Span(self.source, start, end), tuple(values))
        self._deepen(node, node.items)
        return node

    # ---- statements ----

    def argument(self, values: Values, start: int, end: int) -> Argument:
        span = Span(self.source, start, end)
        if len(values) == 1:
            return Argument(span, None, values[0])
        return Argument(span, values[0].value.value, values[1])

    def label(self, values: Values, start: int, end: int) -> Label:
        *output, name = values
        return Label(OutputName(name.span, name.value) if output else name)

    def call(self, values: Values, start: int, end: int) -> Call:
        label = values.pop(0).value if type(values[0]) is Label else None
        body = values.pop() if type(values[-1]) in (Body, Branches) else None
        head = self._head(values[0])
        return Call(Span(self.source, start, end), label, head, tuple(values[1:]), body)

    def setting(self, values: Values, start: int, end: int) -> Setting:
        head, *sign, value = values
        span = Span(self.source, start, end)
        self.settings.append(span)
        return Setting(span, self._head(head), sign[0] if sign else "in", value)

    @staticmethod
    def _head(node: Name | Path) -> Name:
        """The head of a statement, which may be a place with dots: `train.optimizer.lr`."""
        return Name(node.span, node.value) if isinstance(node, Path) else node

    def index(self, values: Values, start: int, end: int) -> Index:
        return Index(values[0])

    def repeat(self, values: Values, start: int, end: int) -> Repeat:
        label = values.pop(0).value if type(values[0]) is Label else None
        index = values[1].value if len(values) == 3 else None
        return Repeat(Span(self.source, start, end), label, values[0], index, values[-1])

    def for_(self, values: Values, start: int, end: int) -> For:
        label = values.pop(0).value if type(values[0]) is Label else None
        index = values.pop(-2).value if type(values[-2]) is Index else None
        *names, items, body = values
        return For(Span(self.source, start, end), label, tuple(names), items, index, body)

    def arm(self, values: Values, start: int, end: int) -> Arm:
        return Arm(Span(self.source, start, end), *values)

    def otherwise(self, values: Values, start: int, end: int) -> Otherwise:
        return Otherwise(values[0])

    def if_(self, values: Values, start: int, end: int) -> If:
        label = values.pop(0).value if type(values[0]) is Label else None
        otherwise = values.pop().value if type(values[-1]) is Otherwise else None
        return If(Span(self.source, start, end), label, tuple(values), otherwise)

    def let(self, values: Values, start: int, end: int) -> Let:
        name = self._new_name(values[0].value) if type(values[0]) is Key else values[0]
        return Let(Span(self.source, start, end), name, values[1])

    def body(self, values: Values, start: int, end: int) -> Body:
        self._refuse_definitions(values)
        return Body(Span(self.source, start, end), tuple(values))

    def branches(self, values: Values, start: int, end: int) -> Branches:
        return Branches(Span(self.source, start, end), tuple(values))

    def path(self, values: Values, start: int, end: int) -> Body:
        self._refuse_definitions(values)
        return Body(Span(self.source, start, end), tuple(values))

    def _refuse_definitions(self, statements: Values) -> None:
        for statement in statements:
            if type(statement) in (Block, Network, Import):
                word = type(statement).__name__.lower()
                start = statement.span.start
                self.report(
                    "misplaced-definition",
                    f"`{word}` goes at the top of a file, not inside a body",
                    start,
                    start + len(word),
                    "move it out of the braces around it",
                )

    # ---- the top of a file ----

    def parameter(self, values: Values, start: int, end: int) -> Parameter:
        span = Span(self.source, start, end)
        if len(values) == 1:
            return Parameter(span, values[0], None)
        return Parameter(span, self._new_name(values[0].value), values[1])

    def _new_name(self, name: Name) -> Name:
        """A name defined with `name=`: the lexer accepts dotted names and keywords, which cannot be
        defined.
        """
        _, start, end = name.span
        if "." in name.value:
            help = "write it with `_` in place of the dot"
            self.report("bad-name", f"`{shorten(name.value)}` has a dot in it", start, end, help)
        elif name.value in RESERVED:
            message = f"`{shorten(name.value)}` is a word of the language and cannot be a name"
            self.report(
                "reserved-word",
                message,
                start,
                end,
                f"use another name, for example `{name.value}_`",
            )
        return name

    def block(self, values: Values, start: int, end: int) -> Block:
        name, *parameters, body = values
        return Block(Span(self.source, start, end), name, tuple(parameters), body)

    def network(self, values: Values, start: int, end: int) -> Network:
        name, *parameters, body = values
        return Network(Span(self.source, start, end), name, tuple(parameters), body)

    def import_(self, values: Values, start: int, end: int) -> Import:
        return Import(Span(self.source, start, end), values[0])

    def start(self, values: Values, start: int, end: int) -> Statements:
        if self.settings:
            self._refuse_settings(values)
        return tuple(values)

    def _refuse_settings(self, statements: Values) -> None:
        """Settings are for sections: what stands in a body at the top of a file."""
        bodies = [each.body for each in statements if type(each) is Call and each.body]
        within = [each for body in bodies for each in getattr(body, "statements", ())]
        fine = {each.span.start for each in within if type(each) is Setting}
        for span in self.settings:
            if span.start not in fine:
                chooses = re.match(r"[\w.]+[ \t]+in\b", span.text)
                what, instead = "a comparison", "`if width < 32 { … }` is a condition"
                if chooses:
                    what, instead = "a choice of values", "`for width in [16, 24] { … }` is a loop"
                message = f"{what} belongs in a section such as `sweep`"
                self.report("misplaced-setting", message, span.start, span.end, instead)

    # ---- the method for a rule or a terminal ----

    def for_rule(self, name: str) -> Callable[[Values, int, int], Any] | None:
        method = getattr(self, name + "_" if name in ("if", "for", "import") else name, None)
        return method if callable(method) else None

    def for_terminals(self) -> dict[str, Callable[[int, int], Any]]:
        spelled = self.spelled
        return {
            "WORD": self.name,
            "OUTPUT": self.name,
            "FUNCTION_NAME": self.name,
            "KEY": self.key,
            "PATH": self.dotted,
            "PLACE": self.dotted,
            "NUMBER": self.number,
            "PERCENT": self.percent,
            "FACTOR": self.factor,
            "DURATION": self.duration,
            "SIZE": self.size,
            "SWITCH": self.switch,
            "STRING": self.string,
            **dict.fromkeys(_OPERATORS, spelled),
        }

    def spelled(self, start: int, end: int) -> str:
        """An operator as it is spelled; of a corrected look-alike, the sign that was meant."""
        text = self.text[start:end]
        return _MEANT.get(text, text)


_OPERATORS = (
    "OR AND NOT COMPARISON PLUS MINUS NEGATIVE POWER TIMES DIVIDE FLOOR_DIVIDE MODULO".split()
)
_MEANT = {
    "&": "and",
    "&&": "and",
    "||": "or",
    "!": "not",
    "^": "**",
    "=": "==",
    "===": "==",
    "<>": "!=",
    "=<": "<=",
}
