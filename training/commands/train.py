"""`cnn train`: train a network as its spec says, or resume a run."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ... import __version__
from ...compiler.commands.options import FILE, add_network_options, natural
from ...compiler.commands.terminal import (
    ERRORS,
    INTERRUPTED,
    OK,
    UsageError,
    print_diagnostics,
    say,
    wants_color,
    width,
)
from ...compiler.extend.load_plugin import give
from ...compiler.language.overrides import read_override
from ...dsl.diagnostics import SpecError
from ..runtime.interrupts import Interruption
from ..runtime.launch_environment import place_of, rank_of
from .common import add_cache, add_data, add_device, needs_torch, request_for, use_cache

if TYPE_CHECKING:
    from ..request import Request

EXAMPLES = """\
cnn train digits
cnn train net.cnn --data flowers --set train.epochs=5
cnn train net.cnn --devices 2 -o runs/second
cnn train net.cnn --find-lr
cnn train net.cnn --set train.data.folds=5
cnn train net.cnn --set train.data.folds=5 --fold 2
cnn train --resume runs/net
cnn train --resume runs/net --set train.epochs=50
cnn train net.cnn -o runs/net --resume
cnn train net.cnn --callback mine.py"""

DETAILS = """\
Everything goes into a run folder: weights, metrics, the spec as it was run, and report.html.
Epoch 0 is the validation before training, on at most 10,000 images. At the end, a verdict says
what the metrics show, where they leave no doubt: that the network overfits, underfits, guesses or
still improves, for example.

With `data … folds=5`, a network is trained for each of five parts of the training images, and
validated on it: cross-validation. The run folder then has a folder for each, 1 to 5, and a table of
their metrics; --fold trains one of them alone.

A run that was interrupted is continued with --resume RUN. A finished run trains for more epochs
with --resume and a larger train.epochs. With a spec, --resume alone continues the run in -o (or
runs/NAME) if there is one, and starts it if not: the same command, whenever a cluster runs it.

--find-lr makes 100 steps at rising learning rates first, and takes a rate at which the loss falls
well; the curve is kept in the run folder and shown in the report. Schedules start from that rate or
rise to it, and factors of it, like those of `transfer`, stay what they are. `cnn find-lr` shows the
curve alone."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help=f"{FILE}; may be left out with --resume"
    )
    add_data(parser, "train on other images than those that the spec names")
    parser.add_argument(
        "-o", "--output", metavar="RUN", help="the run folder to create (default: runs/NAME)"
    )
    parser.add_argument(
        "--resume",
        nargs="?",
        const=True,
        metavar="RUN",
        help="continue the run in this folder; with --set train.epochs=N, train it up to N epochs."
        " Without RUN: continue the run in -o, or start it if there is none",
    )
    parser.add_argument(
        "--find-lr",
        action="store_true",
        help="find the learning rate by a range test, and train with it",
    )
    parser.add_argument(
        "--fold",
        type=natural,
        metavar="N",
        help="with `data … folds=5`: train the network of this fold alone, as one job of a cluster",
    )
    parser.add_argument(
        "--tag",
        type=_tag,
        action="append",
        default=[],
        metavar="WORD",
        help="give the run a tag, for `cnn runs`; may be repeated",
    )
    parser.add_argument(
        "--note", type=_note, default="", metavar="TEXT", help="a note about the run"
    )
    parser.add_argument(
        "--callback",
        action="append",
        default=[],
        metavar="FILE",
        help="a Python file with callbacks, classes that derive from dotcnn.Callback: they follow"
        " training, and may end it after an epoch",
    )
    add_device(parser)
    add_cache(parser)
    parser.add_argument(
        "--devices",
        type=natural,
        metavar="N",
        help="train on N GPUs (or CPU processes) of this machine",
    )
    add_network_options(parser)


def _tag(text: str) -> str:
    from ..runs.tags_and_note import NotATag, tag

    try:
        return tag(text)
    except NotATag as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _note(text: str) -> str:
    from ..runs.tags_and_note import NotATag, note

    try:
        return note(text)
    except NotATag as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(options: argparse.Namespace) -> int:
    _sort_out(options)
    if options.file is None and not isinstance(options.resume, Path):
        raise UsageError("what to train? name a spec, or a run with --resume")
    if options.file is not None and _is_run(options.file):
        raise UsageError(
            f"{options.file} is a run: continue it with `--resume {options.file}`, or name its spec"
        )
    if isinstance(options.resume, Path) and options.output is not None:
        raise UsageError(f"--resume {options.resume} continues in that folder; name one of the two")
    if options.fold is not None:
        if options.file is None:
            raise UsageError("a fold trained alone is resumed like any run, without --fold")
        chosen = read_override(f"train.data.fold={options.fold}", "--fold")
        options.set = [*options.set, chosen]
    if options.file == "-" and options.devices is not None:
        raise UsageError("several processes cannot all read standard input; name a file")
    use_cache(options)
    try:
        # While modules are imported and processes meet, too: a job may be preempted at any time.
        with Interruption() as interruption, interruption.at_once():
            return _train(options)
    except SpecError as error:
        _report(error, options)
        return ERRORS


