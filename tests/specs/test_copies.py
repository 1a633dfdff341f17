"""Copies of gallery networks for fine-tuning end in as many outputs as the data has classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.compiler.load_spec import load
from dotcnn.compiler.plan.check import wrong_classes
from dotcnn.compiler.plan.data import NoData
from dotcnn.compiler.shapes import axes_of
from dotcnn.compiler.starter import starter
from dotcnn.dsl.program import GALLERY
from dotcnn.dsl.source import Source
from typical import one_per_folder, typical


def _source(path: Path) -> Source:
    return Source(path.name, path.read_text(encoding="utf-8"), path)


@pytest.mark.parametrize(
    "name",
    [
        *one_per_folder(),
        *(pytest.param(n, marks=pytest.mark.slow) for n in typical() if n not in one_per_folder()),
    ],
)
def test_a_copy_for_other_classes_starts_to_train(name: str) -> None:
    """The head is written in the copy itself, not in an imported file of the gallery, and every
    auxiliary head follows it."""
    (path,) = GALLERY.rglob(f"{name}.cnn")
    copy = Source("mine.cnn", starter("mine.cnn", _source(path), "weights.npz"))
    network = elaborate(load(copy), classes=2)
    if len(network.output.shape) > 1 or len(network.outputs) > 1:
        return  # a map, not classes, or several of either
    if axes_of(network.input.shape) != 2 or name == "dcgan":
        return  # it cannot be trained on images, and keeps its head
    assert network.output.shape == (2,)
    assert [head.node.shape for head in network.aux] == [(2,)] * len(network.aux)
    assert wrong_classes(NoData.make(), network, 2) is None
