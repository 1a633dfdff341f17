"""`cnn diff`: compare two networks, layer by layer."""

from __future__ import annotations

import argparse
import os
from copy import copy

from ...dsl.diagnostics import Diagnostic, SpecError
from .options import SPEC, add_format, add_memory_options, add_network_options
from .specs import analysis_of
from .terminal import OK, UsageError, style

EXAMPLES = """\
cnn diff resnet50.cnn mine.cnn
cnn diff net.cnn --set depth=3
cnn diff resnet18 resnet50 --format json"""


DETAILS = """\
--set, --input and --network apply to both; of one file they apply to B alone, so that two variants
of it can be compared."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("before", metavar="A", help=SPEC)
    parser.add_argument(
        "after", metavar="B", nargs="?", help="the same (default: A, with what the options change)"
    )
    add_network_options(parser)
    add_memory_options(parser)
    add_format(parser)


def _same(a: str, b: str) -> bool:
    """Whether both name one file."""
    return a == b or (os.path.exists(a) and os.path.exists(b) and os.path.samefile(a, b))


def run(options: argparse.Namespace) -> int:
    from ..report.diff import difference
    from ..report.diff_text import diff_json, diff_text

    if options.before == "-" and options.after in (None, "-"):
        raise UsageError("only one of the two can come from standard input")
    changed = options.set or options.input or options.network
    if options.after is None and not changed:
        raise UsageError(
            "name a second network, or what is changed:"
            f" `cnn diff {options.before} --set NAME=VALUE`"
        )
    after = options.before if options.after is None else options.after
    before = copy(options)
    if _same(options.before, after):
        before.set, before.input, before.network = [], None, None
    analyses, diagnostics = [], list[Diagnostic]()
    for file, variant in ((options.before, before), (after, options)):
        try:
            # Both with the same settings, whatever their `train` sections say.
            analyses.append(analysis_of(file, variant, as_trained=False))
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
