"""`cnn report`: the layers of a network, what each costs, and the totals."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..analysis import Analysis
from .options import SPECS, add_memory_options, add_network_options, card, memory_size, natural
from .specs import analyses_of, selected
from .terminal import ERRORS, OK, UsageError, print_diagnostics, style

if TYPE_CHECKING:
    from ...dsl.diagnostics import Diagnostic
    from ..report.fit import Limit
    from ..report.part import PartOfNetwork

EXAMPLES = """\
cnn report resnet50
cnn report net.cnn --depth 2 --batch 64
cnn report googlenet --part inception3a.path3
cnn report net.cnn --input 3x160x160 --set width=1.5 --format json
cnn report net.cnn --fit 24GB --precision bf16 --optimizer adamw
cnn report net.cnn --card "RTX 4090" --batch 256 --precision bf16"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help=SPECS)
    add_network_options(parser)
    add_memory_options(parser)
    parser.add_argument(
        "--depth",
        type=natural,
        metavar="N",
        help="sum up layers whose names share their first N parts (`layer1.0` has two)",
    )
    parser.add_argument(
        "--part",
        metavar="NAME",
        help="list and sum up only this part: a name as the report shows it, its beginning or its"
        " end, a line number of the file, or a path of a part, like inception3a.path3",
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
    if limit is not None and options.part is not None:
        raise UsageError("--part is for the table; a whole network has to fit into memory")
    analyses, code = list[Analysis](), OK
    for each in analyses_of(options.files, options):
        if isinstance(each, list):
            print_diagnostics(_with_part(each, analyses), options)
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
                _parts(analyses, options.part) if options.part is not None else analyses,
                options.format,
                depth=options.depth,
                style=style(options),
            )
        )
    return code


def _parts(analyses: Sequence[Analysis], wanted: str) -> list[PartOfNetwork]:
    from ..report.part import PartOfNetwork

    return [PartOfNetwork(each, selected(each.network, wanted), wanted) for each in analyses]


def _with_part(diagnostics: list[Diagnostic], analyses: Sequence[Analysis]) -> list[Diagnostic]:
    """With the right spelling, if what is not a file is a part of the network before it:
    `cnn report googlenet inception3a.path3`.
    """
    if len(diagnostics) != 1 or diagnostics[0].code != "no-such-file" or not analyses:
        return diagnostics
    from ..report.select import NotFound, select

    network, name = analyses[-1].network, diagnostics[0].file
    try:
        select(network, name)
    except NotFound:
        return diagnostics
    help = f"for this part of {network.name}, write `--part {name}`"
    return [replace(diagnostics[0], help=help)]


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
