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
    assert _spec is not None
    assert _spec.loader is not None
    sys.modules["dotcnn"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["dotcnn"])
    __package__ = "dotcnn"

import argparse
import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

from . import __version__

if TYPE_CHECKING:
    from .compiler.analysis import Analysis
    from .compiler.report.style import Style
    from .compiler.shapes import Shape
    from .dsl.diagnostics import Diagnostic
    from .dsl.source import Source

OK, ERRORS, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by whoever started us: `cnn check - <&-`
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115
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
        _stop_writing()
        return OK
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EIO, errno.EDQUOT):
            raise
        _stop_writing()
        print(f"cnn: cannot write: {error.strerror}", file=sys.stderr)
        return ERRORS


def _stop_writing() -> None:
    """What is left in the buffer goes nowhere, so that the last flush cannot fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
    for add in (_add_report, _add_explain, _add_diff, _add_draw, _add_gallery, _add_new):
        add(commands)
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
    wanted = os.environ.get("COLUMNS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return max(int(wanted), 40)
    try:
        return max(os.get_terminal_size(stream.fileno()).columns, 40)
    except (OSError, ValueError):
        return 100


# ---- specs -----------------------------------------------------------------------------------


def _sources(files: Iterable[str]) -> Iterator[Source | list[Diagnostic]]:
    """The text of every file asked for, or why there is none."""
    from .dsl.diagnostics import Diagnostic, SpecError
    from .dsl.files import decode
    from .dsl.gallery import open_spec

    for file in files:
        try:
            if file == "-":
                yield decode(sys.stdin.buffer.read(_MAX_STDIN), "<stdin>")
                continue
            if not file:  # `cnn fmt "$NAME"`, where there is no NAME
                yield [Diagnostic("no-such-file", "the name of a file is empty")]
                continue
            if os.path.isdir(file):
                for inside in _specs_in(Path(file)):
                    yield from _sources([str(inside)])
                continue
            yield open_spec(file)
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


# ---- check -----------------------------------------------------------------------------------


def _check(options: argparse.Namespace) -> int:
    from .dsl import render
    from .dsl.diagnostics import has_errors

    found: list[Diagnostic] = []
    for source in _sources(options.files):
        found += source if isinstance(source, list) else _examine(source)
    found = _once(found)
    if options.format == "json":
        print(render.render_json(found))
    elif options.format == "sarif":
        print(render.render_sarif(found, __version__))
    elif found:
        color = _wants_color(options, sys.stdout)
        print(render.render_text(found, color=color, width=_width(sys.stdout)))
        print(render.summary(found), file=sys.stderr)
    return ERRORS if has_errors(found) else OK


def _once(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """What is wrong with a file that several import is told once."""
    return list(
        {(it.where, it.code, it.message, it.span and it.span[1:]): it for it in found}.values()
    )


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
            sys.stdout.write(_with_line_ends_of(source.text, text))
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


def _with_line_ends_of(before: str, text: str) -> str:
    """What was written with Windows line ends keeps them."""
    first = before.find("\n")
    return text.replace("\n", "\r\n") if first > 0 and before[first - 1] == "\r" else text


def _write_spec(source: Source, text: str) -> int:
    """Puts a new text in the place of a file's old one, whole or not at all."""
    import tempfile

    assert source.path is not None
    path = Path(os.path.realpath(source.path))
    scratch = None
    try:
        mode = path.stat().st_mode & 0o7777
        if not mode & 0o222:
            raise PermissionError(errno.EACCES, "it is read-only")
        # A name that nobody can foresee: a link could lie in wait there.
        handle, scratch = tempfile.mkstemp(prefix=f".{path.stem}.", dir=path.parent)
        with open(handle, "wb") as file:
            file.write(_with_line_ends_of(source.text, text).encode())
        os.chmod(scratch, mode)
        os.replace(scratch, path)
    except OSError as error:
        if scratch and os.path.lexists(scratch):
            os.unlink(scratch)
        reason = error.strerror or type(error).__name__
        print(f"cnn: cannot write {source.name}: {reason}; it is as it was", file=sys.stderr)
        return ERRORS
    print(f"formatted {source.name}", file=sys.stderr)
    return OK


