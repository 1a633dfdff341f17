"""Chooses how progress is reported: live display or plain lines, and loggers."""

from __future__ import annotations

import os
from typing import TextIO

from ...compiler.report.style import Style
from ..loggers.open_loggers import loggers_of
from ..request import Request
from ..trainer.callbacks import Callback
from ..trainer.combined import Combined
from .notebook import Notebook, in_notebook
from .plain import Plain

_CANNOT_MOVE = ("dumb", "unknown")
"""Values of TERM for terminals that cannot move the cursor."""


def callback_for(
    stream: TextIO,
    *,
    color: bool,
    request: Request | None = None,
    width: int = 100,
    live: bool | None = None,
) -> Callback:
    """A live display on a terminal or in a notebook, else plain lines; and the loggers of a
    request. `width` is for plain lines; a live display uses the width of its terminal.

    Raises SpecError if a logger cannot be used here."""
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
    loggers = loggers_of(request.plan, request.base) if request is not None else []
    return Combined([shown, *loggers]) if loggers else shown
