"""Random specs for hypothesis: syntax trees, and texts that mean them in any layout.

`specs()` draws the statements of a file; `texts()` draws a `Text`: such statements, a text that
was laid out without any care but means them, and the comments that were strewn into it. Parsing
the text must give the statements back, so that what is drawn tests the parser as well as whatever
works on trees.

The trees are drawn by hypothesis and shrink well. The layout comes from a seed: it does not shrink,
but a text has hundreds of places where it could be laid out otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st

from dotcnn.dsl.source import Source, Span
from dotcnn.dsl.syntax import (
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
    Parameter,
    Path,
    Percent,
    Range,
    Repeat,
    Size,
    Statement,
    String,
    Switch,
    Tuple,
    Unary,
)

# Nodes that were not read from anywhere.
NOWHERE = Span(Source("<drawn>", ""), 0, 0)

# ---- values ----------------------------------------------------------------------------------

# Real ones, and those that a careless reader takes for something else: `x`, a letter in sizes and
# factors, and words that begin like `on`, `not`, `in` and numbers with an exponent.
_NAMES = ["conv", "bn", "relu", "width", "x", "max", "x3", "e5", "one", "off_", "notx", "inx", "_"]
_COMPARISONS = ["<", "<=", ">", ">=", "==", "!="]
_BINARY = ["or", "and", *_COMPARISONS, *"+-*/%", "//", *"+-*", "**"]

names = st.one_of(
    st.sampled_from(_NAMES), st.just("a_rather_long_name_of_something_that_makes_lines_wrap")
).map(lambda value: Name(NOWHERE, value))
paths = st.sampled_from(["layer1.0.conv2", "a.on", "x.1", "on.off"]).map(
    lambda value: Path(NOWHERE, tuple(value.split(".")))
)
numbers = st.sampled_from(["0", "1", "3", "64", "1000", "007", "0.5", "5e-4", "1e3", "2.0E+2"]).map(
    lambda text: Number(NOWHERE, float(text) if set(text) & set(".eE") else int(text), text)
)
percents = st.sampled_from(["20%", "0.5%"]).map(
    lambda text: Percent(NOWHERE, float(text[:-1]) / 100, text)
)
factors = st.sampled_from(["10x", "0.1x", "1e3x", "3x"]).map(
    lambda text: Factor(NOWHERE, float(text[:-1]), text)
)
durations = st.sampled_from([("10min", 600.0), ("0.5h", 1800.0), ("3s", 3.0)]).map(
    lambda pair: Duration(NOWHERE, pair[1], pair[0])
)
sizes = st.lists(st.integers(0, 512), min_size=2, max_size=4).map(
    lambda dims: Size(NOWHERE, tuple(dims))
)
strings = st.one_of(
    st.sampled_from(["torchvision:ResNet50", 'a "quoted" # word', "\\ { ( [", "\n\t\r\x00\u2028"]),
    st.text(max_size=5),
).map(lambda value: String(NOWHERE, "".join(c for c in value if ord(c) <= 0xFFFF)))
switches = st.booleans().map(lambda value: Switch(NOWHERE, value))

atoms = st.one_of(
    names, numbers, names, numbers, sizes, switches, paths, percents, factors, durations, strings
)


def _binary(sign: str, left: Expression, right: Expression) -> Binary:
    """Draws no `//` after a time, size, text or switch, where it is read as a comment."""
    if sign == "//" and isinstance(_last(left), (Duration, Size, String, Switch)):
        sign = "%"
    return Binary(NOWHERE, sign, left, right)


def _last(node: Expression) -> Expression:
    """The part whose text ends an expression, without brackets."""
    match node:
        case Binary(right=end) | Unary(operand=end) | Range(high=end) | Conditional(otherwise=end):
            return _last(end)
        case _:
            return node


def _compound(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    items = st.lists(inner, max_size=4).map(tuple)
    return st.one_of(
        st.builds(_binary, st.sampled_from(_BINARY), inner, inner),
        st.builds(Unary, st.just(NOWHERE), st.sampled_from(["-", "not"]), inner),
        st.builds(Range, st.just(NOWHERE), inner, inner),
        st.builds(Conditional, st.just(NOWHERE), inner, inner, inner),
        st.builds(Item, st.just(NOWHERE), inner, inner),
        st.builds(List, st.just(NOWHERE), items),
        st.builds(Tuple, st.just(NOWHERE), st.lists(inner, min_size=1, max_size=4).map(tuple)),
        st.builds(Function, st.just(NOWHERE), names, _arguments(inner, max_size=3)),
    )


def _arguments(
    values: st.SearchStrategy[Expression], max_size: int
) -> st.SearchStrategy[tuple[Argument, ...]]:
    keys = st.sampled_from([None, None, "stride", "x", "layer1.0", "in"])
    one = st.builds(Argument, st.just(NOWHERE), keys, values)
    return st.lists(one, max_size=max_size).map(tuple)


compounds: st.SearchStrategy[Expression] = st.recursive(atoms, _compound, max_leaves=8)
expressions: st.SearchStrategy[Expression] = st.one_of(atoms, atoms, compounds)

# ---- statements ------------------------------------------------------------------------------

labels = st.one_of(st.none(), st.none(), names)
calls = st.builds(
    Call, st.just(NOWHERE), labels, names, _arguments(expressions, max_size=4), st.none()
)
lets = st.builds(Let, st.just(NOWHERE), names, expressions)
imports = st.builds(Import, st.just(NOWHERE), strings)


def _bodies(inner: st.SearchStrategy[Statement]) -> st.SearchStrategy[Body | Branches]:
    plain = st.lists(inner, max_size=4).map(lambda found: Body(NOWHERE, tuple(found)))
    paths = st.lists(plain, min_size=1, max_size=3)
    return st.one_of(plain, plain, paths.map(lambda found: Branches(NOWHERE, tuple(found))))


def _with_bodies(inner: st.SearchStrategy[Statement]) -> st.SearchStrategy[Statement]:
    bodies = _bodies(inner)
    arms = st.lists(st.builds(Arm, st.just(NOWHERE), expressions, bodies), min_size=1, max_size=3)
    loop_names = st.lists(names, min_size=1, max_size=3).map(tuple)
    few = _arguments(expressions, max_size=2)
    return st.one_of(
        st.builds(Call, st.just(NOWHERE), labels, names, few, bodies),
        st.builds(Repeat, st.just(NOWHERE), labels, expressions, st.none() | names, bodies),
        st.builds(
            For, st.just(NOWHERE), labels, loop_names, expressions, st.none() | names, bodies
        ),
        st.builds(If, st.just(NOWHERE), labels, arms.map(tuple), st.none() | bodies),
    )


statements: st.SearchStrategy[Statement] = st.recursive(
    st.one_of(calls, calls, lets), _with_bodies, max_leaves=8
)


def _definitions() -> st.SearchStrategy[Statement]:
    default = st.one_of(st.none(), expressions)
    parameters = st.lists(st.builds(Parameter, st.just(NOWHERE), names, default), max_size=4)
    bodies = _bodies(statements)
    return st.one_of(
        st.builds(kind, st.just(NOWHERE), names, parameters.map(tuple), bodies)
        for kind in (Block, Network)
    )


def specs() -> st.SearchStrategy[tuple[Statement, ...]]:
    """The statements of a file."""
    return st.lists(st.one_of(statements, _definitions(), imports), max_size=5).map(tuple)


# ---- texts -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Text:
    """A text that means `statements`."""

    text: str
    statements: tuple[Statement, ...]
    comments: tuple[str, ...]
    """In their order, as `Comment.text` has them."""


def texts(comments: bool = True) -> st.SearchStrategy[Text]:
    """Texts of drawn specs, in any layout; without comments if so asked."""
    return st.builds(
        lambda spec, seed: scribble(spec, Random(seed), comments), specs(), st.integers(0, 2**32)
    )


def scribble(spec: Sequence[Statement], random: Random, comments: bool = True) -> Text:
    """Lays statements out without any care: blanks, lines, commas, parentheses, comments."""
    scribbler = _Scribbler(random, comments)
    scribbler.body(spec)
    line_end = random.choice(["\n", "\n", "\r\n", "\r"])
    text = "".join(scribbler.out).replace("\n", line_end)
    return Text(text, tuple(spec), tuple(scribbler.comments))


_LEVELS = {
    "or": 1, "and": 2, **dict.fromkeys(_COMPARISONS, 4), **dict.fromkeys("+-", 5), "**": 8
}  # fmt: skip
_REMARKS = ["why", "", " { ( [ it's \"open", " | else }", "# double", " Größe × 2", " \ttabbed"]


class _Scribbler:
    def __init__(self, random: Random, comments: bool) -> None:
        self.random = random
        self.out: list[str] = []
        self.comments: list[str] = []
        self.commenting = random.choice([0, 0.03, 0.2]) if comments else 0
        self.wild = random.choice([0.02, 0.2])
        """How often something unusual is done."""
        self.brackets = 0
        self.single_line = 0
        """In how many bodies we are that stand on one line."""

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def put(self, *texts: str) -> None:
        self.out.extend(texts)

    # ---- what stands between words ----

    def blank(self) -> None:
        """One blank or more."""
        if self.brackets and self.gap():
            return
        self.put(self.random.choice(["  ", "\t", " \t"]) if self.chance(self.wild) else " ")

    def maybe_blank(self) -> None:
        if self.brackets and self.gap():
            return
        if self.chance(0.3):
            self.blank()

    def gap(self) -> bool:
        """Inside brackets: perhaps a line end, perhaps a comment before it."""
        if self.single_line or not self.chance(self.wild * 0.5 + self.commenting * 0.5):
            return False
        self.put(self.random.choice(["", " "]))
        if self.chance(self.commenting * 2):
            self.comment()
        self.put("\n")
        while self.chance(self.commenting):
            self.comment()
            self.put("\n")
        self.put(self.random.choice(["", "  ", "\n "]))
        return True

    def comment(self) -> None:
        if self.out and self.out[-1][-1:] not in ("\n", " ", ""):
            self.put(self.random.choice([" ", "  ", ""]))
        text = f"#{len(self.comments)}{self.random.choice(_REMARKS)}"
        self.comments.append(text.rstrip())
        self.put(text, self.random.choice(["", "", " "]))

    def line_ends(self) -> None:
        """One line end or more, with comments behind and between them."""
        if self.chance(self.commenting):
            self.comment()
        self.put("\n")
        while self.chance(max(self.commenting, self.wild)):
            self.put(self.random.choice(["", "  ", "      ", "\t"]))
            if self.commenting and self.chance(0.5):
                self.comment()
            self.put("\n")
        self.put(self.random.choice(["", "  ", "    "]))

    def maybe_line_ends(self, probability: float = 0.5) -> None:
        if not self.single_line and self.chance(max(probability, self.commenting)):
            self.line_ends()

    def separator(self) -> None:
        """Between statements: a comma, a line end, or any number of both."""
        if self.single_line:
            self.put(self.random.choice([",", ", ", " , "]))
            return
        comma = self.chance(0.4)
        if comma:
            self.maybe_blank()
            self.put(self.random.choice([",", ", "]))
        if not comma or self.chance(0.2):
            self.line_ends()
        while self.chance(self.wild / 4):
            self.put(",")
            self.maybe_line_ends()

    # ---- statements ----

    def body(self, statements: Sequence[Statement]) -> None:
        """What stands in braces, or in a file."""
        self.maybe_line_ends()
        if self.chance(self.wild / 4):
            self.put(",")
            self.maybe_line_ends()
        for index, statement in enumerate(statements):
            if index:
                self.separator()
            self.statement(statement)
        if self.chance(self.wild / 4):
            self.separator()
        self.maybe_line_ends()

    def braces(self, body: Body | Branches) -> None:
        self.maybe_blank()
        self.put("{")
        single_line = self.chance(0.3)
        self.single_line += single_line
        if isinstance(body, Body):
            self.maybe_blank()
            self.body(body.statements)
            self.maybe_blank()
        else:
            self.maybe_line_ends()
            for path in body.paths:
                self.maybe_blank()
                self.put("|")
                self.maybe_blank()
                self.body(path.statements)
        self.single_line -= single_line
        self.put("}")

    def statement(self, node: Statement) -> None:
        if isinstance(node, (Call, Repeat, For, If)) and node.label:
            self.put(node.label.value)
            self.maybe_blank()
            self.put(":")
            self.maybe_blank()
        if isinstance(node, Call):
            self.call(node)
        elif isinstance(node, Let):
            self.put("let ", node.name.value, self.random.choice(["=", " = ", " =", "  =\t"]))
            self.value(node.value)
        elif isinstance(node, Repeat):
            self.put("repeat")
            self.blank()
            self.value(node.count)
            if node.index:
                self.put(" as ", node.index.value)
            self.braces(node.body)
        elif isinstance(node, For):
            self.put("for ", self.random.choice([",", ", "]).join(n.value for n in node.names))
            self.put(" in ")
            self.value(node.items)
            if node.index:
                self.put(" as ", node.index.value)
            self.braces(node.body)
        elif isinstance(node, If):
            for arm in node.arms:
                if arm is not node.arms[0]:
                    self.put_else()
                    self.blank()
                self.put("if")
                self.blank()
                self.value(arm.condition)
                self.braces(arm.body)
            if node.otherwise:
                self.put_else()
                self.braces(node.otherwise)
        elif isinstance(node, Import):
            self.put("import")
            self.maybe_blank()
            self.expression(node.path)
        else:
            self.put("block " if isinstance(node, Block) else "network ", node.name.value)
            self.maybe_blank()
            # Empty ones are not in the tree, so that a comment in them cannot stay there.
            if node.parameters:
                self.in_brackets("(", node.parameters, ")", self.parameter)
            elif self.chance(0.2):
                self.put("()")
            self.braces(node.body)

    def put_else(self) -> None:
        self.maybe_blank()
        self.maybe_line_ends(0.2)
        self.put("else")

    def call(self, node: Call) -> None:
        self.put(node.head.value)
        end = ""
        for index, argument in enumerate(node.arguments):
            self.blank()
            before = len(self.out)
            self.argument(argument)
            text = "".join(self.out[before:])
            negative = text.startswith("-") and index > 0
            # `3 x` and `x 3` look like sizes with blanks, which are a mistake.
            size = text[0].isdigit() and end.endswith("x")
            size |= text[0] == "x" and text[1:2] in "0123456789" and end[-1:].isdigit()
            if negative or size:
                self.out.insert(before, "(")
                self.put(")")
            end = text
        if node.body:
            self.braces(node.body)

    def argument(self, node: Argument) -> None:
        if node.name:
            self.put(node.name, "=")
        self.value(node.value)

    def parameter(self, node: Parameter) -> None:
        self.put(node.name.value)
        if node.default:
            self.put("=")
            self.value(node.default)

    # ---- expressions ----

    def value(self, node: Expression) -> None:
        if self.chance(self.wild / 2):
            self.parenthesised(node)
        else:
            self.expression(node)

    def parenthesised(self, node: Expression) -> None:
        self.put("(")
        self.brackets += 1
        self.maybe_blank()
        self.value(node)
        self.maybe_blank()
        self.brackets -= 1
        self.put(")")

    def operand(self, node: Expression, least: int) -> None:
        if isinstance(node, Binary):
            level = _LEVELS.get(node.operator, 6)
        elif isinstance(node, Unary):
            level = 3 if node.operator == "not" else 7
        else:
            level = 0 if isinstance(node, (Range, Conditional)) else 9
        if level < least:
            self.parenthesised(node)
        else:
            self.value(node)

    def expression(self, node: Expression) -> None:
        if isinstance(node, (Name, Path)):
            self.put(node.value)
        elif isinstance(node, (Number, Percent, Factor, Duration)):
            self.put(node.text)
        elif isinstance(node, Size):
            self.put("x".join(map(str, node.dims)))
        elif isinstance(node, Switch):
            self.put("on" if node.value else "off")
        elif isinstance(node, String):
            self.string(node.value)
        elif isinstance(node, List):
            self.in_brackets("[", node.items, "]", self.value)
        elif isinstance(node, Tuple):
            self.in_brackets("(", node.items, ")", self.value)
        elif isinstance(node, Function):
            self.put(node.name.value)
            self.in_brackets("(", node.arguments, ")", self.argument)
        elif isinstance(node, Item):
            self.operand(node.value, 9)
            self.put("[")
            self.brackets += 1
            self.maybe_blank()
            self.value(node.index)
            self.maybe_blank()
            self.brackets -= 1
            self.put("]")
        elif isinstance(node, Unary):
            self.put("-" if node.operator == "-" else "not ")
            self.operand(node.operand, 7 if node.operator == "-" else 3)
        elif isinstance(node, Range):
            self.operand(node.low, 1)
            self.operator("..", spaced=self.out[-1] in ("on", "off"))
            self.operand(node.high, 1)
        elif isinstance(node, Conditional):
            self.operand(node.value, 1)
            self.operator("if", spaced=True)
            self.operand(node.condition, 1)
            self.operator("else", spaced=True)
            self.value(node.otherwise)
        else:
            level = _LEVELS.get(node.operator, 6)
            self.operand(node.left, level + (level in (4, 8)))
            self.operator(node.operator, spaced=node.operator in ("and", "or", "%"))
            self.operand(node.right, 7 if level == 8 else level + 1)

    def operator(self, sign: str, spaced: bool) -> None:
        if spaced or self.chance(0.5):
            self.blank()
            self.put(sign)
            self.blank()
        else:
            self.put(sign)

    def string(self, value: str) -> None:
        must_escape = '"\\\r\n'
        self.put('"')
        for char in value:
            if char in must_escape or self.chance(self.wild) or "\ud800" <= char <= "\udfff":
                short = {'"': r"\"", "\\": r"\\", "\n": r"\n", "\t": r"\t"}.get(char)
                self.put(short or f"\\u{ord(char):04{self.random.choice('xX')}}")
            else:
                self.put(char)
        self.put('"')

    def in_brackets(
        self, opening: str, items: Sequence[Any], closing: str, write: Callable[[Any], None]
    ) -> None:
        self.put(opening)
        self.brackets += 1
        self.maybe_blank()
        for index, item in enumerate(items):
            if index:
                self.put(",")
                self.maybe_blank()
            write(item)
            self.maybe_blank()
        if items and (self.chance(self.wild) or (len(items) == 1 and closing == ")")):
            self.put(",")
            self.maybe_blank()
        self.brackets -= 1
        self.put(closing)
