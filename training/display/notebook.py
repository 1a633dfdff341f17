"""Progress in a notebook: one output that is written anew, without widgets."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from html import escape
from typing import Any

from ..trainer.callbacks import Callback, EpochRecord, RunEnd, RunStart, Step
from .messages import end_lines
from .number_format import metric
from .sparkline import sparkline

_BETWEEN = 0.5
"""Seconds between two writings."""
_ROWS = 30
"""Epochs that are listed; of a longer run, the last ones."""


def in_notebook() -> bool:
    """Whether this runs in a notebook's kernel, whose outputs can be written anew."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


class Notebook(Callback):
    """A table of epochs, with a bar for the one that goes on."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._start: RunStart | None = None
        self._records: list[EpochRecord] = []
        self._notes: list[str] = []
        self._now = ""
        self._share = 0.0
        self._written = 0.0

    def reading(self, what: str, done: int, total: int | None) -> None:
        self._now = f"{what}: {done:,}" + (f" of {total:,}" if total else "")
        self._share = done / total if total else 0.0
        self._write()

    def started(self, start: RunStart) -> None:
        self._start = start
        self._write(at_once=True)

    def before_training(self, record: EpochRecord) -> None:
        self.epoch(record)

    def step(self, step: Step) -> None:
        batches = self._start.batches if self._start is not None else 0
        self._now = (
            f"epoch {step.epoch}, loss {step.loss:.4g}, {step.images_per_second:,.0f} a second"
        )
        self._share = step.batch / batches if batches else 0.0
        self._write()

    def evaluating(self, part: str, batch: int, batches: int) -> None:
        self._now, self._share = f"evaluating ({part})", batch / batches if batches else 0.0
        self._write()

    def epoch(self, record: EpochRecord) -> None:
        self._records.append(record)
        self._write(at_once=True)

    def note(self, line: str) -> None:
        self._notes.append(line)
        self._write(at_once=True)

    def finished(self, end: RunEnd) -> None:
        self._now = ""
        self._notes += end_lines(end, self._start)
        self._write(at_once=True)

    def _write(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if not at_once and now - self._written < _BETWEEN:
            return
        self._written = now
        from IPython.display import HTML, display

        if self._handle is None:
            self._handle = display(HTML(self.html()), display_id=True)
        else:
            self._handle.update(HTML(self.html()))

    def html(self) -> str:
        """What is shown now."""
        parts = []
        start = self._start
        if start is not None:
            parts.append(f"<b>{escape(start.network)}</b> on {escape(start.device)}")
        if self._now:
            parts.append(
                f"<div>{escape(self._now)}</div>"
                f'<progress value="{self._share:.3f}" max="1" style="width: 20em"></progress>'
            )
        if self._records:
            parts.append(self._table())
        parts += [f'<pre style="margin: 0">{escape(note)}</pre>' for note in self._notes]
        return "<div>" + "".join(parts) + "</div>"

    def _table(self) -> str:
        names = list(dict.fromkeys(name for each in self._records for name in each.train))
        measured = list(dict.fromkeys(name for each in self._records for name in each.val))
        head = ["epoch", *(f"train {name}" for name in names), *measured, "seconds"]
        lines = [_line("th", head)]
        for each in self._records[-_ROWS:]:
            cells = [f"{each.epoch}{' *' if each.best else ''}"]
            cells += [_figure(name, each.train.get(name)) for name in names]
            cells += [_figure(name, each.val.get(name)) for name in measured]
            lines.append(_line("td", [*cells, f"{each.seconds:.1f}"]))
        curves = [""] + [
            sparkline([each.train[name] for each in self._records if name in each.train], 16)
            for name in names
        ]
        curves += [
            sparkline([each.val[name] for each in self._records if name in each.val], 16)
            for name in measured
        ]
        lines.append(_line("td", [*curves, ""]))
        return f"<table>{''.join(lines)}</table>"


def _figure(name: str, value: float | None) -> str:
    return "" if value is None else metric(name, value)


def _line(tag: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
