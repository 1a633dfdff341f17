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
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from . import __version__
from .compiler.report.arguments import Run, parser

if TYPE_CHECKING:
    import re

    from .compiler.analysis import Analysis
    from .compiler.network import Network
    from .compiler.plan import TrainPlan
    from .compiler.report.style import Style
    from .dsl.diagnostics import Diagnostic, SpecError
    from .dsl.source import Source
    from .training.export.formats import Format
    from .training.inference.trained_model import Ready

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
        options = parser(_RUNS, __version__).parse_args(arguments)
        options.arguments = list(sys.argv[1:] if arguments is None else arguments)
        run: Run = options.command
        code = run(options)
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


# ---- the terminal ----------------------------------------------------------------------------


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
    from .dsl.diagnostics import has_errors

    found: list[Diagnostic] = []
    for source in _sources(options.files):
        found += source if isinstance(source, list) else _examine(source)
    found = _once(found)
    if not found and options.format == "text":
        return OK

    from .dsl import render

    if options.format == "json":
        print(render.render_json(found))
    elif options.format == "sarif":
        print(render.render_sarif(found, __version__))
    else:
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
    from .compiler.diagnose.check import check
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


# ---- reports ---------------------------------------------------------------------------------


def _analyse(files: Iterable[str], options: argparse.Namespace) -> list[Analysis | None]:
    """Of each spec; None for one with mistakes, which are printed."""
    from .compiler.analysis import Setting, analyse

    setting = Setting(options.precision, options.optimizer, options.device)
    return [
        None if network is None else analyse(network, setting)
        for network in _networks(files, options)
    ]


def _networks(
    files: Iterable[str], options: argparse.Namespace, classes: int | None = None
) -> Iterator[Network | None]:
    """Of each spec; None for one with mistakes, which are printed."""
    from .compiler.build.budget import DEFAULT_LAYERS
    from .compiler.build.elaborate import examine
    from .dsl import render
    from .dsl.diagnostics import SpecError, has_errors
    from .dsl.program import load_program

    files = list(files)
    # In a folder there may be files of blocks alone, which are there for others.
    needs_network = not any(Path(file).is_dir() for file in files)
    for source in _sources(files):
        try:
            if isinstance(source, list):
                raise SpecError(source)
            network, diagnostics = examine(
                load_program(source),
                network=options.network,
                overrides=dict(options.set),
                input_shape=options.input,
                classes=classes,
                max_layers=options.max_layers or DEFAULT_LAYERS,
                needs_network=needs_network,
            )
            if has_errors(diagnostics):
                raise SpecError(diagnostics)
            if network is not None:
                yield network
        except SpecError as error:
            color = _wants_color(options, sys.stderr)
            text = render.render_text(error.diagnostics, color=color, width=_width(sys.stderr))
            print(text, file=sys.stderr)
            yield None


def _style(options: argparse.Namespace) -> Style:
    from .compiler.report.style import Style

    encoding = (sys.stdout.encoding or "ascii").lower()
    rule = "\u2500" if encoding.startswith("utf") else "-"
    return Style(_width(sys.stdout), _wants_color(options, sys.stdout), rule)


def _usage(message: str) -> int:
    print(f"cnn: {message}", file=sys.stderr)
    return USAGE


# ---- report ----------------------------------------------------------------------------------


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


def _explain(options: argparse.Namespace) -> int:
    from .compiler.language.vocabulary import SECTIONS
    from .compiler.report.explain.layer import explain
    from .compiler.report.select import NotFound, select

    if options.layer in SECTIONS:
        return _explain_section(options)
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


def _explain_section(options: argparse.Namespace) -> int:
    from .compiler.language.overrides import divide
    from .compiler.plan import describe, plan
    from .dsl import render
    from .dsl.diagnostics import SpecError

    parameters, overrides = divide(options.set)
    options.set = list(parameters.items())
    analysis = _analyse_one(options.file, options)
    if analysis is None:
        return ERRORS
    try:
        if options.data is not None:
            from .training.data.sources.given import given

            overrides.append(given(options.data, Path.cwd()))
        found = plan(analysis.network, overrides, needs_data=False)
    except SpecError as error:
        color = _wants_color(options, sys.stderr)
        text = render.render_text(error.diagnostics, color=color, width=_width(sys.stderr))
        print(text, file=sys.stderr)
        return ERRORS
    print("\n".join(describe(found, options.layer)))
    if options.layer == "augment":
        from .compiler.plan.fusion import fuse
        from .compiler.report.explain.augment import explain_augment

        lines = explain_augment(fuse(found), _style(options))
        print("\n".join(["", *lines]) if lines else "", end="\n" if lines else "")
    return (
        _explain_transfer(analysis.network, found, options) if options.layer == "transfer" else OK
    )


