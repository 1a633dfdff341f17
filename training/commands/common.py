"""Shared by the commands that train or use networks: common options, the check for torch, what is
opened, and how JSON and pictures are written."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...compiler.commands.plot_file import write_bytes
from ...compiler.commands.specs import source_of
from ...compiler.commands.terminal import UsageError, wants_color
from ...dsl.diagnostics import Diagnostic, SpecError
from ..data.remote.remote_settings import CACHE, CACHE_SIZE, bytes_in

if TYPE_CHECKING:
    from ...compiler.shapes import Shape
    from ..request import Request
    from ..show.pictures.picture_sheet import PictureSheet
    from ..show.subject import Subject
    from ..trainer.callbacks import Callback


def add_data(parser: argparse._ActionsContainer, help: str) -> None:
    parser.add_argument(
        "--data",
        metavar="DATA",
        help=f"{help}: a folder, a .npz file, or the words of a `data` line",
    )


def add_cache(parser: argparse.ArgumentParser) -> None:
    """Where files elsewhere are kept, for a command that calls `use_cache`."""
    parser.add_argument(
        "--cache",
        metavar="FOLDER",
        help='keep what is fetched from elsewhere (`data shards "s3://…"`) in this folder'
        " (default: DOTCNN_CACHE, or the user's cache folder)",
    )
    parser.add_argument(
        "--cache-size",
        type=_size,
        metavar="SIZE",
        help="the most bytes of it, like 50GB (default: DOTCNN_CACHE_SIZE, or 10GB)",
    )


def _size(text: str) -> int:
    size = bytes_in(text)
    if size is None:
        raise argparse.ArgumentTypeError(f"{text} is not a size like 50GB")
    return size


def use_cache(options: argparse.Namespace) -> None:
    """Has this process, and those that it starts, use the cache that a command names."""
    if options.cache is not None:
        os.environ[CACHE] = str(Path(options.cache).absolute())
    if options.cache_size is not None:
        os.environ[CACHE_SIZE] = str(options.cache_size)


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


def open_subject(options: argparse.Namespace, *, data: str | None, input: Shape | None) -> Subject:
    """The network of a command that looks at one: a run, or a spec with or without weights."""
    from ..runtime.devices import find_device
    from ..show.subject import subject_of_run, subject_of_spec

    device = find_device(options.device)
    folder = Path(options.file)
    if not folder.is_dir():
        return subject_of_spec(
            source_of(options.file),
            __version__,
            device=device,
            weights=Path(options.weights) if options.weights else None,
            data=data,
            set=options.set,
            network=options.network,
            input=input,
            max_layers=options.max_layers,
        )
    if options.input or options.network or options.max_layers or options.weights:
        raise UsageError(
            "--input, --network, --max-layers and --weights are for specs; a run has its own"
        )
    return subject_of_run(folder, __version__, device=device, data=data, set=options.set)


@contextmanager
def progress_display(options: argparse.Namespace) -> Iterator[Callback]:
    """Shows the progress of a command on stderr."""
    from ..display.choose import callback_for

    callback = callback_for(sys.stderr, color=wants_color(options, sys.stderr))
    try:
        yield callback
    finally:
        callback.close()


def print_json(data: Mapping[str, Any]) -> None:
    """Prints what programs read; numbers that are not finite are null."""
    print(json.dumps(_finite(data), indent=2, allow_nan=False))


def _finite(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {name: _finite(each) for name, each in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(each) for each in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def write_sheet(output: str, sheet: PictureSheet) -> None:
    """Writes pictures as a page if the name of the file ends in .html, else as a PNG file."""
    if output.lower().endswith(".html"):
        from ..show.pictures.as_html import sheet_page

        write_bytes(output, sheet_page(sheet).encode())
        return
    from ..show.pictures.as_png import sheet_png

    write_bytes(output, sheet_png(sheet))
