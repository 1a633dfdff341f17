"""Command-line arguments that several commands share: files, `--set`, `--input`, `--batch`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..analysis.cards import Card
    from ..shapes import Shape

FILE = "a .cnn file, the name of a spec in the gallery, or - for standard input"
FILES = "a .cnn file, a folder of them, the name of a spec in the gallery, or - for standard input"


SPEC = "a .cnn file, the name of a spec in the gallery, a run folder, or - for standard input"
SPECS = (
    "a .cnn file, a folder of them, the name of a spec in the gallery, a run folder, or - for"
    " standard input"
)


# ---- values ----------------------------------------------------------------------------------


def natural(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def whole(text: str) -> int:
    """A whole number of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def read_shape(text: str) -> Shape:
    sizes = text.lower().split("x")
    if len(sizes) > 4 or not all(s.isdecimal() and int(s) > 0 for s in sizes):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an input size: write channels x height x width, like 3x160x160"
        )
    return tuple(map(int, sizes))


def _override(text: str) -> tuple[str, object]:
    from ..language.overrides import OverrideError, read_override

    try:
        return read_override(text)
    except OverrideError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def memory_size(text: str) -> int:
    from ..report.figures import SizeError, read_data_size

    try:
        return read_data_size(text)
    except SizeError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def card(text: str) -> Card:
    from ..analysis.cards import NoCard, card_named

    try:
        return card_named(text)
    except NoCard as error:
        raise argparse.ArgumentTypeError(str(error)) from None


# ---- options ---------------------------------------------------------------------------------


def add_set(parser: argparse.ArgumentParser, help: str) -> None:
    parser.add_argument(
        "--set", type=_override, action="append", default=[], metavar="NAME=VALUE", help=help
    )


def add_format(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--format",
        choices=["table", "json"],
        default="table",
        help="table for people, json for programs (default: table)",
    )


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """Adds `--input`, `--set`, `--network`, `--max-layers`: how the network is built."""
    parser.add_argument(
        "--input", type=read_shape, metavar="CxHxW", help="another input size, like 3x160x160"
    )
    add_set(
        parser,
        "set a parameter of the network (width=1.5) or a directive of a section (train.epochs=3);"
        " the value is written as in a spec; may be repeated",
    )
    parser.add_argument(
        "--network",
        metavar="NAME",
        help="which network, where the file has several (default: the last)",
    )
    parser.add_argument(
        "--max-layers",
        type=natural,
        metavar="N",
        help="refuse a network of more than N layers (default: 50,000)",
    )


def add_memory_options(parser: argparse.ArgumentParser) -> None:
    """Adds `--batch`, `--precision`, `--optimizer`, `--device`: what memory figures are computed
    for.
    """
    from ..analysis.setting import OPTIMIZERS

    parser.add_argument(
        "--batch",
        type=natural,
        metavar="N",
        help="batch size, for the memory figures; all other figures are for one image (default:"
        " that of the spec's `train` section, else 1)",
    )
    parser.add_argument(
        "--precision",
        choices=["fp32", "bf16", "fp16"],
        help="numeric precision of training, for the memory figures (default: that of the spec's"
        " `train` section, else fp32)",
    )
    parser.add_argument(
        "--optimizer",
        choices=list(OPTIMIZERS),
        help="optimizer, whose state counts towards memory (default: that of the spec's `train`"
        " section, else sgd, without momentum)",
    )
    parser.add_argument(
        "--device",
        choices=["cpu", "cuda"],
        default="cuda",
        help="device that trains, for the memory figures (default: cuda)",
    )
    parser.add_argument(
        "--devices",
        type=natural,
        default=1,
        metavar="N",
        help="GPUs that train together: the batch is divided among them, and the memory figures are"
        " those of each (default: 1)",
    )
    parser.add_argument(
        "--images",
        type=whole,
        default=0,
        metavar="N",
        help="images of the data set that stay on the GPU, for the memory figures (default: 0)",
    )