def _explain_transfer(network: Network, plan: TrainPlan, options: argparse.Namespace) -> int:
    from .dsl import render
    from .dsl.diagnostics import SpecError
    from .training.data.sources.count_classes import count_classes
    from .training.request import base_of
    from .training.transfer.explain import explained

    base = base_of(network.program.main.source, Path.cwd())
    try:
        classes = count_classes(plan.train.data, base) if plan.transfer is not None else None
    except SpecError:  # only a policy cannot do without
        classes = None
    try:
        if classes not in (None, network.output.shape[0]) and options.file != "-":
            network = _network(options.file, options, classes) or network
        lines = explained(network, plan, base, _style(options))
    except SpecError as error:
        color = _wants_color(options, sys.stderr)
        text = render.render_text(error.diagnostics, color=color, width=_width(sys.stderr))
        print(text, file=sys.stderr)
        return ERRORS
    if lines:
        print("\n".join(["", *lines]))
    return OK


def _analyse_one(file: str, options: argparse.Namespace) -> Analysis | None:
    return None if _is_folder(file) else next(iter(_analyse([file], options)), None)


def _network(file: str, options: argparse.Namespace, classes: int | None = None) -> Network | None:
    return None if _is_folder(file) else next(_networks([file], options, classes), None)


def _is_folder(file: str) -> bool:
    """If it is one, says so."""
    if file == "-" or not Path(file).is_dir():
        return False
    print(f"cnn: {file} is a folder; name one file", file=sys.stderr)
    return True


# ---- diff ------------------------------------------------------------------------------------


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


def _draw(options: argparse.Namespace) -> int:
    from .compiler.report.drawing.formats import SUFFIXES, draw, format_of
    from .compiler.report.drawing.paint import TooLarge
    from .compiler.report.drawing.place import NotInstalled
    from .compiler.report.drawing.png import NoFont

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
        advice = "leave --unfold out" if options.unfold else "--depth 1 draws parts as one box"
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


# ---- emit and export -------------------------------------------------------------------------


def _emit(options: argparse.Namespace) -> int:
    from .compiler.emit import EMITTED, emit
    from .dsl.written import written
    from .training.export.formats import format_of

    output: str | None = options.output
    if output is not None and _is_spec(output, options.file):
        return _usage(f"{output} is a spec, and what is written is Python; name a file in .py")
    if output is not None and format_of(output) is not None:
        return _usage(f"`cnn export` writes files like {output}; this writes Python, like net.py")
    if reason := _in_the_way(output, EMITTED, "`cnn emit`", options.force):
        return _usage(reason)
    network = _network(options.file, options)
    if network is None:
        return ERRORS
    text = emit(network, __version__, flat=options.flat, main=options.main)
    if output in (None, "-"):
        sys.stdout.write(text)
        return OK
    try:
        with written(output) as file:
            file.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        return _cannot_write(output, error)
    return OK


def _is_spec(output: str, file: str) -> bool:
    """Whether writing it would overwrite a spec, by its ending or because it is the one given."""
    if Path(output).suffix.lower() == ".cnn":
        return True
    return os.path.exists(output) and os.path.exists(file) and os.path.samefile(output, file)


def _in_the_way(output: str | None, mark: re.Pattern[bytes], by: str, force: bool) -> str:
    """Why a file is not to be written, if only because of what it is called or replaces."""
    from .dsl.written import replaceable

    if output == "":  # `cnn emit net.cnn -o "$OUT"`, where there is no OUT
        return "the name of the file to write is empty"
    if output in (None, "-") or force or replaceable(output, mark):
        return ""
    return f"{output} is there already, not made by {by}; it is left as it is, unless with --force"


