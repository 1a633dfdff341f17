"""`log tensorboard`: writes an event file into the run folder.

`tensorboard --logdir runs` shows the curves of all runs.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.source import Span
from ..checkpoint.run_folder import inner_folder
from ..trainer.callbacks import Callback, EpochRecord, RunStart

FOLDER = "tensorboard"


class TensorBoard(Callback):
    """Each process writes its own file, as TensorBoard expects. Unlike `SummaryWriter`, no thread
    writes the records: an error is reported in the epoch in which it occurs."""

    def __init__(self, requested: Span | None = None) -> None:
        """Raises SpecError if TensorBoard is not installed; `requested` is the directive in the
        spec."""
        if find_spec("tensorboard") is None:
            message = "`log tensorboard` needs tensorboard, which is not installed"
            help = 'pip install "dotcnn[tensorboard]"'
            raise SpecError([Diagnostic("missing-package", message, requested, help=help)])
        self._path: Path | None = None
        self._folder: Path | None = None

    def started(self, start: RunStart) -> None:
        self._folder = start.folder / FOLDER
        self._path = None

    def before_training(self, record: EpochRecord) -> None:
        self._add(record.epoch, {f"{name}/val": value for name, value in record.val.items()})

    def epoch(self, record: EpochRecord) -> None:
        values = {
            "lr": record.lr,
            **{f"{name}/train": value for name, value in record.train.items()},
            **{f"{name}/val": value for name, value in record.val.items()},
            "images_per_second": record.images_per_second,
            "waiting": record.waiting,
        }
        self._add(record.epoch, values)

    def _add(self, epoch: int, values: Mapping[str, float]) -> None:
        if self._path is None:
            self._path = self._start_file(epoch)
        event = _event(step=epoch)
        for name, value in values.items():
            event.summary.value.add(tag=name, simple_value=value)
        _write(self._path, event)

    def _start_file(self, epoch: int) -> Path:
        assert self._folder is not None
        inner_folder(self._folder)
        name = f"events.out.tfevents.{int(time.time()):010}.{socket.gethostname()}.{os.getpid()}.0"
        path = self._folder / name
        _write(path, _event(file_version="brain.Event:2"), mode="xb")  # never through a link
        if epoch > 1:  # a resumed run: TensorBoard discards older events from this epoch on
            _write(path, _event(step=epoch, session_log={"status": "START"}))
        return path


def _event(**content: object) -> Any:
    from tensorboard.compat.proto.event_pb2 import Event

    return Event(wall_time=time.time(), **content)


def _write(path: Path, event: Any, mode: Literal["ab", "xb"] = "ab") -> None:
    from tensorboard.summary.writer.record_writer import RecordWriter

    with path.open(mode) as file:
        RecordWriter(file).write(event.SerializeToString())
