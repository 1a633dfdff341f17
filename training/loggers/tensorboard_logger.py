"""`log tensorboard`: event files in the run folder.

    tensorboard --logdir runs

shows all runs. `tensorboard/` has what happens once, or once an epoch, by epoch: curves, images,
the hyperparameters, the graph and the text of the spec; `tensorboard/steps/` has the loss and the
learning rate by step. They are two folders because a run that goes on has TensorBoard forget all
that its folder has from a step on, whatever the step counts.
"""

from __future__ import annotations

import itertools
import os
import re
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...compiler.plan.log import Log
from ..checkpoint.run_folder import inner_folder
from ..trainer.callbacks import EpochRecord, RunEnd, RunStart, Step
from .files_of_run import confusion_matrices, picture, png
from .hyperparameters import hyperparameters
from .logger import FAILED, FINISHED, PRUNED, Logger, last_metrics, must_be_installed, state_of
from .step_points import StepPoints

FOLDER, STEPS = "tensorboard", "steps"


class TensorBoardLogger(Logger):
    """Each process of a run writes files of its own, as TensorBoard expects. Unlike with
    `SummaryWriter`, no thread writes them: an error is reported in the epoch in which it occurs."""

    tool = "TensorBoard"

    def __init__(self, log: Log | None = None) -> None:
        """Raises SpecError if TensorBoard is not installed."""
        requested = log.place("to") if log is not None else None
        must_be_installed("tensorboard", "tensorboard", requested)
        self._start: RunStart | None = None

    def started(self, start: RunStart) -> None:
        self._start = start
        folder = start.folder / FOLDER
        first_epoch = start.resumed[0] if start.resumed else 0
        self._events = _EventFile(folder, first_epoch)
        self._step_events = _EventFile(folder / STEPS, start.first_step + 1)
        self._points = StepPoints(start)
        if start.resumed is None or not self._events.continues:
            self._describe(start)

    def before_training(self, record: EpochRecord) -> None:
        self._scalars(record.epoch, {f"{name}/val": value for name, value in record.val.items()})

    def step(self, step: Step) -> None:
        if self._points.add(step):
            self._write_points()

    def epoch(self, record: EpochRecord) -> None:
        self._write_points()
        values = {
            "lr": record.lr,
            **{f"{name}/train": value for name, value in record.train.items()},
            **{f"{name}/val": value for name, value in record.val.items()},
            "images_per_second": record.images_per_second,
            "waiting": record.waiting,
        }
        self._scalars(record.epoch, values)

    def finished(self, end: RunEnd) -> None:
        start = self._start
        if start is None or end.folder != start.folder:  # that of an ensemble
            return
        self._write_points()
        for part, metrics in last_metrics(end).items():
            name = "best" if part == "val" else part
            self._scalars(end.epochs, {f"{name}/{metric}": v for metric, v in metrics.items()})
        for tag, image in confusion_matrices(end, start):
            self._image(end.epochs, tag, image)
        for number, mistake in enumerate(end.mistakes(), 1):
            answer = f"{mistake.label} as {mistake.predicted}"
            self._image(end.epochs, f"mistakes/{number:02} {answer}", picture(mistake))
        self._text(end.epochs, "result", _result(end))
        self._ended(state_of(end))

    def close(self) -> None:
        if self._start is not None:  # training failed with an unexpected error
            self._write_points()
            self._ended(FAILED)

    # ---- events ----

    def _describe(self, start: RunStart) -> None:
        from torch.utils.tensorboard import summary as summaries

        hparams: Any = summaries.hparams
        names = [*(f"{name}/val" for name in start.metrics), *(f"{n}/train" for n in start.running)]
        experiment, session, _ = hparams(hyperparameters(start), dict.fromkeys(names, 0.0))
        self._events.add(summary=experiment)
        self._events.add(summary=session)
        self._text(0, "spec", "\n".join(f"    {line}" for line in start.spec.splitlines()))
        if start.graph is not None:
            from .tensorboard_graph import graph_def

            self._events.add(graph_def=graph_def(start.graph).SerializeToString())

    def _ended(self, state: str) -> None:
        """TensorBoard keeps the first status that it is told of. So it is told of none that changes
        when the run is resumed."""
        from tensorboard.plugins.hparams.api_pb2 import Status
        from tensorboard.plugins.hparams.metadata import PLUGIN_DATA_VERSION, SESSION_END_INFO_TAG
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo

        self._start = None
        if state not in (FINISHED, PRUNED):
            return
        status = Status.Value("STATUS_SUCCESS")
        content = HParamsPluginData(
            session_end_info=SessionEndInfo(status=status, end_time_secs=time.time()),
            version=PLUGIN_DATA_VERSION,
        )
        self._events.add(summary=_value(SESSION_END_INFO_TAG, "hparams", content))

    def _scalars(self, epoch: int, values: Mapping[str, float]) -> None:
        summary = _summary()
        for name, value in values.items():
            summary.value.add(tag=name, simple_value=value)
        self._events.add(step=epoch, summary=summary)

    def _write_points(self) -> None:
        for point in self._points.take():
            summary = _summary()
            summary.value.add(tag="loss", simple_value=point.loss)
            summary.value.add(tag="lr", simple_value=point.lr)
            self._step_events.add(step=point.step, summary=summary)

    def _image(self, epoch: int, tag: str, image: Any) -> None:
        summary = _summary()
        value = summary.value.add(tag=tag)
        value.image.width, value.image.height = image.size
        value.image.colorspace = len(image.getbands())
        value.image.encoded_image_string = png(image)
        self._events.add(step=epoch, summary=summary)

    def _text(self, epoch: int, tag: str, text: str) -> None:
        """A text in Markdown."""
        from torch.utils.tensorboard import summary as summaries

        text_summary: Any = summaries.text
        self._events.add(step=epoch, summary=text_summary(tag, text))


