"""Lookahead, layers that are frozen after some epochs, and epochs that end early."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dotcnn.compiler.plan.train import Lookahead
from dotcnn.training.optim.lookahead import SlowWeights

from ..small import Looker, equal, gone_on, last, trained

pytestmark = pytest.mark.usefixtures("no_report")

SPEC = """
network Net {
  input 1x8x8
  conv 4 3x3 stride=2 same, bn, relu
  conv 4 3x3 same, bn, relu
  flatten, fc classes
}
train { data digits, batch 512, epochs 2, optimizer sgd lr=0.1 momentum=0.9 }
"""


def by_hand(fast: list[Tensor], every: int, keep: float) -> Tensor:
    """Zhang et al., algorithm 1, with alpha = 1 - keep; the end is that of the last round."""
    slow = current = fast[0]
    for step, change in enumerate(fast[1:], 1):
        current = current + change
        if step % every == 0:
            slow = slow + (1 - keep) * (current - slow)
            current = slow
    return slow


@pytest.mark.parametrize(("every", "keep"), [(5, 0.5), (1, 0.9), (3, 0.0)])
def test_slow_weights_are_those_of_the_paper(every: int, keep: float) -> None:
    module = nn.Linear(3, 2, bias=False)
    changes = torch.randn(13, 2, 3).unbind()
    expected = by_hand([module.weight.detach().clone(), *changes], every, keep)
    lookahead = SlowWeights(module, Lookahead.make(every=every, keep=keep), len(changes))
    for step, change in enumerate(changes, 1):
        with torch.no_grad():
            module.weight += change
        lookahead.update(step)
    torch.testing.assert_close(module.weight.detach(), expected)


def test_the_last_epoch_may_end_early_and_a_run_goes_on_within_it(tmp_path: Path) -> None:
    looker = Looker()
    changes = {"train.epochs": 2.5, "train.lookahead": "2 keep=0.8 rise=1"}
    trained(tmp_path / "whole", SPEC, set=changes, callback=looker)
    assert [record.steps for record in looker.epochs] == [3, 6, 8]
    trained(tmp_path / "parts", SPEC, set=changes, callback=Looker(stop_after=7))
    rest = Looker()
    gone_on(tmp_path / "parts", callback=rest)
    assert len(rest.steps) == 1
    assert equal(last(tmp_path / "whole"), last(tmp_path / "parts"))


def test_layers_are_trained_in_the_first_epochs_only(tmp_path: Path) -> None:
    """Weights, biases and statistics of norms; also in a run that is continued."""
    changes = {"train.freeze_after": "1 conv1 bn1"}
    trained(tmp_path / "one", SPEC, set={"train.schedule": "constant", "train.epochs": 1})
    changes |= {"train.schedule": "constant", "train.epochs": 3}
    trained(tmp_path / "three", SPEC, set=changes)
    one, three = last(tmp_path / "one"), last(tmp_path / "three")
    same = {name for name in one if torch.equal(one[name], three[name])}
    assert same == {name for name in one if name.startswith(("conv1.", "bn1."))}
    trained(tmp_path / "parts", SPEC, set=changes, callback=Looker(stop_after=5))
    gone_on(tmp_path / "parts")
    assert equal(three, last(tmp_path / "parts"))
