"""`log csv tensorboard`: files of figures beside the run."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.display.choose import callback_for
from dotcnn.training.display.csv_file import CsvFile
from dotcnn.training.display.tensorboard import TensorBoard

from .events import a_plan, before_training, record, start, whole_run


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_plan_that_says_so_gets_both(tmp_path: Path) -> None:
    whole_run(callback_for(io.StringIO(), color=False, plan=a_plan()), tmp_path)
    assert [row["epoch"] for row in rows(tmp_path)] == ["0", "1", "2", "3"]
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1


def test_a_row_has_all_figures(tmp_path: Path) -> None:
    log = CsvFile()
    log.started(start(tmp_path))
    log.epoch(record(1, 0.25, 0.875, best=True))
    assert rows(tmp_path) == [
        {
            "epoch": "1",
            "steps": "10",
            "lr": "0.05",
            "train_loss": "0.25",
            "train_top1": str(0.875 - 0.05),
            "val_loss": str(0.25 * 1.1),
            "val_top1": "0.875",
            "val_top5": "0.99",
            "best": "1",
            "seconds": "2.0",
            "images_per_second": "6400.0",
            "waiting": "0.0",
        }
    ]


def test_epochs_without_validation_have_the_same_columns(tmp_path: Path) -> None:
    log = CsvFile()
    log.started(start(tmp_path))
    log.epoch(record(1, validated=False))
    log.epoch(record(2, top1=0.875))
    first, second = rows(tmp_path)
    assert first.keys() == second.keys()
    assert (first["val_top1"], second["val_top1"]) == ("", "0.875")


def test_epoch_0_has_no_training_figures(tmp_path: Path) -> None:
    log = CsvFile()
    log.started(start(tmp_path))
    log.before_training(before_training())
    log.epoch(record(1))
    first, second = rows(tmp_path)
    assert first.keys() == second.keys()
    assert (first["epoch"], first["train_loss"], first["val_top1"]) == ("0", "", "0.1")
    assert second["train_loss"] == "0.5"


def test_epochs_that_are_learned_again_are_written_once(tmp_path: Path) -> None:
    """A run that was killed goes on from its last checkpoint, which may be older than its rows; and
    the last row may have been cut short."""
    first, second = CsvFile(), CsvFile()
    first.started(start(tmp_path))
    for epoch in (1, 2, 3):
        first.epoch(record(epoch, 9.0))
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("4,4")
    second.started(start(tmp_path))
    for epoch in (3, 4):
        second.epoch(record(epoch, 5.0))
    found = [(row["epoch"], row["train_loss"]) for row in rows(tmp_path)]
    assert found == [("1", "9.0"), ("2", "9.0"), ("3", "5.0"), ("4", "5.0")]


# ---- TensorBoard -------------------------------------------------------------------------------


def test_the_file_says_what_happened(tmp_path: Path) -> None:
    log = TensorBoard()
    log.started(start(tmp_path))
    log.before_training(before_training())
    log.epoch(record(1, 0.25, 0.875))
    log.epoch(record(2, 0.125, 0.9375))
    found = scalars(tmp_path)
    assert found["loss/train"] == [(1, 0.25), (2, 0.125)]
    assert found["top1/val"] == [(0, pytest.approx(0.1)), (1, 0.875), (2, 0.9375)]
    assert found["lr"] == [(1, pytest.approx(0.05)), (2, pytest.approx(0.05))]


def test_a_resumed_run_replaces_the_epochs_that_it_repeats(tmp_path: Path) -> None:
    """The other process wrote epochs that were lost with it."""
    for pid, epochs, loss in ((1, (1, 2, 3), 9.0), (2, (3, 4), 5.0)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("os.getpid", lambda pid=pid: pid)
            log = TensorBoard()
            log.started(start(tmp_path))
            for epoch in epochs:
                log.epoch(record(epoch, loss))
    assert len(list((tmp_path / "tensorboard").iterdir())) == 2
    assert scalars(tmp_path)["loss/train"] == [(1, 9.0), (2, 9.0), (3, 5.0), (4, 5.0)]


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """As TensorBoard shows them."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulator.EventAccumulator(str(folder / "tensorboard"))
    found.Reload()
    return {
        tag: [(event.step, event.value) for event in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
    }


def test_without_tensorboard_training_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dotcnn.training.display.tensorboard.find_spec", lambda name: None)
    with pytest.raises(SpecError) as raised:
        callback_for(io.StringIO(), color=False, plan=a_plan())
    (found,) = raised.value.diagnostics
    assert found.help == 'pip install "dotcnn[tensorboard]"'
    assert found.span is not None
    assert found.span.text == "log csv tensorboard"
