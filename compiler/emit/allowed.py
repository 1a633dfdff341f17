"""An allow-list for emitted text, checked before it is executed.

Text of a spec can reach the emitted source only through `source` and `repr`; this is a second
check, on the syntax tree: a docstring, imports of torch, module classes with `__init__` and
`forward`, and in them assignments and calls of torch, of names that the text defines and of a few
builtins; and, from a plug-in, exactly what its layers name. Only names of the text itself may be
read. Helper classes of layers are part of this
project; they are skipped if they appear letter by letter.

The code of `--main` is for people: it prints, and is not part of what is loaded.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from ..ops.base import HELPERS, TORCH_CALLS
from .class_writer import DIVISIBLE

_IMPORTS = frozenset(
    {
        "import torch",
        "import torch.nn.functional as F",
        "from torch import Tensor, nn",
        "from typing import NamedTuple",
    }
)
_BASES = frozenset({"nn.Module", "nn.Sequential", "nn.ModuleList", "NamedTuple"})
_METHODS = frozenset({"__init__", "forward", "predict"})
_OF_LIBRARIES = re.compile(r"nn\.[A-Z]\w*|nn\.init\.[a-z]\w*_|F\.[a-z]\w*")
"""Calls of torch: modules, initializers, functions. Deeper names, which may lead to other modules,
are allowed only if an operation declares them (`Op.torch_calls`)."""
_OF_VALUES = frozenset("_replace copy_ detach float forward modules numel requires_grad_".split())
"""Methods of tensors, modules and named tuples, besides those that operations declare."""
_OF_MODULES = frozenset({"append", "extend", "forward", "modules"})
"""Methods of `self`, besides its attributes."""
_READ = _OF_VALUES | {"bias", "gain", "groups", "logits", "shape", "stride", "training", "weight"}
_GROUPS = "getattr(module, 'groups', 1)"
_BUILTINS = frozenset({"isinstance", "len", "max", "min", "range", "round", "sum", "zip"})
_LAYER = "type[nn.Module]"
_TYPES = frozenset(
    ["Tensor", "bool", "float", "int", "str", "list", "tuple", "...", "None", "nn.Module", ""]
)
_PLAIN = (
    ast.Assign, ast.AugAssign, ast.BinOp, ast.BoolOp, ast.Compare, ast.Constant, ast.For, ast.If,
    ast.IfExp, ast.List, ast.Return, ast.Slice, ast.Starred, ast.Subscript, ast.Tuple, ast.UnaryOp,
    ast.boolop, ast.cmpop, ast.expr_context, ast.keyword, ast.operator, ast.unaryop,
)  # fmt: skip
"""Allowed if everything inside is."""
_TARGETS = (ast.Name, ast.Attribute, ast.Tuple)
"""Allowed targets of assignments."""
_RESERVED = frozenset({"F", "NamedTuple", "Tensor", "nn", "super", "torch"}) | _BUILTINS


class NotAllowed(Exception):
    """Emitted text contains something not allowed: a fault of the compiler, not of the spec."""


def check(source: str, imports: Iterable[str] = ()) -> None:
    """Raises NotAllowed if text does more than define modules. `imports` are the lines that take
    classes from plug-ins, as the layers of the network say."""
    checker = _Checker(source.split("\n"), _helpers((*HELPERS, DIVISIBLE)), frozenset(imports))
    for number, node in enumerate(ast.parse(source).body):
        checker.top(node, first=number == 0)


@cache
def _helpers(sources: Iterable[str]) -> Mapping[str, str]:
    """The helper classes and functions of layers: their names, by text."""
    result = {}
    for source in sources:
        for node in ast.parse(source).body:
            assert isinstance(node, ast.ClassDef | ast.FunctionDef)
            result[_text(node, source.split("\n"))] = node.name
    return result


def _text(node: ast.stmt, lines: list[str]) -> str:
    return "\n".join(lines[node.lineno - 1 : node.end_lineno])


def _require(allowed: bool, node: ast.AST) -> None:
    if not allowed:
        raise NotAllowed(f"line {getattr(node, 'lineno', 0)}: {ast.unparse(node)[:200]}")


class _Checker:
    """The names that are known at a place in the text."""

    def __init__(
        self, lines: list[str], helpers: Mapping[str, str], imports: frozenset[str]
    ) -> None:
        self.lines = lines
        self.helpers = helpers
        self.imports = imports
        self.fields: set[str] = set()
        """The fields of the named tuple that it defines."""
        self.own: set[str] = set()
        """Classes and functions that the text defines."""
        self.held: set[str] = set()
        """Attributes of `self` that its class assigns."""
        self.local: set[str] = set()
        self.items: set[str] = set()
        """The modules of a list, one after the other: `for cell in self.cells`."""
        self.layers: set[str] = set()
        """Arguments that are modules, or classes of them: they may be called."""

    # ---- definitions ----

    def top(self, node: ast.stmt, first: bool) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            line = ast.unparse(node)
            _require(line in _IMPORTS | self.imports, node)
            if line in self.imports:
                self.own |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            _require(not node.decorator_list and node.name not in self.own, node)
            if _text(node, self.lines) not in self.helpers:
                _require(isinstance(node, ast.ClassDef), node)
                self.a_class(node)  # type: ignore[arg-type]
            self.own.add(node.name)
        else:
            _require(first and _is_text(node), node)

    def a_class(self, node: ast.ClassDef) -> None:
        bases = [ast.unparse(base) for base in node.bases]
        _require(len(bases) == 1 and bases[0] in _BASES and not node.keywords, node)
        self.name(node.name, node)
        self.held = {
            inner.attr
            for inner in ast.walk(node)
            if isinstance(inner, ast.Attribute)
            and isinstance(inner.ctx, ast.Store)
            and _is_self(inner.value)
        }
        for number, part in enumerate(node.body):
            if isinstance(part, ast.FunctionDef):
                self.method(part)
            elif isinstance(part, ast.AnnAssign):
                _require(bases == ["NamedTuple"] and part.value is None, part)
                self.visit(part.target)
                self.fields.add(ast.unparse(part.target))
                self.annotation(part.annotation, part)
            else:
                _require(number == 0 and _is_text(part), part)

    def method(self, node: ast.FunctionDef) -> None:
        given = node.args
        more = (given.posonlyargs, given.kwonlyargs, given.vararg, given.kwarg)
        _require(node.name in _METHODS and not node.decorator_list and not any(more), node)
        _require(bool(given.args) and given.args[0].arg == "self", node)
        assigned = set(_assigned(node))
        kinds = {a.arg: ast.unparse(a.annotation) for a in given.args if a.annotation}
        layers = {name for name, kind in kinds.items() if kind == _LAYER}
        self.layers = {name for name in kinds if kinds[name] in (_LAYER, "nn.Module")} - assigned
        loops = [each for each in ast.walk(node) if isinstance(each, ast.For)]
        self.items = {
            _names(each.target)[0]
            for each in loops
            if _names(each.target) and (_is_list(each.iter) or _is_zip_of_list(each.iter))
        }
        self.local = {argument.arg for argument in given.args} | assigned
        for argument in given.args[1:]:
            self.name(argument.arg, argument)
            if argument.arg not in layers:
                self.annotation(argument.annotation, argument)
        for default in given.defaults:
            _require(_is_literal(default) or _is_module_class(default), default)
        self.annotation(node.returns, node)
        for statement in node.body[_is_text(node.body[0]) :]:
            self.visit(statement)

    def name(self, name: str, node: ast.AST) -> None:
        """What is defined: nothing of Python's own, and nothing that was imported."""
        _require(_is_plain(name) and name not in _RESERVED, node)

    def annotation(self, node: ast.expr | None, around: ast.AST) -> None:
        """`Tensor | None`, `tuple[int, int]`: names of types, and what joins them."""
        words = re.split(r"[\[\]|, ]+", ast.unparse(node) if node is not None else "?")
        _require(_TYPES | self.own >= {*words}, node or around)

    # ---- statements and expressions ----

    def visit(self, node: ast.AST) -> None:
        stored = isinstance(getattr(node, "ctx", None), ast.Store)
        _require(not stored or isinstance(node, _TARGETS), node)
        match node:
            case ast.Name():
                if stored:
                    self.name(node.id, node)
                _require(node.id in self.local | self.own | {"Tensor"} or stored, node)
            case ast.Attribute():
                self.attribute(node, stored)
            case ast.Call():
                self.called(node.func, node)
                for each in (*node.args, *node.keywords):
                    self.visit(each)
            case ast.AnnAssign():
                _require(node.value is not None, node)
                self.annotation(node.annotation, node)
                self.visit(node.target)
                self.visit(node.value)  # type: ignore[arg-type]
            case ast.Expr():
                _require(isinstance(node.value, ast.Call), node)
                self.visit(node.value)
            case ast.ListComp() | ast.GeneratorExp():
                self.comprehension(node)
            case _:
                named = not isinstance(node, ast.keyword) or node.arg is not None
                _require(isinstance(node, _PLAIN) and named, node)
                for child in ast.iter_child_nodes(node):
                    self.visit(child)

    def called(self, function: ast.expr, node: ast.Call) -> None:
        if isinstance(function, ast.Name):
            known = self.own | self.layers | self.items | _BUILTINS
            _require(function.id in known or ast.unparse(node) in ("super()", _GROUPS), node)
            return
        if isinstance(function, ast.Subscript):  # self[0](x), of a list of modules
            _require(_is_self(function.value), node)
            return
        _require(isinstance(function, ast.Attribute), node)
        assert isinstance(function, ast.Attribute)
        path = ast.unparse(function)
        of_torch = path in TORCH_CALLS and path.startswith("torch.")
        if path == "super().__init__":
            _require(not node.args and not node.keywords, node)
        elif _is_self(function.value):
            _require(function.attr in self.held | _OF_MODULES, node)
        elif not (of_torch or _OF_LIBRARIES.fullmatch(path)):
            _require(function.attr in _OF_VALUES | TORCH_CALLS.keys(), node)
            self.visit(function.value)

    def attribute(self, node: ast.Attribute, stored: bool) -> None:
        if stored:
            _require(_is_self(node.value) and _is_plain(node.attr), node)
        elif _is_self(node.value):
            _require(node.attr in self.held | {"training"}, node)
        elif not _is_module_class(node):
            _require(node.attr in _READ | self.fields, node)
            self.visit(node.value)

    def comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> None:
        _require(len(node.generators) == 1, node)
        (each,) = node.generators
        names = _names(each.target)
        _require(not each.ifs and not each.is_async and bool(names), node)
        self.visit(each.iter)
        before, items = self.local, self.items
        if _is_list(each.iter) or _is_zip_of_list(each.iter):
            self.items = items | {names[0]}
        self.local = before | {*names}
        self.visit(each.target)
        self.visit(node.elt)
        self.local, self.items = before, items


