"""Which part may know which: read off the import statements, and off what a run loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import resolve_name
from pathlib import Path

import networkx
import pytest

from support import ROOT, package_files

HEAVY = {"numpy", "torch", "torchvision"}
"""What the language and the compiler do without, so that `cnn check` answers at once."""

LAZY = HEAVY | {"lark", "networkx", "rich"}
"""What merely starting the program must not load."""


BELOW: dict[str, set[str]] = {"dsl": set(), "compiler": {"dsl"}}
"""The layers that a layer may know beside itself."""


@dataclass(frozen=True)
class Import:
    by: str
    """The module that it stands in."""
    module: str
    """In full: `dotcnn.dsl.source`, `torch.nn`."""
    line: int
    at_once: bool
    """It runs when the file is imported, not first when a function is called."""


def module_name(path: Path) -> str:
    parts = ["dotcnn", *path.with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in package_files("*.py")}


def imports_of(module: str) -> Iterator[Import]:
    path = ROOT / FILES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]

    def visit(node: ast.AST, at_once: bool) -> Iterator[Import]:
        for name in imported_by(node, package):
            yield Import(module, name, node.lineno, at_once)  # type: ignore[attr-defined]
        inside = at_once and not _waits(node)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside)

    yield from visit(ast.parse(path.read_text(encoding="utf-8"), str(path)), True)


def _waits(node: ast.AST) -> bool:
    """Whether the import does not run what stands in it: functions, what is for types alone."""
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def imported_by(node: ast.AST, package: str) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=source, names=names, level=level):
            source = resolve_name("." * level + (source or ""), package)
            # `from .dsl import parser` names a module, `from .dsl.parser import parse` does not.
            modules = [f"{source}.{alias.name}" for alias in names]
            yield from {name if name in FILES else source for name in modules}
        case ast.Call(
            func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str() as name), *_],
        ):
            yield resolve_name(name, package)


IMPORTS = {module: list(imports_of(module)) for module in FILES}


def layer(module: str) -> str:
    """`dsl` of dotcnn.dsl.parser; for what lies at the root, the name of the file."""
    return module.split(".")[1] if module.startswith("dotcnn.") else ""


def library(module: str) -> str:
    return module.split(".")[0]


def run_by(module: str) -> list[str]:
    """The files of ours that run when it is imported: for a.b.c these are a, a.b and a.b.c."""
    parts = module.split(".")
    names = (".".join(parts[: n + 1]) for n in range(len(parts)))
    return [name for name in names if name in FILES]


def path_to(targets: set[str], start: str) -> list[str]:
    """How a module comes to one of the libraries; empty if it does not.

    All imports inside the layers count, those within functions too. Of any other file that is come
    through, only what it loads at once: a function of it is not called by being imported.
    """
    todo = [[name] for name in run_by(start)]
    seen = set(run_by(start))
    while todo:
        way = todo.pop(0)
        for found in IMPORTS[way[-1]]:
            if not (found.at_once or layer(found.by) in BELOW):
                continue
            if library(found.module) in targets:
                return [*way, found.module]
            new = [name for name in run_by(found.module) if name not in seen]
            seen.update(new)
            todo += [[*way, name] for name in new]
    return []


def places(wrong: Callable[[Import], bool]) -> list[str]:
    return [
        f"{FILES[found.by]}:{found.line} imports {found.module}"
        for imports in IMPORTS.values()
        for found in imports
        if wrong(found)
    ]


def test_the_graph_was_read() -> None:
    """An empty one would pass every test below."""
    assert path_to({"json"}, "dotcnn.dsl.lexer") == [
        "dotcnn.dsl.lexer",
        "dotcnn.dsl.tables",
        "json",
    ]


@pytest.mark.parametrize("module", [module for module in FILES if layer(module) in BELOW])
def test_the_language_and_the_compiler_do_not_reach_torch(module: str) -> None:
    assert " -> ".join(path_to(HEAVY, module)) == ""


def test_a_layer_knows_only_what_is_below_it() -> None:
    """Of the root it may have constants, such as the version, that __init__.py defines."""

    def wrong(found: Import) -> bool:
        here, there = layer(found.by), layer(found.module)
        return here in BELOW and there not in BELOW[here] | {here, ""}

    assert places(wrong) == []


def test_lark_has_one_home() -> None:
    """Loading it takes longer than checking a spec, so one file decides whether it is needed; it
    also reads a format of others, when there is a file of theirs."""
    homes = ("dotcnn.dsl.tables", "dotcnn.compiler.importing.text_format")
    assert places(lambda found: library(found.module) == "lark" and found.by not in homes) == []


def test_the_project_imports_itself_by_its_own_name() -> None:
    """`import dsl` works in this folder and fails for everybody else."""
    ours = {layer(module) for module in FILES} - {""}
    assert places(lambda found: library(found.module) in ours) == []


def test_starting_the_program_loads_no_library(tmp_path: Path) -> None:
    code = f"""