def _export(options: argparse.Namespace) -> int:
    from .dsl.diagnostics import SpecError
    from .training.export import formats

    if options.output in ("", "-"):
        return _usage("what is exported is read back and run, so it needs a file: -o net.onnx")
    format = formats.format_of(options.output)
    if format is None:
        return _usage(formats.unknown(options.output))
    misfit = formats.misfit(format, options.fold, options.predict, options.batch, options.opset)
    if misfit:
        return _usage(misfit)
    if reason := _in_the_way(options.output, formats.EXPORTED, "`cnn export`", options.force):
        return _usage(reason)
    run = Path(options.file) if options.file != "-" and Path(options.file).is_dir() else None
    if run is not None and (options.input or options.network or options.max_layers):
        return _usage("--input, --network and --max-layers are for specs; a run has its own")
    try:
        return _exported(options, format, run)
    except SpecError as error:
        return _tell(error, options)
    except OSError as error:
        return _cannot_write(options.output, error)


def _exported(options: argparse.Namespace, format: Format, run: Path | None) -> int:
    from .dsl.diagnostics import SpecError
    from .training.export.formats import not_installed

    missing = not_installed(format)
    if missing is not None:
        raise SpecError([missing])
    weights, classes = options.weights, None
    if run is not None:
        from .training.saved_request import best_of, request_of

        network: Network | None = request_of(run, options.set).network
        weights = weights or best_of(run)
    else:
        if weights is not None:
            from .training.export.trained import classes_of

            classes = classes_of(weights)
        network = _network(options.file, options, classes)
    if network is None:
        return ERRORS
    if weights is None:
        _say("no --weights: they are as the network begins, untrained")

    from .training.export.export import export

    made = export(
        network,
        options.output,
        __version__,
        weights=weights,
        fold_norms=options.fold,
        predict=options.predict,
        batch=options.batch,
        opset=options.opset,
        say=_say,
    )
    _say(f"wrote {' and '.join(map(str, made.files))}")
    return OK


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _cannot_write(output: str, error: OSError) -> int:
    reason = error.strerror or type(error).__name__
    print(f"cnn: cannot write {output}: {reason}", file=sys.stderr)
    return ERRORS


# ---- augment ---------------------------------------------------------------------------------


def _augment(options: argparse.Namespace) -> int:
    from .dsl.diagnostics import SpecError

    output: str = options.output
    ending = Path(output).suffix.lower()
    if ending not in (".png", ".html"):
        return _usage(f"{output!r} says not what to write: a name that ends in .png or .html")
    if _is_folder(options.file):
        return USAGE
    try:
        data = _augmented(options, ending)
    except SpecError as error:
        return _tell(error, options)
    try:
        Path(output).write_bytes(data)
    except OSError as error:
        return _cannot_write(output, error)
    _say(f"wrote {output}")
    return OK


def _augmented(options: argparse.Namespace, ending: str) -> bytes:
    """The sheet as a file; raises SpecError."""
    from .compiler.plan.fusion import fuse
    from .compiler.report.explain.augment import explain_augment
    from .dsl.diagnostics import Diagnostic, SpecError
    from .training.request import request

    source = next(_sources([options.file]))
    if isinstance(source, list):
        raise SpecError(source)
    wanted = request(
        source,
        set=options.set,
        data=options.data,
        network=options.network,
        input=options.input,
        max_layers=options.max_layers,
    )
    if not wanted.plan.augment:
        message = "the spec augments nothing"
        help = "write `augment { flip horizontal, rotate 15 }`, or what you like, into it"
        raise SpecError([Diagnostic("no-augment", message, wanted.network.input.span, help=help)])
    _needs_torch("augmentation")

    from .training.augment.sheet import sheet
    from .training.data.open import open_data
    from .training.display.choose import watcher_for

    watcher = watcher_for(sys.stderr, color=_wants_color(options, sys.stderr))
    try:
        opened = open_data(wanted.plan, wanted.base, progress=watcher.reading)
    finally:
        watcher.close()
    made = sheet(opened, options.images, options.epochs)
    if ending == ".png":
        from .training.augment.sheet_png import sheet_png

        return sheet_png(made)
    from .training.augment.sheet_page import sheet_page

    explained = "\n".join(explain_augment(fuse(wanted.plan)))
    return sheet_page(made, explained).encode()


