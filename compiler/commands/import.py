"""`cnn import`: write the network of another tool as a spec."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from ..importing.readers import FORMATS, format_of
from .options import read_shape
from .output_file import keep_others_files, writing
from .terminal import OK, UsageError, print_diagnostics, say

EXAMPLES = """\
cnn import deploy.prototxt
cnn import darknet53.cfg -o darknet53.cnn
cnn import yolov3.cfg --partial -o body.cnn"""

_KNOWN = ", ".join(f"{each.tool} ({', '.join(each.endings)})" for each in FORMATS)

DETAILS = f"""\
It reads {_KNOWN}. Equal parts become blocks and loops, and the
spec is compiled again before it is written: it is the same network, layer by layer. Weights are not
imported yet. Layers that the language cannot say are listed with their places, and nothing is
written."""

IMPORTED = re.compile(rb"\A# From .* imported by dotcnn")
"""How files begin that this command wrote."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="NETWORK", help=f"a network of {_KNOWN}")
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="the spec to write (default: standard output)"
    )
    parser.add_argument(
        "--input",
        type=read_shape,
        metavar="CxHxW",
        help="the size of the input, if the file does not say it, or another one: 3x224x224",
    )
    parser.add_argument(
        "--partial",
        action="store_true",
        help="write what comes before layers that cannot be said, with an output at each cut",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace OUT even if `cnn import` did not write it"
    )


def run(options: argparse.Namespace) -> int:
    from ...dsl.atomic_file import written
    from ...dsl.files import read_file
    from ..importing.import_network import import_network

    file, output = options.file, options.output
    format = format_of(file)
    if format is None:
        raise UsageError(f"the ending of {file} is not one of a format it reads: {_KNOWN}")
    if output is not None and output != "-" and Path(output).suffix.lower() != ".cnn":
        raise UsageError(f"{output} does not end in .cnn, as specs do")
    keep_others_files(output, IMPORTED, "`cnn import`", options.force)
    imported = import_network(
        read_file(Path(file)), format, input_shape=options.input, partial=options.partial
    )
    if imported.left_out:
        print_diagnostics(imported.left_out, options)
    if output is None or output == "-":
        sys.stdout.write(imported.text)
        return OK
    with writing(output), written(output) as scratch:
        scratch.write_text(imported.text, encoding="utf-8", newline="\n")
    lines = sum(bool(line.strip()) for line in imported.text.splitlines())
    say(f"{output}: {imported.layers:,} layers in {lines} lines, proved to be the same network")
    return OK
