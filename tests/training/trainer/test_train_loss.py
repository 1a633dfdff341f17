"""`metric=train_loss`: the training loss decides about checkpoints, the learning rate and the end,
after every epoch, also of those that no validation follows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dotcnn.compiler.plan.schedule import Plateau
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.checkpoint.checkpoint import about_weights
from dotcnn.training.metrics.better import is_best
from dotcnn.training.optim.schedules import Length, PlateauState, Rates

from ..small import SPEC, Looker, equal, gone_on, last, trained

BEST = {"train.checkpoint": "metric=train_loss", "train.validate": 5, "train.epochs": 5}
DECIDES = {
    **BEST,
    "train.schedule": "plateau 0 metric=train_loss by=9 factor=0.5 end=1e-4",
    "train.deterministic": True,
}


@pytest.mark.usefixtures("no_report")
def test_the_best_epoch_need_not_be_validated(tmp_path: Path) -> None:
    looker = Looker()
    still = {"train.optimizer": "sgd lr=1e-9"}  # dropout alone makes the difference
    result = trained(tmp_path / "run", callback=looker, set={**BEST, **still})
    losses = [record.train["loss"] for record in looker.epochs]
    assert [bool(record.val) for record in looker.epochs] == [False] * 4 + [True]
    lowest = losses.index(min(losses)) + 1
    assert result.best_epoch == lowest
    assert about_weights(tmp_path / "run" / "best.safetensors")["epoch"] == str(lowest)
    assert [record.best for record in looker.epochs] == [
        loss < min(losses[:place], default=9) for place, loss in enumerate(losses)
    ]
    record = json.loads((tmp_path / "run" / "record.json").read_text())["result"]
    assert record["best"] == pytest.approx(min(losses))
    assert "train_loss" not in record["val"], "which is what the validation set gives"
    assert result.metrics["top1"] == record["val"]["top1"]


def test_of_equal_losses_the_first_stays() -> None:
    """They may have no validation loss to compare."""
    assert is_best("train_loss", {"train_loss": 0.5}, None)
    assert not is_best("train_loss", {"train_loss": 0.5}, {"train_loss": 0.5, "loss": 1.0})
    assert is_best("train_loss", {"train_loss": 0.4}, {"train_loss": 0.5, "loss": 1.0})


@pytest.mark.usefixtures("no_report")
def test_the_rate_falls_after_any_epoch_down_to_its_end(tmp_path: Path) -> None:
    looker = Looker()
    trained(tmp_path / "run", callback=looker, set={**DECIDES, "train.optimizer": "adam lr=4e-4"})
    assert [record.lr for record in looker.epochs] == pytest.approx([4e-4, 4e-4, 2e-4, 1e-4, 1e-4])
    falls = [note for note in looker.notes if "learning rate falls" in note]
    assert len(falls) == 2, "and then it does not fall"


@pytest.mark.usefixtures("no_report")
def test_training_ends_without_a_validation(tmp_path: Path) -> None:
    changes = {**BEST, "train.early_stop": "2 metric=train_loss by=9", "train.validate": 4}
    result = trained(tmp_path / "run", set=changes)
    assert (result.reason, result.epochs) == ("early stop", 3)
    assert result.metrics["top1"] > 0, "the best weights are evaluated at the end, as always"


@pytest.mark.usefixtures("no_report")
def test_it_is_resumed_to_the_bit(tmp_path: Path) -> None:
    trained(tmp_path / "whole", set=DECIDES)
    trained(tmp_path / "run", callback=Looker(stop_after=15), set=DECIDES)
    gone_on(tmp_path / "run")
    assert equal(last(tmp_path / "run"), last(tmp_path / "whole"))


def test_small_changes_do_not_count() -> None:
    """Those of at most `by`, as Keras' `min_delta`."""
    falls = PlateauState(Plateau.make(patience=1, by=0.1))
    assert [falls.epoch(value) for value in (1.0, 0.95, 0.91, 0.85, 0.8, 0.76)] == [
        False, False, True, False, False, True,
    ]  # fmt: skip
    schedule = Plateau.make(patience=0)
    waits = Rates(schedule, 0.1, Length(3, 1)).plateau
    assert waits is not None
    waits.epoch(float("nan"))
    assert not waits.epoch(1.0), "a first result that is NaN is not the one to beat"


def test_it_is_not_a_metric_of_the_validation_set(tmp_path: Path) -> None:
    for changes in ({"train.metrics": "train_loss"}, {"train.early_stop": "metric=a.train_loss"}):
        with pytest.raises(SpecError) as error:
            trained(tmp_path / "run", SPEC, set=changes)
        assert "train_loss" in error.value.diagnostics[0].message