# ---- train -----------------------------------------------------------------------------------


def _train(options: argparse.Namespace) -> int:
    from .dsl import render
    from .dsl.diagnostics import SpecError

    if options.file is None and options.resume is None:
        return _usage("what to train? name a spec, or a run with --resume")
    if options.resume is not None and options.output is not None:
        return _usage("--resume goes on in the folder of the run; leave -o out")
    if options.file is not None and _is_folder(options.file):
        return USAGE
    if options.file == "-" and options.devices is not None:
        return _usage("several processes cannot all read standard input; name a file")
    try:
        return _trained(options)
    except SpecError as error:
        rank = os.environ.get("RANK", "0")
        if rank != "0":  # of several processes, the first one says what all have found
            _say(f"process {rank}: {error.diagnostics[0].message}")
            return ERRORS
        color = _wants_color(options, sys.stderr)
        text = render.render_text(error.diagnostics, color=color, width=_width(sys.stderr))
        print(text, file=sys.stderr)
        return ERRORS


def _trained(options: argparse.Namespace) -> int:
    from .dsl.diagnostics import SpecError
    from .training.request import request
    from .training.saved_request import request_of

    resume = Path(options.resume) if options.resume is not None else None
    if options.file is None:
        assert resume is not None
        wanted = request_of(resume, options.set, options.data)
    else:
        source = next(_sources([options.file]))
        if isinstance(source, list):
            raise SpecError(source)
        wanted = request(
            source,
            set=options.set,
            data=options.data,
            network=options.network,
            input=options.input,
            max_layers=options.max_layers,
        )
    _needs_torch("training")

    from .training.display.choose import watcher_for
    from .training.runtime.distributed import is_one_of_several, joined, start
    from .training.trainer.run import train

    if options.devices is not None and not is_one_of_several(os.environ):
        return start(options.devices, options.arguments, options.device)
    watcher = watcher_for(
        sys.stderr,
        color=_wants_color(options, sys.stderr),
        plan=wanted.plan,
        width=_width(sys.stderr),
    )
    with joined(options.device, os.environ) as processes:
        result = train(
            wanted,
            __version__,
            output=None if options.output is None else Path(options.output),
            resume=resume,
            device=options.device,
            watcher=watcher,
            processes=processes,
        )
    if result.interrupted:
        return INTERRUPTED
    return ERRORS if result.trouble else OK


def _needs_torch(what: str) -> None:
    """Raises SpecError where it is not installed."""
    from importlib.util import find_spec

    from .dsl.diagnostics import Diagnostic, SpecError

    missing = [name for name in ("torch", "safetensors") if find_spec(name) is None]
    if missing:
        message = f"{what} needs {' and '.join(missing)}, not installed here"
        help = 'pip install "dotcnn[torch]"'
        raise SpecError([Diagnostic("missing-package", message, help=help)])


# ---- evaluate and predict --------------------------------------------------------------------


def _evaluate(options: argparse.Namespace) -> int:
    from .dsl.diagnostics import SpecError

    if options.weights is None and not Path(options.run).is_dir():
        return _usage(
            f"{options.run} is no folder of a run; of a spec, say which weights: --weights FILE"
        )
    if options.weights is not None and _is_folder(options.run):
        return USAGE
    if options.weights is None and (options.input or options.network or options.max_layers):
        return _usage("--input, --network and --max-layers are for specs; a run has its own")
    try:
        return _evaluated(options)
    except SpecError as error:
        return _tell(error, options)


def _evaluated(options: argparse.Namespace) -> int:
    _needs_torch("evaluation")

    from .training.display.choose import watcher_for
    from .training.display.outcome_text import as_text, outcome_json, outcome_text
    from .training.inference.evaluate import assess, data_of, tta_of

    ready = _ready(options)
    tta = tta_of(ready.plan) if options.tta else None
    watcher = watcher_for(sys.stderr, color=_wants_color(options, sys.stderr))
    try:
        data = data_of(ready, watcher.reading)
        outcome = assess(ready, data, options.part, tta=tta, progress=watcher.reading)
    finally:
        watcher.close()
    about = {"network": ready.request.network.name, "weights": ready.name, "epoch": ready.epoch}
    if options.format == "json":
        print(as_text(outcome_json(about, outcome, data.dataset.classes)))
    else:
        epoch = f", epoch {ready.epoch}" if ready.epoch is not None else ""
        title = f"{ready.request.network.name} ({ready.name}{epoch})"
        print(outcome_text(title, outcome, data.dataset.classes, _style(options)))
    page = options.report or _missing_page(options, ready)
    if page is None:
        return OK

    from .training.page.write import write_page

    try:
        write_page(Path(page), ready, outcome, data)
    except OSError as error:
        return _cannot_write(page, error)
    _say(f"wrote {page}")
    return OK


