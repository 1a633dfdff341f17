"""`cnn import`: write the network of another tool as a spec."""

from __future__ import annotations

import argparse
import sys
import textwrap
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from ..importing.readers import FORMATS, Format, Given, format_of, tensor_part
from .options import read_shape
from .output_file import keep_others_files, writing
from .terminal import OK, UsageError, print_diagnostics, say

if TYPE_CHECKING:
    from ..importing.import_network import Imported

EXAMPLES = """\
cnn import deploy.prototxt
cnn import resnet50.onnx -o resnet50.cnn
cnn import darknet53.cfg -o darknet53.cnn
cnn import tiny.cfg --weights tiny.weights -o tiny.cnn
cnn import model.json --weights model.h5 -o model.cnn
cnn import model.keras -o model.cnn
cnn import net.pt2 -o net.cnn
cnn import torchvision:resnet50 --weights resnet50.pth -o resnet50.cnn
cnn import timm:resnest50d
cnn import yolov3.cfg --partial -o body.cnn"""

_KNOWN = ", ".join(
    f"{tool} ({', '.join(ending for each in formats for ending in each.endings)})"
    for tool, formats in groupby(FORMATS, lambda each: each.tool)
)

DETAILS = textwrap.fill(
    f"It reads {_KNOWN}. Equal parts become blocks and loops, and the spec is compiled again before"
    " it is written: it is the same network, layer by layer. Its weights, if there are any, are"
    " written beside it as .safetensors; this needs `dotcnn[torch]`. Networks of torchvision and"
    " timm are made by their names, `torchvision:resnet50`; their initial weights are not written,"
    " and --weights gives them those of a file. Layers that the language cannot say are listed with"
    " their places, and nothing is written.",
    100,
    break_on_hyphens=False,
)


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
        "--weights", metavar="FILE", help="its weights, if they are in a file of their own"
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
    from ..importing.import_network import import_network
    from ..importing.save import MARK

    file, output = options.file, options.output
    format = format_of(file)
    if format is None:
        raise UsageError(f"{file} is of no format that can be read: {_KNOWN}")
    _check_weights(options.weights, format)
    to_file = output is not None and output != "-"
    if to_file and Path(output).suffix.lower() != ".cnn":
        raise UsageError(f"{output} does not end in .cnn, as specs do")
    keep_others_files(output, MARK, "`cnn import`", options.force)
    given = Given(file, input_shape=options.input, weights=options.weights or "")
    imported = import_network(given, format, partial=options.partial)
    if imported.left_out:
        print_diagnostics(imported.left_out, options)
    if imported.graph.run is not None:
        imported = tensor_part().compared(imported)
    if not to_file:
        sys.stdout.write(imported.text)
        return OK
    _write(imported, Path(output), options.force)
    return OK


def _check_weights(weights: str | None, format: Format) -> None:
    if weights is None:
        return
    if not format.weights_endings:
        raise UsageError(f"--weights: the weights of {format.tool} are in the network's own file")
    if Path(weights).suffix.lower() not in format.weights_endings:
        endings = ", ".join(format.weights_endings)
        raise UsageError(f"{weights} does not end as weights of {format.tool} do: {endings}")


def _write(imported: Imported, output: Path, force: bool) -> None:
    """Writes the weights, if there are any, and then the spec."""
    from ..importing.save import refuse_others, save_spec, save_weights, weights_beside

    if not force:
        try:
            refuse_others(imported, output)
        except FileExistsError as error:
            raise UsageError(f"{error}; --force overwrites it") from None
    with writing(weights_beside(output)):
        beside = save_weights(imported, output)
    with writing(output):
        save_spec(imported, output)
    weights = f", weights in {beside}" if beside else ""
    lines = sum(bool(line.strip()) for line in imported.body.splitlines())
    count = len(imported.graph.layers)
    say(f"{output}: {count:,} layers in {lines} lines, proved to be the same network{weights}")
    if imported.compared:
        say(imported.compared)
