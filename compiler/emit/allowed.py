"""What emitted text may consist of: checked before it is run.

Nothing that a spec says can get into the text but through `source` and `repr`; this looks again, at
what Python understands: definitions, assignments, and calls of torch, of what the text defines, and
of a few builtins. No other import, no attribute of Python's own. The classes that layers come with
are texts of this project; they are left out where they stand there to the letter.
"""

from __future__ import annotations

import ast
import re

from ..ops.base import HELPERS

_IMPORTS = frozenset(
    {
        "import torch",
        "import torch.nn.functional as F",
        "from torch import Tensor, nn",
        "from typing import NamedTuple",
    }
)
_STATEMENTS = (
    ast.ClassDef,
    ast.FunctionDef,
    ast.Assign,
    ast.AnnAssign,
    ast.AugAssign,
    ast.Return,
    ast.If,
    ast.For,
    ast.While,
    ast.With,
    ast.Expr,
)
_EXPRESSIONS = (
    ast.Attribute, ast.BinOp, ast.BoolOp, ast.Call, ast.Compare, ast.Constant, ast.FormattedValue,
    ast.GeneratorExp, ast.IfExp, ast.JoinedStr, ast.List, ast.ListComp, ast.Name, ast.Slice,
    ast.Starred, ast.Subscript, ast.Tuple, ast.UnaryOp,
)  # fmt: skip
_BUILTINS = frozenset({"getattr", "isinstance", "print", "range", "sum", "super"})
_LIBRARIES = frozenset({"F", "nn", "torch"})
_OF_TORCH = frozenset({"cat", "linalg.vector_norm", "maximum", "no_grad", "randn"})
"""What is called of torch itself, beside its modules and functions."""
_LAYER = "type[nn.Module]"
_METHODS = frozenset(
    "chunk copy_ detach eval float forward modules numel parameters permute reshape".split()
)
"""What is called of tensors and of modules."""


class NotAllowed(Exception):
    """Emitted text holds what it never should: a fault of the compiler, not of the spec."""


def check(source: str) -> None:
    """Raises NotAllowed where text is more than the definition of modules."""
    own: set[str] = set()
    for helper in HELPERS:
        if f"\n{helper}" in source:
            source = source.replace(f"\n{helper}", "\n", 1)
            own.update(re.findall(r"^(?:class|def) (\w+)", helper, re.MULTILINE))
    tree = ast.parse(source)
    own |= {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    own |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg) and _is_layer(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            _require(ast.unparse(node) in _IMPORTS, node)
        elif isinstance(node, ast.stmt):
            _require(isinstance(node, _STATEMENTS), node)
        elif isinstance(node, ast.expr):
            _require(isinstance(node, _EXPRESSIONS), node)
        if isinstance(node, ast.Expr):
            _require(isinstance(node.value, ast.Call) or _is_text(node.value), node)
        elif isinstance(node, ast.Call):
            _require(_may_be_called(node.func, own), node)
        elif isinstance(node, ast.Attribute):
            _require(not node.attr.startswith("__") or node.attr == "__init__", node)
        elif isinstance(node, ast.Name):
            _require(not node.id.startswith("__") or node.id == "__name__", node)


def _may_be_called(function: ast.expr, own: set[str]) -> bool:
    if isinstance(function, ast.Name):
        return function.id in own | _BUILTINS or function.id == "model"
    if isinstance(function, ast.Subscript):  # self.blocks[0](x)
        return _root(function) == "self"
    if not isinstance(function, ast.Attribute):
        return False
    path = ast.unparse(function)
    root = _root(function)
    if root in _LIBRARIES:
        return root != "torch" or path.removeprefix("torch.") in _OF_TORCH
    return root == "self" or function.attr in _METHODS or path == "super().__init__"


def _is_layer(argument: ast.arg) -> bool:
    """Whether it says that it is a class of modules."""
    return argument.annotation is not None and ast.unparse(argument.annotation) == _LAYER


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _require(allowed: bool, node: ast.AST) -> None:
    if not allowed:
        raise NotAllowed(f"line {getattr(node, 'lineno', 0)}: {ast.unparse(node)[:200]}")
