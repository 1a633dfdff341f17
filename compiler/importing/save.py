"""Writes an imported network: its spec, and its weights beside it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from ...dsl.atomic_file import replaceable, written
from .graph import Graph
from .readers import tensor_part

MARK = re.compile(rb"\A# From .* imported by dotcnn")
"""How specs begin that were imported."""


class Spec(Protocol):
    """An imported network."""

    @property
    def graph(self) -> Graph: ...
    @property
    def text(self) -> str: ...


def weights_beside(spec: Path) -> Path:
    return spec.with_suffix(".safetensors")


def refuse_others(imported: Spec, spec: Path) -> None:
    """Raises FileExistsError if a file would be replaced that no import wrote."""
    if not replaceable(spec, MARK):
        raise FileExistsError(f"{spec} exists already and was not imported")
    if imported.graph.has_weights and weights_beside(spec).exists() and not spec.exists():
        raise FileExistsError(f"{weights_beside(spec)} exists already")


def save_weights(imported: Spec, spec: Path) -> Path | None:
    """The file of weights, if there are any."""
    if not imported.graph.has_weights:
        return None
    weights = weights_beside(spec)
    with written(weights) as scratch:
        tensor_part().write(imported, scratch)
    return weights


def save_spec(imported: Spec, spec: Path) -> None:
    with written(spec) as scratch:
        scratch.write_text(imported.text, encoding="utf-8", newline="\n")