def _print_diff(before: str, after: str, name: str, color: bool) -> None:
    import difflib

    from .dsl.render import show

    # Only at line feeds: a form feed in a comment ends no line.
    old, new = (text.split("\n") for text in (before, after))
    lines = [line + "\n" for line in old[:-1]] + old[-1:] * bool(old[-1])
    lines_after = [line + "\n" for line in new[:-1]] + new[-1:] * bool(new[-1])
    styles = {"+": "32", "-": "31", "@": "36"}
    terminal = sys.stdout.isatty()
    for line in difflib.unified_diff(lines, lines_after, name, f"{name} (fmt)"):
        style = styles.get(line[0]) if color else None
        text = line.removesuffix("\n")
        if terminal:  # a spec may hold what would move the cursor
            text = show(text)
        end = "\n" if line.endswith("\n") else "\n\\ no end of line\n"
        sys.stdout.write((f"\x1b[{style}m{text}\x1b[0m" if style else text) + end)


# ---- reports: options ------------------------------------------------------------------------


def _natural(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
        return int(text)

    return read


def _shape(text: str) -> Shape:
    sizes = text.lower().split("x")
    if len(sizes) not in (1, 3) or not all(s.isdecimal() and int(s) > 0 for s in sizes):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no input: write channels x height x width, like 3x160x160"
        )
    return tuple(map(int, sizes))


def _override(text: str) -> tuple[str, object]:
    from .compiler.overrides import OverrideError, read_override

    try:
        return read_override(text)
    except OverrideError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _memory_size(text: str) -> int:
    from .compiler.report.figures import SizeError, read_data_size

    try:
        return read_data_size(text)
    except SizeError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _add_network_options(parser: argparse.ArgumentParser) -> None:
    """What a spec's network is made with."""
    parser.add_argument("--input", type=_shape, metavar="CxHxW", help="another input: 3x160x160")
    parser.add_argument(
        "--set",
        type=_override,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the network, its value written as in a spec; may be repeated",
    )
    parser.add_argument("--network", metavar="NAME", help="which network of the file (the last)")
    parser.add_argument(
        "--max-layers",
        type=_natural(1),
        metavar="N",
        help="refuse what comes to more layers (default: 200,000)",
    )


def _add_training_options(parser: argparse.ArgumentParser) -> None:
    """What memory is worked out for."""
    batch = "images in a batch, for memory; all else is for one image (default: 1)"
    parser.add_argument("--batch", type=_natural(1), default=1, metavar="N", help=batch)
    parser.add_argument("--precision", choices=["fp32", "bf16", "fp16"], default="fp32")
    optimizers = ["sgd", "momentum", "rmsprop", "adam", "adamw"]
    parser.add_argument("--optimizer", choices=optimizers, default="sgd")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda")


_FILE = "a .cnn file, the name of one in the gallery, or - for standard input"


def _analyse(files: Iterable[str], options: argparse.Namespace) -> list[Analysis | None]:
    """Of each spec; None for one with mistakes, which are printed."""
    from .compiler.analysis import Setting, analyse
    from .compiler.budget import DEFAULT_LAYERS
    from .compiler.elaborate import elaborate
    from .dsl import render
    from .dsl.diagnostics import SpecError
    from .dsl.program import load_program

    setting = Setting(options.precision, options.optimizer, options.device)
    found: list[Analysis | None] = []
    for source in _sources(files):
        try:
            if isinstance(source, list):
                raise SpecError(source)
            network = elaborate(
                load_program(source),
                network=options.network,
                overrides=dict(options.set),
                input_shape=options.input,
                max_layers=options.max_layers or DEFAULT_LAYERS,
            )
            found.append(analyse(network, setting))
        except SpecError as error:
            color = _wants_color(options, sys.stderr)
            text = render.render_text(error.diagnostics, color=color, width=_width(sys.stderr))
            print(text, file=sys.stderr)
            found.append(None)
    return found


def _style(options: argparse.Namespace) -> Style:
    from .compiler.report.style import Style

    encoding = (sys.stdout.encoding or "ascii").lower()
    rule = "\u2500" if encoding.startswith("utf") else "-"
    return Style(_width(sys.stdout), _wants_color(options, sys.stdout), rule)


def _usage(message: str) -> int:
    print(f"cnn: {message}", file=sys.stderr)
    return USAGE


# ---- report ----------------------------------------------------------------------------------


