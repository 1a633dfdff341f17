"""Whose weights: the folder of a run, a file, or a model of torchvision's or timm's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

from ...compiler.plan.transfer import From
from ...dsl.diagnostics import Diagnostic, SpecError
from ..checkpoint.checkpoint import about_weights
from ..checkpoint.run_folder import BEST, RECORD
from ..data.images.preprocessing import NoPreparation, Preparation
from ..data.sources.file_names import resolve
from ..export.trained import open_trained
from ..saved_request import best_of, request_of
from ..weights.read import read_weights
from .diagnostic import placed
from .preprocessing_of_weights import Pixels
from .timm_weights import from_timm
from .torchvision_weights import from_torchvision


class Source(NamedTuple):
    said: str
    """As the spec says it."""
    weights: nn.Module | Mapping[str, Tensor]
    """A module, where there is one: its dataflow tells more than names and shapes."""
    pixels: Pixels | None
    """What they have learned from, where that is known."""


def open_source(directive: From, base: Path) -> Source:
    """Raises SpecError for what is not there, or is none. `base` is the spec's folder."""
    said = directive.source
    try:
        if directive.library == "torchvision":
            return Source(said, *from_torchvision(said.partition(":")[2]))
        if directive.library == "timm":
            return Source(said, *from_timm(said.partition(":")[2]))
        return _from_file(said, resolve(said, base))
    except SpecError as error:
        raise placed(error, directive) from None


def _from_file(said: str, path: Path) -> Source:
    if not os.path.exists(path):  # false for names that are too long, too
        message = f"there are no weights at {said}"
        note = f"looked for at {path.absolute()}"
        help = (
            "name the folder of a run, or a file of weights; paths are relative to the "
            "spec's folder"
        )
        raise SpecError([Diagnostic("no-such-file", message, notes=(note,), help=help)])
    if path.is_dir():
        return _from_run(said, path)
    if path.name == BEST and (path.parent / RECORD).is_file():
        with suppress(SpecError):  # what lies around a file may be of something else
            return _from_run(said, path.parent)
    return Source(said, read_weights(path), _pixels(about_weights(path)))


def _from_run(said: str, folder: Path) -> Source:
    """Its spec is there, too, and with it the dataflow."""
    network = request_of(folder).network
    best = best_of(folder)
    return Source(said, open_trained(network, "", best).module, _pixels(about_weights(best)))


def _pixels(about: Mapping[str, str]) -> Pixels | None:
    """Of weights that were trained here."""
    try:
        return Pixels.of(Preparation.from_json(about["preparation"]))
    except (KeyError, NoPreparation):
        return None
