"""A layer is known in one place: its file under compiler/ops/ (and its test). So is a directive:
its class under compiler/plan/, and what it does to images, entered under training/augment/."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import pytest

from dotcnn.compiler.importing.readers import FORMATS
from dotcnn.compiler.language.vocabulary import FORMS
from dotcnn.compiler.ops import REGISTRY
from dotcnn.compiler.ops.base import Kind
from dotcnn.compiler.plan.directive import REGISTRY as DIRECTIVES
from dotcnn.compiler.plan.directive import SERIES
from support import ROOT, package_files

LAYERS = {word for word in REGISTRY if word not in FORMS}
"""What a spec writes for an operation: `conv`, `pool max`."""

READERS = {Path(*each.module.split(".")).with_suffix(".py") for each in FORMATS}
"""Readers of other tools' formats, which translate their layers into ours."""

IMPORTING = Path("compiler", "importing")
TRANSLATING = {
    *(IMPORTING / room for room in ("keras", "tensors")),
    *(IMPORTING / file for file in ("alignment.py", "caffe_layers.py")),
}
"""What translates layers of Keras and Caffe, and calls on tensors."""

OUTSIDE = [
    file
    for file in package_files("*.py")
    if file.parts[:2] != ("compiler", "ops")
    and not TRANSLATING & {file, file.parent}
    and "foreign_code" not in file.parts  # the words of others, some of which are ours, too
    and file not in READERS
    and file.parts[0] in ("dsl", "compiler", "cli.py")
]


def text_of(file: Path) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


def code_strings(text: str) -> list[tuple[int, str]]:
    """The strings that code works with; docstrings and f-strings are prose."""
    tree = ast.parse(text)
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
    # Also the kinds of layers, and arguments of others.
    kinds = {*get_args(Kind), "pad", "bias", "sample", "scale"}
    if file.parts[:2] == ("compiler", "plan"):
        kinds |= {word for words in DIRECTIVES.values() for word in words}  # `crop` is both
    words, text = LAYERS - kinds, text_of(file)
    if not any(f'"{word}"' in text for word in words):
        return  # most files: reading their syntax would take seconds
    assert [(line, string) for line, string in code_strings(text) if string in words] == []


BEHIND_FORMS = {
    "merge": {"Input", "Chunk", "Merge"},
    "scale": {"Scaled"},
    "shortcut": {"PadShortcut", "projection"},
}


def test_no_operation_is_imported_elsewhere_but_by_its_form() -> None:
    """Only what stands behind a form of the language (add, split, the input) is known by name."""
    for file in OUTSIDE:
        text = text_of(file)
        for node in ast.walk(ast.parse(text)) if "ops" in text else ():
            if isinstance(node, ast.ImportFrom) and node.module and "ops" in node.module.split("."):
                family = node.module.split("ops")[-1].strip(".")
                names = {alias.name for alias in node.names}
                assert family in ("", "base", *BEHIND_FORMS), f"{file}:{node.lineno}"
                if family in BEHIND_FORMS:
                    assert names <= BEHIND_FORMS[family], f"{file}:{node.lineno}"


AUGMENTATIONS = {
    kind.__name__ for known in (DIRECTIVES, SERIES) for kind in known["augment"].values()
}
"""Their classes: `Rotate`, `Crop`."""


@pytest.mark.parametrize("file", package_files("*.py"), ids=str)
def test_no_augmentation_is_told_apart_by_its_class(file: Path) -> None:
    """Where passes are planned, explained and built, a directive is asked what it is. Outside its
    own file its class stands only where `@implements` enters what it does to pixels."""
    if file.parts[:3] == ("compiler", "plan", "augment"):
        return
    text = text_of(file)
    if "plan.augment." not in text and file.parts[:2] != ("training", "augment"):
        return
    tree = ast.parse(text)
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and "plan.augment." in (node.module or "")
        for alias in node.names
        if alias.name in AUGMENTATIONS
    }
    if file.parts[:2] != ("training", "augment"):
        assert not imported
        return
    entered = {
        ast.unparse(decorator.args[0])
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "implements"
    }
    assert imported == entered - {"Augmentation"}  # the base of those of plug-ins
    tested = [node for node in ast.walk(tree) if isinstance(node, (ast.Match, ast.Call))]
    for node in tested:
        if isinstance(node, ast.Match) or ast.unparse(node.func) == "isinstance":
            names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
            assert not names & AUGMENTATIONS, f"{file}:{node.lineno}"
