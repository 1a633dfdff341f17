"""Reads the specs named on the command line: files, folders, gallery names, run folders, standard
input.
"""

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
    from ..language.overrides import SectionOverride
    from ..network import Network
    from ..report.select import Selection
    from ..spec_options import GivenSpec

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


# ---- specs and runs --------------------------------------------------------------------------


def given_spec(file: str, options: argparse.Namespace) -> GivenSpec:
    """The spec of one file or run folder, with the options of the run."""
    if file != "-" and os.path.isdir(file):
        run: GivenSpec | None = options.run_spec(Path(file))
        if run is None:
            raise UsageError(f"{file} is a folder, but not a run folder; name a run or one file")
        return run
    return _spec(source_of(file))


def given_specs(
    files: Iterable[str], options: argparse.Namespace
) -> Iterator[GivenSpec | list[Diagnostic]]:
    """The specs of all files, run folders and folders of specs, or why they cannot be read."""
    for file in files:
        try:
            run = None
            if file != "-" and os.path.isdir(file):
                run = options.run_spec(Path(file))
        except SpecError as error:
            yield list(error.diagnostics)
            continue
        if run is not None:
            yield run
            continue
        for each in sources([file]):
            yield each if isinstance(each, list) else _spec(each)


def _spec(source: Source) -> GivenSpec:
    from ..spec_options import GivenSpec

    return GivenSpec(source)


def section_overrides(spec: GivenSpec) -> list[SectionOverride]:
    """The directives that a run has set."""
    return _divided(spec)[1]


def _divided(spec: GivenSpec) -> tuple[dict[str, object], list[SectionOverride]]:
    """The parameters and the directives that a run has set."""
    if not spec.options.set:
        return {}, []
    from ..language.overrides import divide

    return divide(spec.overrides())


# ---- networks --------------------------------------------------------------------------------


def network_of(spec: GivenSpec, options: argparse.Namespace, classes: int | None = None) -> Network:
    """The network of one spec, which may define several."""
    network = _network(spec, options, classes=classes)
    assert network is not None
    return network


def _network(
    spec: GivenSpec,
    options: argparse.Namespace,
    *,
    classes: int | None = None,
    needs_network: bool = True,
) -> Network | None:
    from ...dsl.diagnostics import has_errors
    from ..build.elaborate import examine
    from ..language.fuel import DEFAULT_LAYERS
    from ..load_spec import load

    saved = spec.options
    parameters, sections = _divided(spec)
    program = load(spec.source)
    network, diagnostics = examine(
        program,
        network=options.network or saved.network,
        overrides={**parameters, **dict(options.set)},
        input_shape=options.input or saved.input,
        classes=saved.classes if classes is None else classes,
        max_layers=options.max_layers or DEFAULT_LAYERS,
        needs_network=needs_network,
    )
    if has_errors(diagnostics):
        from ..plan.check import errors_in_sections

        raise SpecError([*diagnostics, *errors_in_sections(program, sections)])
    return network


def analysis_of(file: str, options: argparse.Namespace, *, as_trained: bool = True) -> Analysis:
    """Of one spec; memory as its own `train` section says, where no option says otherwise."""
    spec = given_spec(file, options)
    return _analysed(spec, network_of(spec, options), options, as_trained=as_trained)


def analyses_of(
    files: list[str], options: argparse.Namespace
) -> Iterator[Analysis | list[Diagnostic]]:
    """The analysis of each spec, or its diagnostics."""
    # A folder may contain files that only define blocks for others to import.
    needs_network = not any(Path(file).is_dir() for file in files)
    for spec in given_specs(files, options):
        if isinstance(spec, list):
            yield spec
            continue
        try:
            network = _network(spec, options, needs_network=needs_network)
            if network is not None:
                yield _analysed(spec, network, options)
        except SpecError as error:
            yield list(error.diagnostics)


def selected(network: Network, wanted: str) -> Selection:
    """The layers of a name, a line or a path; raises UsageError if there are none."""
    from ..report.select import NotFound, select

    try:
        return select(network, wanted)
    except NotFound as error:
        raise UsageError(
            f"{error.message}; {error.help}" if error.help else error.message
        ) from None


def _analysed(
    spec: GivenSpec, network: Network, options: argparse.Namespace, *, as_trained: bool = True
) -> Analysis:
    from ..analysis import Setting, analyse
    from ..analysis.setting import LABELS, OPTIMIZERS
    from ..shapes import size

    given: dict[str, Any] = {"batch": options.batch, "precision": options.precision}
    given["optimizer"] = OPTIMIZERS[options.optimizer] if options.optimizer else None
    in_train: dict[str, Any] = {}
    if as_trained and ("train" in network.sections or spec.options.set):
        from ..plan.memory_setting import settings_in_train

        in_train = settings_in_train(network, section_overrides(spec))
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
