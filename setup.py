"""The build of a wheel: leaves out docstrings of what users do not call, a tenth of its size.

They are for readers of the repository. Those of classes stay, which `cnn help` prints, and so do
all of what the Python interface offers. Lines stay where they are, for tracebacks. The README comes
without links to files of the repository, which lead nowhere on the page of a package index: their
words stay. All else about the package is in pyproject.toml.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.egg_info import egg_info

INTERFACE = ("__init__.py", "plugins.py", "testing/__init__.py")
"""The modules that users import from, relative to the package."""


class BuildPy(build_py):  # type: ignore[misc]
    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        package = Path(self.build_lib) / "dotcnn"
        (package / "setup.py").unlink()  # it lies among the modules of the package
        texts = {path: path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
        interface = {package / file for file in INTERFACE}
        offered = offered_names([texts[path] for path in interface], texts.values())
        for path, text in texts.items():
            if path not in interface:
                path.write_text(without_docstrings(text, offered), encoding="utf-8")


def offered_names(interface: Iterable[str], sources: Iterable[str]) -> set[str]:
    """What the sources of the interface import from elsewhere in the package, and the classes that
    these inherit from."""
    offered = {
        alias.name
        for text in interface
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }
    bases: dict[str, set[str]] = {}
    for text in sources:
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef):
                named = {
                    each.id
                    for base in node.bases
                    for each in ast.walk(base)
                    if isinstance(each, ast.Name)
                }
                bases.setdefault(node.name, set()).update(named)
    todo = list(offered)
    while todo:
        further = bases.get(todo.pop(), set()) - offered
        offered |= further
        todo += further
    return offered


def without_docstrings(text: str, offered: set[str]) -> str:
    """The source `text` with empty lines for the docstrings; `offered` are the names of classes,
    functions and constants that keep all of theirs."""
    lines = text.splitlines(keepends=True)
    for docstring in _left_out(ast.parse(text), offered):
        first, last = docstring.lineno - 1, (docstring.end_lineno or docstring.lineno) - 1
        before = lines[first].encode()[: docstring.col_offset]
        after = lines[last].encode()[docstring.end_col_offset :]
        if not before.strip() and not after.strip():  # alone on its lines
            lines[first : last + 1] = ["\n"] * (last + 1 - first)
    return "".join(lines)


def _left_out(node: ast.AST, offered: set[str]) -> Iterator[ast.expr]:
    body: list[ast.stmt] = getattr(node, "body", [])
    for place, statement in enumerate(body):
        if _names(statement) & offered:
            continue
        if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _left_out(statement, offered)
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            below = body[place - 1] if place else node
            # A body needs a statement.
            if (
                isinstance(statement.value.value, str)
                and len(body) > 1
                and not (place == 0 and isinstance(node, ast.ClassDef))
                and not _names(below) & offered
            ):
                yield statement.value


def _names(node: ast.AST) -> set[str]:
    """What a statement defines."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {each.id for each in targets if isinstance(each, ast.Name)}


_PICTURE = re.compile(r"!\[[^\]]*\]\((?!https?:)[^)\s]*\)\n*")
_LINK = re.compile(r"\[([^\]]*)\]\((?!https?:|#)[^)\s]*\)")


class EggInfo(egg_info):  # type: ignore[misc]
    """Writes the metadata of wheels and of source distributions."""

    def run(self) -> None:
        metadata = self.distribution.metadata
        metadata.long_description = without_relative_links(metadata.long_description or "")
        super().run()


def without_relative_links(text: str) -> str:
    parts = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)  # with code between
    parts[::2] = [_LINK.sub(r"\1", _PICTURE.sub("", prose)) for prose in parts[::2]]
    return "".join(parts)


if __name__ == "__main__":
    setup(cmdclass={"build_py": BuildPy, "egg_info": EggInfo})
