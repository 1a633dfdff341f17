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
from ...dsl.diagnostics import SpecError
from ..runtime.launch_environment import place_of, rank_of
from .common import add_data, add_device, needs_torch, request_for

if TYPE_CHECKING:
    from ..request import Request

EXAMPLES = """\
cnn train digits
cnn train net.cnn --data flowers --set train.epochs=5
cnn train net.cnn --devices 2 -o runs/second
cnn train --resume runs/net
cnn train --resume runs/net --set train.epochs=50"""

DETAILS = """\
Everything goes into a run folder: weights, metrics, the spec as it was run, and report.html.
Epoch 0 is the validation before training, on at most 10,000 images. At the end, a verdict says
what the metrics show, where they leave no doubt: that the network overfits, underfits, guesses or
still improves, for example.

A run that was interrupted is continued with --resume. A finished run trains for more epochs with
--resume and a larger train.epochs."""


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
        metavar="RUN",
        help="continue the run in this folder; with --set train.epochs=N, train it up to N epochs",
    )
    add_device(parser)
    parser.add_argument(
        "--devices",
        type=natural,
        metavar="N",
        help="train on N GPUs (or CPU processes) of this machine",
    )
    add_network_options(parser)


def run(options: argparse.Namespace) -> int:
    if options.file is None and options.resume is None:
        raise UsageError("what to train? name a spec, or a run with --resume")
    if options.file is not None and (Path(options.file) / "record.json").is_file():
        raise UsageError(
            f"{options.file} is a run: continue it with `--resume {options.file}`, or name its spec"
        )
    if options.resume is not None and options.output is not None:
        raise UsageError("--resume continues in the folder of the run; leave -o out")
    if options.file == "-" and options.devices is not None:
        raise UsageError("several processes cannot all read standard input; name a file")
    try:
        return _train(options)
    except SpecError as error:
        _report(error, options)
        return ERRORS


def _report(error: SpecError, options: argparse.Namespace) -> None:
    """Prints an error. In distributed training, the first process shows it as a whole, and the
    others add one line."""
    rank = rank_of(os.environ)
    if rank == "0":
        print_diagnostics(error.diagnostics, options)
    else:
        say(f"process {rank}: {error.diagnostics[0].message}")


def _train(options: argparse.Namespace) -> int:
    resume = Path(options.resume) if options.resume is not None else None
    alone = place_of(os.environ) is None
    # The folder of a run may be on the machine of the first process alone.
    request = _request(options, resume) if alone or options.file is not None else None
    needs_torch("training")

    from ..checkpoint.copied_texts import copied_texts
    from ..display.choose import callback_for
    from ..runtime.distributed import joined, start
    from ..trainer.train import train

    if alone and options.devices is not None:
        return start(options.devices, options.arguments, options.device)
    with (
        joined(options.device, os.environ, lambda error: _report(error, options)) as processes,
        copied_texts(resume, processes) as folder,
    ):
        request = request or _request(options, folder)
        if request.warnings and processes.writes:
            print_diagnostics(request.warnings, options)
        callback = callback_for(
            sys.stderr,
            color=wants_color(options, sys.stderr),
            plan=request.plan,
            width=width(sys.stderr),
        )
        result = train(
            request,
            __version__,
            output=None if options.output is None else Path(options.output),
            resume=folder,
            device=options.device,
            callback=callback,
            processes=processes,
        )
    if result.interrupted:
        return INTERRUPTED
    return ERRORS if result.trouble else OK


def _request(options: argparse.Namespace, resume: Path | None) -> Request:
    if options.file is not None:
        return request_for(options)
    from ..saved_request import request_of

    assert resume is not None
    return request_of(resume, options.set, options.data)