def _add_report(commands: argparse._SubParsersAction[_Parser]) -> None:
    report = _command(
        commands,
        _report,
        "report",
        "the layers of a network with what they cost, and the totals",
        "cnn report resnet50\n  cnn report net.cnn --depth 2 --batch 64\n"
        "  cnn report net.cnn --input 3x160x160 --set width=1.5 --format json\n"
        "  cnn report net.cnn --fit 24GB --precision bf16 --optimizer adamw",
    )
    report.add_argument("files", nargs="+", metavar="FILE", help=_FILES)
    _add_network_options(report)
    _add_training_options(report)
    report.add_argument(
        "--depth",
        type=_natural(1),
        metavar="N",
        help="take layers together whose names begin with the same N parts (layer1.0 is two)",
    )
    report.add_argument("--format", choices=["table", "json", "csv", "markdown"], default="table")
    report.add_argument(
        "--fit",
        type=_memory_size,
        metavar="MEMORY",
        help="instead, the largest batch that can be trained on in so much memory: 24GB, 16GiB",
    )


def _report(options: argparse.Namespace) -> int:
    from .compiler.report import output

    if options.fit is not None and options.format not in output.FIT_FORMATS:
        return _usage("--fit answers as a table or as json")
    analyses = _analyse(options.files, options)
    found = [analysis for analysis in analyses if analysis is not None]
    style = _style(options)
    if found and options.fit is not None:
        print(output.fit(found, options.format, options.fit, style))
    elif found:
        print(
            output.report(
                found, options.format, batch=options.batch, depth=options.depth, style=style
            )
        )
    return OK if found and len(found) == len(analyses) else ERRORS


# ---- explain ---------------------------------------------------------------------------------


def _add_explain(commands: argparse._SubParsersAction[_Parser]) -> None:
    explain = _command(
        commands,
        _explain,
        "explain",
        "the arithmetic of a layer, a part or the totals, written out with its numbers",
        "cnn explain resnet50\n  cnn explain net.cnn layer1.0.conv2\n"
        "  cnn explain net.cnn layer1\n  cnn explain net.cnn 12",
    )
    explain.add_argument("file", metavar="FILE", help=_FILE)
    explain.add_argument(
        "layer",
        nargs="?",
        metavar="LAYER",
        help="a name as `cnn report` shows it, the beginning or end of one, or a line of the file",
    )
    _add_network_options(explain)
    _add_training_options(explain)


def _explain(options: argparse.Namespace) -> int:
    from .compiler.report.explain import explain
    from .compiler.report.select import NotFound, select

    analysis = _analyse_one(options.file, options)
    if analysis is None:
        return ERRORS
    selection = None
    if options.layer is not None:
        try:
            selection = select(analysis.network, options.layer)
        except NotFound as error:
            return _usage(f"{error.message}; {error.help}" if error.help else error.message)
    print(explain(analysis, selection, batch=options.batch, style=_style(options)))
    return OK


def _analyse_one(file: str, options: argparse.Namespace) -> Analysis | None:
    if file != "-" and Path(file).is_dir():
        print(f"cnn: {file} is a folder; name one file", file=sys.stderr)
        return None
    return next(iter(_analyse([file], options)), None)


# ---- diff ------------------------------------------------------------------------------------


def _add_diff(commands: argparse._SubParsersAction[_Parser]) -> None:
    diff = _command(
        commands,
        _diff,
        "diff",
        "two networks side by side: which layers differ, and what that costs",
        "cnn diff resnet50.cnn mine.cnn\n  cnn diff resnet18 resnet50 --format json",
    )
    diff.add_argument("before", metavar="A", help=_FILE)
    diff.add_argument("after", metavar="B", help=_FILE)
    _add_network_options(diff)
    _add_training_options(diff)
    diff.add_argument("--format", choices=["table", "json"], default="table")


def _diff(options: argparse.Namespace) -> int:
    from .compiler.report.diff import difference
    from .compiler.report.diff_text import diff_json, diff_text

    if options.before == options.after == "-":
        return _usage("only one of the two can come from standard input")
    before, after = (_analyse_one(file, options) for file in (options.before, options.after))
    if before is None or after is None:
        return ERRORS
    found = difference(before, after)
    if options.format == "json":
        print(diff_json(found, options.batch))
    else:
        print(diff_text(found, batch=options.batch, style=_style(options)))
    return OK


# ---- draw ------------------------------------------------------------------------------------