import sys
import dotcnn.cli
try:
    code = dotcnn.cli.main(["--version"])
except SystemExit as stop:
    code = stop.code
print(code or 0, *sorted({LAZY!r} & sys.modules.keys()))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "0"


# ---- circles and names -------------------------------------------------------------------------


def test_no_modules_import_each_other() -> None:
    """Not even inside functions or for types alone: then one cannot be understood, or moved,
    without the other. The package's own __init__.py is the Python API, above everything: whoever
    imports it wants its version."""
    graph = networkx.DiGraph()
    for module, imports in IMPORTS.items():
        if module != "dotcnn":
            graph.add_edges_from((module, each.module) for each in imports if each.module in FILES)
    graph.remove_nodes_from(["dotcnn"])
    circles = [each for each in networkx.strongly_connected_components(graph) if len(each) > 1]
    assert circles == []


SAME_NAMES = {
    "align": "columns of a table; two networks that are compared; layers of weights",
    "augment": "each about the section `augment`: its directives, its explanation, its doing",
    "braces": "braces paired up by the parser, and advice where that fails",
    "build": "a network from a spec, and torch modules from the directives of `augment`",
    "builder": "the syntax tree, and the graph of somebody's module",
    "caffe": "its lines in a spec, and its files",
    "check": "a spec checked, and a plan checked",
    "darknet": "its lines in a spec, and its files",
    "convolutions": "as Keras has them, and as calls on tensors",
    "data": "the directive `data`, a report as data, and data sets",
    "diagnostics": "lists of mistakes, and as editors take them",
    "document": "a text that is open in an editor, and the page of a run",
    "diagnostic": "one mistake: in a spec, in data, in a transfer",
    "evaluate": "expressions of the language, the section `evaluate`, and its doing",
    "explain": "explanations by what they explain, and what transfer/ adds to them",
    "fold": "equal parts into blocks and loops, and batch norms into convolutions",
    "filters": "that calls on tensors apply, and pictures of them",
    "formats": "what a drawing and an export can be written as",
    "gallery": "specs of the gallery found, and listed",
    "importing": "networks of other tools: as graphs, and with tensors",
    "initial": "initial weights in a spec, and in an emitted module",
    "labels": "names of parts of a network, and classes of images",
    "layer": "a layer explained, and one of somebody's weights",
    "mistakes": "of syntax, and of a trained network",
    "module": "torch modules: emitted, and of augmentation",
    "names": "advice about names, and weights matched by their names",
    "network": "the graph, its explanation, and its part of the page of a run",
    "notebook": "what it shows, and the progress of a training in it",
    "npz": "the directive `data npz`, and the container",
    "onnx_file": "written by an export, and read from strangers",
    "page": "a drawing's page, and a run's",
    "paths": "of a form, and the layers on paths for which names of weights have words",
    "picture": "of a network, and of an image",
    "program": "a spec with its imports, and torch.export's program",
    "read": "reading: a plan's sections, data sets, weights",
    "result": "of training, and of a match",
    "rows": "of a report, and of a match",
    "setup": "of a run, and of a transfer",
    "source": "a spec's text, an emitted module's text, whose weights are taken",
    "structure": "a network's parts in a report, and those of an imported one",
    "table": "of a report, of a match, of mistakes",
    "train": "the section `train`, and its doing",
    "transfer": "each about the section `transfer`: its directives, its explanation, its doing",
    "write": "the text of a spec, and the page of a run",
    "values": "what expressions come to, and advice about how they are written",
    "signature": "arguments declared, and as editors show them",
    "as_html": "in a notebook, and in the page of `cnn show`",
    "attention": "the layer, and how calls on tensors say it",
    "compose": "calls on tensors into layers, and blocks of a drawing into one",
    "layout": "of emitted text, and of maps whose channels are last",
    "norms": "pools that take a norm, and Keras' normalizations",
    "preprocessing": "Keras' layers of it, and of images",
    "shapes": "of maps, and of Keras' maps",
    "shortcuts": "in a residual form, and found in an imported graph",
    "standardized": "convolutions with standardized weights: the layer, and as calls on tensors",
    "views": "of a page, and tensors that are others seen differently",
}
"""Why modules of different packages share a name."""


def test_modules_of_one_name_have_a_reason() -> None:
    """Two rules need no entry: a command is called like what it does, and the main module of a
    package like the package."""
    modules: dict[str, list[str]] = {}
    for module in FILES:
        package, _, name = module.rpartition(".")
        if not package.endswith(("commands", f".{name}")) and name != "commands":
            modules.setdefault(name, []).append(module)
    shared = {name: places for name, places in modules.items() if len(places) > 1}
    assert {name: places for name, places in shared.items() if name not in SAME_NAMES} == {}