def _sort_out(options: argparse.Namespace) -> None:
    """Decides what `--resume` asks for: the run in a folder, as a path; the run in the output
    folder if there is one (True); or nothing (None). The word behind it may be the spec."""
    file, resume, output = options.file, options.resume, options.output
    if isinstance(resume, str):
        if file is None and _is_spec(resume, output):
            file, resume = resume, True
        else:
            run = Path(resume)
            same = bool(output) and run.resolve() == Path(output).resolve()
            resume = True if same else run
    if resume is True and file is not None and output is None and _is_run(file):
        resume = Path(file)
        file = None
    if resume is True and file is None and output is not None:
        resume, output = Path(output), None
    options.file, options.resume, options.output = file, resume, output


def _is_spec(name: str, output: str | None) -> bool:
    if Path(name).is_dir():
        return False
    return output is not None or name == "-" or Path(name).is_file() or name.endswith(".cnn")


def _is_run(name: str) -> bool:
    return (Path(name) / "record.json").is_file()


def _report(error: SpecError, options: argparse.Namespace) -> None:
    """Prints an error. In distributed training, the first process shows it as a whole, and the
    others add one line."""
    rank = rank_of(os.environ)
    if rank == "0":
        print_diagnostics(error.diagnostics, options)
    else:
        say(f"process {rank}: {error.diagnostics[0].message}")


def _train(options: argparse.Namespace) -> int:
    resume = options.resume
    run = resume if isinstance(resume, Path) else None
    output = None if options.output is None else Path(options.output)
    alone = place_of(os.environ) is None
    # The folder of a run may be on the machine of the first process alone; and of a mistake, such
    # as data that one machine does not have, the others are told.
    request = _request(options, run) if alone else None
    if not alone:  # else torch prints, for a connection that ends, where in its code it noticed
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    needs_torch("training")

    from ..checkpoint.bring_folder import run_on_first
    from ..checkpoint.claim_folder import finished
    from ..checkpoint.run_folder import usual_folder
    from ..display.choose import callback_for
    from ..runs.tags_and_note import TagsAndNote
    from ..runtime.distributed import joined, start
    from ..runtime.torchrun_error import tell_torchrun
    from ..trainer.callback_files import callbacks_of_plugins, must_have_callbacks
    from ..trainer.train import train

    with_callbacks = [plugin.name for plugin in give(options.callback)]
    must_have_callbacks(with_callbacks)

    def nothing_left(request: Request) -> str:
        folder = run if resume is not True else output or usual_folder(request)
        return "" if folder is None else finished(folder, request)

    if alone and options.devices is not None:
        done = nothing_left(request) if request is not None else ""
        if done:
            say(done)
            return OK
        return start(options.devices, options.arguments, options.device)
    with (
        joined(options.device, os.environ, lambda error: _report(error, options), say) as processes,
        run_on_first(run, processes, say) as folder,
    ):
        asked = request or _request(options, folder)
        if asked.warnings and processes.writes:
            print_diagnostics(asked.warnings, options)
        done = processes.from_first(lambda: nothing_left(asked))
        if done:
            if processes.writes:
                say(done)
            return OK
        callback = callback_for(
            sys.stderr,
            color=wants_color(options, sys.stderr),
            request=asked,
            width=width(sys.stderr),
        )
        own = callbacks_of_plugins([*options.plugin_names, *with_callbacks])
        result = train(
            asked,
            __version__,
            output=output,
            resume=folder if run is not None else resume,
            device=options.device,
            callback=callback,
            own=own,
            processes=processes,
            find_lr=options.find_lr,
            notes=TagsAndNote(tuple(options.tag), options.note),
        )
    if result.interrupted:
        tell_torchrun("interrupted, and saved: the same command with `--resume` goes on")
        return INTERRUPTED
    return ERRORS if result.trouble else OK


def _request(options: argparse.Namespace, resume: Path | None) -> Request:
    if options.file is not None:
        return request_for(options)
    from ..saved_request import request_of

    assert resume is not None
    return request_of(resume, options.set, options.data)
