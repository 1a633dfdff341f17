"""`cnn fmt`: format specs."""

from __future__ import annotations

import argparse
import sys

from ...dsl.diagnostics import has_errors
from ...dsl.source import Source
from .options import FILES
from .output_file import writing
from .specs import sources
from .terminal import ERRORS, OK, CommandError, print_diagnostics, say, wants_color

EXAMPLES = """\
cnn fmt net.cnn
cnn fmt specs/ --check
cnn fmt - < net.cnn"""

TAKES_PLUGINS = False  # it reads the grammar alone

DETAILS = "Files are changed in place; a spec from standard input is written to standard output."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help=FILES)
    parser.add_argument(
        "--check",
        action="store_true",
        help="change nothing; exit with 1 if a file would change",
    )
    parser.add_argument(
        "--diff",
        action="store_true",
        help="change nothing; print what would change, and exit with 1 if anything would",
    )


def run(options: argparse.Namespace) -> int:
    from ...dsl.parser import read
    from ...dsl.printer import print_spec

    code = OK
    for source in sources(options.files):
        spec, diagnostics = (None, source) if isinstance(source, list) else read(source)
        if spec is None or isinstance(source, list) or has_errors(diagnostics):
            print_diagnostics(diagnostics, options)
            code = ERRORS
            continue
        text = print_spec(spec)
        if source.path is None and not (options.check or options.diff):
            sys.stdout.write(_with_line_ends_of(source.text, text))
            continue
        before = source.text.replace("\r\n", "\n").replace("\r", "\n")
        if text == before:
            continue
        if options.diff:
            _print_diff(before, text, source.name, wants_color(options, sys.stdout))
        if options.check:
            say(f"would change {source.name}")
        if options.check or options.diff:
            code = ERRORS
            continue
        try:
            _write_spec(source, text)
        except CommandError as error:  # the other files are still formatted
            say(f"cnn: {error}; the file was not changed")
            code = ERRORS
    return code


def _with_line_ends_of(before: str, text: str) -> str:
    """Keeps Windows line ends where the file had them."""
    first = before.find("\n")
    return text.replace("\n", "\r\n") if first > 0 and before[first - 1] == "\r" else text


def _write_spec(source: Source, text: str) -> None:
    from ...dsl.atomic_file import written

    assert source.path is not None
    with writing(source.name), written(source.path) as file:
        file.write_bytes(_with_line_ends_of(source.text, text).encode())
    say(f"formatted {source.name}")


def _print_diff(before: str, after: str, name: str, color: bool) -> None:
    import difflib

    from ...dsl.printable import show

    # Only at line feeds: a form feed in a comment does not end a line.
    old, new = (text.split("\n") for text in (before, after))
    lines = [line + "\n" for line in old[:-1]] + old[-1:] * bool(old[-1])
    lines_after = [line + "\n" for line in new[:-1]] + new[-1:] * bool(new[-1])
    styles = {"+": "32", "-": "31", "@": "36"}
    terminal = sys.stdout.isatty()
    for line in difflib.unified_diff(lines, lines_after, name, f"{name} (fmt)"):
        style = styles.get(line[0]) if color else None
        text = line.removesuffix("\n")
        if terminal:  # a spec may contain control characters that move the cursor
            text = show(text)
        end = "\n" if line.endswith("\n") else "\n\\ no end of line\n"
        sys.stdout.write((f"\x1b[{style}m{text}\x1b[0m" if style else text) + end)
