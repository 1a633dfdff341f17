"""A layer is known in one place: its file under compiler/ops/ (and its test)."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import pytest

from dotcnn.compiler.language.vocabulary import FORMS
from dotcnn.compiler.ops import REGISTRY
from dotcnn.compiler.ops.base import Kind
from dotcnn.compiler.plan.directive import REGISTRY as DIRECTIVES
from support import ROOT, package_files

LAYERS = {word for word in REGISTRY if word not in FORMS}
"""What a spec writes for an operation: `conv`, `pool max`."""

OUTSIDE = [
    file
    for file in package_files("*.py")
    if file.parts[:2] != ("compiler", "ops") and file.parts[0] in ("dsl", "compiler", "cli.py")
]


def code_strings(file: Path) -> list[tuple[int, str]]:
    """The strings that code works with; docstrings and f-strings are prose."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    prose = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    prose |= {id(part) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for part in n.values}
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
    ]


@pytest.mark.parametrize("file", OUTSIDE, ids=str)
def test_no_layer_is_named_elsewhere(file: Path) -> None:
    """So that a layer can be added, or renamed, by touching one file."""
    kinds = {*get_args(Kind), "pad"}  # also the kinds of layers, and of an argument
    if file.parts[:2] == ("compiler", "plan"):
        kinds |= {word for words in DIRECTIVES.values() for word in words}  # `crop` is both
    named = [(line, text) for line, text in code_strings(file) if text in LAYERS - kinds]
    assert named == []


def test_no_operation_is_imported_elsewhere_but_by_its_form() -> None:
    """Only what stands behind a form of the language (add, split, the input) is known by name."""
    for file in OUTSIDE:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and "ops" in node.module.split("."):
                family = node.module.split("ops")[-1].strip(".")
                names = {alias.name for alias in node.names}
                assert family in ("", "base", "merge", "shortcut"), f"{file}:{node.lineno}"
                if family == "merge":
                    known = {"Input", "Chunk", "PadShortcut", "Scaled"}
                    assert names <= known, f"{file}:{node.lineno}"
