"""Finds functions that are written out: `x * relu6(x + 3) / 6` is one hardswish. Patterns are
expressions. Sums and products have no order, and what they are made of has no part in it either:
`x / sqrt(v)`, `x * v ** -0.5` and `x * rsqrt(v)` are the same product of powers, and numbers in it
are one number. So each pattern is one line in one spelling, for all spellings of everybody.

In a pattern, `x` stands for any tensor, the same everywhere, be it a weight that is standardized;
capital letters stand for a number, a setting or an axis, `v`, `w` and `b` for weights. What is
expanded is spread, which sums and products do by themselves.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .joined import join
from .program import Call, Constant, Operand, Program
from .relative import find_relative

CONSTANTS = ("v", "w", "b")
MOST_TERMS = 6
"""Of a sum or a product in a pattern, and so of those that are looked at."""
DEEPEST = 12
"""So many sums within sums are looked at."""
_CLOSE = 1e-4
"""Numbers such as sqrt(2/pi) are written with few digits."""


class Composite(NamedTuple):
    function: str
    """What it is, of the table in program.py."""
    pattern: str
    settings: str = ""
    """Of the function, as expressions of the names: `eps=E`."""
    where: Callable[[Mapping[str, Any]], bool] | None = None


COMPOSITES = (
    # ---- activations ----
    Composite("softplus", "log(1 + exp(x))", "beta=1.0, threshold=20.0"),
    Composite("softsign", "x / (1 + abs(x))"),
    Composite("mish", "x * tanh(softplus(x, beta=1.0))"),
    Composite("mish", "x * tanh(log(1 + exp(x)))"),
    Composite("gelu", "x * (1 + erf(x * 0.70710678)) / 2", "approximate='none'"),
    Composite(
        "gelu",
        "x * (1 + tanh(0.79788456 * (x + 0.044715 * x**3))) / 2",
        "approximate='tanh'",
    ),
    Composite(
        "gelu",
        "x * (1 + tanh(x * 0.79788456 * (1 + 0.044715 * x**2))) / 2",
        "approximate='tanh'",
    ),
    Composite("hardswish", "x * relu6(x + 3) / 6"),
    Composite("hardswish", "x * clamp(x / 6 + 0.5, low=0, high=1)"),
    Composite("hardswish", "x * hardsigmoid(x)"),
    Composite("hardsigmoid", "relu6(x + 3) / 6"),
    Composite("hardsigmoid", "clamp(x / 6 + 0.5, low=0, high=1)"),
    Composite("silu", "x * sigmoid(x)"),
    Composite("silu", "x / (1 + exp(-x))"),
    Composite("sigmoid", "1 / (1 + exp(-x))"),
    Composite("softmax", "exp(x) / sum(exp(x), axes=A, keep=True)", "axis=A[0]"),
    # ---- normalization ----
    Composite(
        "layer_norm",
        "(x - mean(x, axes=A, keep=True)) / sqrt(var(x, axes=A, keep=True, unbiased=False) + E)",
        "axes=A, eps=E",
    ),
    Composite(
        "layer_norm",
        "(x - mean(x, axes=A, keep=True))"
        " / sqrt(mean((x - mean(x, axes=A, keep=True))**2, axes=A, keep=True) + E)",
        "axes=A, eps=E",
    ),
    Composite(
        "normalize",
        "x / clamp(norm(x, axes=A, keep=True, p=2.0), low=E, high=None)",
        "axes=A",
        lambda found: found["E"] <= 1e-6,
    ),
    Composite("rms_norm", "x / sqrt(mean(x**2, axes=A, keep=True) + E)", "axes=A, eps=E"),
    Composite(
        "simple_norm", "x / sqrt(var(x, axes=A, keep=True, unbiased=True) + E)", "axes=A, eps=E"
    ),
    Composite(
        "evonorm_s0",
        "x * sigmoid(v * x) * w / reshape(sqrt("
        "var(reshape(x, to=G), axes=A, keep=True, unbiased=False) + E)) + b",
        "groups=G[1], axes=A, eps=E, act=True",
        lambda found: len(found["A"]) == len(found["G"]) - 2,
    ),
    Composite(
        "evonorm_s0",
        "x * w / reshape(sqrt(var(reshape(x, to=G), axes=A, keep=True, unbiased=False) + E)) + b",
        "groups=G[1], axes=A, eps=E, act=False",
        lambda found: len(found["A"]) == len(found["G"]) - 2,
    ),
    Composite(
        "grn",
        "x + b + w * x * norm(x, axes=A, keep=True, p=2.0)"
        " / (mean(norm(x, axes=A, keep=True, p=2.0), axes=C, keep=True) + E)",
        "axes=A, channels=C, eps=E",
    ),
    Composite(
        "grn",
        "x + b + w * x * sqrt(sum(x**2, axes=A, keep=True))"
        " / (mean(sqrt(sum(x**2, axes=A, keep=True)), axes=C, keep=True) + E)",
        "axes=A, channels=C, eps=E",
    ),
)
"""In an order in which those come first that contain others. What others contain, as hardsigmoid is
in hardswish, has been found before them: patterns say so."""


def composed(program: Program) -> None:
    """Writes each composite as one call. What it was made of stays, if something else reads it."""
    counts = _reads(program)
    for call in program.calls:
        _plain(call)
    for call in program.calls:
        for composite in _BY_FUNCTION.get(_outermost(call), ()):
            found = _Match(counts).match(composite.tree, call)
            if found is not None and (composite.where is None or composite.where(found)):
                _become(call, composite, found)
                break
    for call in program.calls:
        _affine(call, counts)
    join(program, counts)
    find_relative(program)


def _plain(call: Call) -> None:
    """One spelling for limits: `minimum(x, 6)` is a clamp, from 0 to 6 it is relu6. Sums and
    products spread their operands by themselves."""
    if call.function in ("add", "sub", "mul", "div"):
        call.operands = tuple([_unspread(each, call) for each in call.operands])
    if call.function in ("minimum", "maximum"):
        numbers = [each for each in call.operands if _number(each) is not None]
        tensors = [each for each in call.operands if isinstance(each, Call)]
        if len(numbers) == len(tensors) == 1:
            limit = _number(numbers[0])
            low, high = (None, limit) if call.function == "minimum" else (limit, None)
            call.function, call.operands = "clamp", (tensors[0],)
            call.settings = {"low": low, "high": high}
    if call.function != "clamp":
        return
    (x,) = call.operands
    low, high = call.settings["low"], call.settings["high"]
    if isinstance(x, Call):
        inner = x.settings if x.function == "clamp" else {"low": 0, "high": None}
        if x.function in ("clamp", "relu") and (
            (low is None and inner["high"] is None) or (high is None and inner["low"] is None)
        ):
            low = inner["low"] if low is None else low
            high = inner["high"] if high is None else high
            if high is None or low is None or low <= high:
                call.operands = x.operands
                call.settings = {"low": low, "high": high}
    limits: tuple[object, object] = (low, high)
    named = {(0, 6): "relu6", (0, None): "relu"}.get(limits)  # type: ignore[arg-type]
    if named:
        call.function, call.settings = named, {}


def _unspread(operand: Operand, call: Call) -> Operand:
    if not isinstance(operand, Call) or operand.function != "expand":
        return operand
    (inner,) = operand.operands
    others = [each for each in call.operands if each is not operand]
    whole = any(isinstance(each, Call) and each.shape == call.shape for each in others)
    return inner if whole and isinstance(inner, Call) else operand


def _become(call: Call, composite: Any, found: Mapping[str, Any]) -> None:
    call.function = composite.function
    call.operands = tuple([found[name] for name in ("x", *CONSTANTS) if name in found])
    call.settings = {name: _value(tree, found) for name, tree in composite.settings}


def _affine(call: Call, counts: Mapping[int, int]) -> None:
    """A norm, times a weight and plus another, is one norm."""
    if call.function not in ("mul", "add"):
        return
    for norm, other in (call.operands, call.operands[::-1]):
        if not isinstance(norm, Call) or not isinstance(other, Constant):
            continue
        learned = _LEARNED.get(norm.function)
        if learned is None or counts.get(id(norm), 0) > 1 or norm.shape != call.shape:
            continue
        have = len(norm.operands) - 1
        if have < learned and (call.function == "mul") == (have == 0):
            call.function, call.settings = norm.function, norm.settings
            call.operands = (*norm.operands, other)
            return


_LEARNED = {"layer_norm": 2, "rms_norm": 1, "simple_norm": 1}


# ---- sums and products of a graph ----------------------------------------------------------------


def _number(operand: Operand) -> float | None:
    """A number, or a tensor that holds a single one: files of ONNX have the 1 of `1 + abs(x)` among
    their weights."""
    if isinstance(operand, (int, float)) and not isinstance(operand, bool):
        return float(operand)
    if isinstance(operand, Constant) and operand.shape in ((), (1,)):
        value: Any = operand.value
        learned = getattr(value, "is_meta", False) or getattr(value, "requires_grad", False)
        return None if learned else float(value.reshape(-1)[0])
    return None


class _Terms(NamedTuple):
    """number + factor * operand + …, or number * operand ** power * …"""

    number: float
    parts: list[tuple[float, Operand]]


class _Reader:
    """Reads calls as sums and products. What other calls read, too, is divided no further, but for
    the outermost."""

    def __init__(self, counts: Mapping[int, int]) -> None:
        self.counts = counts
        self.depth = 0

    def sum(self, operand: Operand) -> _Terms:
        parts: list[tuple[float, Operand]] = []
        number = self._add(operand, 1.0, parts, outermost=True)
        return _Terms(number, parts)

    def _add(
        self, operand: Operand, sign: float, parts: list[tuple[float, Operand]], *, outermost: bool
    ) -> float:
        number = _number(operand)
        if number is not None:
            return sign * number
        function = operand.function if isinstance(operand, Call) else ""
        if function in ("add", "sub") and self._divided(operand, parts, outermost):
            assert isinstance(operand, Call)
            one, two = operand.operands
            second = -sign if function == "sub" else sign
            self.depth += 1
            total = self._add(one, sign, parts, outermost=False)
            total += self._add(two, second, parts, outermost=False)
            self.depth -= 1
            return total
        if function in ("neg", "mul", "div"):
            product = self.product(operand)
            if len(product.parts) == 1 and product.parts[0][0] == 1:
                inside = product.parts[0][1]
                if product.number != 1:
                    return self._add(inside, sign * product.number, parts, outermost=False)
            sign *= product.number
        parts.append((sign, operand))
        return 0.0

    def product(self, operand: Operand) -> _Terms:
        parts: list[tuple[float, Operand]] = []
        number = self._multiply(operand, 1.0, parts, outermost=True)
        return _Terms(number, parts)

    def _multiply(
        self, operand: Operand, power: float, parts: list[tuple[float, Operand]], *, outermost: bool
    ) -> float:
        number = _number(operand)
        if number is not None:
            return float(number**power) if number > 0 or (power == int(power) and number) else 0.0
        if isinstance(operand, Call) and self._divided(operand, parts, outermost):
            self.depth += 1
            inside = self._inside(operand, power, parts)
            self.depth -= 1
            if inside is not None:
                return inside
        for n, (own, other) in enumerate(parts):
            if other is operand:
                parts[n] = (own + power, other)
                return 1.0
        parts.append((power, operand))
        return 1.0

    def _inside(self, call: Call, power: float, parts: list[tuple[float, Operand]]) -> float | None:
        """The number in a power of a product or a power; None for other calls. A root of a product
        is no product of roots, and one of a square is no power."""
        function, operands = call.function, call.operands
        rooted = power != int(power)
        if function in ("mul", "div") and not rooted:
            second = -power if function == "div" else power
            number = self._multiply(operands[0], power, parts, outermost=False)
            return number * self._multiply(operands[1], second, parts, outermost=False)
        if function == "neg" and power == 1:
            return -self._multiply(operands[0], power, parts, outermost=False)
        exponent = _POWERS.get(function)
        if function == "pow":
            given = call.settings.get("exponent")
            exponent = _number(given) if given is not None else _number(operands[1])
        if exponent is None or (exponent != int(exponent) and abs(exponent) != 0.5):
            return None
        if rooted and exponent % 2 != 1:
            return None
        return self._multiply(operands[0], power * exponent, parts, outermost=False)

    def _divided(self, operand: Operand, parts: Sequence[object], outermost: bool) -> bool:
        few = len(parts) < MOST_TERMS and self.depth < DEEPEST
        return few and (outermost or self.counts.get(id(operand), 0) <= 1 or _cheap(operand))


def _cheap(operand: Operand) -> bool:
    """Whether computing it twice is nothing: a number more, a power."""
    if not isinstance(operand, Call):
        return False
    function = operand.function
    if function in _POWERS or function in ("pow", "neg"):
        return True
    return function in ("add", "sub", "mul", "div") and any(
        _number(each) is not None for each in operand.operands
    )


_POWERS = {"sqrt": 0.5, "rsqrt": -0.5, "reciprocal": -1.0}


def _reads(program: Program) -> dict[int, int]:
    counts: dict[int, int] = {}
    for call in program.calls:
        for operand in call.operands:
            if isinstance(operand, Call):
                counts[id(operand)] = counts.get(id(operand), 0) + 1
    for result in program.results:
        counts[id(result.call)] = counts.get(id(result.call), 0) + 1
    return counts


# ---- patterns ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Any:
    """A tensor, or a number with a capital letter."""

    name: str


@dataclass(frozen=True)
class _Sum:
    number: float
    captured: str
    """The name of the number, if it may be any."""
    parts: tuple[tuple[float, Any], ...]


@dataclass(frozen=True)
class _Product:
    number: float | None
    """None within a sum, where it is the factor."""
    parts: tuple[tuple[float, Any], ...]


@dataclass(frozen=True)
class _Function:
    name: str
    operands: tuple[Any, ...]
    settings: tuple[tuple[str, Any], ...]


class _Compiled(NamedTuple):
    function: str
    tree: Any
    settings: list[tuple[str, ast.expr]]
    where: Callable[[Mapping[str, Any]], bool] | None


def _compiled(composite: Composite) -> _Compiled:
    tree = _pattern(ast.parse(composite.pattern, mode="eval").body)
    call = ast.parse(f"f({composite.settings})", mode="eval").body
    assert isinstance(call, ast.Call)
    settings = [(keyword.arg or "", keyword.value) for keyword in call.keywords]
    return _Compiled(composite.function, tree, settings, composite.where)


def _pattern(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return float(value)  # type: ignore[arg-type]
        case ast.Name(id=name):
            return _Any(name)
        case ast.Call(func=ast.Name(id="sqrt"), args=[inner]):
            return _product([(0.5, _pattern(inner))])
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
            settings = tuple([(k.arg or "", _setting(k.value)) for k in keywords])
            return _Function(name, tuple(map(_pattern, args)), settings)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return _product([(1.0, -1.0), (1.0, _pattern(inner))])
        case ast.BinOp(left=left, op=op, right=right):
            one, two = _pattern(left), _pattern(right)
            match op:
                case ast.Mult():
                    return _product([(1.0, one), (1.0, two)])
                case ast.Div():
                    return _product([(1.0, one), (-1.0, two)])
                case ast.Pow():
                    return _product([(two, one)])
                case _:
                    return _sum([(1.0, one), (-1.0 if isinstance(op, ast.Sub) else 1.0, two)])
    raise AssertionError(ast.dump(node))


def _setting(node: ast.expr) -> Any:
    return _Any(node.id) if isinstance(node, ast.Name) else ast.literal_eval(node)


def _product(given: Sequence[tuple[float, Any]]) -> Any:
    number, parts = 1.0, []
    for power, part in given:
        if isinstance(part, float):
            number *= part**power
        elif isinstance(part, _Product):
            number *= (part.number or 1.0) ** power
            parts += [(own * power, inner) for own, inner in part.parts]
        else:
            parts.append((power, part))
    together: dict[Any, float] = {}
    for power, part in parts:
        together[part] = together.get(part, 0.0) + power
    return _Product(number, tuple([(power, part) for part, power in together.items()]))


def _sum(given: Sequence[tuple[float, Any]]) -> Any:
    number, captured, parts = 0.0, "", []
    for factor, part in given:
        if isinstance(part, float):
            number += factor * part
        elif isinstance(part, _Sum):
            number += factor * part.number
            captured = captured or part.captured
            parts += [(own * factor, inner) for own, inner in part.parts]
        elif isinstance(part, _Any) and part.name.isupper():
            captured = part.name
        elif isinstance(part, _Product):
            inner: Any = _Product(None, part.parts)
            if len(part.parts) == 1 and part.parts[0][0] == 1:
                inner = part.parts[0][1]
            parts.append((factor * (part.number or 1.0), inner))
        else:
            parts.append((factor, part))
    return _Sum(number, captured, tuple(parts))


class _Match:
    def __init__(self, counts: Mapping[int, int]) -> None:
        self.reader = _Reader(counts)

    def match(self, pattern: Any, operand: Operand) -> dict[str, Any] | None:
        return next(self._all(pattern, operand, {}), None)

    def _all(
        self, pattern: Any, operand: Operand, known: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        spread = isinstance(operand, Call) and operand.function == "expand"
        if spread and not isinstance(pattern, _Any):
            assert isinstance(operand, Call)
            operand = operand.operands[0]
        match pattern:
            case _Any(name=name):
                wanted = Constant if name in CONSTANTS else Call | Constant
                if name in known:
                    if known[name] is operand:
                        yield known
                elif isinstance(operand, wanted):
                    yield {**known, name: operand}
            case _Sum(number=number, captured=captured, parts=parts):
                terms = self.reader.sum(operand)
                if len(terms.parts) != len(parts):
                    return
                if captured:
                    if captured in known and not _same(known[captured], terms.number):
                        return
                    known = {**known, captured: terms.number}
                elif not _same(number, terms.number):
                    return
                yield from self._parts(parts, terms.parts, known)
            case _Product(number=number, parts=parts):
                terms = self.reader.product(operand)
                same = number is None or _same(number, terms.number)
                if same and len(terms.parts) == len(parts):
                    yield from self._parts(parts, terms.parts, known)
            case _Function(name=name, operands=operands, settings=settings):
                if not isinstance(operand, Call) or operand.function != name:
                    return
                after = _settings(settings, operand.settings, known)
                if after is None or len(operand.operands) < len(operands):
                    return
                yield from self._each(operands, operand.operands, after)

    def _parts(
        self,
        patterns: Sequence[tuple[float, Any]],
        operands: Sequence[tuple[float, Operand]],
        known: dict[str, Any],
    ) -> Iterator[dict[str, Any]]:
        if not patterns:
            yield known
            return
        (factor, pattern), *others = patterns
        for n, (own, operand) in enumerate(operands):
            inner, given = pattern, own
            if not _same(factor, given):
                continue
            rest = [*operands[:n], *operands[n + 1 :]]
            for after in self._all(inner, operand, known):
                yield from self._parts(others, rest, after)

    def _each(
        self, patterns: Sequence[Any], operands: Sequence[Operand], known: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        if not patterns:
            yield known
            return
        for after in self._all(patterns[0], operands[0], known):
            yield from self._each(patterns[1:], operands[1:], after)


def _settings(
    patterns: Sequence[tuple[str, Any]], given: Mapping[str, Any], known: dict[str, Any]
) -> dict[str, Any] | None:
    for name, wanted in patterns:
        value = given.get(name)
        if isinstance(wanted, _Any):
            if wanted.name in known and known[wanted.name] != value:
                return None
            known = {**known, wanted.name: value}
        elif wanted != value:
            return None
    return known


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= _CLOSE * max(abs(one), abs(other))


def _value(tree: ast.expr, found: Mapping[str, Any]) -> Any:
    match tree:
        case ast.Name(id=name):
            return found[name]
        case ast.Subscript(value=inner, slice=ast.Constant(value=at)):
            return _value(inner, found)[at]
    return ast.literal_eval(tree)


def _outermost(call: Call) -> str:
    return (
        "sum"
        if call.function in ("add", "sub")
        else (
            "product" if call.function in ("mul", "div", "reciprocal", "rsqrt") else call.function
        )
    )


def _by_function() -> dict[str, list[_Compiled]]:
    found: dict[str, list[_Compiled]] = {}
    for composite in map(_compiled, COMPOSITES):
        tree = composite.tree
        kind = {_Sum: "sum", _Product: "product"}.get(type(tree), "")
        found.setdefault(kind or tree.name, []).append(composite)
    return found


_BY_FUNCTION = _by_function()
