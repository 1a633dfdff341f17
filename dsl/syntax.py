"""The syntax tree: frozen nodes, each knowing exactly where it was written.

Two trees are equal when they say the same thing; spans and spelling (`5e-4` or `0.0005`) do not
count. No layer is known here: `conv 64 3x3` and `epochs 30` are both a `Call`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias, dataclass_transform

from .source import Source, Span


def spelled() -> Any:
    """Marks a part of a node that says how it was written, not what it says."""
    return None


@dataclass_transform(
    eq_default=False, frozen_default=True, kw_only_default=False, field_specifiers=(spelled,)
)
class _NodeClass(type):
    """Makes the classes of nodes: frozen, with slots, created from their parts in order. Those of
    `dataclass` would do, but take 0.4 ms each to make, 12 ms whenever `cnn` starts.
    """

    written: tuple[str, ...] = ()
    """All its parts, as its constructor takes them."""
    meant: tuple[str, ...] = ()
    """Those that say what it says."""

    def __new__(cls, name: str, bases: tuple[type, ...], members: dict[str, Any]) -> _NodeClass:
        own = tuple(members.get("__annotations__", ()))
        spelling = {"span", *(part for part in own if part in members)}
        for part in spelling:
            members.pop(part, None)
        made = super().__new__(cls, name, bases, {**members, "__slots__": own})
        made.written = (*made.written, *own)
        made.meant = (*made.meant, *(part for part in own if part not in spelling))
        setters = {f"set_{part}": getattr(made, part).__set__ for part in made.written}
        lines = "".join(f"\n    set_{part}(self, {part})" for part in made.written)
        exec(f"def __init__(self, {', '.join(made.written)}):{lines}", setters)
        type.__setattr__(made, "__init__", setters["__init__"])
        type.__setattr__(made, "__match_args__", made.written)
        return made


class Node(metaclass=_NodeClass):
    """Something written in a spec."""

    span: Span

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __reduce__(self) -> tuple[type[Node], tuple[object, ...]]:
        return type(self), tuple(getattr(self, part) for part in type(self).written)

    def __repr__(self) -> str:
        said = ", ".join(f"{part}={getattr(self, part)!r}" for part in type(self).written[1:])
        return f"{type(self).__name__}({said})"

    def __eq__(self, other: object) -> bool:
        """Whether both say the same; without recursion, however deep they are."""
        pairs: list[tuple[object, object]] = [(self, other)]
        while pairs:
            one, two = pairs.pop()
            if one is two:
                continue
            if type(one) is not type(two):
                return False
            if isinstance(one, Node) and isinstance(two, Node):
                pairs += zip(one.said(), two.said(), strict=True)
            elif isinstance(one, tuple) and isinstance(two, tuple):
                if len(one) != len(two):
                    return False
                pairs += zip(one, two, strict=True)
            elif one != two:
                return False
        return True

    def __hash__(self) -> int:
        return hash(tuple((type(node), *node._plain()) for node in walk(self)))

    def said(self) -> list[object]:
        """What it says, without where and how it is spelled."""
        return [getattr(self, part) for part in type(self).meant]

    def _plain(self) -> list[object]:
        return [part for part in self.said() if isinstance(part, (str, int, float))]


# ---- values ----------------------------------------------------------------------------------


class Name(Node):
    """A word: a parameter, a flag, a layer handed to a block."""

    value: str


class OutputName(Name):
    """The label of a statement that is an output of its network: `output mask: conv 21 1x1`."""


class Path(Node):
    """A dotted name, `layer1.0.conv2`: a place in the network."""

    parts: tuple[str, ...]

    @property
    def value(self) -> str:
        return ".".join(self.parts)


class Number(Node):
    value: int | float
    text: str = spelled()
    """As written, so that `5e-4` stays `5e-4`."""


class Percent(Node):
    """`20%`, whose value is 0.2."""

    value: float
    text: str = spelled()


class Factor(Node):
    """`10x`: ten times as much."""

    value: float
    text: str = spelled()


class Duration(Node):
    """`10min`, in seconds."""

    value: float
    text: str = spelled()


class Size(Node):
    """`3x224x224`."""

    dims: tuple[int, ...]


class String(Node):
    value: str


class Switch(Node):
    """`on` or `off`."""

    value: bool


class Range(Node):
    """`0.35..1`."""

    low: Expression
    high: Expression


class Conditional(Node):
    """`64 if wide else 32`."""

    value: Expression
    condition: Expression
    otherwise: Expression


class Item(Node):
    """`widths[i]`."""

    value: Expression
    index: Expression


class List(Node):
    items: tuple[Expression, ...]


class Tuple(Node):
    items: tuple[Expression, ...]


class Unary(Node):
    """`-x` or `not x`."""

    operator: str
    operand: Expression


class Binary(Node):
    operator: str
    left: Expression
    right: Expression


class Function(Node):
    """`max(8, channels / 16)`."""

    name: Name
    arguments: tuple[Argument, ...]


Expression: TypeAlias = (
    Name
    | Path
    | Number
    | Percent
    | Factor
    | Duration
    | Size
    | String
    | Switch
    | Range
    | Conditional
    | Item
    | List
    | Tuple
    | Unary
    | Binary
    | Function
)


class Argument(Node):
    """`64`, or `stride=2` with the name of what it sets."""

    name: str | None
    value: Expression

    def named(self, name: str) -> Argument:
        """The same with a name."""
        return Argument(self.span, name, self.value)

    @property
    def name_span(self) -> Span:
        """The characters of the name alone; only where there is a name."""
        start = self.span.start
        return Span(self.span.source, start, start + len(self.name or ""))


# ---- statements ------------------------------------------------------------------------------


class Body(Node):
    """`{ statements }`, or one path of `Branches`."""

    statements: tuple[Statement, ...]


class Branches(Node):
    """`{ | path | path }`: side by side from the same input."""

    paths: tuple[Body, ...]


class Call(Node):
    """A word and its arguments, with perhaps a body: a layer, a block, a directive, a section."""

    label: Name | None
    head: Name
    arguments: tuple[Argument, ...]
    body: Body | Branches | None


class Setting(Node):
    """`width in [16, 24]`, `macs < 50M`: a line of the section `sweep`."""

    head: Name
    """A name, or a place with dots: `train.optimizer.lr`."""
    sign: str
    """`in`, `<`, `<=`, …"""
    value: Expression


class Repeat(Node):
    """`repeat count as index { body }`."""

    label: Name | None
    count: Expression
    index: Name | None
    body: Body | Branches


class For(Node):
    """`for a, b in items as index { body }`."""

    label: Name | None
    names: tuple[Name, ...]
    items: Expression
    index: Name | None
    body: Body | Branches


class Arm(Node):
    """`if condition { body }`; the first of an If whose condition holds is taken."""

    condition: Expression
    body: Body | Branches


class If(Node):
    """All arms of `if … else if … else …`, flat, so that a long chain is not a deep tree."""

    label: Name | None
    arms: tuple[Arm, ...]
    otherwise: Body | Branches | None


class Let(Node):
    name: Name
    value: Expression


# ---- the top of a file -----------------------------------------------------------------------


class Parameter(Node):
    name: Name
    default: Expression | None


class Block(Node):
    name: Name
    parameters: tuple[Parameter, ...]
    body: Body | Branches


class Network(Node):
    name: Name
    parameters: tuple[Parameter, ...]
    body: Body | Branches


class Import(Node):
    path: String


Statement: TypeAlias = Call | Setting | Repeat | For | If | Let | Block | Network | Import


class Comment(Node):
    """`# …` to the end of its line; kept beside the tree, for the formatter."""

    text: str
    """With its `#`, without trailing blanks."""
    alone: bool
    """Whether nothing but blanks stands before it on its line."""


@dataclass(frozen=True)
class Spec:
    """One parsed file."""

    source: Source = field(compare=False, repr=False)
    statements: tuple[Statement, ...]
    comments: tuple[Comment, ...] = field(compare=False, default=())


# ---- paths that loops and `if`s make -----------------------------------------------------------


def arms_of(statement: If) -> list[Body | Branches]:
    """The bodies of all its arms."""
    bodies = [arm.body for arm in statement.arms]
    return bodies if statement.otherwise is None else [*bodies, statement.otherwise]


def makes_paths(statement: Statement) -> bool:
    """Whether a loop or an `if` makes paths of the form around it: its bodies begin with `|`."""
    if isinstance(statement, If):
        bodies = arms_of(statement)
    elif isinstance(statement, Repeat | For):
        bodies = [statement.body]
    else:
        return False
    filled = [body for body in bodies if isinstance(body, Branches) or body.statements]
    return bool(filled) and all(map(holds_paths, filled))


def holds_paths(body: Body | Branches) -> bool:
    """Whether a body consists of paths, written or made."""
    if isinstance(body, Branches):
        return True
    makers = [each for each in body.statements if not isinstance(each, Let)]
    return bool(makers) and all(map(makes_paths, makers))


def makers_of(path: Body) -> list[Statement]:
    """The loops and `if`s at the end of a path that make further paths."""
    count = 0
    while count < len(path.statements) and makes_paths(path.statements[-1 - count]):
        count += 1
    return list(path.statements[len(path.statements) - count :])


def walk(node: Node | Spec) -> Iterator[Node]:
    """Every node below this one, in the order written, without recursion."""
    stack: list[object] = list(reversed(node.statements)) if isinstance(node, Spec) else [node]
    while stack:
        item = stack.pop()
        if isinstance(item, tuple) and not isinstance(item, Span):
            stack.extend(reversed(item))
        elif isinstance(item, Node):
            yield item
            stack.extend(reversed(item.said()))
