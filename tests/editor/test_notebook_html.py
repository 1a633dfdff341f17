"""What a notebook shows, without one."""

from __future__ import annotations

from pathlib import Path

import pytest

import dotcnn
from dotcnn.compiler.network import Network
from dotcnn.editor.notebook import as_html
from dotcnn.training.display.notebook import Notebook, in_notebook
from dotcnn.training.trainer.callbacks import EpochRecord

TEXT = "network Net { input 1x8x8, conv 8 3x3 same, pool avg global, flatten, fc 10 }"


def record(epoch: int, loss: float) -> EpochRecord:
    return EpochRecord(
        epoch=epoch, steps=epoch * 10, lr=0.1, train={"loss": loss}, val={"top1": 1 - loss},
        best=True, seconds=1.0, images_per_second=100.0, waiting=0.0,
    )  # fmt: skip


def test_a_network() -> None:
    shown = as_html.network(dotcnn.compile(TEXT))
    assert "<svg" in shown
    assert "<td>conv 8 3x3 same</td>" in shown or "conv 8 3x3 same" in shown


def test_nothing_of_a_spec_becomes_html() -> None:
    with pytest.raises(dotcnn.SpecError) as caught:
        dotcnn.compile("network N { input 1x8x8, conv <script>alert(1)</script> }")
    assert "<script" not in as_html.mistakes(caught.value.diagnostics)


def test_progress_is_a_table_that_grows() -> None:
    progress = Notebook()
    progress._records = [record(1, 0.9), record(2, 0.5)]
    shown = progress.html()
    assert shown.count("<tr>") == 4
    assert "▁" in shown
    assert not in_notebook()


def test_a_network_is_trained_by_its_text(tmp_path: Path) -> None:
    network = dotcnn.compile(f"{TEXT}\ntrain {{ data digits, epochs 1, batch 512 }}")
    assert isinstance(network, Network)
    result = dotcnn.train(network, device="cpu", output=tmp_path / "run", quiet=True)
    assert result.epochs == 1
    assert "iframe sandbox" in as_html.result(result)
