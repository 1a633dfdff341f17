"""A trained network, ready to be used: from the folder of a run, or from a spec and its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from ...compiler.plan.evaluate import Normalize, Resize
from ...compiler.plan.plan import TrainPlan
from ...compiler.shapes import Shape
from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.source import Source
from ..checkpoint.checkpoint import about_weights
from ..checkpoint.run_folder import BEST, member_name, shown
from ..data.images.preprocessing import NoPreparation, Preparation
from ..data.sources.arrays_given import ArrayData
from ..export.trained import open_trained
from ..request import Request, request
from ..saved_request import best_of, request_of


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """Its modules give logits; of several, the probabilities are averaged."""

    name: str
    """What it is from, as a person wrote it."""
    folder: Path | None
    """Of its run."""
    request: Request
    modules: tuple[nn.Module, ...]
    device: torch.device
    classes: tuple[str, ...] | None
    """None where the weights do not tell; then the data do."""
    preparation: Preparation | None
    """The same."""
    multi_label: bool | None
    """Whether an image may be of several classes at once."""
    epoch: int | None
    """After which the weights were kept."""

    @property
    def plan(self) -> TrainPlan:
        """For evaluation: nothing is augmented, and pixels become what they became in training."""
        plan = replace(self.request.plan, augment=())
        if self.preparation is None:
            return plan
        known = self.preparation
        normalize = Normalize(
            preset="none", mean=known.mean, std=known.std, scale=known.scale, order=known.order
        )
        evaluate = replace(plan.evaluate, normalize=normalize)
        sized = (evaluate.resize, evaluate.crop)
        if not any(one is not None and one.written for one in sized):  # then weights may have said
            resize = Resize(side=known.fit.resize, mode=known.fit.mode)
            evaluate = replace(evaluate, resize=resize)
        return replace(plan, evaluate=evaluate)


def open_run(
    folder: Path,
    version: str,
    *,
    device: torch.device,
    data: str | ArrayData | None = None,
    set: Sequence[tuple[str, object]] = (),
) -> TrainedModel:
    """The best weights of a run, with which nothing but numbers is read; raises SpecError."""
    wanted = request_of(folder, set, data)
    return _ready(shown(folder), folder, wanted, _weights(folder), version, device)


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
    """A spec with weights of its own; raises SpecError."""
    known = _classes(about_weights(weights))
    wanted = request(
        source,
        set=set,
        data=data,
        network=network,
        input=input,
        classes=len(known) if known else None,
        max_layers=max_layers,
    )
    return _ready(shown(weights), None, wanted, [weights], version, device)


def _ready(
    name: str,
    folder: Path | None,
    wanted: Request,
    weights: Sequence[Path],
    version: str,
    device: torch.device,
) -> TrainedModel:
    modules = tuple(
        open_trained(wanted.network, version, path, heads=False).module.to(device)
        for path in weights
    )
    about = about_weights(weights[0])
    epoch = about.get("epoch", "")
    return TrainedModel(
        name,
        folder,
        wanted,
        modules,
        device,
        _classes(about),
        _preparation(about, name),
        about["several"] == "yes" if "several" in about else None,
        int(epoch) if epoch.isdecimal() and len(weights) == 1 else None,
    )


def _weights(folder: Path) -> list[Path]:
    """Of one network, or of each of an ensemble; raises SpecError where there are none yet."""
    members = [folder / member_name(1)]
    if (folder / BEST).is_file() or not members[0].is_dir():
        return [best_of(folder)]
    while (following := folder / member_name(len(members) + 1)).is_dir():
        members.append(following)
    return [best_of(member) for member in members]


# ---- what stands beside the weights ------------------------------------------------------------


def _classes(about: Mapping[str, str]) -> tuple[str, ...] | None:
    try:
        found = json.loads(about["classes"])
    except (KeyError, ValueError):
        return None
    return tuple(map(str, found)) if isinstance(found, list) else None


def _preparation(about: Mapping[str, str], name: str) -> Preparation | None:
    if "preparation" not in about:
        return None
    try:
        return Preparation.from_json(about["preparation"])
    except NoPreparation as error:
        message = f"the preprocessing cannot be read from {name}: {error}"
        raise SpecError([Diagnostic("weights-damaged", message)]) from None
