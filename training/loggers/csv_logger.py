"""`log csv`: metrics.csv in the run folder, one row for each epoch."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ...dsl.atomic_file import write_whole
from ..trainer.callbacks import EpochRecord, RunStart
from ..untrusted.bad_file import BadFile
from ..untrusted.open_file import read_text
from .logger import Logger

NAME = "metrics.csv"
MAX_BYTES = 256 * 2**20


class CsvLogger(Logger):
    """If a run is resumed, the rows of repeated epochs are replaced."""

    tool = "CSV"

    def __init__(self) -> None:
        self._path: Path | None = None
        self._running: Sequence[str] = ()
        self._metrics: Sequence[str] = ()
        self._started = False

    def started(self, start: RunStart) -> None:
        self._path = start.folder / NAME
        self._running, self._metrics = start.running, start.metrics
        self._started = False

    def before_training(self, record: EpochRecord) -> None:
        self.epoch(record)

    def epoch(self, record: EpochRecord) -> None:
        assert self._path is not None
        row = _row(record, self._running, self._metrics)
        if not self._started:
            self._start_file(list(row), record.epoch)
            self._started = True
        with self._path.open("a", encoding="utf-8", newline="") as file:
            file.write(_line(row.values()))

    def _start_file(self, header: list[str], epoch: int) -> None:
        assert self._path is not None
        kept = ""
        with suppress(BadFile, csv.Error):  # no file yet, or not a CSV file
            text = read_text(self._path, MAX_BYTES)
            text = text[: text.rfind("\n") + 1]  # the last line may have been cut short
            before = list(csv.reader(io.StringIO(text, newline="")))
            if before and before[0] == header:
                rows = (row for row in before[1:] if len(row) == len(header))
                kept = "".join(_line(row) for row in rows if _epoch_of(row) < epoch)
        write_whole(self._path, (_line(header) + kept).encode())


def _epoch_of(row: list[str]) -> float:
    """The epoch of a row; of an incomplete row, infinity: it is not kept."""
    return int(row[0]) if row and row[0].isdecimal() and len(row[0]) < 20 else float("inf")


def _row(record: EpochRecord, running: Sequence[str], metrics: Sequence[str]) -> dict[str, object]:
    """The columns of an epoch. Those of a validation are empty after an epoch without one, and
    those of training in epoch 0."""
    return {
        "epoch": record.epoch,
        "steps": record.steps,
        "lr": record.lr,
        **{f"train_{name}": record.train.get(name, "") for name in running},
        **{f"val_{name}": record.val.get(name, "") for name in metrics},
        "best": int(record.best),
        "seconds": record.seconds,
        "images_per_second": record.images_per_second,
        "waiting": record.waiting,
    }


def _line(values: object) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)  # type: ignore[arg-type]
    return text.getvalue()
