"""Evaluates expressions: names, arithmetic, comparisons, functions. Nothing here runs long: there
are no loops, numbers and lists are limited in size, and every evaluation costs fuel.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection, Sequence
from itertools import islice
from typing import Any, NamedTuple

from ...dsl.closest import MAX_CANDIDATES
from ...dsl.diagnostics import Edit, Label
from ...dsl.source import Span
from ...dsl.syntax import (
    Argument,
    Binary,
    Block,
    Conditional,
    Duration,
    Expression,
    Factor,
    Function,
    Item,
    List,
    Name,
    Network,
    Number,
    Path,
    Percent,
    Range,
    Size,
    String,
    Switch,
    Tuple,
    Unary,
)
from . import values
from .fuel import Fuel
from .problems import Problem, Quiet, did_you_mean
from .values import show

MAX_BITS = 256
MAX_ITEMS = 100_000
MAX_MAPS = 1_000
"""The most maps in a list of them."""
MAX_DEPTH = 16
"""The most levels of nested lists."""

POISON: Any = object()
"""The value of an expression with an error that has been reported."""


class Env:
    """An environment: names and their values in a scope, with the scopes around it."""

    __slots__ = (
        "block", "chosen", "fuel", "labeled", "look_around", "network", "parent", "values",
    )  # fmt: skip

    def __init__(
        self,
        parent: Env | None = None,
        values: dict[str, object] | None = None,
        fuel: Fuel | None = None,
    ) -> None:
        self.parent = parent
        self.values = values if values is not None else {}
        self.look_around: Callable[[str], object] | None = parent.look_around if parent else None
        """Looks up `channels`, `height`, `width`, `classes`; None if they are not available."""
        self.labeled: Callable[[Expression], object] | None = parent.labeled if parent else None
        """The map, or the list of maps, that a word labels; None if it labels nothing."""
        self.chosen: Callable[[Conditional | Item, Env, object], object] | None = (
            parent.chosen if parent else None
        )
        """Follows the value of a conditional expression or of an item of a list, to write it in an
        emitted class."""
        self.fuel: Fuel = parent.fuel if parent else fuel or Fuel()
        """The fuel that evaluation uses."""
        self.block: Block | None = parent.block if parent else None
        """The block whose body is evaluated, for messages."""
        self.network: Network | None = parent.network if parent else None
        """The network that calls it, whose parameters it does not see."""

    def find(self, name: str) -> object:
        """The value of a name; raises KeyError if it has none."""
        env: Env | None = self
        while env is not None:
            if name in env.values:
                return env.values[name]
            env = env.parent
        if self.look_around is not None:
            return self.look_around(name)
        raise KeyError(name)

    def has(self, name: str) -> bool:
        env: Env | None = self
        while env is not None:
            if name in env.values:
                return True
            env = env.parent
        return False

    def names(self) -> set[str]:
        """The names visible here; of very many, only the nearest."""
        visible = set(CONTEXT_NAMES)
        env: Env | None = self
        while env is not None and len(visible) < MAX_CANDIDATES:
            visible.update(islice(env.values, MAX_CANDIDATES))
            env = env.parent
        return visible


CONTEXT_NAMES = ("channels", "height", "width", "classes")


def evaluate(node: Expression, env: Env) -> Any:
    """The value of an expression; an undefined bare word evaluates to a Word."""
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Name):
        try:
            value = env.find(node.value)
        except KeyError:
            return values.Word(node.value)
        if value is POISON:
            raise Quiet
        return value
    fuel = env.fuel
    fuel.left -= 1
    if fuel.left < 0:
        fuel.spend(0, node.span)
    return _EVALUATORS[type(node)](node, env)


def evaluate_list(node: Expression, env: Env) -> Any:
    """The value of an expression where a list is wanted: a label stands for what it names."""
    value = evaluate(node, env)
    if isinstance(value, values.Word) and env.labeled is not None and type(node) in (Name, Path):
        found = env.labeled(node)
        return value if found is None else found
    return value


def number(node: Expression, env: Env) -> int | float:
    """Evaluates an expression that must be a number."""
    return _as_number(node, evaluate(node, env), env)


def _as_number(node: Expression, value: object, env: Env) -> int | float:
    if isinstance(value, (int, float)) and not isinstance(
        value, (bool, values.Factor, values.Duration)
    ):
        return value
    raise _not_a_number(node, value, env)


def _not_a_number(node: Expression, value: object, env: Env) -> Problem:
    if isinstance(value, values.Word):
        return unknown_name(node, env)
    instead = values.show(float(value)) if isinstance(value, values.Factor) else ""
    return Problem(
        "type",
        f"`{node.span.text}` is {describe(value)}, not a number",
        node.span,
        help=f"write `{instead}`" if instead else "",
        edits=(Edit(node.span, instead),) if instead else (),
    )


_HYPHEN = re.compile(r"(?:-[A-Za-z]\w*)+")
"""The rest of `cross-entropy`: read as a subtraction."""


def unknown_name(
    node: Expression, env: Env, word: str = "", labels: Collection[str] = ()
) -> Problem:
    """The error for an undefined name: the text of a node, or the word that it stands for; `labels`
    are names that could be meant, too.
    """
    name = word or node.span.text
    maps = None
    if env.labeled is not None and name == node.span.text:
        maps = env.labeled(node)
    if isinstance(maps, values.Maps):
        return Problem(
            "list-of-maps",
            f"`{name}` is {maps_in_words(maps)}, and a value is wanted here",
            node.span,
            help=f"`len({name})` is how many maps it has",
        )
    of_network = of_the_network(node.span, name, env)
    if of_network is not None:
        return of_network
    switch = values.switch_elsewhere(name) if name == node.span.text else ""
    if switch:
        return Problem(
            "unknown-name",
            f"there is no value named `{name}`",
            node.span,
            help=f"write `{switch}`",
            edits=(Edit(node.span, switch),),
        )
    help, edits = did_you_mean(name, {*env.names(), *labels}, node.span)
    hyphen = _HYPHEN.match(node.span.source.text, node.span.end)
    if hyphen and not help:
        place = Span(node.span.source, node.span.start, hyphen.end())
        plain = place.text.replace("-", "_")
        return Problem(
            "unknown-name",
            f"there is no value named `{name}`",
            node.span,
            help=f"write `{plain}`",
            edits=(Edit(place, plain),),
            otherwise=f"give it a value first: `let {name} = …`",
        )
    return Problem(
        "unknown-name",
        f"there is no value named `{name}`",
        node.span,
        help=help or f"give it a value first: `let {name} = …`",
        edits=edits,
    )


def of_the_network(span: Span, name: str, env: Env) -> Problem | None:
    """The error for a parameter of the network in a block, which is the same whatever network calls
    it: what differs is handed to it."""
    if env.block is None or env.network is None:
        return None
    places = [each.span for each in env.network.parameters if each.name.value == name]
    if not places:
        return None
    own = [each.span.text for each in env.block.parameters]
    in_default = [
        number
        for number, each in enumerate(env.block.parameters)
        if each.span.source is span.source and each.span.start <= span.start < each.span.end
    ]
    own.insert(in_default[0] if in_default else len(own), name)  # a default reads those before it
    called = env.block.name.value
    return Problem(
        "unknown-name",
        f"`{name}` is a parameter of the network, and a block sees its own parameters only",
        span,
        labels=(Label(places[0], "the network's"),),
        help=f"write `block {called}({', '.join(own)})`, and give it a value where it is called:"
        f" `{called} … {name}={name}`",
    )


def describe(value: object) -> str:
    """Describes the type of a value for messages: `a list`, `the number 3`."""
    match value:
        case bool():
            return f"`{show(value)}`"
        case values.Text():
            return "text"
        case values.Word():
            return "a word"
        case values.Interval():
            return "a range"
        case values.Factor():
            return f"the factor {show(value)}"
        case values.Duration():
            return f"the duration {show(value)}"
        case list():
            return "a list"
        case tuple():
            return f"{show(value)}"
        case int() | float():
            return f"the number {show(value)}"
        case values.MapRef():
            return f"what `{value}` labels"
        case values.Maps():
            return maps_in_words(value)
    return "a block"


def maps_in_words(maps: values.Maps) -> str:
    count = len(maps)
    return f"a list of {count} map{'s' * (count != 1)}" if count else "an empty list"


def _binary(node: Binary, env: Env) -> Any:
    sign = node.operator
    if sign in ("and", "or"):
        left = truth(node.left, env)
        if left == (sign == "or"):
            return left
        return truth(node.right, env)
    if sign in ("==", "!="):
        left, right = evaluate(node.left, env), evaluate(node.right, env)
        env.fuel.spend(elements(left), node.span)
        same = _equal(left, right)
        return same == (sign == "==")
    first = evaluate(node.left, env)
    if sign == "+" and type(first) in _LISTS:
        return _together(node, first, env)
    low, high = _as_number(node.left, first, env), number(node.right, env)
    if sign in ("/", "//", "%") and high == 0:
        zero = f"`{node.right.span.text}` is 0"
        raise Problem("division", "division by zero", node.span, label=zero)
    if isinstance(high, values.Traced) and isinstance(low, float):
        # Otherwise the float, which cannot trace expressions, would handle the operator.
        low = high.operand(low)
    if sign == "**":
        _refuse_power(node, low, high)
    return _bounded(_ARITHMETIC[sign](low, high), node.span)


def _refuse_power(node: Binary, base: float, exponent: float) -> None:
    """Refuses a power that has no value, or one too large to work out."""
    if base == 0 and exponent < 0:
        zero = f"`{node.left.span.text}` is 0"
        raise Problem("division", "a negative power of 0 divides by zero", node.span, label=zero)
    if base < 0 and not float(exponent).is_integer():
        message = f"{show(base)} to the power of {show(exponent)} is not a real number"
        raise Problem("type", message, node.span)
    if abs(base) not in (0, 1) and abs(exponent) * abs(math.log2(abs(base))) > MAX_BITS:
        raise Problem("limit", f"this power is too large, of more than {MAX_BITS} bits", node.span)


def _equal(left: object, right: object) -> bool:
    # `on` is not the number 1.
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _divide(left: Any, right: Any) -> Any:
    """Divides; exact if the result is whole, so that `channels/16` is an integer."""
    if isinstance(left, int) and isinstance(right, int) and left % right == 0:
        return left // right
    return left / right


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "**": operator.pow,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "//": operator.floordiv,
    "%": operator.mod,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _bounded(value: Any, span: Span) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise Problem("limit", "this number is too large", span)
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise Problem("limit", f"this number has more than {MAX_BITS} bits", span)
    return value


def truth(node: Expression, env: Env) -> bool:
    """Evaluates a condition."""
    value = evaluate(node, env)
    if isinstance(value, bool):
        return value
    if isinstance(value, values.Word):
        raise unknown_name(node, env)
    comparison = (
        f"{node.span.text} == …" if isinstance(value, values.Text) else f"{node.span.text} > 0"
    )
    raise Problem(
        "type",
        f"`{node.span.text}` is {describe(value)}, neither true nor false",
        node.span,
        help=f"compare it: `{comparison}`",
        edits=(Edit(node.span, f"{node.span.text} > 0"),)
        if isinstance(value, (int, float))
        else (),
    )


def _unary(node: Unary, env: Env) -> Any:
    if node.operator == "not":
        return not truth(node.operand, env)
    return -number(node.operand, env)


def _conditional(node: Conditional, env: Env) -> Any:
    taken = node.value if truth(node.condition, env) else node.otherwise
    value = evaluate(taken, env)
    return value if env.chosen is None else env.chosen(node, env, value)


def _item(node: Item, env: Env) -> Any:
    items, index = evaluate_list(node.value, env), evaluate(node.index, env)
    name = node.value.span.text
    is_list = isinstance(items, (list, tuple, values.Maps))
    if not is_list or isinstance(items, values.Interval):
        if isinstance(items, values.Word):
            raise unknown_name(node.value, env)
        if isinstance(items, values.MapRef):
            raise _one_map(node.value, f"`{name}` is one map, and only a list has items")
        message = f"`{name}` is {describe(items)}, and only a list or a tuple has items"
        raise Problem("type", message, node.value.span)
    if isinstance(index, values.Word):
        raise unknown_name(node.index, env)
    if isinstance(index, values.Interval):
        return _part(node, items, index)
    if isinstance(index, bool) or not isinstance(index, int):
        raise Problem(
            "type",
            f"an item is chosen by a whole number, not by {describe(index)}",
            node.index.span,
            help=f"the first is `{name}[0]`, the last `{name}[-1]`",
        )
    if not -len(items) <= index < len(items):
        last = len(items) - 1
        what = "map" if isinstance(items, values.Maps) else "item"
        raise Problem(
            "index",
            f"`{name}` has {len(items)} {what}{'s' if last else ''}, and there is no {what}"
            f" {index}",
            node.span,
            help=f"the first is `{name}[0]`, the last `{name}[{last}]` or `{name}[-1]`"
            if len(items)
            else "",
        )
    if isinstance(items, values.Maps):
        return items.item(index)
    value = items[index]
    return value if env.chosen is None else env.chosen(node, env, value)


def _part(node: Item, items: Any, chosen: values.Interval) -> Any:
    """`widths[0..2]`: from the first given up to the last, without the last, as `slice` has it."""
    low, high = chosen
    name, last = node.value.span.text, len(items)
    if type(low) is float or type(high) is float or not 0 <= low <= high <= last:
        raise Problem(
            "index",
            f"`{name}` has {last} item{'s' * (last != 1)}, and `{node.index.span.text}` is not a"
            " part of it",
            node.index.span,
            help=f"`{name}[0..{last}]` is all of it; the last is not included",
        )
    part = items.nodes if isinstance(items, values.Maps) else items
    part = part[int(low) : int(high)]
    return values.Maps(node.span.text, part) if isinstance(items, values.Maps) else part


def _one_map(node: Expression, message: str) -> Problem:
    name = node.span.text
    return Problem(
        "list-of-maps",
        message,
        node.span,
        help=f"a list of it alone is `[{name}]`; `list {{ | path | path }}` makes one of paths",
    )


def _sequence(node: Tuple | List, env: Env) -> Any:
    env.fuel.spend(len(node.items), node.span)
    items = [evaluate(item, env) for item in node.items]
    size = elements(items)
    if size > MAX_ITEMS:
        message = f"more than {MAX_ITEMS:,} items, with those of the lists inside"
        raise Problem("limit", message, node.span)
    env.fuel.spend(size, node.span)
    return tuple(items) if isinstance(node, Tuple) else items


def elements(value: object) -> int:
    """The number of elements of a list or tuple, with those of nested lists; 0 for other values. A
    value can contain another many times (`let b = [a, a]`), so counting stops beyond MAX_ITEMS
    elements, and lists are nested at most MAX_DEPTH deep.
    """
    if type(value) is not list and type(value) is not tuple:
        return 0
    number = 0
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for items in level:
            number += len(items)
            inner += [item for item in items if type(item) in (list, tuple)]
            if number > MAX_ITEMS:
                return number
        if not inner:
            return number
        level = inner
    return MAX_ITEMS + 1


_LISTS = (list, values.Maps, values.Word)
"""The types of what `+` joins as lists; a label may stand for one."""


def _together(node: Binary, first: object, env: Env) -> Any:
    """`widths + [512]`, `maps + [next]`: two lists, one after the other."""
    if isinstance(first, values.Word):
        first = evaluate_list(node.left, env)
    if not isinstance(first, (list, values.Maps)):
        if isinstance(first, values.MapRef):
            raise _one_map(
                node.left, f"`{node.left.span.text}` is one map: `+` joins lists of maps"
            )
        raise _not_a_number(node.left, first, env)
    second = evaluate_list(node.right, env)
    if not isinstance(second, (list, values.Maps)):
        if isinstance(second, values.Word):
            raise unknown_name(node.right, env)
        raise Problem(
            "type",
            f"`+` joins two lists here, and `{node.right.span.text}` is {describe(second)}",
            node.right.span,
            help=f"write `[{node.right.span.text}]` to add it as an item",
            edits=(Edit(node.right.span, f"[{node.right.span.text}]"),),
        )
    if isinstance(first, list) and isinstance(second, list):
        joined: list[object] = first + second
        if elements(joined) > MAX_ITEMS:
            raise Problem("limit", f"more than {MAX_ITEMS:,} items in a list", node.span)
        env.fuel.spend(len(joined), node.span)
        return joined
    parts = (*maps_among(node.left, first, env), *maps_among(node.right, second, env))
    return maps_together(parts, node, env)


def maps_among(node: Expression, value: list[object] | values.Maps, env: Env) -> list[Any]:
    """The maps of a list, of which each item is the label of one: `[one, two]`."""
    if isinstance(value, values.Maps):
        return [*value.nodes]
    written = node.items if isinstance(node, List) else ()
    if len(written) != len(value):
        raise Problem("type", f"`{node.span.text}` is a list, but not of maps", node.span)
    found: list[Any] = []
    for item, each in zip(written, value, strict=True):
        known = evaluate_list(item, env) if isinstance(each, values.Word) else each
        if isinstance(known, values.Word):
            raise unknown_name(item, env)
        if isinstance(known, values.Maps):
            raise Problem(
                "list-of-maps",
                f"`{item.span.text}` is {maps_in_words(known)}, and a list of maps has maps for"
                " items",
                item.span,
                help=f"lists are joined by `+`: `{item.span.text} + [one]`",
            )
        if not isinstance(known, values.MapRef):
            raise Problem(
                "list-of-maps",
                f"this list has maps and other values: `{item.span.text}` is {describe(known)}",
                item.span,
                help="write maps and values as two lists",
            )
        found.append(known.node)
    return found


def maps_together(nodes: Sequence[Any], node: Expression, env: Env) -> values.Maps:
    """A list of maps; raises Problem if it is too long."""
    if len(nodes) > MAX_MAPS:
        raise Problem("limit", f"a list has at most {MAX_MAPS:,} maps", node.span)
    env.fuel.spend(len(nodes), node.span)
    return values.Maps(node.span.text, nodes)


def _interval(node: Range, env: Env) -> values.Interval:
    low, high = number(node.low, env), number(node.high, env)
    if low > high:
        raise Problem(
            "type",
            f"a range goes from low to high; this one goes from {show(low)} to {show(high)}",
            node.span,
            help=f"write `{show(high)}..{show(low)}`",
            edits=(Edit(node.span, f"{node.high.span.text}..{node.low.span.text}"),),
        )
    return values.Interval(low, high)


# ---- functions -------------------------------------------------------------------------------


def divisible(value: float, by: int = 8) -> int:
    """Rounds a value to the nearest multiple of `by`, never below 90 % of it (MobileNet)."""
    nearest = max(by, int(value + by / 2) // by * by)
    return nearest + by if nearest < 0.9 * value else nearest


FUNCTIONS = {
    "min": "min(a, b, …)",
    "max": "max(a, b, …)",
    "ceil": "ceil(x)",
    "floor": "floor(x)",
    "round": "round(x)",
    "sqrt": "sqrt(x)",
    "len": "len(list)",
    "divisible": "divisible(x, by=8)",
}


def _function(node: Function, env: Env) -> Any:
    name = node.name.value
    if name not in FUNCTIONS:
        help, edits = did_you_mean(name, FUNCTIONS, node.name.span)
        if name == "range":
            help = "count with `repeat n as i { … }`, or write the list out"
        if name == "enumerate":
            help = "`for width in widths as i { … }` counts the items in `i`"
        if name == "pow":
            help = "write `2**i`"
        if name in ("l1", "l2", "l1_l2"):
            help = "weight decay is set at the optimizer: `optimizer sgd weight_decay=5e-4`"
        raise Problem(
            "unknown-function",
            f"there is no function `{name}`",
            node.name.span,
            help=help or "there are " + ", ".join(f"`{f}`" for f in FUNCTIONS),
            edits=edits,
        )
    for argument in node.arguments:
        if argument.name is not None and not (name == "divisible" and argument.name == "by"):
            raise _wrong_use(node, f"`{name}` has no argument `{argument.name}`")
    env.fuel.spend(len(node.arguments), node.span)
    positional = [a.value for a in node.arguments if a.name is None]
    named = [a.value for a in node.arguments if a.name is not None]
    if name == "len":
        return _length(node, positional, env)
    arguments = [number(item, env) for item in positional]
    if name in ("min", "max"):
        if not arguments:
            raise _wrong_use(node, f"`{name}` needs values")
        return _applied(name, arguments, (min if name == "min" else max)(arguments))
    if name == "divisible":
        arguments += [number(item, env) for item in named]
        if len(arguments) not in (1, 2) or len(named) > 1:
            raise _wrong_use(node, "`divisible` takes a value and its divisor")
        by = arguments[1] if len(arguments) == 2 else 8
        if not isinstance(by, int) or by < 1:
            raise _wrong_use(node, f"`by` is a whole number of at least 1, not {show(by)}")
        return _applied(name, arguments, divisible(arguments[0], by))
    if len(arguments) != 1:
        raise _wrong_use(node, f"`{name}` takes one value, not {len(arguments)}")
    value = arguments[0]
    if name == "sqrt":
        if value < 0:
            raise _wrong_use(node, f"{show(value)} has no square root")
        root = math.isqrt(value) if isinstance(value, int) else 0
        is_whole = isinstance(value, int) and root * root == value
        return _applied(name, arguments, root if is_whole else math.sqrt(value))
    if isinstance(value, int):
        return value
    if name == "ceil":
        return math.ceil(value)
    return math.floor(value) if name == "floor" else _applied(name, arguments, round(value))


def _applied(name: str, arguments: list[Any], value: Any) -> Any:
    for each in arguments:
        if isinstance(each, values.Traced):
            return each.applied(name, arguments, value)
    return value


def _length(node: Function, positional: list[Expression], env: Env) -> int:
    value = evaluate_list(positional[0], env) if len(positional) == 1 else None
    if isinstance(value, values.MapRef):
        raise _one_map(positional[0], f"`{positional[0].span.text}` is one map, not a list")
    if not isinstance(value, (list, tuple, values.Maps)):
        raise _wrong_use(node, "`len` takes one list")
    return len(value)


def _wrong_use(node: Function, message: str) -> Problem:
    usage = FUNCTIONS[node.name.value]
    return Problem("function-arguments", message, node.span, help=f"write `{usage}`")


_EVALUATORS: dict[type, Callable[[Any, Env], Any]] = {
    Binary: _binary,
    Unary: _unary,
    Conditional: _conditional,
    Item: _item,
    Tuple: _sequence,
    List: _sequence,
    Range: _interval,
    Function: _function,
    Path: lambda node, env: values.Word(node.value),
    Percent: lambda node, env: values.Percent(node.value),
    Factor: lambda node, env: values.Factor(node.value),
    Duration: lambda node, env: values.Duration(node.value),
    Size: lambda node, env: node.dims,
    String: lambda node, env: values.Text(node.value),
    Switch: lambda node, env: node.value,
}


class Evaluated(NamedTuple):
    """An argument of a call with its evaluated value."""

    node: Argument
    value: Any


def evaluate_arguments(arguments: Sequence[Argument], env: Env) -> list[Evaluated]:
    if not arguments:
        return []
    for argument in arguments:
        _refuse_strided_size(argument)
    evaluated = [Evaluated(argument, evaluate(argument.value, env)) for argument in arguments]
    # Readers of values visit all elements of a list.
    size = len(evaluated) + sum([elements(value) for _, value in evaluated])
    env.fuel.spend(size, arguments[0].span)
    return evaluated


def _refuse_strided_size(argument: Argument) -> None:
    """Refuses `3x3/2`, which papers write for a window with a stride of 2."""
    match argument.value:
        case Binary(left=Size() as size, operator="/", right=Number() as stride):
            meant = f"{size.span.text} stride={stride.span.text}"
            raise Problem(
                "argument",
                f"`{argument.value.span.text}` is not a size",
                argument.value.span,
                help=f"write `{meant}`",
                edits=(Edit(argument.value.span, meant),),
            )
