"""The live progress display on a terminal, drawn with rich.

The callbacks only store a few values; a thread of rich draws them a few times a second.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from math import log
from typing import NamedTuple, TextIO

from rich.console import Console, Group
from rich.live import Live as Drawing
from rich.text import Text

from ...compiler.report.style import Style
from ...dsl.printable import show
from ..trainer.callbacks import Callback, EpochRecord, RunEnd, RunStart, Step
from .messages import end_lines, epoch_line, fitting, start_lines
from .number_format import clock, loss, metric, percent, rate, speed
from .progress import Clock, Progress
from .sparkline import ASCII, BLOCKS, sparkline
from .terminal_resize import Reflow

REFRESHES = 5
"""Frames per second."""

_LABELS = 12
_WIDEST = 120
"""Longer lines are hard to read."""


class Signs(NamedTuple):
    """The characters that bars and curves are drawn with."""

    done: str
    rest: str
    levels: str


UNICODE, PLAIN_SIGNS = Signs("━", "─", BLOCKS), Signs("#", "-", ASCII)


def signs_for(stream: TextIO) -> Signs:
    encoding = (getattr(stream, "encoding", None) or "ascii").lower()
    return UNICODE if encoding.startswith("utf") else PLAIN_SIGNS


class Live(Callback):
    """Draws lines that change in place, below the lines that stay."""

    def __init__(
        self,
        stream: TextIO,
        *,
        color: bool,
        console: Console | None = None,
        now: Clock = time.monotonic,
    ) -> None:
        self._console = console or Console(
            file=stream, force_terminal=True, no_color=not color, highlight=False, markup=False,
            emoji=False,
        )  # fmt: skip
        self._signs = signs_for(stream)
        self._now = now
        self._color = color
        self._reading: tuple[str, int, int | None] | None = None
        self._progress: Progress | None = None
        self._reflow = Reflow(self._console)
        self._drawing: Drawing | None = None

    # ---- called by the training loop ----

    def reading(self, what: str, done: int, total: int | None) -> None:
        self._reading = what, done, total
        self._draw()

    def started(self, start: RunStart) -> None:
        self._reading = None
        width = min(self._console.width, _WIDEST)
        self._print(*start_lines(start, Style(width)), "")
        self._progress = Progress(start, self._now)
        self._draw()

    def before_training(self, record: EpochRecord) -> None:
        if self._progress is not None:
            self._progress.evaluated_before_training()
            self._print_epoch(record, self._progress.start)

    def step(self, step: Step) -> None:
        if self._progress is not None:
            self._progress.stepped(step)

    def evaluating(self, part: str, batch: int, batches: int) -> None:
        if self._progress is not None:
            self._progress.evaluating = part, batch, batches

    def epoch(self, record: EpochRecord) -> None:
        if self._progress is None:
            return
        self._progress.recorded(record)
        self._print_epoch(record, self._progress.start)

    def _print_epoch(self, record: EpochRecord, start: RunStart) -> None:
        line = epoch_line(
            record, start.epochs, self._console.width - 1, start.metrics, start.running, start.noun
        )
        self._print(line, style="bold" if record.best else "")

    def note(self, line: str) -> None:
        self._print(*map(show, line.splitlines()), style="yellow")

    def finished(self, end: RunEnd) -> None:
        self.close()
        first, *rest = end_lines(end, self._progress.start if self._progress else None)
        self._print("", first, style="bold")
        self._print(*rest)

    def close(self) -> None:
        drawing, self._drawing = self._drawing, None
        if drawing is not None:
            self._console.pop_render_hook()
            with suppress(OSError):
                drawing.stop()

    # ---- drawing ----

    def _print(self, *lines: str, style: str = "") -> None:
        with suppress(OSError):  # training goes on even if the terminal is closed
            for line in lines:
                self._console.print(Text(line, style, overflow="fold"), soft_wrap=False)

    def _draw(self) -> None:
        if self._drawing is None:
            self._drawing = Drawing(
                console=self._console, get_renderable=self.block, transient=True,
                refresh_per_second=REFRESHES, redirect_stdout=False,
            )  # fmt: skip
            self._drawing.start()
            self._console.push_render_hook(self._reflow)

    def block(self) -> Group:
        """The lines to draw now."""
        width = min(self._console.width - 1, _WIDEST)
        lines = [line for line in self._lines(width) if line.cell_len]
        for line in lines:
            line.no_wrap, line.overflow = True, "crop"
            line.truncate(width)
        self._reflow.draws([line.cell_len for line in lines])
        return Group(*lines)

    def _lines(self, width: int) -> Iterator[Text]:
        progress, reading = self._progress, self._reading
        if progress is not None:
            yield from self._training(progress, width)
        elif reading is not None:
            what, done, total = reading
            of = f" of {total:,}" if total is not None else ""
            yield Text(f"{show(what)}: {done:,}{of}")
            if total:
                yield self._bar(done / total, width)

    def _training(self, progress: Progress, width: int) -> Iterator[Text]:
        start = progress.start
        yield self._line(f"epoch {progress.epoch}/{start.epochs}", self._epoch(progress), width)
        yield self._line("run", self._run(progress), width)
        yield self._row(_now(progress), width)
        if progress.best is not None:
            yield self._row(_best(progress.best), width)
        yield from self._curves(progress, width)

    def _epoch(self, progress: Progress) -> tuple[float, list[str]]:
        evaluating = progress.evaluating
        if evaluating is not None:
            part, batch, batches = evaluating
            what = {"val": "validating", "test": "testing"}.get(part, f"evaluating {part}")
            return batch / max(1, batches), [f"{what} {batch}/{batches}"]
        batches = progress.start.batches
        text = [f"{progress.batch:>{len(str(batches))}}/{batches}"]
        left = progress.epoch_left()
        if left is not None:
            text.append(f"{clock(left)} left")
        return progress.batch / max(1, batches), text

    def _run(self, progress: Progress) -> tuple[float, list[str]]:
        text = [percent(progress.share), f"{clock(progress.elapsed)} elapsed"]
        left = progress.left()
        if left is not None:
            text.append(f"{clock(left)} left")
        return progress.share, text

    def _line(self, label: str, bar: tuple[float, list[str]], width: int) -> Text:
        """A label, a progress bar, and the text beside it."""
        share, texts = bar
        room = width - max(_LABELS, len(label) + 1) - _TEXT - 2
        line = Text().append(f"{label:<{_LABELS - 1}} ", "dim")
        if room >= _SHORTEST_BAR:
            line.append_text(self._bar(share, room))
            line.append("  ")
        return line.append("  ".join(texts))

    def _bar(self, share: float, width: int) -> Text:
        done = max(0, min(width, round(share * width)))
        bar = Text().append(self._signs.done * done, "green")
        return bar.append(self._signs.rest * (width - done), "dim")

    def _row(self, fields: Sequence[tuple[int, str]], width: int) -> Text:
        return Text(" " * _LABELS).append(fitting(fields, width - _LABELS))

    def _curves(self, progress: Progress, width: int) -> Iterator[Text]:
        room = width - _LABELS - 24
        for name, values in _series(progress.records):
            if len(values) > 1 and room >= _SHORTEST_BAR:
                line = Text().append(f"{name:<{_LABELS - 1}} ", "dim")
                line.append(sparkline(_heights(name, values), room, self._signs.levels), "cyan")
                first, last = (metric(name.split()[-1], value) for value in (values[0], values[-1]))
                yield line.append(f"  {first} to {last}")


_SHORTEST_BAR = 8
_TEXT = 30
"""Columns reserved for the text beside a bar."""


def _now(progress: Progress) -> list[tuple[int, str]]:
    """The current loss, learning rate and speed, with their priorities."""
    step = progress.step
    if step is None:
        return [(0, "waiting for the first step")]
    fields = [] if progress.loss is None else [(0, f"loss {loss(progress.loss)}")]
    fields.append((3, f"lr {rate(step.lr)}"))
    fields.append((1, speed(step.images_per_second, progress.start.noun)))
    fields.append((2, f"data wait {percent(step.waiting)}"))
    return fields


def _best(record: EpochRecord) -> list[tuple[int, str]]:
    fields = [(0, f"best so far: epoch {record.epoch}")]
    fields += [
        (place + 1, f"val {name} {metric(name, value)}")
        for place, (name, value) in enumerate(record.val.items())
    ]
    return fields


def _heights(name: str, values: Sequence[float]) -> Sequence[float]:
    """Losses are drawn on a log scale: next to the first one, all others would look alike."""
    if "loss" not in name or not all(value > 0 for value in values):
        return values
    return [log(value) for value in values]


def _series(records: Sequence[EpochRecord]) -> Iterator[tuple[str, list[float]]]:
    """The curves: training loss, and of validation the loss and the first metric."""
    yield "loss", [record.train["loss"] for record in records if "loss" in record.train]
    names = next((list(record.val) for record in reversed(records) if record.val), [])
    shares = [name for name in names if name != "loss"]
    if "loss" in names:
        yield "val loss", [record.val["loss"] for record in records if "loss" in record.val]
    if shares:
        name = shares[0]
        yield f"val {name}", [record.val[name] for record in records if name in record.val]
