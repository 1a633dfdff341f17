"""Writes report.html."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ...compiler.analysis import analyse
from ...compiler.network import Network
from ...dsl.atomic_file import write_whole, written
from ..data.open import Opened
from ..inference.trained_model import TrainedModel
from ..metrics.outcome import Outcome
from . import history
from .confusion_matrix import confusion
from .contents import Contents
from .curves import curves
from .document import document
from .filters import filters
from .gradcam_section import looks
from .initial_weights import transfer
from .mistakes import mistakes
from .network import network as drawn
from .network import spec
from .per_class import classes
from .summary import summary

NAME = "report.html"


def write_report(
    folder: Path, network: Network, module: nn.Module, outcome: Outcome, data: Opened
) -> Path:
    """Writes it into a run's folder, whole or not at all; raises OSError.

    `module` has the weights that `outcome` was measured with; the rest comes from the folder's
    metrics.jsonl and record.json.
    """
    contents = Contents(
        network,
        module,
        outcome,
        data,
        history.epochs(folder),
        history.record(folder),
        history.transfer(folder),
    )
    return _into_run(folder / NAME, contents)


def write_page(path: Path, ready: TrainedModel, outcome: Outcome, data: Opened) -> Path:
    """The same for an evaluation; of an ensemble, filters and Grad-CAM are the first network's."""
    folder = ready.folder
    contents = Contents(
        ready.request.network,
        ready.modules[0],
        outcome,
        data,
        history.epochs(folder) if folder is not None else [],
        history.record(folder) if folder is not None else {},
        history.transfer(folder) if folder is not None else "",
    )
    if folder is not None and path.absolute().parent == folder.absolute():
        return _into_run(path, contents)
    text = report(contents)
    with written(path) as file:
        file.write_text(text, encoding="utf-8", newline="\n")
    return path


def _into_run(path: Path, contents: Contents) -> Path:
    """A run may come from anybody: a link that lies in its folder is replaced, not followed."""
    write_whole(path, report(contents).encode())
    return path


def report(contents: Contents) -> str:
    """The page's text."""
    analysis = analyse(contents.network)
    found = [
        summary(contents, analysis),
        curves(contents),
        confusion(contents),
        classes(contents),
        mistakes(contents),
        looks(contents),
        filters(contents),
        transfer(contents),
        drawn(contents, analysis),
        spec(contents),
    ]
    dataset = contents.data.dataset
    how = "trained" if contents.epochs else "measured"
    subtitle = f"A convolutional network, {how} on {dataset.name}"
    foot = "Written by dotcnn. This page loads nothing from the network."
    sections = [each for each in found if each is not None]
    return document(contents.network.name, subtitle, sections, foot)
