"""A callback ends training after an epoch: that is shown and recorded, and the run resumes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dotcnn.training.display.messages import end_lines
from dotcnn.training.trainer.callbacks import EpochRecord
from dotcnn.training.trainer.combined import Combined

from ..small import Looker, equal, gone_on, last, trained


class Stopper(Looker):
    """Asks to stop after an epoch."""

    def __init__(self, after: int, why: str = "pruned: worse than the median") -> None:
        super().__init__()
        self.after, self.why = after, why

    def epoch(self, record: EpochRecord) -> str | None:
        super().epoch(record)
        return self.why if record.epoch == self.after else None


def record_of(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "record.json").read_text())
    return record


@pytest.mark.slow
def test_a_callback_stops_training_and_the_run_goes_on_from_there(tmp_path: Path) -> None:
    """Also where no checkpoint was due: with `checkpoint 100`, only that of the best epoch is."""
    stopper = Stopper(2)
    result = trained(
        tmp_path / "parts", set={"train.checkpoint": "100 metric=train_loss"}, callback=stopper
    )
    assert (result.reason, result.epochs) == ("callback stop", 2)
    assert result.why == stopper.why
    assert result.outcome is not None  # the best weights are evaluated
    assert stopper.end is not None
    assert end_lines(stopper.end, stopper.begun)[0].startswith(
        "callback stop (pruned: worse than the median): 2 epochs in "
    )
    record = record_of(tmp_path / "parts")
    assert (record["state"], record["why"]) == ("callback stop", stopper.why)

    assert gone_on(tmp_path / "parts").reason == "done"
    record = record_of(tmp_path / "parts")
    assert (record["state"], record["why"]) == ("done", "")
    trained(tmp_path / "whole")
    assert equal(last(tmp_path / "parts"), last(tmp_path / "whole"))


def test_a_stop_after_the_last_epoch_changes_nothing(tmp_path: Path) -> None:
    result = trained(tmp_path / "run", set={"train.epochs": 1}, callback=Stopper(1))
    assert (result.reason, result.why) == ("done", "")


@pytest.mark.slow
def test_each_network_of_an_ensemble_may_be_stopped(tmp_path: Path) -> None:
    result = trained(tmp_path / "run", set={"train.ensemble": 2}, callback=Stopper(1))
    assert result.reason == "done"
    for number in ("1", "2"):
        assert record_of(tmp_path / "run" / number)["state"] == "callback stop"
    looker = Looker()
    gone_on(tmp_path / "run", callback=looker)
    assert not looker.steps  # both are trained


def test_the_reasons_of_several_callbacks_are_joined() -> None:
    both = Combined([Stopper(1, "one"), Looker(), Stopper(1, "two")])
    record = EpochRecord(1, 1, 0.1, {}, {}, False, 1.0, 1.0, 0.0)
    assert both.epoch(record) == "one; two"
    assert both.epoch(record._replace(epoch=2)) is None
