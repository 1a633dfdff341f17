"""`cnn diff`: compare two networks, layer by layer."""

from __future__ import annotations

import argparse

from ...dsl.diagnostics import Diagnostic, SpecError
from .options import SPEC, add_format, add_memory_options, add_network_options
from .specs import analysis_of
from .terminal import OK, UsageError, style

EXAMPLES = """\
cnn diff resnet50.cnn mine.cnn
cnn diff resnet18 resnet50 --format json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("before", metavar="A", help=SPEC)
    parser.add_argument("after", metavar="B", help=SPEC)
    add_network_options(parser)
    add_memory_options(parser)
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    from ..report.diff import difference
    from ..report.diff_text import diff_json, diff_text

    if options.before == options.after == "-":
        raise UsageError("only one of the two can come from standard input")
    analyses, diagnostics = [], list[Diagnostic]()
    for file in (options.before, options.after):
        try:
            # Both with the same settings, whatever their `train` sections say.
            analyses.append(analysis_of(file, options, as_trained=False))
        except SpecError as error:  # show the errors of both
            diagnostics += error.diagnostics
    if diagnostics:
        raise SpecError(diagnostics)
    changes = difference(*analyses)
    batch = options.batch or 1
    if options.format == "json":
        print(diff_json(changes, batch))
    else:
        print(diff_text(changes, batch=batch, style=style(options)))
    return OK
