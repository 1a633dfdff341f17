"""Opens a trained network for inference: from a run folder, or from a spec and its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import torch
from torch import nn

from ...compiler.plan.data import Folder, TableData
from ...compiler.plan.evaluate import Normalize, Pad
from ...compiler.plan.plan import TrainPlan
from ...compiler.shapes import Shape
from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.source import Source
from ..checkpoint.checkpoint import about_weights
from ..checkpoint.run_folder import BEST, member_name, shown
from ..data.images.preprocessing import NoPreparation, Preparation
from ..data.samples.sample_fit import SampleFit
from ..data.sources.arrays_given import ArrayData
from ..export.trained import open_trained
from ..request import Request, request
from ..saved_request import best_of, request_of
from ..tasks.known_tasks import recorded_task, recorded_thresholds
from ..tasks.multi_label import MultiLabel
from ..tasks.task import Task
from .as_first import as_first
from .ensemble_module import EnsembleModule
from .load import taking_samples


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A trained network, or those of an ensemble, whose probabilities are averaged. The modules
    return logits."""

    name: str
    """The run folder or the file of weights, as the user wrote it."""
    folder: Path | None
    """The run folder; None for a spec with weights."""
    request: Request
    modules: tuple[nn.Module, ...]
    device: torch.device
    preparation: Preparation | None
    """The preprocessing; None if the weights do not record it. Then the plan defines it."""
    task: Task | None
    """What it answers; None if the weights do not record it. Then the data defines it."""
    epoch: int | None
    """The epoch after which the weights were saved, if it is recorded."""
    tasks: tuple[Task | None, ...] = ()
    """What each network answers, with thresholds of its own; `task` has their means."""

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The class names; None if the weights do not record them."""
        return self.task.classes if self.task is not None else None

    @property
    def module(self) -> nn.Module:
        """The network, or those of an ensemble as one module."""
        if len(self.modules) == 1:
            return self.modules[0].eval()
        assert self.task is not None
        return EnsembleModule(self.modules, self.task).eval()

    @property
    def plan(self) -> TrainPlan:
        """The plan for evaluation: without augmentation, and with the preprocessing of training."""
        plan = replace(self.request.plan, augment=())
        if self.preparation is None:
            return plan
        known = self.preparation
        normalize = Normalize.make(
            preset="none", mean=known.mean, std=known.std, scale=known.scale, order=known.order
        )
        evaluate = plan.evaluate.normalized_by(normalize)
        if isinstance(known.sizing, SampleFit):
            return _for_samples(plan, known, known.sizing, normalize)
        sized = (evaluate.resize, evaluate.crop)
        if not any(one is not None and one.written for one in sized):  # not in the spec
            evaluate = replace(evaluate, resize=known.fit.directive)
        return replace(plan, evaluate=evaluate)


def _for_samples(
    plan: TrainPlan, known: Preparation, sizing: SampleFit, normalize: Normalize
) -> TrainPlan:
    """The plan for the evaluation of series and scans: padded, turned into spectrograms and
    normalized as in training, and sound at the same sample rate."""
    rate = known.rate
    pad = plan.evaluate.pad
    if pad is None and sizing.pad is not None:
        pad = Pad(value=sizing.pad, at=sizing.at)
    if sizing.each:
        normalize = Normalize.make(preset="each", scale=1.0)
    data = plan.train.data
    if isinstance(data, Folder | TableData) and data.rate is None and rate is not None:
        data = data.replace(rate=rate)
    return replace(
        plan,
        evaluate=replace(
            plan.evaluate, pad=pad, spectrogram=known.spectrogram, normalizations=(normalize,)
        ),
        train=replace(plan.train, data=data),
    )


def open_run(
    folder: Path,
    version: str,
    *,
    device: torch.device,
    data: str | ArrayData | None = None,
    set: Sequence[tuple[str, object]] = (),
) -> TrainedModel:
    """Opens a run with its best weights; no code in its files is executed. Raises SpecError."""
    run_request = request_of(folder, set, data)
    return _open(shown(folder), folder, run_request, _weights(folder), version, device)


def open_weights(
    source: Source,
    weights: Path,
    version: str,
    *,
    device: torch.device,
    data: str | ArrayData | None = None,
    set: Sequence[tuple[str, object]] = (),
    network: str | None = None,
    input: Shape | None = None,
    max_layers: int | None = None,
) -> TrainedModel:
    """Opens a spec with a file of weights; raises SpecError."""
    known = classes_in(about_weights(weights))
    spec_request = request(
        source,
        set=set,
        data=data,
        network=network,
        input=input,
        classes=len(known) if known else None,
        max_layers=max_layers,
    )
    return _open(shown(weights), None, spec_request, [weights], version, device)


def _open(
    name: str,
    folder: Path | None,
    request: Request,
    weights: Sequence[Path],
    version: str,
    device: torch.device,
) -> TrainedModel:
    modules = tuple(
        taking_samples(
            open_trained(request.network, version, path, heads=False).module, request.network
        ).to(device)
        for path in weights
    )
    abouts = [about_weights(path) for path in weights]
    about, task = abouts[0], task_in(abouts[0])
    if isinstance(task, MultiLabel) and len(weights) > 1:
        each = [recorded_thresholds(one, len(task.classes)) for one in abouts]
        task = replace(task, thresholds=tuple(map(mean, zip(*each, strict=True))))
    first = preparation_in(about, name), task
    of_each = [(preparation_in(one, name), task_in(one)) for one in abouts]
    modules = tuple(
        [as_first(module, own, first) for module, own in zip(modules, of_each, strict=True)]
    )
    epoch = about.get("epoch", "")
    return TrainedModel(
        name,
        folder,
        request,
        tuple([module.to(device) for module in modules]),
        device,
        first[0],
        task,
        int(epoch) if epoch.isdecimal() and len(weights) == 1 else None,
        tuple([own for _, own in of_each]),
    )


def _weights(folder: Path) -> list[Path]:
    """The files of the best weights of a run, one for each network of an ensemble; raises SpecError
    if there are none yet."""
    members = [folder / member_name(1)]
    if (folder / BEST).is_file() or not members[0].is_dir():
        return [best_of(folder)]
    while (following := folder / member_name(len(members) + 1)).is_dir():
        members.append(following)
    return [best_of(member) for member in members]


# ---- the metadata of weights -------------------------------------------------------------------


def classes_in(about: Mapping[str, str]) -> tuple[str, ...] | None:
    """The names of the classes, if the weights record them."""
    try:
        names = json.loads(about["classes"])
    except (KeyError, ValueError):
        return None
    return tuple(map(str, names)) if isinstance(names, list) else None


def task_in(about: Mapping[str, str]) -> Task | None:
    """What the network answers, if the weights record the classes."""
    classes = classes_in(about)
    return recorded_task(about, classes) if classes is not None else None


def preparation_in(about: Mapping[str, str], name: str) -> Preparation | None:
    """The preprocessing, if the weights record it; raises SpecError if it cannot be read."""
    if "preparation" not in about:
        return None
    try:
        return Preparation.from_json(about["preparation"])
    except NoPreparation as error:
        message = f"the preprocessing cannot be read from {name}: {error}"
        raise SpecError([Diagnostic("weights-damaged", message)]) from None
