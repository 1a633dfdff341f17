"""Who looks on: what a stream can show, and what the spec asks for."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TextIO

from ...compiler.plan.plan import TrainPlan
from ...compiler.report.style import Style
from ..trainer.callbacks import Callback
from .combined import Combined
from .csv_file import CsvFile
from .plain import Plain
from .tensorboard import TensorBoard

_CANNOT_MOVE = ("dumb", "unknown")
"""Terminals whose cursor only goes on."""

_LOGS: dict[str, Callable[[], Callback]] = {"csv": CsvFile, "tensorboard": TensorBoard}


def callback_for(
    stream: TextIO,
    *,
    color: bool,
    plan: TrainPlan | None = None,
    width: int = 100,
    live: bool | None = None,
) -> Callback:
    """A live display on a terminal, else lines; and beside it the files that a plan's `log` asks
    for. `width` is that of lines; a display goes by its terminal."""
    if live is None:
        live = stream.isatty() and os.environ.get("TERM") not in _CANNOT_MOVE
    shown: Callback
    if live:
        from .live import Live

        shown = Live(stream, color=color)
    else:
        shown = Plain(stream, Style(width, color))
    logs = plan.train.log.to if plan is not None and plan.train.log is not None else ()
    return Combined([shown, *(_LOGS[name]() for name in logs)]) if logs else shown
