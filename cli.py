"""The `cnn` command: arguments, printing, exit codes.

Every command imports what it needs when it runs: `cnn check` answers in the time that others take
to import a tensor library.

Exit codes: 0 well; 1 the spec or the data has errors, each printed as a diagnostic; 2 wrong use of
the command line; 130 interrupted.
"""

from __future__ import annotations

if __name__ == "__main__" and not __package__:
    # `python cli.py …` from a checkout: this folder is the package, whatever it is called.
    import importlib.util
    import sys
    from pathlib import Path

    _root = Path(__file__).resolve().parent
    _spec = importlib.util.spec_from_file_location(
        "dotcnn", _root / "__init__.py", submodule_search_locations=[str(_root)]
    )
    assert _spec is not None and _spec.loader is not None
    sys.modules["dotcnn"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["dotcnn"])
    __package__ = "dotcnn"

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

from . import __version__

if TYPE_CHECKING:
    from .dsl.diagnostics import Diagnostic
    from .dsl.source import Source

OK, ERRORS, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows only ASCII
    try:
        options = _parser().parse_args(arguments)
        command: Callable[[argparse.Namespace], int] = options.command
        code = command(options)
        sys.stdout.flush()
        return code
    except SystemExit as exit:  # argparse, after printing help or what was wrong
        return exit.code if isinstance(exit.code, int) else USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`cnn report … | head`): nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


