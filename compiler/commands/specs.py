"""Reads the specs named on the command line: files, folders, gallery names, standard input."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...dsl.diagnostics import Diagnostic, SpecError
from .terminal import UsageError, say

if TYPE_CHECKING:
    from ...dsl.source import Source
    from ..analysis import Analysis
    from ..network import Network

_MAX_STDIN = 40_000_000


def sources(files: Iterable[str]) -> Iterator[Source | list[Diagnostic]]:
    """The text of every file named, or why it cannot be read."""
    for file in files:
        try:
            if file != "-" and os.path.isdir(file):
                yield from sources(_specs_in(Path(file)))
            else:
                yield source_of(file)
        except SpecError as error:
            yield list(error.diagnostics)


def source_of(file: str) -> Source:
    """The text of one file."""
    from ...dsl.files import decode
    from ...dsl.gallery import open_spec

    if file == "-":
        return decode(sys.stdin.buffer.read(_MAX_STDIN), "<stdin>")
    if not file:  # `cnn fmt "$NAME"`, where NAME is not set
        raise SpecError([Diagnostic("no-such-file", "the name of a file is empty")])
    if os.path.isdir(file):
        raise UsageError(f"{file} is a folder; name one file")
    return open_spec(file)


def _specs_in(folder: Path) -> list[str]:
    """All specs in a folder and its subfolders, hidden ones excluded."""
    specs = [
        path
        for path in folder.rglob("*.cnn")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not specs:
        say(f"cnn: no .cnn files in {folder}")
    return [str(path) for path in sorted(specs)]


def network_of(file: str, options: argparse.Namespace, classes: int | None = None) -> Network:
    """The network of one file, which may define several."""
    network = _network(source_of(file), options, classes=classes)
    assert network is not None
    return network


def _network(
    source: Source,
    options: argparse.Namespace,
    *,
    classes: int | None = None,
    needs_network: bool = True,
) -> Network | None:
    from ...dsl.diagnostics import has_errors
    from ..build.elaborate import examine
    from ..language.fuel import DEFAULT_LAYERS
    from ..load_spec import load

    network, diagnostics = examine(
        load(source),
        network=options.network,
        overrides=dict(options.set),
        input_shape=options.input,
        classes=classes,
        max_layers=options.max_layers or DEFAULT_LAYERS,
        needs_network=needs_network,
    )
    if has_errors(diagnostics):
        raise SpecError(diagnostics)
    return network


def analysis_of(file: str, options: argparse.Namespace, *, as_trained: bool = True) -> Analysis:
    """Of one file; memory as its own `train` section says, where no option says otherwise."""
    return _analysed(network_of(file, options), options, as_trained=as_trained)


def analyses_of(
    files: list[str], options: argparse.Namespace
) -> Iterator[Analysis | list[Diagnostic]]:
    """The analysis of each spec, or its diagnostics."""
    # A folder may contain files that only define blocks for others to import.
    needs_network = not any(Path(file).is_dir() for file in files)
    for source in sources(files):
        if isinstance(source, list):
            yield source
            continue
        try:
            network = _network(source, options, needs_network=needs_network)
            if network is not None:
                yield _analysed(network, options)
        except SpecError as error:
            yield list(error.diagnostics)


def _analysed(
    network: Network, options: argparse.Namespace, *, as_trained: bool = True
) -> Analysis:
    from ..analysis import Setting, analyse
    from ..analysis.setting import LABELS, OPTIMIZERS
    from ..shapes import size

    given: dict[str, Any] = {"batch": options.batch, "precision": options.precision}
    given["optimizer"] = OPTIMIZERS[options.optimizer] if options.optimizer else None
    in_train: dict[str, Any] = {}
    if as_trained and "train" in network.sections:
        from ..plan.memory_setting import settings_in_train

        in_train = settings_in_train(network)
    from_train = tuple(name for name in given if name in in_train and given[name] is None)
    values = {
        **in_train,
        **{name: value for name, value in given.items() if value is not None},
    }
    if "batch" in values:
        values["batch"] = max(1, values["batch"] // options.devices)
    setting = Setting(
        device=options.device,
        from_train=from_train,
        batch_known="batch" in values,
        processes=options.devices,
        data=options.images * (size(network.input.shape) + LABELS),
        **values,
    )
    return analyse(network, setting)
