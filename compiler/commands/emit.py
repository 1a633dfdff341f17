"""`cnn emit`: write a network as a PyTorch module."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ... import __version__
from .options import SPEC, add_network_options
from .output_file import keep_others_files, writing
from .specs import given_spec, network_of
from .terminal import OK, UsageError

EXAMPLES = """\
cnn emit resnet50
cnn emit net.cnn -o net.py --main
cnn emit net.cnn --flat --set width=0.5"""

DETAILS = "It reads as if written by hand, and needs nothing but PyTorch."

EXPORTED = {".onnx", ".pt2", ".safetensors"}
"""Endings of files that `cnn export` writes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help=SPEC)
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="the file to write (default: standard output)"
    )
    parser.add_argument(
        "--flat",
        action="store_true",
        help="one class with one line for each layer, without blocks and loops",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace OUT even if `cnn emit` did not write it"
    )
    parser.add_argument(
        "--main",
        action="store_true",
        help="make the file runnable: as a script, it runs the network once and prints shapes",
    )
    add_network_options(parser)


def run(options: argparse.Namespace) -> int:
    from ...dsl.atomic_file import written
    from ..emit import EMITTED, emit

    output: str | None = options.output
    if output is not None and _is_spec(output, options.file):
        raise UsageError(
            f"{output} is a spec, but the output is Python; name a file that ends in .py"
        )
    if output is not None and Path(output).suffix.lower() in EXPORTED:
        raise UsageError(
            f"`cnn export` writes files like {output}; `cnn emit` writes Python, like net.py"
        )
    keep_others_files(output, EMITTED, "`cnn emit`", options.force)
    network = network_of(given_spec(options.file, options), options)
    text = emit(network, __version__, flat=options.flat, main=options.main)
    if output is None or output == "-":
        sys.stdout.write(text)
        return OK
    with writing(output), written(output) as file:
        file.write_text(text, encoding="utf-8", newline="\n")
    return OK


def _is_spec(output: str, file: str) -> bool:
    """Whether writing it would overwrite a spec, by its ending or because it is the one given."""
    if Path(output).suffix.lower() == ".cnn":
        return True
    return os.path.exists(output) and os.path.exists(file) and os.path.samefile(output, file)
