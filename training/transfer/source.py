"""Opens pretrained weights: of a run, of a file, or of a model of torchvision or timm."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

from ...compiler.plan.transfer import From
from ...dsl.diagnostics import SpecError
from ..checkpoint.checkpoint import about_weights
from ..checkpoint.run_folder import BEST, RECORD
from ..data.images.preprocessing import NoPreparation, Preparation
from ..data.sources.file_names import resolve
from ..export.trained import open_trained
from ..saved_request import best_of, request_of
from ..weights.read import read_weights
from .diagnostic import placed
from .missing_weights import missing_weights
from .preprocessing_of_weights import Pixels
from .timm_weights import from_timm
from .torchvision_weights import from_torchvision


class Source(NamedTuple):
    name: str
    """The name in the spec."""
    weights: nn.Module | Mapping[str, Tensor]
    """A module if there is one, since its computation says more than names and shapes."""
    pixels: Pixels | None
    """The preprocessing that the weights expect, if it is known."""


def open_source(directive: From, base: Path) -> Source:
    """Opens the weights that `from` names; raises SpecError if they do not exist or cannot be used.
    `base` is the folder of the spec."""
    name = directive.source
    try:
        if directive.library == "torchvision":
            return Source(name, *from_torchvision(name.partition(":")[2]))
        if directive.library == "timm":
            return Source(name, *from_timm(name.partition(":")[2]))
        return _from_file(name, resolve(name, base))
    except SpecError as error:
        raise placed(error, directive) from None


def _from_file(name: str, path: Path) -> Source:
    if not os.path.exists(path):  # also false for names that are too long
        raise SpecError([missing_weights(name, path)])
    if path.is_dir():
        return _from_run(name, path)
    if path.name == BEST and (path.parent / RECORD).is_file():
        with suppress(SpecError):  # the other files in its folder may not belong to it
            return _from_run(name, path.parent)
    return Source(name, read_weights(path), _pixels(about_weights(path)))


def _from_run(name: str, folder: Path) -> Source:
    """The best weights of a run, as a module: its spec is in the folder, too."""
    network = request_of(folder).network
    best = best_of(folder)
    return Source(name, open_trained(network, "", best).module, _pixels(about_weights(best)))


def _pixels(about: Mapping[str, str]) -> Pixels | None:
    """The preprocessing of weights that this program trained; None if it is not recorded."""
    try:
        return Pixels.of(Preparation.from_json(about["preparation"]))
    except (KeyError, NoPreparation):
        return None
