"""Published weights, as torchvision names, fetches and keeps them; timm's are in of_timm.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from ...dsl.closest import closest
from ...dsl.diagnostics import Diagnostic, SpecError
from ..runtime.import_torchvision import torchvision
from .preprocessing_of_weights import Pixels

Found = tuple[nn.Module, Pixels | None]


def from_torchvision(name: str) -> Found:
    """`ResNet50_Weights.IMAGENET1K_V2`, from its cache or the network."""
    try:
        models = torchvision("models")
    except ImportError:
        help = 'pip install "dotcnn[torchvision]"'
        message = "weights from torchvision need torchvision, which is not installed"
        raise problem("missing-package", message, help=help) from None
    try:
        weights = models.get_weight(name)
    except (ValueError, AttributeError, KeyError, TypeError):  # `resnet50.V1` names a function
        message = f"torchvision has no weights called {name}"
        raise problem("unknown-weights", message, help=_meant(models, name)) from None
    builder = next(_builders(models, type(weights)), None)
    if builder is None:
        message = f"{name} are not weights of an image classifier of torchvision"
        raise problem("unknown-weights", message, help=_meant(models, name))
    module = _filled(models, builder, weights, name)
    return module, _pixels(weights, own_normalization=hasattr(module, "transform_input"))


def problem(code: str, message: str, notes: tuple[str, ...] = (), help: str = "") -> SpecError:
    return SpecError([Diagnostic(code, message, notes=notes, help=help)])


def reason(error: Exception) -> str:
    """What somebody else's code says, in a line that is not too long."""
    return " ".join(str(error).split())[:200] or type(error).__name__


# ---- names -----------------------------------------------------------------------------------


def _meant(models: ModuleType, name: str) -> str:
    """Help for a name that is none: one like it, or weights of the network of that name."""
    network, _, version = name.partition(".")
    if network.lower() in models.list_models(module=models):
        kind = models.get_model_weights(network.lower())
        close = f"{kind.__name__}.{closest(version, kind.__members__) or kind.DEFAULT.name}"
    else:
        close = closest(name, _names(models))
    return f"did you mean `torchvision:{close}`?" if close else ""


def _names(models: ModuleType) -> list[str]:
    return [
        f"{kind}.{one.name}"
        for kind, found in vars(models).items()
        if kind.endswith("_Weights") and isinstance(found, type)
        for one in found  # type: ignore[attr-defined]
    ]


def _builders(models: ModuleType, kind: type) -> Iterator[str]:
    """What makes modules that weights of a kind are for; nothing does where these are quantised, or
    find objects, or are for videos."""
    for name in models.list_models(module=models):
        if models.get_model_weights(name) is kind:
            yield name


# ---- weights ---------------------------------------------------------------------------------


def _filled(models: ModuleType, builder: str, weights: Any, name: str) -> nn.Module:
    place = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rpartition("/")[2]
    there = place.exists()
    try:
        state = weights.get_state_dict(progress=False, check_hash=True)
        module = _made(models, builder)
        module.load_state_dict(state)
    except Exception as error:  # noqa: BLE001 (it fails in many ways without a network)
        if there:
            message = f"torchvision:{name} cannot be read: {reason(error)}"
            help = "delete it, and it is downloaded again"
            raise problem("weights-damaged", message, (f"it is in {place}",), help) from None
        message = f"torchvision:{name} is not on this computer, and cannot be downloaded"
        notes = (reason(error), f"it is downloaded from {weights.url}")
        help = f"download it elsewhere and put it at {place}"
        raise problem("no-such-weights", message, notes, help) from None
    return module


def _made(models: ModuleType, builder: str) -> nn.Module:
    made: nn.Module
    try:  # two of them warn unless they are told how to begin
        made = models.get_model(builder, weights=None, init_weights=False)
    except TypeError:
        made = models.get_model(builder, weights=None)
    return made


def _pixels(weights: Any, *, own_normalization: bool) -> Pixels | None:
    """Of networks that take images of one kind; others have transforms of other kinds. The two that
    go on by themselves from torchvision's usual normalisation have learned from -1 to 1."""
    preset = weights.transforms()
    half = (0.5, 0.5, 0.5)
    try:
        return Pixels(
            int(preset.resize_size[0]),
            preset.interpolation.value,
            (int(preset.crop_size[0]), int(preset.crop_size[0])),
            half if own_normalization else tuple(map(float, preset.mean)),
            half if own_normalization else tuple(map(float, preset.std)),
        )
    except (AttributeError, IndexError, TypeError):
        return None