def _result(end: RunEnd) -> str:
    """How a run ended, in Markdown."""
    ended = f"{end.reason} ({end.why})" if end.why else end.reason
    lines = [f"**{state_of(end)}**: {ended}, after {end.epochs} epochs in {end.seconds:.0f} s"]
    if end.best_epoch is not None:
        lines.append(f"best epoch: {end.best_epoch}")
    rows = [
        f"| {part} {name} | {value:.6g} |"
        for part, metrics in last_metrics(end).items()
        for name, value in metrics.items()
    ]
    table = "\n".join(["| metric | value |", "| --- | --- |", *rows]) if rows else ""
    return "\n\n".join(filter(None, [*lines, table, *end.verdict]))


def _summary() -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary()


def _value(tag: str, plugin: str, content: Any) -> Any:
    """A summary of a plug-in of TensorBoard."""
    summary = _summary()
    value = summary.value.add(tag=tag)
    value.metadata.plugin_data.plugin_name = plugin
    value.metadata.plugin_data.content = content.SerializeToString()
    return summary


_PREFIX = "events.out.tfevents."
_NUMBERS = itertools.count()


def _second(folder: Path) -> int:
    """The time that a new file is named after, later than that of all others: TensorBoard reads
    files in the order of their names. A run may go on within the second, or on a computer whose
    clock is behind."""
    names = (path.name.removeprefix(_PREFIX) for path in folder.glob(f"{_PREFIX}*"))
    others = [int(found[0]) for name in names if (found := re.match(r"\d{10}(?=\.)", name))]
    return max([int(time.time()), *(second + 1 for second in others)])


class _EventFile:
    """A file of events, created with its first one. If its folder has older files, TensorBoard
    forgets what they have from the step `first` on."""

    def __init__(self, folder: Path, first: int) -> None:
        self._folder = folder
        self._first = first
        self._path: Path | None = None
        self.continues = not folder.is_symlink() and any(folder.glob(f"{_PREFIX}*"))
        """Whether there are older files."""

    def add(self, **content: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        events = [Event(wall_time=time.time(), **content)]
        fresh = self._path is None
        if self._path is None:
            inner_folder(self._folder)
            place = f"{_second(self._folder):010}.{socket.gethostname()}.{os.getpid()}"
            self._path = self._folder / f"{_PREFIX}{place}.{next(_NUMBERS)}"
            events.insert(0, Event(wall_time=time.time(), file_version="brain.Event:2"))
            if self.continues:
                status = {"status": "START"}
                again = Event(wall_time=time.time(), step=self._first, session_log=status)
                events.insert(1, again)
        with self._path.open("xb" if fresh else "ab") as file:  # never through a link
            writer = RecordWriter(file)
            for event in events:
                writer.write(event.SerializeToString())
