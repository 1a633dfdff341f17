"""The training loop compared with a plain loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dotcnn
from dotcnn.compiler.plan import plan
from dotcnn.training.data.loader.order import permutation
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened

from ..small import NETWORK, SPEC, Looker, equal, last, trained

pytestmark = pytest.mark.usefixtures("no_report")

DIGITS = 1438
"""Images to learn from."""


def opened(spec: str) -> Opened:
    return open_data(plan(dotcnn.compile(spec)), Path.cwd())


def by_hand(spec: str, epochs: int, batch: int, seed: int, rates: list[float]) -> nn.Module:
    """As anybody would write it, in the same order of images."""
    data = opened(spec)
    images, labels = data.stores["train"].images, data.stores["train"].labels  # type: ignore[union-attr]
    images = data.preparation.prepare(images)
    torch.manual_seed(seed)
    module = dotcnn.load(spec)
    torch.manual_seed(seed)
    decaying = [p for name, p in module.named_parameters() if p.ndim > 1]
    others = [p for name, p in module.named_parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW(
        [{"params": decaying}, {"params": others, "weight_decay": 0.0}], fused=True
    )
    module.train()
    step = 0
    for epoch in range(epochs):
        for chosen in permutation(DIGITS, seed, epoch).split(batch):
            for group in optimizer.param_groups:
                group["lr"] = rates[step]
            loss = F.cross_entropy(module(images[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
    return module


def test_it_computes_what_a_loop_by_hand_computes(tmp_path: Path) -> None:
    """To the last bit: order, dropout, learning rates, decay, statistics of norms."""
    looker = Looker()
    trained(tmp_path / "run", callback=looker, set={"train.seed": 3, "train.epochs": 2})
    rates = [step.lr for step in looker.steps]
    assert len(rates) == 12
    module = by_hand(SPEC, 2, 256, 3, rates)
    assert equal(last(tmp_path / "run"), module.state_dict())


PLAIN = """
network Net { input 1x8x8, conv 4 3x3 stride=2 same, tanh, flatten, fc classes }
train { data digits, epochs 1, optimizer sgd lr=0.1, schedule constant }
"""
"""Nothing in it looks at a batch as a whole."""


def test_accumulated_batches_make_the_same_steps(tmp_path: Path) -> None:
    """Also the last one of an epoch, which has fewer images and other portions."""
    whole = trained(tmp_path / "a", PLAIN, set={"train.batch": 96})
    parts = trained(tmp_path / "b", PLAIN, set={"train.batch": 32, "train.accumulate": 3})
    one, two = last(tmp_path / "a"), last(tmp_path / "b")
    assert one.keys() == two.keys()
    for key in one:
        torch.testing.assert_close(one[key], two[key], atol=1e-5, rtol=1e-4)
    assert whole.metrics["loss"] == pytest.approx(parts.metrics["loss"], rel=1e-3)


def test_class_weights_with_accumulated_batches(tmp_path: Path) -> None:
    changes = {"train.weights": "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"}
    trained(tmp_path / "a", PLAIN, set={**changes, "train.batch": 96})
    trained(tmp_path / "b", PLAIN, set={**changes, "train.batch": 32, "train.accumulate": 3})
    one, two = last(tmp_path / "a"), last(tmp_path / "b")
    for key in one:
        torch.testing.assert_close(one[key], two[key], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("by", ["norm", "value"])
def test_gradients_are_clipped(tmp_path: Path, by: str) -> None:
    """One step with a rate of 1 is then as long as the clip allows."""
    spec = PLAIN.replace("schedule constant", "schedule constant, batch 2000")
    changes = {"train.optimizer": "sgd lr=1", "train.clip": f"0.001 by={by}"}
    trained(tmp_path / "run", spec, set=changes)
    torch.manual_seed(0)
    before = dotcnn.load(spec).state_dict()
    after = last(tmp_path / "run")
    moved = torch.cat([(after[key] - before[key]).flatten() for key in after])
    longest = float(moved.norm()) if by == "norm" else float(moved.abs().max())
    assert longest == pytest.approx(0.001, rel=1e-2)


def test_averages_are_what_is_evaluated(tmp_path: Path) -> None:
    """Worked out again from a run in which every step is seen."""
    kept: list[dict[str, Tensor]] = []
    spec = PLAIN.replace("schedule constant", "schedule constant, batch 400, ema 0.5")
    result = trained(tmp_path / "run", spec)
    for steps in range(1, 5):
        # The same run, with an end after so many steps.
        looker = Looker(stop_after=steps)
        folder = tmp_path / f"run{steps}"
        trained(folder, spec, callback=looker)
        kept.append(last(folder))
    torch.manual_seed(0)
    average = {key: value.clone() for key, value in dotcnn.load(spec).state_dict().items()}
    for step, weights in enumerate(kept, 1):
        decay = min(0.5, (1 + step) / (10 + step))
        average = {key: decay * average[key] + (1 - decay) * weights[key] for key in average}
    for key, value in result.module.state_dict().items():
        torch.testing.assert_close(value, average[key])


def test_auxiliary_heads_are_trained_with_their_weight(tmp_path: Path) -> None:
    spec = """
    network Net {
      input 1x8x8
      conv 4 3x3 stride=2 same, relu
      side: aux weight=0.5 { flatten, fc classes }
      conv 4 3x3 stride=2 same, relu
      flatten, fc classes
    }
    train { data digits, epochs 1, batch 2000, optimizer sgd lr=1, schedule constant }
    """
    trained(tmp_path / "run", spec)
    data = opened(spec)
    chosen = permutation(DIGITS, 0, 0)
    store = data.stores["train"]
    images = data.preparation.prepare(store.images)[chosen]  # type: ignore[union-attr]
    torch.manual_seed(0)
    module = dotcnn.load(spec).train()
    logits, side = module(images)
    labels = store.labels[chosen]
    (F.cross_entropy(logits, labels) + 0.5 * F.cross_entropy(side, labels)).backward()
    after = last(tmp_path / "run")
    for key, weight in module.named_parameters():
        assert weight.grad is not None
        torch.testing.assert_close(after[key], weight.detach() - weight.grad)


def test_callbacks_during_training(tmp_path: Path) -> None:
    looker = Looker()
    result = trained(tmp_path / "run", callback=looker)
    assert looker.begun is not None
    assert looker.begun.batches == 6
    assert looker.begun.images == {"train": 1438, "val": 359}
    assert [(step.epoch, step.batch) for step in looker.steps[5:8]] == [(1, 6), (2, 1), (2, 2)]
    assert [record.epoch for record in looker.epochs] == [1, 2, 3]
    assert [record.steps for record in looker.epochs] == [6, 12, 18]
    assert all(0 <= record.waiting <= 1 for record in looker.epochs)
    best = max(looker.epochs, key=lambda record: record.val["top1"])
    assert result.best_epoch == best.epoch
    assert result.metrics["top1"] == pytest.approx(best.val["top1"])
    assert looker.end is not None
    assert looker.end.reason == result.reason == "done"
    assert looker.closed


def test_what_is_measured_while_learning_is_the_mean_over_images(tmp_path: Path) -> None:
    """Weighed by images, since the last batch has fewer."""
    looker = Looker()
    trained(tmp_path / "run", callback=looker, set={"train.epochs": 1, "train.batch": 1000})
    first, second = (step.loss for step in looker.steps)
    assert first is not None
    assert second is not None
    expected = (1000 * first + 438 * second) / 1438
    assert looker.epochs[0].train["loss"] == pytest.approx(expected, rel=1e-5)


def test_it_stops_when_nothing_gets_better(tmp_path: Path) -> None:
    looker = Looker()
    changes = {"train.optimizer": "sgd lr=1e-9", "train.early_stop": "2 metric=top1"}
    result = trained(tmp_path / "run", NETWORK, callback=looker, set={**changes, "train.epochs": 9})
    assert result.reason == "early stop"
    assert result.epochs == len(looker.epochs) == 3


def test_the_rate_falls_on_a_plateau(tmp_path: Path) -> None:
    looker = Looker()
    changes = {"train.optimizer": "sgd lr=1e-9", "train.schedule": "plateau 0 metric=top1"}
    trained(tmp_path / "run", SPEC, callback=looker, set={**changes, "train.epochs": 3})
    assert [record.lr for record in looker.epochs] == pytest.approx([1e-9, 1e-9, 1e-10])
    assert any("learning rate falls" in note for note in looker.notes)


def test_compiled_networks_train_the_same(tmp_path: Path) -> None:
    """`compile` is torch's own, here with the backend that needs no compiler of C."""
    real = torch.compile

    def eager(module: nn.Module, **options: Any) -> object:
        return real(module, backend="eager", dynamic=options["dynamic"])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "compile", eager)
        trained(tmp_path / "a", set={"train.epochs": 1, "train.compile": True})
    trained(tmp_path / "b", set={"train.epochs": 1})
    assert equal(last(tmp_path / "a"), last(tmp_path / "b"))
