"""`cnn augment`: show what augmentation does to training images."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...compiler.commands.options import FILE, add_network_options, natural
from ...compiler.commands.output_file import writing
from ...compiler.commands.terminal import OK, UsageError, say
from ...dsl.diagnostics import Diagnostic, SpecError
from .common import add_data, needs_torch, progress_display, request_for

EXAMPLES = """\
cnn augment net.cnn -o sheet.png
cnn augment net.cnn --data flowers -o sheet.html --images 5
cnn augment net.cnn -o sheet.png --set augment.flip=horizontal --set augment.rotate=20"""

DETAILS = """\
The sheet shows each image as it is, as augmented in several epochs, and after each directive of
`augment` alone: where that changes little, with the difference, amplified, and with both ends of
each range."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help=FILE)
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        required=True,
        help="the file to write, which ends in .png or .html",
    )
    add_data(parser, "show other images")
    parser.add_argument(
        "--images",
        type=natural,
        default=8,
        metavar="N",
        help="number of images to show (default: 8)",
    )
    parser.add_argument(
        "--epochs",
        type=natural,
        default=6,
        metavar="N",
        help="number of epochs to show each image in (default: 6)",
    )
    add_network_options(parser)


def run(options: argparse.Namespace) -> int:
    output: str = options.output
    ending = Path(output).suffix.lower()
    if ending not in (".png", ".html"):
        raise UsageError(f"{output!r} has no known ending: name a file in .png or .html")
    data = _sheet(options, ending)
    with writing(output):
        Path(output).write_bytes(data)
    say(f"wrote {output}")
    return OK


def _sheet(options: argparse.Namespace, ending: str) -> bytes:
    from ...compiler.plan.fusion import fuse
    from ...compiler.report.explain.augment import explain_augment

    request = request_for(options)
    if not request.plan.augment:
        message = "the spec has no augmentation"
        help = "write `augment { flip horizontal, rotate 15 }`, or other directives, into it"
        raise SpecError([Diagnostic("no-augment", message, request.network.input.span, help=help)])
    needs_torch("augmentation")

    from ..augment.series_sheet import series_sheet
    from ..augment.sheet import sheet
    from ..data.open import open_data

    with progress_display(options) as callback:
        opened = open_data(request.plan, request.base, progress=callback.reading)
    make = series_sheet if request.plan.has_samples else sheet
    shown = make(opened, options.images, options.epochs)
    if ending == ".png":
        from ..augment.sheet_png import sheet_png

        return sheet_png(shown)
    from ..augment.sheet_page import sheet_page

    return sheet_page(shown, "\n".join(explain_augment(fuse(request.plan)))).encode()
