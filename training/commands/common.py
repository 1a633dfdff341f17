"""Shared by the commands that train or use networks: `--data`, `--device`, the check for torch."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ...compiler.commands.specs import source_of
from ...compiler.commands.terminal import wants_color
from ...dsl.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from ..request import Request
    from ..trainer.callbacks import Callback


def add_data(parser: argparse._ActionsContainer, help: str) -> None:
    parser.add_argument(
        "--data",
        metavar="DATA",
        help=f"{help}: a folder, a .npz file, or the words of a `data` line",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device",
        default="auto",
        metavar="DEVICE",
        help="cpu, cuda, cuda:1 or mps (default: auto, the fastest one)",
    )


def add_tta(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tta",
        action="store_true",
        help="test-time augmentation: average the predictions for several views of each image, as"
        " `tta` in the spec says",
    )


def needs_torch(what: str) -> None:
    """Raises SpecError if torch is not installed."""
    missing = [name for name in ("torch", "safetensors") if find_spec(name) is None]
    if missing:
        message = f"{what} needs {' and '.join(missing)}, not installed here"
        help = 'pip install "dotcnn[torch]"'
        raise SpecError([Diagnostic("missing-package", message, help=help)])


def request_for(options: argparse.Namespace) -> Request:
    """The training request of a command: its spec and options."""
    from ..request import request

    return request(
        source_of(options.file),
        set=options.set,
        data=options.data,
        network=options.network,
        input=options.input,
        max_layers=options.max_layers,
    )


@contextmanager
def progress_display(options: argparse.Namespace) -> Iterator[Callback]:
    """Shows the progress of a command on stderr."""
    from ..display.choose import callback_for

    callback = callback_for(sys.stderr, color=wants_color(options, sys.stderr))
    try:
        yield callback
    finally:
        callback.close()