def _add_draw(commands: argparse._SubParsersAction[_Parser]) -> None:
    draw = _command(
        commands,
        _draw,
        "draw",
        "the network as a picture, repeated parts folded",
        "cnn draw resnet50 -o resnet50.svg\n  cnn draw net.cnn -o net.html --unfold\n"
        "  cnn draw net.cnn --format mermaid",
    )
    draw.add_argument("file", metavar="FILE", help=_FILE)
    draw.add_argument(
        "-o", "--output", metavar="OUT", help="where to; the format follows from its ending"
    )
    draw.add_argument(
        "--format",
        choices=["svg", "png", "dot", "mermaid", "html"],
        help="svg, png and html need `pip install dotcnn[draw]`; without -o, to standard output",
    )
    draw.add_argument("--unfold", action="store_true", help="draw every layer")
    draw.add_argument(
        "--depth", type=_natural(1), metavar="N", help="draw parts with longer names as one box"
    )
    _add_network_options(draw)
    draw.set_defaults(precision="fp32", optimizer="sgd", device="cuda")


def _draw(options: argparse.Namespace) -> int:
    from .compiler.report.draw import SUFFIXES, draw, format_of
    from .compiler.report.paint import TooLarge
    from .compiler.report.place import NotInstalled
    from .compiler.report.png import NoFont

    to_stdout = options.output in (None, "-")
    format = options.format or (None if to_stdout else format_of(options.output))
    if format is None:
        endings = ", ".join(SUFFIXES)
        return _usage(f"what to draw? name a file with -o that ends in {endings}, or a --format")
    if format == "png" and to_stdout and sys.stdout.isatty():
        return _usage("a terminal shows no png; name a file with -o")
    analysis = _analyse_one(options.file, options)
    if analysis is None:
        return ERRORS
    try:
        data = draw(analysis, format, unfold=options.unfold, max_depth=options.depth)
    except TooLarge as error:
        advice = "--depth 2 draws parts as one box" if options.unfold else "try a smaller --depth"
        return _usage(f"{error}; {advice}")
    except NotInstalled as error:
        print(f"cnn: {error.message}\n  help: {error.help}", file=sys.stderr)
        return ERRORS
    except NoFont as error:
        print(f"cnn: {error}", file=sys.stderr)
        return ERRORS
    if to_stdout:
        sys.stdout.buffer.write(data)
        return OK
    try:
        Path(options.output).write_bytes(data)
    except OSError as error:
        print(f"cnn: cannot write {options.output}: {error.strerror}", file=sys.stderr)
        return ERRORS
    return OK


# ---- gallery and new -------------------------------------------------------------------------


def _add_gallery(commands: argparse._SubParsersAction[_Parser]) -> None:
    gallery = _command(
        commands,
        _gallery,
        "gallery",
        "the specs that come along, with parameters, multiply-adds, year and source",
        "cnn gallery\n  cnn gallery --format json",
    )
    gallery.add_argument("--format", choices=["table", "json"], default="table")


def _gallery(options: argparse.Namespace) -> int:
    from .compiler.report.gallery import gallery, gallery_json, gallery_text

    entries = gallery()
    print(
        gallery_json(entries)
        if options.format == "json"
        else gallery_text(entries, _style(options))
    )
    return OK


def _add_new(commands: argparse._SubParsersAction[_Parser]) -> None:
    new = _command(
        commands,
        _new,
        "new",
        "start a spec: commented, with train and augment sections",
        "cnn new flowers\n  cnn new flowers --like resnet18",
    )
    new.add_argument("name", metavar="NAME", help="of the file, with or without .cnn")
    new.add_argument("--like", metavar="SPEC", help="begin with a copy: of the gallery, or a file")


def _new(options: argparse.Namespace) -> int:
    from .compiler.starter import starter
    from .dsl import render

    path = Path(options.name if options.name.endswith(".cnn") else f"{options.name}.cnn")
    if os.path.lexists(path):
        return _usage(f"{path} is there already; it is left as it is")
    like: Source | None = None
    if options.like is not None:
        found = next(_sources([options.like]))
        if isinstance(found, list):
            color = _wants_color(options, sys.stderr)
            print(render.render_text(found, color=color), file=sys.stderr)
            return ERRORS
        like = found
    try:
        with open(path, "x", encoding="utf-8", newline="\n") as file:
            file.write(starter(path.name, like))
    except OSError as error:
        print(f"cnn: cannot write {path}: {error.strerror}", file=sys.stderr)
        return ERRORS
    print(f"wrote {path}; look at it with `cnn report {path}`", file=sys.stderr)
    return OK


if __name__ == "__main__":
    sys.exit(main())
