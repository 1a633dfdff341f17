"""`cnn new`: start a spec."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from .options import FILE
from .output_file import writing
from .specs import source_of
from .terminal import OK, UsageError, say

EXAMPLES = """\
cnn new flowers
cnn new flowers --like resnet18"""

DETAILS = "The file is commented, and has train and augment sections to begin with."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME", help="name of the file to write, with or without .cnn"
    )
    parser.add_argument("--like", metavar="SPEC", help=f"begin with a copy of SPEC: {FILE}")


def run(options: argparse.Namespace) -> int:
    from ..starter import starter

    path = Path(options.name if options.name.endswith(".cnn") else f"{options.name}.cnn")
    if os.path.lexists(path):
        raise UsageError(f"{path} is there already; it is left as it is")
    like = source_of(options.like) if options.like is not None else None
    with writing(path), open(path, "x", encoding="utf-8", newline="\n") as file:
        file.write(starter(path.name, like))
    say(f"wrote {path}; look at it with `cnn report {path}`")
    return OK
