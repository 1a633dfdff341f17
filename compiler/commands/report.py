"""`cnn report`: the layers of a network, what each costs, and the totals."""

from __future__ import annotations

import argparse

from .options import FILES, add_memory_options, add_network_options, memory_size, natural
from .specs import analyses_of
from .terminal import ERRORS, OK, UsageError, print_diagnostics, style

EXAMPLES = """\
cnn report resnet50
cnn report net.cnn --depth 2 --batch 64
cnn report net.cnn --input 3x160x160 --set width=1.5 --format json
cnn report net.cnn --fit 24GB --precision bf16 --optimizer adamw"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help=FILES)
    add_network_options(parser)
    add_memory_options(parser)
    parser.add_argument(
        "--depth",
        type=natural,
        metavar="N",
        help="sum up layers whose names share their first N parts (`layer1.0` has two)",
    )
    parser.add_argument(
        "--format",
        choices=["table", "json", "csv", "markdown"],
        default="table",
        help="json and csv list every layer, whatever --depth says (default: table)",
    )
    parser.add_argument(
        "--fit",
        type=memory_size,
        metavar="MEMORY",
        help="instead, print the largest batch that fits into this much memory in training: 24GB,"
        " 16GiB",
    )


def run(options: argparse.Namespace) -> int:
    from ..report import output

    if options.fit is not None and options.format not in output.FIT_FORMATS:
        raise UsageError("--fit answers as a table or as json")
    analyses, code = [], OK
    for each in analyses_of(options.files, options):
        if isinstance(each, list):
            print_diagnostics(each, options)
            code = ERRORS
        else:
            analyses.append(each)
    if not analyses:
        return ERRORS
    if options.fit is not None:
        print(output.fit(analyses, options.format, options.fit, style(options)))
    else:
        print(
            output.report(
                analyses,
                options.format,
                depth=options.depth,
                style=style(options),
            )
        )
    return code
