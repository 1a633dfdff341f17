"""Progress as plain lines, one for each epoch, when the output is not a terminal."""

from __future__ import annotations

import time
from typing import TextIO

from ...compiler.report.style import PLAIN, Style
from ...dsl.printable import show
from ..trainer.callbacks import Callback, EpochRecord, RunEnd, RunStart
from .messages import end_lines, epoch_line, start_lines
from .progress import Clock

_WIDTH = 180
"""The minimum width of an epoch's line: a log file should have all columns."""
_FIRST_AFTER, _BETWEEN = 2.0, 15.0
"""Seconds until reading data is reported for the first time, and between two such lines."""


class Plain(Callback):
    """Writes each line at once."""

    def __init__(
        self, stream: TextIO, style: Style = PLAIN, *, now: Clock = time.monotonic
    ) -> None:
        self._stream = stream
        self._style = style
        self._now = now
        self._start: RunStart | None = None
        self._reading = ""
        self._next_line = 0.0
        self._closed = False
        """Nobody reads the output any more, as in `cnn train … | head`. Training goes on."""

    def reading(self, what: str, done: int, total: int | None) -> None:
        """Reported only if it takes long."""
        now = self._now()
        if what != self._reading:
            self._reading, self._next_line = what, now + _FIRST_AFTER
        elif now >= self._next_line:
            self._next_line = now + _BETWEEN
            of = f" of {total:,}" if total is not None else ""
            self._write(f"{show(what)}: {done:,}{of}")

    def started(self, start: RunStart) -> None:
        self._start = start
        for line in start_lines(start, self._style):
            self._write(line)

    def before_training(self, record: EpochRecord) -> None:
        self.epoch(record)

    def epoch(self, record: EpochRecord) -> None:
        start, width = self._start, max(self._style.width, _WIDTH)
        if start is None:
            self._write(epoch_line(record, record.epoch, width))
        else:
            self._write(
                epoch_line(record, start.epochs, width, start.metrics, start.running, start.noun)
            )

    def note(self, line: str) -> None:
        self._write("\n".join(map(show, line.splitlines())))

    def finished(self, end: RunEnd) -> None:
        for line in end_lines(end, self._start):
            self._write(line)

    def _write(self, line: str) -> None:
        if self._closed:
            return
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except OSError:
            self._closed = True
