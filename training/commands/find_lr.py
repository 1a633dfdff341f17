"""`cnn find-lr`: the loss by learning rate in a range test, and the rate that it suggests."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from ... import __version__
from ...compiler.commands.options import FILE, add_network_options
from ...compiler.commands.plot_file import PLOTS, must_have_folders, write_plot
from ...compiler.commands.terminal import OK, UsageError, print_diagnostics, wants_color
from .common import add_data, add_device, needs_torch, print_json, request_for

if TYPE_CHECKING:
    from ..find_lr.found_rate import FoundRate

EXAMPLES = """\
cnn find-lr digits
cnn find-lr net.cnn --set train.optimizer="sgd momentum=0.9" -o curve.html
cnn find-lr net.cnn --format csv > curve.csv"""

DETAILS = """\
It makes 100 steps with the optimizer, batch, augmentation and precision of the spec, at rates that
rise from a ten-thousandth of the usual one to a thousand times that, until the loss explodes. The
rate suggested is the lowest at which the loss, smoothed, has made 95 % of its fall. Weights are
thrown away. To train with it, write it into the spec, or `cnn train --find-lr`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help=FILE)
    add_data(parser, "test on other images than those that the spec names")
    parser.add_argument("-o", "--output", metavar="OUT", help="write a plot: .html, .png or .svg")
    parser.add_argument(
        "--format",
        choices=["text", "json", "csv"],
        default="text",
        help="text for people, json or csv for programs (default: text)",
    )
    add_device(parser)
    add_network_options(parser)


def run(options: argparse.Namespace) -> int:
    if options.output is not None and not options.output.lower().endswith(PLOTS):
        raise UsageError("name a file to write that ends in .html, .png or .svg")
    must_have_folders(options.output)
    request = request_for(options)
    needs_torch("training")

    from ..display.choose import callback_for
    from ..display.rate_chart import rate_chart, rate_plot
    from ..trainer.train import range_test

    if request.warnings:
        print_diagnostics(request.warnings, options)
    callback = callback_for(sys.stderr, color=wants_color(options, sys.stderr))
    found = range_test(request, __version__, device=options.device, callback=callback)
    if options.format == "json":
        print_json(found.to_json())
    elif options.format == "csv":
        print("\n".join(_csv(found)))
    else:
        lines = rate_chart(found) if len(found.rates) > 1 else []
        print("\n".join([*lines, found.line]))
    if options.output is not None:
        write_plot(options.output, "Loss by learning rate", rate_plot(found))
    return OK


def _csv(found: FoundRate) -> list[str]:
    rows = zip(found.rates, found.losses, found.smoothed, strict=True)
    return ["lr,loss,smoothed", *(",".join(f"{value:.6g}" for value in row) for row in rows)]
