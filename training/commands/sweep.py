"""`cnn sweep`: train a spec with other values, as its section `sweep` says."""

from __future__ import annotations

import argparse
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
    style,
    wants_color,
)
from .common import add_data, add_device, needs_torch, print_json, progress_display, request_for
from .sweep_best import add_best, run_best

if TYPE_CHECKING:
    from ..sweep.run_sweep import Sweep
    from ..sweep.sweep_display import SweepDisplay

EXAMPLES = """\
cnn sweep net.cnn
cnn sweep net.cnn --trials 60 -o runs/wide
cnn sweep --join runs/net-sweep
cnn sweep net.cnn --set train.epochs=3 --device cuda:1
cnn sweep --best runs/net-sweep -o best.cnn"""

DETAILS = """\
The section `sweep` of the spec says what is searched, between which ends, and what is compared
(`cnn help sweep`). The spec as written is trial 0. Each trial is an ordinary run, in trials/N of
the sweep's folder. Networks that cannot be built, or are over a limit, are not trained.

Any number of processes may work on one sweep, on as many machines as reach its folder: --join.
Ctrl-C ends a sweep after the epoch; the same command, or --join, goes on with it. So does it with
trials whose process was killed.

report.html in the folder is written after each trial. --best writes the best trial as a spec: the
values are in the text, whose comments and layout stay. With two metrics there is no best one;
--best lists the front, and --trial N chooses."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", metavar="FILE", help=f"{FILE}; left out with --join")
    add_data(parser, "train on other images than those that the spec names")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FOLDER",
        help="the folder of the sweep (default: runs/NAME-sweep)",
    )
    parser.add_argument(
        "--join",
        metavar="FOLDER",
        help="work on the sweep in this folder, beside other processes or after they ended",
    )
    parser.add_argument(
        "--trials", type=natural, metavar="N", help="trials in all, in place of the spec's number"
    )
    parser.add_argument(
        "--format",
        choices=["table", "json", "csv"],
        default="table",
        help="how the trials are listed at the end (default: table)",
    )
    add_best(parser)
    add_device(parser)
    add_network_options(parser)


def run(options: argparse.Namespace) -> int:
    if options.best is not None:
        return run_best(options)
    if options.trial is not None or options.keep_sweep:
        raise UsageError("--trial and --keep-sweep belong to --best")
    if options.file is None and options.join is None:
        raise UsageError("what to sweep? name a spec, or the folder of a sweep with --join")
    if options.join is not None:
        given = {
            "the spec": options.file,
            "-o": options.output,
            "--data": options.data,
            "--set": options.set,
            "--network": options.network,
            "--input": options.input,
        }
        extra = [name for name, value in given.items() if value]
        if extra:
            raise UsageError(f"--join goes on with the spec in the folder; leave {extra[0]} out")
    needs_torch("training")

    from ..sweep.run_sweep import Runner
    from ..sweep.shared_data import SharedData
    from ..sweep_page.write_sweep_page import page_writer

    data = SharedData()
    sweep = _sweep(options, data)
    display = _display(options)
    try:
        why = Runner(sweep, display, data, page_writer(display.say)).run()
    finally:
        display.close()
    return _report(sweep, why, options)


def _sweep(options: argparse.Namespace, data: object) -> Sweep:
    from ..sweep.prepare_sweep import begin, join
    from ..sweep.shared_data import SharedData

    if options.join is not None:
        return join(Path(options.join), __version__, trials=options.trials, device=options.device)
    assert isinstance(data, SharedData)
    request = request_for(options)
    if request.warnings:
        print_diagnostics(request.warnings, options)
    with progress_display(options) as callback:
        return begin(
            request,
            __version__,
            output=None if options.output is None else Path(options.output),
            trials=options.trials,
            device=options.device,
            data=data,
            callback=callback,
        )


def _display(options: argparse.Namespace) -> SweepDisplay:
    import os

    from ..sweep.sweep_display import PlainLines

    if sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown"):
        from ..sweep.live_table import LiveTable

        return LiveTable(sys.stderr, color=wants_color(options, sys.stderr))
    return PlainLines(sys.stderr)


def _report(sweep: Sweep, why: str, options: argparse.Namespace) -> int:
    from ..checkpoint.run_folder import shown
    from ..sweep.sweep_folder import INTERRUPTED as STOPPED
    from ..sweep.trial_table import as_csv, as_json, summary, table

    facts = sweep.facts
    if options.format == "json":
        print_json(as_json(facts))
    elif options.format == "csv":
        print(as_csv(facts), end="")
    else:
        print("\n".join([*table(facts, style(options)), "", *summary(facts)]))
    name = shown(facts.folder)
    if facts.report.is_file():
        say(f"report: {shown(facts.report)}")
    if facts.best is not None and not facts.best.is_written:
        say(f"the best as a spec: cnn sweep --best {name} -o best.cnn")
    if why == STOPPED:
        say(f"to go on: cnn sweep --join {name}")
        return INTERRUPTED
    if why:
        say(f"cnn: {why}")
        return OK if facts.complete else ERRORS
    running = sum(trial.state == "running" for trial in facts.trials)
    if running:
        say(f"other processes are still training {running} of them")
    return OK if facts.complete else ERRORS
