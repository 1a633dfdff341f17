"""No regular expression of the package takes more than linear time, whatever text it is given.

Every pattern in the sources is collected (`re.compile("…")`, `re.sub("…", …)`), taken apart, and
given the texts on which backtracking would blow up: what comes before a repetition, then thousands
of copies of what it repeats, then something that does not fit. The time is compared with that of a
pattern which is known to be linear, on a text of the same length.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice, product
from pathlib import Path
from random import Random
from re import _constants as kinds  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from types import ModuleType
from typing import Any

import pytest

from dotcnn.dsl import lexer
from fuzz.frame import HangsError, alarm
from support import ROOT, package_files, processor_seconds

SIZE = 16_000
"""Characters; a pattern that takes quadratic time is some hundred times slower on as many."""
FACTOR = 1_000
"""Times the linear pattern: more than a match at every character costs, less than a square does."""
MOST = 150
"""Texts that a pattern is tried on."""
FUNCTIONS = {
    "compile",
    "match",
    "search",
    "sub",
    "subn",
    "split",
    "fullmatch",
    "finditer",
    "findall",
}
ALL_MATCHES = {"sub", "subn", "split", "findall", "finditer"}


@dataclass(frozen=True)
class Use:
    """A pattern, with a function that it is used with."""

    place: str
    pattern: str | bytes
    flags: int
    function: str

    def __str__(self) -> str:
        return f"{self.place}:{self.function}"

    def run(self, text: str) -> None:
        given: Any = text.encode("latin-1", "replace") if isinstance(self.pattern, bytes) else text
        compiled: Any = re.compile(self.pattern, self.flags)
        if self.function in ALL_MATCHES:
            for _ in compiled.finditer(given):
                pass
        else:
            getattr(compiled, self.function)(given)


# ---- collecting ------------------------------------------------------------------------------


def uses() -> list[Use]:
    found: dict[tuple[object, ...], Use] = {}
    paths = package_files("*.py")
    all_methods = _methods(paths)
    for path in paths:
        text = (ROOT / path).read_text("utf-8")
        if "re." not in text:
            continue
        tree = ast.parse(text)
        names = {
            id(node.value): _name(node.targets[0]) for node in ast.walk(tree) if _assigns(node)
        }
        called = {id(node.value): node.attr for node in ast.walk(tree) if _is_method(node)}
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and _name(node.func).startswith("re.")):
                continue
            function = _name(node.func)[3:]
            if function not in FUNCTIONS or not node.args:
                continue
            pattern = _text(node.args[0], path.with_suffix("").parts)
            assert pattern is not None, f"{path}:{node.lineno}: the pattern cannot be worked out"
            used = {function}
            if function == "compile":
                name = names.get(id(node), "")
                own = _methods([path]).get(name) if name else None
                anywhere = all_methods.get(name) if name else None
                method = called.get(id(node))
                used = {method} if method else own or anywhere or {"finditer", "fullmatch"}
            for each in sorted(used):
                use = Use(f"{path}:{node.lineno}", pattern, _flags(node), each)
                found.setdefault((pattern, use.flags, each), use)
    # Put together from the grammar.
    tokens = lexer._machinery().pattern
    return [*found.values(), Use("tokens", tokens.pattern, 0, "match")]


def _is_method(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in FUNCTIONS - {"compile"}


def _assigns(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and len(node.targets) == 1


def _methods(paths: Iterable[Path]) -> dict[str, set[str]]:
    """By the name of a compiled pattern: the methods that are called on it."""
    found: dict[str, set[str]] = {}
    for path in paths:
        for name, method in _methods_in(path):
            found.setdefault(name, set()).add(method)
    return found


@cache
def _methods_in(path: Path) -> list[tuple[str, str]]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return [
        (_name(node.value).rpartition(".")[2], node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and _is_method(node)
    ]


def _name(node: ast.expr) -> str:
    """`re.match`; what stands before a dot and is no name is left out."""
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _text(node: ast.expr, module: tuple[str, ...]) -> str | bytes | None:
    """A pattern; what is put into an f-string is the module's own constant, or some word."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, (str, bytes)) else None
    if isinstance(node, ast.JoinedStr):
        parts = [_part(part, module) for part in node.values]
        return "".join(parts)
    if isinstance(node, ast.BinOp):
        left, right = _text(node.left, module), _text(node.right, module)
        return left + right if isinstance(left, str) and isinstance(right, str) else None
    if isinstance(node, ast.Name):
        value = getattr(_module(module), node.id, "[a-z]+")
        return value if isinstance(value, (str, bytes)) else None
    return None


def _part(node: ast.expr, module: tuple[str, ...]) -> str:
    if isinstance(node, ast.FormattedValue):
        name = node.value.id if isinstance(node.value, ast.Name) else ""
        value = getattr(_module(module), name, "name") if name.startswith("_") else "name"
        return value if isinstance(value, str) else "name"
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _module(parts: tuple[str, ...]) -> ModuleType:
    return importlib.import_module(".".join(("dotcnn", *parts)))


def _flags(node: ast.Call) -> int:
    given = [*node.args[1:], *(keyword.value for keyword in node.keywords)]
    found = 0
    for argument in given:
        for part in ast.walk(argument):
            if isinstance(part, ast.Attribute) and _name(part.value) == "re":
                value = getattr(re, part.attr, 0)
                found |= value if isinstance(value, int) else 0
    return found


