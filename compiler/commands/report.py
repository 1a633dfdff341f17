"""`cnn report`: the layers of a network, what each costs, and the totals."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .options import FILES, add_memory_options, add_network_options, card, memory_size, natural
from .specs import analyses_of
from .terminal import ERRORS, OK, UsageError, print_diagnostics, style

if TYPE_CHECKING:
    from ..report.fit import Limit

EXAMPLES = """\
cnn report resnet50
cnn report net.cnn --depth 2 --batch 64
cnn report net.cnn --input 3x160x160 --set width=1.5 --format json
cnn report net.cnn --fit 24GB --precision bf16 --optimizer adamw
cnn report net.cnn --card "RTX 4090" --batch 256 --precision bf16"""


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
        help="instead, print the largest batch that fits into this much memory in training, and"
        " whether the one asked for does: 24GB, 16GiB",
    )
    parser.add_argument(
        "--card",
        type=card,
        metavar="NAME",
        help='the same for the memory of a graphics card: "RTX 4090", A100-80GB',
    )


def run(options: argparse.Namespace) -> int:
    from ..report import output

    limit = _limit(options)
    if limit is not None and options.format not in output.FIT_FORMATS:
        word = "--fit" if options.fit is not None else "--card"
        raise UsageError(f"{word} answers as a table or as json")
    analyses, code = [], OK
    for each in analyses_of(options.files, options):
        if isinstance(each, list):
            print_diagnostics(each, options)
            code = ERRORS
        else:
            analyses.append(each)
    if not analyses:
        return ERRORS
    if limit is not None:
        print(output.fit(analyses, options.format, limit, style(options)))
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


def _limit(options: argparse.Namespace) -> Limit | None:
    """The memory to fit a batch into, if that is asked for."""
    if options.card is None and options.fit is None:
        return None
    from ..report.fit import Limit

    if options.card is None:
        return Limit(options.fit, "this memory")
    if options.fit is not None:
        raise UsageError("--card says how much memory there is: leave out --fit")
    if options.device != "cuda":
        raise UsageError("--card is for training on a GPU: leave out `--device cpu`")
    card = options.card
    return Limit(card.memory, f"the {card.name}", card.name, card.source)
