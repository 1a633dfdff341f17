"""The reference of Python: what `dotcnn`, `dotcnn.plugins` and `dotcnn.testing` offer, from their
docstrings."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from itertools import pairwise
from types import ModuleType
from typing import Any

import dotcnn
from dotcnn import plugins, testing
from dotcnn.compiler.language.declared import Declared

from .pages import Page, fenced

GROUP = "Python"
_LONG = re.compile("object at|mappingproxy")
"""Defaults that say nothing as text."""


def pages() -> Iterator[Page]:
    yield from (_page(module) for module in (dotcnn, plugins, testing))


def _page(module: ModuleType) -> Page:
    lines = [f"# `{module.__name__}`", *_text(module.__doc__)]
    for name in sorted(module.__all__, key=lambda each: (each.isupper(), each.lower())):
        lines += [f"## {name} {{ #{name} }}", *_entry(module, name)]
    return Page(f"python/{module.__name__}", module.__name__, "\n\n".join(lines), GROUP)


def _entry(module: ModuleType, name: str) -> Iterator[str]:
    value = getattr(module, name)
    if inspect.isclass(value):
        yield from _class(value, name)
    elif inspect.isfunction(value):
        yield _signature(value, name)
        yield from _text(value.__doc__)
    else:
        yield from _text(_said_below(module, name) or f"`{value!r}`")


def _class(kind: type, name: str) -> Iterator[str]:
    if not issubclass(kind, Declared) and not issubclass(kind, Exception):
        yield _signature(kind, name)
    yield from _text(kind.__doc__)
    members = [
        (word, member)
        for word, member in vars(kind).items()
        if not word.startswith("_") and (inspect.isfunction(member) or isinstance(member, property))
    ]
    for word, member in members:
        function = member.fget if isinstance(member, property) else member
        doc = inspect.getdoc(member)
        if doc and function:
            shown = (
                f"{name}.{word}"
                if isinstance(member, property)
                else _written(function, f"{name}.{word}")
            )
            yield fenced(shown, "python")
            yield from _text(doc)
    for word, doc in _attributes(kind):
        yield f"`{word}`: {' '.join(doc.split())}"


def _attributes(kind: type) -> Iterator[tuple[str, str]]:
    """The attributes of a class that have a docstring below them."""
    try:
        tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(kind)))
    except (OSError, SyntaxError):
        return
    (body,) = (node.body for node in tree.body if isinstance(node, ast.ClassDef))
    yield from _documented(body)


def _documented(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for line, below in pairwise(body):
        target = line.target if isinstance(line, ast.AnnAssign) else None
        if isinstance(line, ast.Assign):
            target = line.targets[0]
        if (
            isinstance(target, ast.Name)
            and not target.id.startswith("_")
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            yield target.id, below.value.value


def _said_below(module: ModuleType, name: str) -> str:
    """The docstring below a constant, in the module that it comes from."""
    for line in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(line, ast.ImportFrom) and any(
            name == (alias.asname or alias.name) for alias in line.names
        ):
            package = module.__package__ or ""
            origin = __import__(f"{package}.{line.module}", fromlist=[name])
            return dict(_documented(ast.parse(inspect.getsource(origin)).body)).get(name, "")
    return ""


def _signature(value: Any, name: str) -> str:
    return fenced(_written(value, name), "python")


def _written(value: Any, name: str) -> str:
    """A call with its arguments, one a line where they are many."""
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return f"{name}(…)"
    parameters = [
        each.replace(default="…")
        if re.search("object at|mappingproxy", repr(each.default))
        else each
        for each in signature.parameters.values()
        if each.name not in ("self", "cls")
    ]
    text = str(signature.replace(parameters=parameters)).replace("'", "")
    if len(text) < 70:
        return name + text
    starred = [str(each).replace("'", "") for each in parameters]
    first = next((n for n, each in enumerate(parameters) if each.kind is each.KEYWORD_ONLY), None)
    if first is not None:
        starred.insert(first, "*")
    inner = "".join(f"    {each},\n" for each in starred)
    returned = "" if signature.return_annotation is signature.empty else text.rpartition(" -> ")[2]
    return f"{name}(\n{inner})" + (f" -> {returned}" if returned else "")


def _text(doc: str | None) -> Iterator[str]:
    """The paragraphs of a docstring; indented ones are code."""
    for paragraph in inspect.cleandoc(doc or "").split("\n\n"):
        if paragraph.startswith("    "):
            yield fenced(re.sub(r"^ {4}", "", paragraph, flags=re.MULTILINE), "python")
        elif paragraph:
            yield " ".join(paragraph.split())
