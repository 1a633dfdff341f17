"""`log csv`: read back with the csv module."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from dotcnn.training.display.choose import callback_for
from dotcnn.training.loggers.csv_logger import CsvLogger

from ..display.events import a_request, before_training, record, start, whole_run


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_plan_that_says_so_gets_both(tmp_path: Path) -> None:
    whole_run(callback_for(io.StringIO(), color=False, request=a_request()), tmp_path)
    assert [row["epoch"] for row in rows(tmp_path)] == ["0", "1", "2", "3"]
    assert len(list((tmp_path / "tensorboard").glob("events*"))) == 1


def test_a_row_has_all_figures(tmp_path: Path) -> None:
    log = CsvLogger()
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
    log = CsvLogger()
    log.started(start(tmp_path))
    log.epoch(record(1, validated=False))
    log.epoch(record(2, top1=0.875))
    first, second = rows(tmp_path)
    assert first.keys() == second.keys()
    assert (first["val_top1"], second["val_top1"]) == ("", "0.875")


def test_epoch_0_has_no_training_figures(tmp_path: Path) -> None:
    log = CsvLogger()
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
    first, second = CsvLogger(), CsvLogger()
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


def test_a_row_that_was_cut_short_is_not_kept(tmp_path: Path) -> None:
    first, second = CsvLogger(), CsvLogger()
    first.started(start(tmp_path))
    for epoch in (1, 2):
        first.epoch(record(epoch, 9.0))
    file = tmp_path / "metrics.csv"
    file.write_bytes(file.read_bytes()[:-4])
    second.started(start(tmp_path))
    second.epoch(record(3, 5.0))
    assert [row["epoch"] for row in rows(tmp_path)] == ["1", "3"]
