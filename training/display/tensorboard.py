"""`log tensorboard`: a file of events in the run's folder; `tensorboard --logdir runs` shows it."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Literal

from ..checkpoint.run_folder import inner_folder
from ..trainer.callbacks import Callback, EpochRecord, RunStart
from . import events

FOLDER = "tensorboard"


class TensorBoard(Callback):
    """Each process writes a file of its own, as TensorBoard expects; it needs no library."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._folder: Path | None = None

    def started(self, start: RunStart) -> None:
        self._folder = start.folder / FOLDER
        self._path = None

    def epoch(self, record: EpochRecord) -> None:
        now = time.time()
        if self._path is None:
            self._path = self._begin(now, record.epoch)
        values = {
            "lr": record.lr,
            **{f"{name}/train": value for name, value in record.train.items()},
            **{f"{name}/val": value for name, value in record.val.items()},
            "images_per_second": record.images_per_second,
            "waiting": record.waiting,
        }
        self._write(self._path, events.figures(now, record.epoch, values))

    def _begin(self, now: float, epoch: int) -> Path:
        assert self._folder is not None
        inner_folder(self._folder)
        name = f"events.out.tfevents.{int(now):010}.{socket.gethostname()}.{os.getpid()}.0"
        path = self._folder / name
        self._write(path, events.version(now), mode="xb")  # never through a link
        if epoch > 1:
            self._write(path, events.restart(now, epoch))
        return path

    def _write(self, path: Path, event: bytes, mode: Literal["ab", "xb"] = "ab") -> None:
        with path.open(mode) as file:
            file.write(events.record(event))