def _assigned(node: ast.AST) -> Iterator[str]:
    """The names that get a value, but in comprehensions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            yield child.id
        elif not isinstance(child, ast.comprehension):
            yield from _assigned(child)


def _is_list(node: ast.expr) -> bool:
    """`self`, `self.cells`."""
    return _is_self(node.value if isinstance(node, ast.Attribute) else node)


def _names(target: ast.expr) -> list[str]:
    """`cell`, or `cell, x`; nothing for other targets."""
    targets = target.elts if isinstance(target, ast.Tuple) else [target]
    names = [each.id for each in targets if isinstance(each, ast.Name)]
    return names if len(names) == len(targets) else []


def _is_zip_of_list(node: ast.expr) -> bool:
    """`zip(self.cells, maps)`."""
    is_zip = isinstance(node, ast.Call) and ast.unparse(node.func) == "zip"
    return is_zip and bool(node.args) and _is_list(node.args[0])  # type: ignore[attr-defined]


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _is_plain(name: str) -> bool:
    return name.isascii() and not name.startswith("__")


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except ValueError:
        return False
    return True


def _is_module_class(node: ast.expr) -> bool:
    """`nn.ReLU`."""
    return re.fullmatch(r"nn\.[A-Z]\w*", ast.unparse(node)) is not None