# ---- arguments -------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        if "invalid choice" in message and "choose from" in message:
            import difflib
            import re

            wrong, *choices = re.findall(r"'([^']*)'", message)
            close = difflib.get_close_matches(wrong, choices, n=1)
            if close:
                message += f"\ndid you mean `{close[0]}`?"
        super().error(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="cnn",
        description="Describe, check and format convolutional networks.",
        epilog="`cnn COMMAND --help` explains a command, with an example.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"cnn {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    check = _command(
        commands,
        _check,
        "check",
        "find mistakes in specs; silent when there are none",
        "cnn check net.cnn\n  cnn check specs/ --format json\n  cat net.cnn | cnn check -",
    )
    check.add_argument("files", nargs="+", metavar="FILE", help=_FILES)
    check.add_argument(
        "--format",
        choices=["text", "json", "sarif"],
        default="text",
        help="text for people, json and sarif for programs (default: text)",
    )

    fmt = _command(
        commands,
        _fmt,
        "fmt",
        "lay specs out in the canonical way, keeping every comment",
        "cnn fmt net.cnn\n  cnn fmt specs/ --check\n  cnn fmt - < net.cnn",
    )
    fmt.add_argument("files", nargs="+", metavar="FILE", help=_FILES)
    fmt.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 where something would change"
    )
    fmt.add_argument(
        "--diff", action="store_true", help="change nothing; print what would change, exit 1 if any"
    )
    return parser


_FILES = "a .cnn file, a folder of them, the name of one in the gallery, or - for standard input"


def _command(
    commands: argparse._SubParsersAction[_Parser],
    run: Callable[[argparse.Namespace], int],
    name: str,
    summary: str,
    example: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"examples:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--color",
        choices=["auto", "always", "never"],
        default="auto",
        help="colours: on a terminal (auto), always or never; NO_COLOR is honoured",
    )
    parser.set_defaults(command=run)
    return parser


def _wants_color(options: argparse.Namespace, stream: TextIO) -> bool:
    if options.color != "auto":
        return bool(options.color == "always")
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def _width(stream: TextIO) -> int:
    try:
        return max(os.get_terminal_size(stream.fileno()).columns, 40)
    except (OSError, ValueError):
        return 100


# ---- specs -----------------------------------------------------------------------------------


def _sources(files: Iterable[str]) -> Iterator[Source | list[Diagnostic]]:
    """The text of every file asked for, or why there is none."""
    from .dsl.diagnostics import SpecError
    from .dsl.files import decode, read_file

    for file in files:
        try:
            if file == "-":
                yield decode(sys.stdin.buffer.read(_MAX_STDIN), "<stdin>")
                continue
            path = Path(file)
            if path.is_dir():
                for inside in _specs_in(path):
                    yield from _sources([str(inside)])
                continue
            yield read_file(path if os.path.lexists(path) else _in_gallery(file), file)
        except SpecError as error:
            yield list(error.diagnostics)


_MAX_STDIN = 40_000_000


def _specs_in(folder: Path) -> list[Path]:
    """All specs of a folder and the folders in it, those in hidden ones left out."""
    found = [
        path
        for path in folder.rglob("*.cnn")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not found:
        print(f"cnn: no .cnn files in {folder}", file=sys.stderr)
    return sorted(found)


def _in_gallery(name: str) -> Path:
    """The gallery's spec of a plain name; the name itself, as a path, where there is none."""
    if "/" in name or os.sep in name or "\0" in name:
        return Path(name)
    from .dsl.program import GALLERY

    stem = name.removesuffix(".cnn")
    return next((p for p in sorted(GALLERY.rglob("*.cnn")) if p.stem == stem), Path(name))


# ---- check -----------------------------------------------------------------------------------


def _check(options: argparse.Namespace) -> int:
    from .dsl import render
    from .dsl.diagnostics import has_errors

    found: list[Diagnostic] = []
    for source in _sources(options.files):
        found += source if isinstance(source, list) else _examine(source)
    if options.format == "json":
        print(render.render_json(found))
    elif options.format == "sarif":
        print(render.render_sarif(found, __version__))
    elif found:
        color = _wants_color(options, sys.stdout)
        print(render.render_text(found, color=color, width=_width(sys.stdout)))
        print(render.summary(found), file=sys.stderr)
    return ERRORS if has_errors(found) else OK


def _examine(source: Source) -> list[Diagnostic]:
    """What is to be said about one spec."""
    from .compiler.check import check
    from .dsl.diagnostics import SpecError
    from .dsl.program import load_program

    try:
        return check(load_program(source))
    except SpecError as error:
        return list(error.diagnostics)


# ---- fmt -------------------------------------------------------------------------------------


def _fmt(options: argparse.Namespace) -> int:
    from .dsl import render
    from .dsl.diagnostics import has_errors
    from .dsl.parser import read
    from .dsl.printer import print_spec

    code = OK
    for source in _sources(options.files):
        spec, problems = (None, source) if isinstance(source, list) else read(source)
        if spec is None or isinstance(source, list) or has_errors(problems):
            color = _wants_color(options, sys.stderr)
            print(render.render_text(problems, color=color), file=sys.stderr)
            code = ERRORS
            continue
        text = print_spec(spec)
        if source.path is None and not (options.check or options.diff):
            sys.stdout.write(text)
            continue
        before = source.text.replace("\r\n", "\n").replace("\r", "\n")
        if text == before:
            continue
        if options.diff:
            _print_diff(before, text, source.name, _wants_color(options, sys.stdout))
        if options.check:
            print(f"would change {source.name}", file=sys.stderr)
        if options.check or options.diff:
            code = ERRORS
            continue
        code = max(code, _write_spec(source, text))
    return code


def _write_spec(source: Source, text: str) -> int:
    """Puts a new text in the place of a file's old one, whole or not at all."""
    assert source.path is not None
    # A file written with Windows line ends keeps them.
    first = source.text.find("\n")
    if first > 0 and source.text[first - 1] == "\r":
        text = text.replace("\n", "\r\n")
    path = Path(os.path.realpath(source.path))
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        scratch.write_bytes(text.encode())
        os.chmod(scratch, path.stat().st_mode & 0o7777)
        os.replace(scratch, path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        reason = error.strerror or type(error).__name__
        print(f"cnn: cannot write {source.name}: {reason}; it is as it was", file=sys.stderr)
        return ERRORS
    print(f"formatted {source.name}", file=sys.stderr)
    return OK


def _print_diff(before: str, after: str, name: str, color: bool) -> None:
    import difflib

    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), name, f"{name} (fmt)"
    )
    styles = {"+": "32", "-": "31", "@": "36"}
    for line in lines:
        style = styles.get(line[0]) if color else None
        end = "" if line.endswith("\n") else "\n\\ no end of line\n"
        sys.stdout.write(f"\x1b[{style}m{line.rstrip()}\x1b[0m\n" if style else line + end)


if __name__ == "__main__":
    sys.exit(main())
