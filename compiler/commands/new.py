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
cnn new flowers --like resnet18
cnn new flowers --like squeezenet1_0 --from squeezenet.npz"""

DETAILS = """\
The file is commented, and has train and augment sections that suit the network. With --from, it is
set up for fine-tuning: only a new head is trained."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME", help="name of the file to write, with or without .cnn"
    )
    parser.add_argument("--like", metavar="SPEC", help=f"start with a copy of SPEC: {FILE}")
    parser.add_argument(
        "--from",
        dest="weights",
        default="",
        metavar="WEIGHTS",
        help="fine-tune these weights: a file, a run folder, torchvision:NAME or timm:NAME",
    )


def run(options: argparse.Namespace) -> int:
    from ..starter import starter, with_data

    path = Path(options.name if options.name.endswith(".cnn") else f"{options.name}.cnn")
    if os.path.lexists(path):
        raise UsageError(f"{path} exists already and was not changed")
    like = source_of(options.like) if options.like is not None else None
    weights = options.weights
    if os.path.isdir(weights) and not (Path(weights) / "record.json").exists():
        raise UsageError(
            f"{weights} is not a run folder, and --from names weights; images are named in the"
            ' spec: `data folder "…"`'
        )
    if os.path.exists(weights):  # the spec's paths start at its folder
        weights = os.path.relpath(weights, path.parent)
    text = with_data(starter(path.name, like, weights), path.parent)
    with writing(path), open(path, "x", encoding="utf-8", newline="\n") as file:
        file.write(text)
    say(f"wrote {path}; look at it with `cnn report {path}`")
    return OK
