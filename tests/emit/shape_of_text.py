"""What emitted text may consist of, told by its syntax tree: a list, and nothing else.

Classes that layers come with are the compiler's own text, whatever the spec: they may contain what
they like, but have to be there letter by letter.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from dotcnn.compiler.graph import Network

IMPORTS = {
    "from typing import NamedTuple",
    "import torch",
    "import torch.nn.functional as F",
    "from torch import Tensor, nn",
}
BASES = {"nn.Module", "nn.Sequential", "NamedTuple"}
METHODS = {"__init__", "forward", "predict"}
CALLED = re.compile(
    r"super|super\(\)\.__init__|range|isinstance|getattr"
    r"|nn\.[A-Z]\w+|nn\.init\.[a-z_]+_|torch\.(?:cat|maximum|add|mul)|F\.[a-z_0-9]+"
    r"|torch\.linalg\.vector_norm|haar"
    r"|[a-z]\w*\.(?:chunk|reshape|permute|flatten|detach|float|copy_|numel|amax|mean|square|sqrt|norm)"
    r"|module\.weight\[[^()]*\]\.numel|self\.modules\Z"
)
"""Functions and methods; own classes, and what `self` holds, beside these."""
ATTRIBUTES = set(
    "weight bias groups stride shape training logits chunk reshape permute flatten detach float "
    "copy_ numel amax mean square sqrt norm modules forward linalg vector_norm".split()
)
"""Of anything but `self`, `nn`, `F` and `torch`."""
ANNOTATIONS = re.compile(
    r"(?:int|float|bool|str|None|Tensor|nn\.Module"
    r"|tuple\[(?:int|float|bool|Tensor|None|[ ,|]|\.\.\.)+\]|list\[(?:int|float|bool)\]| \| )+"
)


class NotAllowed(AssertionError):
    """Something stands in the text that nobody meant to be there."""


def allowed(source: str, network: Network, *, main: bool = False) -> None:
    """Raises NotAllowed where the text is more than an emitted module is."""
    assert "\0" not in source
    assert re.search(r"[^\S\n ]", source) is None, "white space that is neither blank nor line end"
    tree = ast.parse(source)
    helpers = {helper.strip("\n") for helper in helpers_of(network)}
    _Checker(source, helpers, main).module(tree)


def helpers_of(network: Network) -> Iterator[str]:
    for node in network.nodes[1:]:
        text = node.op.torch(node.shape, *node.input_shapes)
        if text.helper:
            yield text.helper


class _Checker:
    def __init__(self, source: str, helpers: Iterable[str], main: bool) -> None:
        self.source = source
        self.helpers = "\n\n\n".join(helpers)
        self.main = main
        self.classes: set[str] = set()
        self.local: set[str] = set()

    def refuse(self, node: ast.AST, why: str) -> None:
        raise NotAllowed(f"{why}: {ast.get_source_segment(self.source, node)!r}")

    def demand(self, node: ast.AST, condition: bool, why: str) -> None:
        if not condition:
            self.refuse(node, why)

    # ---- statements ----

    def module(self, tree: ast.Module) -> None:
        body = list(tree.body)
        if self.main:
            last = body.pop()
            self.demand(last, isinstance(last, ast.If), "no check at the end")
        for number, node in enumerate(body):
            if isinstance(node, ast.Import | ast.ImportFrom):
                self.demand(node, ast.unparse(node) in IMPORTS, "an import")
            elif self.is_helper(node):
                self.classes.add(node.name)  # type: ignore[attr-defined]
            elif isinstance(node, ast.ClassDef):
                self.a_class(node)
            else:
                self.demand(node, number == 0 and is_text(node), "outside of classes")

    def is_helper(self, node: ast.AST) -> bool:
        text = ast.get_source_segment(self.source, node) or ""
        decorated = getattr(node, "decorator_list", [])
        return (
            isinstance(node, ast.ClassDef | ast.FunctionDef)
            and not decorated
            and (text in self.helpers)
        )

    def a_class(self, node: ast.ClassDef) -> None:
        self.demand(node, node.name not in self.classes, "a second class of this name")
        self.demand(node, not node.decorator_list and not node.keywords, "decorated")
        (base,) = map(ast.unparse, node.bases)
        self.demand(node, base in BASES, "its base")
        self.name(node, node.name)
        for number, part in enumerate(node.body):
            if isinstance(part, ast.FunctionDef):
                self.method(part)
            elif isinstance(part, ast.AnnAssign):
                self.demand(part, base == "NamedTuple" and part.value is None, "a class attribute")
                self.target(part.target)
                self.annotation(part.annotation)
            else:
                self.demand(part, number == 0 and is_text(part), "in a class")
        self.classes.add(node.name)

    def method(self, node: ast.FunctionDef) -> None:
        self.demand(node, node.name in METHODS and not node.decorator_list, "a method")
        arguments = node.args
        self.demand(
            node,
            not (
                arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs
            ),
            "arguments",
        )
        first, *others = arguments.args
        self.demand(first, first.arg == "self", "the first argument")
        self.local = {"self", *(each.arg for each in others)}
        for each in others:
            self.name(each, each.arg)
            self.annotation(each.annotation)
        for default in arguments.defaults:
            self.literal(default)
        self.annotation(node.returns)
        body = node.body[1:] if is_text(node.body[0]) else node.body
        self.block(body)

    def block(self, body: Iterable[ast.stmt]) -> None:
        for node in body:
            self.statement(node)

    def statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assign):
            self.expression(node.value)
            for target in node.targets:
                self.target(target)
        elif isinstance(node, ast.AnnAssign):
            assert node.value is not None
            self.expression(node.value)
            self.annotation(node.annotation)
            self.target(node.target)
        elif isinstance(node, ast.AugAssign):
            self.expression(node.value)
            self.target(node.target)
        elif isinstance(node, ast.If):
            self.expression(node.test)
            self.block(node.body)
            self.block(node.orelse)
        elif isinstance(node, ast.For):
            self.expression(node.iter)
            self.target(node.target)
            self.block([*node.body, *node.orelse])
        elif isinstance(node, ast.Return):
            if node.value is not None:
                self.expression(node.value)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            self.expression(node.value)
        else:
            self.refuse(node, "a statement")

    def target(self, node: ast.expr) -> None:
        if isinstance(node, ast.Name):
            self.name(node, node.id)
            self.local.add(node.id)
        elif isinstance(node, ast.Attribute):
            self.demand(node, ast.unparse(node.value) == "self", "an attribute of something else")
            self.name(node, node.attr)
        elif isinstance(node, ast.Tuple):
            for each in node.elts:
                self.target(each)
        else:
            self.refuse(node, "assigned to")

    def name(self, node: ast.AST, name: str) -> None:
        self.demand(node, not name.startswith("__") and name.isascii(), "a name")

    def annotation(self, node: ast.expr | None) -> None:
        assert node is not None
        text = ast.unparse(node)
        for known in self.classes:
            text = re.sub(rf"\b{known}\b", "Tensor", text)
        self.demand(node, ANNOTATIONS.fullmatch(text) is not None, "an annotation")

    # ---- expressions ----

    def literal(self, node: ast.expr) -> None:
        try:
            ast.literal_eval(node)
        except ValueError:
            self.refuse(node, "no literal")

    def expression(self, node: ast.AST) -> None:
        if isinstance(node, ast.Name):
            known = self.local | self.classes | {"nn", "torch", "F", "Tensor", "super"}
            self.demand(node, node.id in known | {"range", "isinstance", "getattr"}, "a name")
            return
        if isinstance(node, ast.Attribute):
            self.attribute(node)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            own = called in self.classes or re.match(r"self\.[A-Za-z_]\w*(\[\d+\])*\Z", called)
            self.demand(node, bool(own or CALLED.fullmatch(called)), "a call")
            if called == "getattr":
                self.demand(node, ast.unparse(node) == "getattr(module, 'groups', 1)", "a call")
        elif isinstance(node, ast.ListComp | ast.GeneratorExp):
            self.comprehension(node)
            return
        elif not isinstance(
            node,
            ast.Constant | ast.BinOp | ast.UnaryOp | ast.BoolOp | ast.Compare | ast.IfExp
            | ast.List | ast.Tuple | ast.Starred | ast.Subscript | ast.Slice | ast.keyword
            | ast.operator | ast.unaryop | ast.boolop | ast.cmpop | ast.expr_context,
        ):  # fmt: skip
            self.refuse(node, "an expression")
        for child in ast.iter_child_nodes(node):
            self.expression(child)

    def attribute(self, node: ast.Attribute) -> None:
        of = ast.unparse(node.value)
        if of == "super()":
            self.demand(node, node.attr == "__init__", "an attribute")
        elif of in ("nn", "torch", "F", "nn.init"):
            self.demand(node, node.attr[0] != "_", "an attribute")
        elif of == "self":
            self.name(node, node.attr)
        else:
            own = re.fullmatch(r"self\.[A-Za-z_]\w*", of) is not None
            self.demand(node, node.attr in ATTRIBUTES and (not own or node.attr == "weight"),
                        "an attribute")  # fmt: skip

    def comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> None:
        (one,) = node.generators
        self.demand(node, not one.ifs and not one.is_async, "a comprehension")
        self.expression(one.iter)
        self.target(one.target)
        self.expression(node.elt)


def is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
