"""A dead network, whose outputs are constant, is reported once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import dotcnn
from dotcnn.compiler.plan.loss import CrossEntropy
from dotcnn.training.metrics.confusion import ClassTally
from dotcnn.training.optim.losses import loss_function

from ..small import Looker, trained

pytestmark = pytest.mark.usefixtures("no_report")

SPEC = """
network Net {
  input 1x8x8
  conv 4 3x3 same, bn, relu
  classifier: conv 10 1x1, relu
  pool avg global, flatten
}
train {
  data digits
  epochs 3
  batch 256
  optimizer sgd lr=0.05
}
"""


def test_a_dead_network_is_reported_once(tmp_path: Path) -> None:
    dead = dotcnn.load(SPEC).state_dict()
    dead["classifier.bias"] = torch.full_like(dead["classifier.bias"], -1e3)
    torch.save(dead, tmp_path / "dead.pt")
    looker = Looker()
    text = SPEC + f'transfer {{ from "{tmp_path}/dead.pt" }}\n'
    trained(tmp_path / "run", text, callback=looker)
    (warning,) = [note for note in looker.notes if note.startswith("warning")]
    assert "after epoch 1 the network gives the same outputs for every image" in warning
    assert "`relu2`" in warning
    assert "a smaller learning rate, like 0.005" in warning


def test_a_network_that_learns_is_not_reported(tmp_path: Path) -> None:
    looker = Looker()
    trained(tmp_path / "run", SPEC, callback=looker, set={"train.epochs": 1})
    assert not any("same outputs" in note for note in looker.notes)


def test_one_image_that_differs_is_enough() -> None:
    tally = ClassTally("abc", loss_function(CrossEntropy.make()), torch.device("cpu"))
    tally.add(torch.zeros(5, 3), torch.zeros(5, dtype=torch.int64))
    assert tally.constant
    tally.add(torch.tensor([[0.0, 0.0, 0.1]]), torch.zeros(1, dtype=torch.int64))
    assert not tally.constant
