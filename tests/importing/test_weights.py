"""The weights of imported networks: into the right layers, and nothing missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import dotcnn
from dotcnn.compiler.importing.import_network import Imported, folded
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.importing.imported_weights import compared, write
from dotcnn.training.inference.load import live
from importing.imported import as_imported

SPEC = """
network N {
  input 3x12x12
  conv 8 3x3 same bias=off, bn, relu
  repeat 3 { residual { conv 8 3x3 same bias=off, bn, relu, conv 8 1x1 } }
  concat { | conv 4 1x1 | conv 4 1x1 }
  pool avg global, flatten, fc 5
}
"""


def with_weights(change: str = "") -> Imported:
    network = dotcnn.compile(SPEC)
    torch.manual_seed(0)
    module = live(network, "test").eval()
    held = dict(module.state_dict())
    for tensor in held.values():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5)
    graph = as_imported(network)
    for layer, node in zip(graph.layers, network.nodes, strict=True):
        layer.name = node.name
        layer.weights = {each: held[f"{node.name}.{each}"] for each in layer.wanted}
    if change:
        name, _, key = change.rpartition(".")
        next(each for each in graph.layers if each.name == name).weights.pop(key)

    def run(batches: Sequence[Any]) -> Sequence[Any]:
        with torch.no_grad():
            return [module(torch.from_numpy(batches[0]))]

    return folded(graph._replace(run=run), "n.other (Other)", "n.other")


def test_outputs_are_those_of_the_original(tmp_path: Path) -> None:
    imported = compared(with_weights())
    assert "in 32 bits" in imported.text
    write(imported, tmp_path / "n.safetensors")
    module = live(dotcnn.compile(imported.text), "test")
    module.load_state_dict(load_file(tmp_path / "n.safetensors"))


def test_other_outputs_are_refused() -> None:
    imported = with_weights()
    assert imported.graph.run is not None
    original = imported.graph.run
    graph = imported.graph._replace(run=lambda batches: [original(batches)[0] * 1.001])
    with pytest.raises(SpecError, match="would be others"):
        compared(imported._replace(graph=graph))


def test_a_missing_weight_is_named() -> None:
    with pytest.raises(SpecError, match="`running_var` is missing"):
        with_weights("bn.running_var")
