"""Callbacks of the user: what happens if one raises an exception.

Before training it is an error like any other. During training the run is saved at the end of the
step, in all processes, and ends; it can be resumed once the callback is mended. After training the
run is finished, and the error is reported last.
"""

from __future__ import annotations

import linecache
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...compiler.extend.plugin_files import line_span
from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.source import Source, Span
from ..checkpoint.run_folder import shown
from .callbacks import Callback, EpochRecord, RunEnd, RunStart, Step

FAILED = "a callback failed"


class OwnCallbacks(Callback):
    """Calls each callback of the user, in order. One that has failed is not called again."""

    def __init__(self, callbacks: Sequence[Callback] = ()) -> None:
        self._callbacks = list(callbacks)
        self.error: SpecError | None = None
        """The first error of a callback during or after training."""
        self.end_training: Callable[[], None] = lambda: None
        """Ends training after the step; set when it begins."""

    def reading(self, what: str, done: int, total: int | None) -> None:
        self._before("reading", what, done, total)

    def started(self, start: RunStart) -> None:
        self._before("started", start)

    def before_training(self, record: EpochRecord) -> None:
        self._call("before_training", record)

    def step(self, step: Step) -> None:
        self._call("step", step)

    def evaluating(self, part: str, batch: int, batches: int) -> None:
        self._call("evaluating", part, batch, batches)

    def epoch(self, record: EpochRecord) -> str | None:
        reasons = self._call("epoch", record)
        return FAILED if self.error else "; ".join(reason for reason in reasons if reason) or None

    def note(self, line: str) -> None:
        self._call("note", line)

    def finished(self, end: RunEnd) -> None:
        self._call("finished", end)

    def close(self) -> None:
        self._call("close")

    def _before(self, name: str, *arguments: object) -> None:
        """Before training, when nothing has to be saved."""
        self._call(name, *arguments)
        if self.error is not None:
            raise self.error

    def _call(self, name: str, *arguments: object) -> list[Any]:
        results = []
        for callback in tuple(self._callbacks):
            try:
                result = getattr(callback, name)(*arguments)
                if name == "epoch" and not isinstance(result, str | None):
                    raise TypeError(f"it returned {result!r}, not a text or None")
                results.append(result)
            except Exception as error:  # noqa: BLE001 - whatever it is, the run is saved
                self._callbacks.remove(callback)
                self.error = self.error or SpecError([_diagnostic(callback, name, error)])
                self.end_training()
        return results

    def saved(self, folder: Path, *, finished: bool) -> SpecError:
        """The error, with what became of the run."""
        assert self.error is not None
        (diagnostic,) = self.error.diagnostics
        run = shown(folder)
        help = f"mend it, and go on: `cnn train --resume {run}`"
        if finished:
            help = f"the run is complete nevertheless: {run}"
        return SpecError([replace(diagnostic, help=help)])


def _diagnostic(callback: Callback, name: str, error: Exception) -> Diagnostic:
    kind = type(callback)
    text = str(error).strip().partition("\n")[0]
    message = f"`{kind.__qualname__}.{name}` raised {type(error).__name__}{': ' * bool(text)}{text}"
    module = sys.modules.get(kind.__module__)
    place = place_of_error(error, getattr(module, "__file__", None))
    code = getattr(getattr(kind, name), "__code__", None)
    if place is None and code is not None:  # it returned something that is not a text
        place = _line_of(code.co_filename, code.co_firstlineno)
    return Diagnostic("callback", message, place)


def place_of_error(error: BaseException, file: str | None = None) -> Span | None:
    """The line that raised an exception, in its Python file: the last one in `file`, or else the
    last one; None if its text is not known."""
    everywhere = traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in everywhere if frame.filename == file] or everywhere[1:]
    if not frames or frames[-1].lineno is None:
        return None
    return _line_of(frames[-1].filename, frames[-1].lineno)


def _line_of(file: str, number: int) -> Span | None:
    """A line of a Python file; None if its text is not known."""
    text = "".join(linecache.getlines(file))
    return line_span(Source(shown(Path(file)), text, Path(file)), number) if text else None
