"""Writes report.html, the report of a run or an evaluation."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ...compiler.analysis import analyse
from ...compiler.network import Network
from ...dsl.atomic_file import write_whole, written
from ..data.images.visible import shown_by
from ..data.opened import Opened
from ..find_lr.found_rate import rate_of_run
from ..inference.trained_model import TrainedModel
from ..metrics.outcome import Outcome
from . import history
from .band_table import bands
from .confusion_matrix import confusion
from .contents import Contents
from .curves import curves
from .document import document
from .filters import filters
from .folds_section import folds
from .found_rate_section import found_rate
from .gradcam_section import gradcam_section
from .image_answers import image_answers
from .initial_weights import transfer
from .markup import Html
from .mask_answers import mask_answers
from .mistakes import mistakes
from .network import network as drawn
from .network import spec
from .number_answers import number_answers
from .per_class import classes
from .reliability import reliability
from .summary import summary
from .thresholds import thresholds

NAME = "report.html"


def write_report(
    folder: Path, network: Network, module: nn.Module, outcome: Outcome, data: Opened
) -> Path:
    """Writes the report into a run folder, completely or not at all; raises OSError.

    `outcome` was measured with the weights of `module`. The rest comes from metrics.jsonl,
    record.json and transfer.txt in the folder.
    """
    return _into_run(folder / NAME, contents_of(folder, network, module, outcome, data))


def contents_of(
    folder: Path, network: Network, module: nn.Module, outcome: Outcome, data: Opened
) -> Contents:
    """What the report of a run shows."""
    return Contents(
        network,
        module,
        outcome,
        data,
        history.epochs(folder),
        history.record(folder),
        history.transfer(folder),
        rate_of_run(folder),
    )


def write_page(path: Path, model: TrainedModel, outcome: Outcome, data: Opened) -> Path:
    """Writes the report of an evaluation. For an ensemble, filters and Grad-CAM are those of its
    first network."""
    folder = model.folder
    contents = Contents(
        model.request.network,
        model.modules[0],
        outcome,
        data,
        history.epochs(folder) if folder is not None else [],
        history.record(folder) if folder is not None else {},
        history.transfer(folder) if folder is not None else "",
        rate_of_run(folder) if folder is not None else None,
    )
    if folder is not None and path.absolute().parent == folder.absolute():
        return _into_run(path, contents)
    text = report(contents)
    with written(path) as file:
        file.write_text(text, encoding="utf-8", newline="\n")
    return path


def _into_run(path: Path, contents: Contents) -> Path:
    """Writes into a run, which may be from anybody: a link at `path` is replaced, not followed."""
    write_whole(path, report(contents).encode())
    return path


def _of_images(contents: Contents) -> list[Html | None]:
    """The sections about single images."""
    if contents.data.task.images:
        return [image_answers(contents)]
    if contents.data.task.dense:
        return [mask_answers(contents)]
    if contents.data.task.numbers:
        return [*number_answers(contents)]
    if not contents.one_class:
        return []
    # Grad-CAM explains the one answer of a network.
    return [mistakes(contents), None if contents.of else gradcam_section(contents)]


def _of_answers(contents: Contents) -> list[Html | None]:
    """The sections about the answers of a network, or of one of its outputs."""
    return [
        confusion(contents),
        classes(contents),
        thresholds(contents),
        reliability(contents),
        *_of_images(contents),
    ]


def report(contents: Contents) -> str:
    """The HTML of the report."""
    with shown_by(contents.data.plan):
        return _report(contents)


def _report(contents: Contents) -> str:
    analysis = analyse(contents.network)
    sections = [
        summary(contents, analysis),
        folds(contents),
        curves(contents),
        found_rate(contents),
        bands(contents),
        *_of_answers(contents),
        *(each for one in contents.each_output() for each in _of_answers(one)),
        filters(contents),
        transfer(contents),
        drawn(contents, analysis),
        spec(contents),
    ]
    dataset = contents.data.dataset
    how = "trained" if contents.epochs else "evaluated"
    convolves = any(node.op.kind == "conv" for node in contents.network.nodes)
    what = "convolutional" if convolves else "neural"
    subtitle = f"A {what} network, {how} on {dataset.name}"
    foot = "Written by dotcnn. This page is self-contained: it loads nothing from the internet."
    return document(contents.network.name, subtitle, [each for each in sections if each], foot)