def _missing_page(options: argparse.Namespace, ready: Ready) -> str | None:
    """Of a run that was stopped before its end: what that would have written."""
    from .training.page.write import NAME

    if ready.folder is None or options.data or options.set or options.tta or options.part != "val":
        return None
    page = ready.folder / NAME
    return None if page.exists() else str(page)


def _ready(options: argparse.Namespace) -> Ready:
    """The network of a run, or of a spec with weights; raises SpecError."""
    from .dsl.diagnostics import SpecError
    from .training.inference.trained_model import open_run, open_weights
    from .training.runtime.devices import find_device

    device = find_device(options.device)
    if options.weights is None:
        return open_run(
            Path(options.run), __version__, device=device, data=options.data, set=options.set
        )
    source = next(_sources([options.run]))
    if isinstance(source, list):
        raise SpecError(source)
    return open_weights(
        source,
        Path(options.weights),
        __version__,
        device=device,
        data=options.data,
        set=options.set,
        network=options.network,
        input=options.input,
        max_layers=options.max_layers,
    )


def _predict(options: argparse.Namespace) -> int:
    from .dsl.diagnostics import SpecError

    if not Path(options.run).is_dir():
        return _usage(f"{options.run} is no folder of a run: name one that `cnn train` wrote")
    try:
        return _predicted(options)
    except SpecError as error:
        return _tell(error, options)


def _predicted(options: argparse.Namespace) -> int:
    _needs_torch("prediction")

    from .training.display.outcome_text import as_text
    from .training.display.prediction_text import prediction_json, prediction_text
    from .training.inference.evaluate import tta_of
    from .training.inference.predict import found_in, predict
    from .training.inference.trained_model import open_run
    from .training.runtime.devices import find_device

    device = find_device(options.device)
    ready = open_run(Path(options.run), __version__, device=device, set=options.set)
    images = found_in(options.images)
    if not images:
        _say("cnn: there are no images in " + ", ".join(options.images))
        return ERRORS
    tta = tta_of(ready.plan) if options.tta else None
    found = list(predict(ready, images, top=options.top, tta=tta))
    bad = [each for each in found if each.reason]
    if options.format == "json":
        about = {"network": ready.request.network.name, "weights": ready.name}
        print(as_text(prediction_json(about, found, ready.classes or ())))
    elif len(bad) < len(found):
        print(prediction_text(found, _style(options)))
    for each in bad:
        _say(f"cnn: {each.image}: {each.reason}")
    return ERRORS if bad else OK


def _tell(error: SpecError, options: argparse.Namespace) -> int:
    from .dsl import render

    color = _wants_color(options, sys.stderr)
    print(
        render.render_text(error.diagnostics, color=color, width=_width(sys.stderr)),
        file=sys.stderr,
    )
    return ERRORS


# ---- gallery and new -------------------------------------------------------------------------


def _gallery(options: argparse.Namespace) -> int:
    from .compiler.report.gallery import gallery, gallery_json, gallery_text

    entries = gallery()
    print(
        gallery_json(entries)
        if options.format == "json"
        else gallery_text(entries, _style(options))
    )
    return OK


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


_RUNS: dict[str, Run] = {
    "new": _new,
    "check": _check,
    "fmt": _fmt,
    "report": _report,
    "explain": _explain,
    "diff": _diff,
    "draw": _draw,
    "emit": _emit,
    "export": _export,
    "augment": _augment,
    "train": _train,
    "evaluate": _evaluate,
    "predict": _predict,
    "gallery": _gallery,
}


if __name__ == "__main__":
    sys.exit(main())
