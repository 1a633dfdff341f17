"""Plain lines, where the output is not a terminal: one for each epoch."""

from __future__ import annotations

import time
from typing import TextIO

from ...compiler.report.style import PLAIN, Style
from ...dsl.render import show
from ..trainer.callbacks import Callback, EpochRecord, RunEnd, RunStart
from .messages import beginning, end, epoch_line
from .progress import Clock

_WIDTH = 140
"""Of an epoch's line, at least: who pipes it into a file wants all columns."""
_PATIENCE = 2.0
_BETWEEN = 15.0


class Plain(Callback):
    """Writes lines as they come."""

    def __init__(
        self, stream: TextIO, style: Style = PLAIN, *, now: Clock = time.monotonic
    ) -> None:
        self._stream = stream
        self._style = style
        self._now = now
        self._start: RunStart | None = None
        self._reading = ""
        self._next_word = 0.0
        self._gone = False
        """The reader is gone, as in `cnn train … | head`. That is no reason to stop training."""

    def reading(self, what: str, done: int, total: int | None) -> None:
        """Shown only where it takes long."""
        now = self._now()
        if what != self._reading:
            self._reading, self._next_word = what, now + _PATIENCE
        elif now >= self._next_word:
            self._next_word = now + _BETWEEN
            of = f" of {total:,}" if total is not None else ""
            self._say(f"{show(what)}: {done:,}{of}")

    def started(self, start: RunStart) -> None:
        self._start = start
        for line in beginning(start, self._style):
            self._say(line)

    def epoch(self, record: EpochRecord) -> None:
        epochs = self._start.epochs if self._start is not None else record.epoch
        self._say(epoch_line(record, epochs, max(self._style.width, _WIDTH)))

    def note(self, line: str) -> None:
        self._say("\n".join(map(show, line.splitlines())))

    def finished(self, end_: RunEnd) -> None:
        for line in end(end_, self._start):
            self._say(line)

    def _say(self, line: str) -> None:
        if self._gone:
            return
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except OSError:
            self._gone = True
