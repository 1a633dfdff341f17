"""The command line: the table of commands, how one is started, how errors are printed. Only the
module of the requested command is imported, and it imports what it needs when it runs: `cnn check`
answers in the time that others take to import a tensor library.

Exit codes: 0 success; 1 the spec or the data has errors, each printed as a diagnostic; 2 wrong use
of the command line; 130 interrupted.
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
import atexit
import errno
import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from . import __version__
from .compiler.commands.command import Command, HelpText, Parser
from .compiler.commands.terminal import (
    ERRORS,
    INTERRUPTED,
    OK,
    USAGE,
    CommandError,
    print_diagnostics,
    say,
)
from .dsl.diagnostics import SpecError

if TYPE_CHECKING:
    from .compiler.spec_options import GivenSpec
    from .dsl.diagnostics import Diagnostic

_COMPILER, _TRAINING = "compiler.commands", "training.commands"

GROUPS: dict[str, tuple[Command, ...]] = {
    "write a network": (
        Command("new", _TRAINING, "start a spec: from scratch, a copy, or to fit a data set"),
        Command(
            "import",
            _COMPILER,
            "write anybody's network as a spec: ONNX, torch, Keras, Caffe",
        ),
        Command("check", _COMPILER, "find mistakes in specs"),
        Command("fmt", _COMPILER, "format specs, keeping every comment"),
        Command("play", _COMPILER, "a page that shows shapes, costs and the drawing as you type"),
        Command("lsp", _COMPILER, "serve editors: mistakes, shapes, completion while you type"),
        Command("gallery", _COMPILER, "list the specs that come with dotcnn, with size and source"),
    ),
    "understand it": (
        Command("report", _COMPILER, "list the layers of a network, what each costs, and totals"),
        Command("explain", _TRAINING, "show the arithmetic of a layer, or the values of a section"),
        Command("diff", _COMPILER, "compare two networks: which layers differ, what that costs"),
        Command("help", _COMPILER, "explain a word of the language: a layer, a form, a directive"),
        Command("lesson", _COMPILER, "a course in 21 pages: convolution by hand to ConvNeXt"),
        Command("show", _TRAINING, "run a network on images, and look at every number and map"),
        Command("draw", _COMPILER, "draw a network as a picture, with repeated parts folded"),
    ),
    "train it": (
        Command("augment", _TRAINING, "show what augmentation does to training images"),
        Command("pack", _TRAINING, "write a data set as tar files that are read fast: shards"),
        Command("train", _TRAINING, "train a network as its spec says, or resume a run"),
        Command("find-lr", _TRAINING, "show the loss by learning rate, and which rate to take"),
        Command("sweep", _TRAINING, "train a spec with other values, and find the best of them"),
    ),
    "look at many runs": (
        Command("runs", _TRAINING, "list runs side by side; tag, annotate and remove them"),
    ),
    "use it": (
        Command(
            "evaluate", _TRAINING, "measure a trained network: accuracy, confusion matrix, classes"
        ),
        Command("compare", _TRAINING, "compare runs: which is better, and how sure that is"),
        Command("probe", _TRAINING, "measure how far images may be moved or disturbed"),
        Command("features", _TRAINING, "write the output of a layer for every image as a table"),
        Command("predict", _TRAINING, "classify images with a trained network"),
        Command("emit", _COMPILER, "write a network as a PyTorch module"),
        Command("export", _TRAINING, "write a network as ONNX, torch.export or safetensors"),
    ),
    "set up the shell": (
        Command("completion", _COMPILER, "print a script that completes commands, options, files"),
    ),
}
"""The commands by task, as `cnn --help` lists them."""

COMMANDS = {command.name: command for group in GROUPS.values() for command in group}

CALLED_ELSEWHERE = {
    "augment": "transform transforms",
    "check": "compile lint validate verify",
    "draw": "diagram graph plot plot_model",
    "emit": "codegen pytorch torch",
    "evaluate": "eval score test val",
    "export": "deploy onnx save",
    "features": "embed embeddings extract",
    "find-lr": "lr_find lr-find",
    "fmt": "format",
    "gallery": "list models zoo",
    "help": "doc docs man",
    "import": "convert",
    "new": "create init start",
    "pack": "shard shards",
    "play": "playground serve ui",
    "predict": "classify detect infer inference",
    "report": "count describe flops info params profile stats summary",
    "show": "gradcam inspect view visualise visualize",
    "sweep": "hpo optimize search tune",
    "train": "fine-tune finetune fit learn run",
}
"""Commands, and words of other tools that are answered with them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by whoever started us: `cnn check - <&-`
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows only ASCII
    try:
        with _ctrl_c_ends_waiting():
            code = _run(list(sys.argv[1:] if arguments is None else arguments))
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
        say(f"cnn: cannot write: {error.strerror}")
        return ERRORS