# ---- worst cases -----------------------------------------------------------------------------


def attacks(pattern: str | bytes, flags: int = 0) -> Iterator[str]:
    text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
    for before, body in _repetitions(parser.parse(text, flags), [""]):
        single = list(dict.fromkeys(filter(None, body)))[:12]
        pumps = [*single, *("".join(pair) for pair in islice(product(single, repeat=2), 60))]
        for pump in dict.fromkeys(pumps):
            pumped = pump * (SIZE // len(pump))
            for start in before[:3]:
                for end in ("", "\x00", "\n", "!"):
                    yield start + pumped + end


def _repetitions(items: Iterable[Any], before: list[str]) -> Iterator[tuple[list[str], list[str]]]:
    """Every repetition of a pattern: what may stand before it, and samples of what it repeats."""
    before = list(before)
    for item in items:
        kind, value = item
        if kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT):
            _, most, inside = value
            if most > 1:
                yield before, _samples(inside)
            yield from _repetitions(inside, before)
        elif kind is kinds.SUBPATTERN:
            yield from _repetitions(value[-1], before)
        elif kind is kinds.ATOMIC_GROUP:
            yield from _repetitions(value, before)
        elif kind is kinds.BRANCH:
            for branch in value[1]:
                yield from _repetitions(branch, before)
        elif kind in (kinds.ASSERT, kinds.ASSERT_NOT):
            yield from _repetitions(value[1], before)
        ends = _samples([item])[:2]
        before = list(dict.fromkeys(a + b for a in before for b in ends))[:4]


def _samples(items: Iterable[Any]) -> list[str]:
    """A few texts that a part of a pattern matches."""
    found = [""]
    for kind, value in items:
        found = [a + b for a, b in islice(product(found, _of_item(kind, value)), 16)]
    return list(dict.fromkeys(found))


def _of_item(kind: Any, value: Any) -> list[str]:
    if kind is kinds.LITERAL:
        return [chr(value)]
    if kind is kinds.NOT_LITERAL:
        return [next(c for c in "a1 -" if ord(c) != value)]
    if kind is kinds.ANY:
        return ["a", "1", " "]
    if kind is kinds.IN:
        return _of_set(value)
    if kind is kinds.SUBPATTERN:
        return _samples(value[-1])
    if kind is kinds.ATOMIC_GROUP:
        return _samples(value)
    if kind is kinds.BRANCH:
        return [text for branch in value[1] for text in _samples(branch)[:4]]
    if kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT):
        least, most, inside = value
        once = _samples(inside)[:4]
        counts = dict.fromkeys((least, min(least + 1, most), min(max(least, 2), most)))
        return [text * count for count in counts for text in once]
    return [""]


def _of_set(value: Any) -> list[str]:
    negated = any(kind is kinds.NEGATE for kind, _ in value)
    pattern = re.compile("".join(("[", "^" if negated else "", *map(_shown, value), "]")))
    return [c for c in "a1 -./_Zx\t\n" if pattern.match(c)][:4] or [
        next((chr(n) for n in range(0x3000) if pattern.match(chr(n))), "")
    ]


def _shown(item: Any) -> str:
    kind, value = item
    if kind is kinds.LITERAL:
        return re.escape(chr(value))
    if kind is kinds.RANGE:
        return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    if kind is kinds.CATEGORY:
        return {"DIGIT": r"\d", "NOT_DIGIT": r"\D", "SPACE": r"\s", "NOT_SPACE": r"\S",
                "WORD": r"\w", "NOT_WORD": r"\W"}[str(value).removeprefix("CATEGORY_")]  # fmt: skip
    return ""


# ---- tests -----------------------------------------------------------------------------------


@cache
def linear() -> float:
    """About 40 microseconds; clocks of processor time may be too coarse for less than 20."""
    pattern, text = re.compile("[a-z]*b"), "a" * SIZE
    return max(processor_seconds(lambda: pattern.match(text), runs=20), 20e-6)


def superlinear(use: Use) -> str:
    """A text on which a pattern takes far longer than the linear one; empty where there is none."""
    tried = list(dict.fromkeys(attacks(use.pattern, use.flags)))
    for attack in Random(0).sample(tried, min(MOST, len(tried))):
        try:
            with alarm(3):
                seconds = processor_seconds(lambda at=attack: use.run(at))  # type: ignore[misc]
                if seconds > FACTOR * linear():  # the machine may be busy
                    seconds = processor_seconds(lambda at=attack: use.run(at), runs=5)  # type: ignore[misc]
        except HangsError:
            return attack
        if seconds > FACTOR * linear():
            return attack
    return ""


@pytest.mark.parametrize("use", uses(), ids=str)
def test_time_is_linear(use: Use) -> None:
    text = superlinear(use)
    assert not text, f"{use.pattern!r} on {text[:30]!r}…{text[-5:]!r}"


@pytest.mark.parametrize(
    ("pattern", "function"),
    [
        (r"(a|aa)+$", "match"),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in [
                (r"[\w.~-]*(?:[/-][\w.~-]+)+/?", "fullmatch"),
                (r"\s*,", "sub"),
                (r"\d+$", "search"),
                (r"(?:\w+\s*:\s*)?[A-Za-z_]\w*\s+(\w+)\b", "search"),
            ]
        ),
    ],
)
def test_bad_patterns_are_found(pattern: str, function: str) -> None:
    assert superlinear(Use("", pattern, 0, function))
