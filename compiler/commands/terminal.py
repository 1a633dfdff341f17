"""Exit codes, errors and messages of commands; colors and width of the terminal."""

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
    """A command cannot do what was asked; the message is printed on one line."""

    code = ERRORS


class UsageError(CommandError):
    """The command line itself is wrong."""

    code = USAGE


def say(line: str) -> None:
    """Prints a message to standard error, where it does not mix with the result."""
    _print_at_once(line, sys.stderr)
    sys.stderr.flush()


def print_diagnostics(
    diagnostics: Iterable[Diagnostic], options: argparse.Namespace, stream: TextIO | None = None
) -> None:
    """Prints diagnostics to standard error, or to standard output if they are the result."""
    from ...dsl.render import render_text

    stream = stream or sys.stderr
    text = render_text(diagnostics, color=wants_color(options, stream), width=width(stream))
    _print_at_once(text, stream)


def _print_at_once(text: str, stream: TextIO) -> None:
    """Lines of several processes that print to one stream stay apart."""
    stream.write(f"{text}\n")


def wants_color(options: argparse.Namespace, stream: TextIO) -> bool:
    if options.color != "auto":
        return bool(options.color == "always")
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def width(stream: TextIO, otherwise: int = 100) -> int:
    """The width of the terminal in columns; the variable COLUMNS overrides it. `otherwise` where
    there is no terminal."""
    wanted = os.environ.get("COLUMNS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return max(int(wanted), 40)
    try:
        return max(os.get_terminal_size(stream.fileno()).columns or otherwise, 40)
    except (OSError, ValueError):
        return otherwise


def style(options: argparse.Namespace) -> Style:
    """The style of what is printed to standard output."""
    from ..report.style import Style

    encoding = (sys.stdout.encoding or "ascii").lower()
    rule = "\u2500" if encoding.startswith("utf") else "-"
    return Style(width(sys.stdout), wants_color(options, sys.stdout), rule)


def print_page(markdown: str, options: argparse.Namespace) -> None:
    """Prints a page of the documentation to standard output."""
    from rich.console import Console
    from rich.markdown import Markdown

    columns = min(width(sys.stdout), 100)
    console = Console(width=columns, no_color=not wants_color(options, sys.stdout))
    with console.capture() as capture:
        console.print(Markdown(markdown, code_theme="bw"))
    lines = "\n".join(line.rstrip() for line in capture.get().split("\n"))
    while "\n\n\n" in lines:  # lines that rich fills with blanks
        lines = lines.replace("\n\n\n", "\n\n")
    print(lines.strip("\n"))
