"""Exit codes, errors and messages of commands, and the terminal: its colours and its width."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from ...dsl.diagnostics import Diagnostic
    from ..report.style import Style

OK, ERRORS, USAGE, INTERRUPTED = 0, 1, 2, 130


class CommandError(Exception):
    """A command cannot do what was asked; its message is printed as one line."""

    code = ERRORS


class UsageError(CommandError):
    """The command line itself is wrong."""

    code = USAGE


def say(line: str) -> None:
    """Tells the person something that is not the result."""
    print(line, file=sys.stderr, flush=True)


def print_diagnostics(
    diagnostics: Iterable[Diagnostic], options: argparse.Namespace, stream: TextIO | None = None
) -> None:
    """On stderr, unless they are the result."""
    from ...dsl.render import render_text

    stream = stream or sys.stderr
    text = render_text(diagnostics, color=wants_color(options, stream), width=width(stream))
    print(text, file=stream)


def wants_color(options: argparse.Namespace, stream: TextIO) -> bool:
    if options.color != "auto":
        return bool(options.color == "always")
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def width(stream: TextIO) -> int:
    """In columns; COLUMNS overrides what the terminal says."""
    wanted = os.environ.get("COLUMNS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return max(int(wanted), 40)
    try:
        return max(os.get_terminal_size(stream.fileno()).columns, 40)
    except (OSError, ValueError):
        return 100


def style(options: argparse.Namespace) -> Style:
    """Of what goes to stdout."""
    from ..report.style import Style

    encoding = (sys.stdout.encoding or "ascii").lower()
    rule = "\u2500" if encoding.startswith("utf") else "-"
    return Style(width(sys.stdout), wants_color(options, sys.stdout), rule)