@contextmanager
def _ctrl_c_ends_waiting() -> Iterator[None]:
    """A context in which Ctrl-C also ends other threads that wait for images from elsewhere: Python
    does not end before they do."""
    before = signal.getsignal(signal.SIGINT)
    main = threading.current_thread() is threading.main_thread()
    if before is not signal.default_int_handler or not main:
        yield
        return

    def end(number: int, frame: object) -> None:
        module = sys.modules.get(f"{__package__}.training.runtime.interrupts")
        if module is not None:
            module.stop_reading()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _run(arguments: list[str]) -> int:
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is None:
        _parser().parse_args(arguments)  # exits: it prints help, or the error
        return USAGE
    if command.package == _COMPILER:
        # Modules and networks stay; collecting garbage among them is a tenth of a report's time.
        gc.set_threshold(100_000, 10, 10)
        # Nor are they searched for garbage when Python ends.
        atexit.register(gc.freeze)
    parser = command.parser()
    options = parser.parse(arguments[1:])
    options.arguments, options.commands, options.run_spec = arguments, COMMANDS, _run_spec
    try:
        options.plugin_names = ()
        if getattr(options, "plugin", None):
            from .compiler.extend.load_plugin import give

            options.plugin_names = [plugin.name for plugin in give(options.plugin)]
        _find_named_runs(parser, options)
        if getattr(options, "output", None):
            from .compiler.commands.closed_pipe import text_without_a_reader_is_dropped

            with text_without_a_reader_is_dropped():
                return command.run(options)
        return command.run(options)
    except SpecError as error:
        print_diagnostics(error.diagnostics, options)
        return ERRORS
    except CommandError as error:
        say(f"cnn: {error}")
        return error.code
    except Exception as error:
        blamed = _blamed(error)
        if blamed is None and isinstance(error, ModuleNotFoundError):
            from .compiler.commands.missing_package import missing_package

            blamed = missing_package(command.name, error)
        if blamed is None:
            raise
        print_diagnostics([blamed], options)
        return ERRORS


def _blamed(error: Exception) -> Diagnostic | None:
    """The diagnostic for an error in the code of a plug-in."""
    module = sys.modules.get(f"{__package__}.compiler.extend.load_plugin")
    return None if module is None else module.blamed(error)


def _find_named_runs(parser: Parser, options: argparse.Namespace) -> None:
    """Replaces the names of runs by their folders, where no file or spec of that name is meant."""
    if not os.path.isdir("runs"):
        return
    from .compiler.commands.run_names import possible_run_names, with_run

    for name in possible_run_names(parser, options):
        from .training.runs.named_runs import find_named

        folder = find_named(name.text, prefix=name.only_runs)
        if folder is not None:
            with_run(options, name, str(folder))


def _run_spec(folder: Path) -> GivenSpec | None:
    """The spec of a run folder, for the commands of compiler/, which know nothing of training; None
    if the folder is not one.
    """
    from .training.saved_request import is_run, read_spec

    return read_spec(folder) if is_run(folder) else None


def _stop_writing() -> None:
    from .compiler.commands.closed_pipe import drop_what_follows

    drop_what_follows(sys.stdout)


def _parser() -> Parser:
    """The parser of `cnn` itself; each command has its own."""
    lines = [
        "cnn reads convolutional networks from short text files, one line for each layer. It finds",
        "mistakes, counts what a network costs, writes it as PyTorch, trains it and uses it.",
    ]
    for title, group in GROUPS.items():
        lines += ["", f"{title}:", *(f"  {each.name:<10}  {each.summary}" for each in group)]
    parser = Parser(
        prog="cnn",
        usage="cnn COMMAND ...",
        description="\n".join(lines),
        epilog="`cnn COMMAND --help` explains a command, with examples.",
        formatter_class=HelpText,
    )
    parser.elsewhere = {
        word: name for name, words in CALLED_ELSEWHERE.items() for word in words.split()
    }
    parser.add_argument("command", metavar="COMMAND", choices=COMMANDS, help=argparse.SUPPRESS)
    parser.add_argument("--version", action="version", version=f"cnn {__version__}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
