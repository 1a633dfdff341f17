"""The diagnostic codes in the source: what is given as `code` to what makes a diagnostic."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from support import ROOT

_CODE = re.compile(r"[a-z]+(-[a-z]+)*")
_MAKERS = {"Diagnostic": 0, "Problem": 0, "mistake": 0}
_MAY_HAVE_CODES = re.compile(r"Diagnostic|[Pp]roblem|\bcode\b|_CODES|mistake|say\(")
_KINDS = (ast.Call, ast.Assign, ast.AnnAssign, ast.FunctionDef)
_FOLDERS = ("compiler", "dsl", "training")


def codes_in_source() -> set[str]:
    trees = [
        ast.parse(text)
        for folder in _FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        if _MAY_HAVE_CODES.search(text := path.read_text(encoding="utf-8"))
    ]
    nodes = [[node for node in ast.walk(tree) if isinstance(node, _KINDS)] for tree in trees]
    places = {**_MAKERS, **dict(_functions_with_a_code(chain.from_iterable(nodes)))}
    everywhere = dict(each for tree in trees for each in _constants(tree))
    found: set[str] = set()
    for tree, inside in zip(trees, nodes, strict=True):
        constants = everywhere | dict(_constants(tree))
        for node in inside:
            for code in _codes_at(node, places):
                named = constants.get(code.id) if isinstance(code, ast.Name) else None
                found.update(_texts(named or code))
    return found


def _constants(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _assigned(target, node.value)


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for each, its_value in zip(target.elts, value.elts, strict=True):
            yield from _assigned(each, its_value)


def _codes_at(node: ast.AST, places: Mapping[str, int]) -> Iterator[ast.expr]:
    """The expressions of a node that are codes."""
    if isinstance(node, ast.Call):
        place = places.get(getattr(node.func, "attr", getattr(node.func, "id", "")))
        if place is not None and place < len(node.args) > 1:  # the code, and what it says
            yield node.args[place]
    elif isinstance(node, ast.Assign):
        assigned = _assigned(node.targets[0], node.value)
        yield from (value for name, value in assigned if name == "code")
    elif isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "_CODES":
        yield from [node.value] if node.value else []


def _functions_with_a_code(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, int]]:
    """Functions that take a code and a message, and which of their arguments the code is."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef):
            names = [each.arg for each in node.args.args if each.arg not in ("self", "cls")]
            if "code" in names and "message" in names:
                yield node.name, names.index("code")


def _texts(node: ast.AST | None) -> Iterator[str]:
    """The codes that an expression may be."""
    if isinstance(node, ast.Dict):
        for value in node.values:
            yield from _texts(value)
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
    elif isinstance(node, ast.Constant) and _CODE.fullmatch(str(node.value)):
        yield str(node.value)
