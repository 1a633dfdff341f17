"""`cnn new`: start a spec, from scratch, as a copy of another, or so that it fits a data set.

It is here and not in compiler/, because `--data` looks at images, which compiler/ knows nothing
about; without it, no torch is needed.
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from ...compiler.commands.options import FILE
from ...compiler.commands.output_file import writing
from ...compiler.commands.specs import source_of
from ...compiler.commands.terminal import OK, UsageError, say
from ...dsl.diagnostics import SpecError
from .common import add_data, add_device, needs_torch

EXAMPLES = """\
cnn new flowers
cnn new flowers --data photos/flowers
cnn new streets --data camvid --minutes 60
cnn new flowers --like resnet18
cnn new flowers --data photos/flowers --like squeezenet1_0 --from squeezenet.npz"""

DETAILS = """\
The file is commented, and has train and augment sections that suit the network. With --data, it
fits a data set: the kind of answer, the size of images, a network, batch and epochs for this
machine, and augmentation that the labels bear follow from what is there, and each choice has its
reason as a comment. Only a sample of the images is read. With --from, the spec is set up for
fine-tuning: only a new head is trained."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="name of the file to write, with or without .cnn; with --data, the default is the name"
        " of the data",
    )
    add_data(parser, "look at these images, and write a spec that fits them")
    parser.add_argument("--like", metavar="SPEC", help=f"start with a copy of SPEC: {FILE}")
    parser.add_argument(
        "--from",
        dest="weights",
        default="",
        metavar="WEIGHTS",
        help="fine-tune these weights: a file, a run folder, torchvision:NAME or timm:NAME",
    )
    parser.add_argument(
        "--size",
        choices=("small", "medium"),
        default=None,
        help="with --data: how large networks and images may be (default: small on a CPU, medium on"
        " a GPU)",
    )
    parser.add_argument(
        "--minutes",
        type=_minutes,
        default=30.0,
        metavar="N",
        help="with --data: how long training may take, about (default: 30)",
    )
    add_device(parser)


def _minutes(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 10**6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of minutes above 0")
    return number


def run(options: argparse.Namespace) -> int:
    if options.name is None and options.data is None:
        raise UsageError("name the file to write: `cnn new flowers`")
    name = options.name if options.name is not None else _name_of(options.data)
    path = Path(name if name.endswith(".cnn") else f"{name}.cnn")
    if os.path.lexists(path):
        raise UsageError(f"{path} exists already and was not changed")
    if options.data is None:
        unused = [word for word in ("size",) if getattr(options, word) is not None]
        if unused:
            raise UsageError(f"--{unused[0]} is for specs that fit a data set: --data FOLDER")
    like = source_of(options.like) if options.like is not None else None
    weights = options.weights
    if os.path.isdir(weights) and not (Path(weights) / "record.json").exists():
        raise UsageError(
            f"{weights} is not a run folder, and --from names weights; images are named with --data"
        )
    if weights and options.data is not None and like is None:
        raise UsageError("weights fit one network: name it with --like resnet18")
    if weights and not os.path.exists(weights):
        _refuse_missing(weights)
    if os.path.exists(weights):  # the spec's paths start at its folder
        weights = os.path.relpath(weights, path.parent)
    if options.data is None:
        from ...compiler.starter import starter, with_data

        text = with_data(starter(path.name, like, weights), path.parent)
    else:
        needs_torch("looking at data")
        from ..recipe.machine import find_machine
        from ..recipe.write_spec import spec_for

        machine = find_machine(options.device)
        text = spec_for(
            path,
            options.data,
            machine,
            budget=options.size or ("small" if machine.device == "cpu" else "medium"),
            minutes=options.minutes,
            like=like,
            weights=weights,
        )
    with writing(path), open(path, "x", encoding="utf-8", newline="\n") as file:
        file.write(text)
    say(f"wrote {path}; look at it with `cnn report {path}`")
    return OK


def _refuse_missing(weights: str) -> None:
    """Raises SpecError if a name is neither that of a file nor of weights of a library."""
    from ...compiler.plan.transfer import LIBRARIES
    from ..transfer.missing_weights import missing_weights

    if weights.partition(":")[0] not in LIBRARIES:
        raise SpecError([missing_weights(weights, Path(weights))])


def _name_of(data: str) -> str:
    """The name of a spec for a data set: that of its folder or file."""
    words = [word for word in re.split(r'["\s]+', data) if word]
    whole = len(words) < 2 or os.path.exists(data)  # not the words of a `data` line
    last = Path(os.path.abspath(data)) if whole else Path(words[1])
    name = re.sub(r"[^\w.-]+", "_", last.name if last.is_dir() else last.stem).strip("._")
    return name or "net"
