"""Chooses how progress is reported: live display or plain lines, and log files."""

from __future__ import annotations

import os
from typing import TextIO

from ...compiler.plan.plan import TrainPlan
from ...compiler.report.style import Style
from ..trainer.callbacks import Callback
from .combined import Combined
from .csv_file import CsvFile
from .notebook import Notebook, in_notebook
from .plain import Plain
from .tensorboard import TensorBoard

_CANNOT_MOVE = ("dumb", "unknown")
"""Values of TERM for terminals that cannot move the cursor."""


def callback_for(
    stream: TextIO,
    *,
    color: bool,
    plan: TrainPlan | None = None,
    width: int = 100,
    live: bool | None = None,
) -> Callback:
    """A live display on a terminal or in a notebook, else plain lines; and the log files of the
    plan. `width` is for plain lines; a live display uses the width of its terminal."""
    if live is None:
        live = stream.isatty() and os.environ.get("TERM") not in _CANNOT_MOVE
    shown: Callback
    if in_notebook():
        shown = Notebook()
    elif live:
        from .live import Live

        shown = Live(stream, color=color)
    else:
        shown = Plain(stream, Style(width, color))
    logs = logs_of(plan) if plan is not None else []
    return Combined([shown, *logs]) if logs else shown


def logs_of(plan: TrainPlan) -> list[Callback]:
    """The log files that the plan asks for; raises SpecError if a package is missing."""
    log = plan.train.log
    if log is None:
        return []
    return [CsvFile() if name == "csv" else TensorBoard(log.span) for name in log.to]
