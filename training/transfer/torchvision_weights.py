"""Pretrained weights of torchvision (`from "torchvision:ResNet50_Weights.IMAGENET1K_V2"`)."""

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

PretrainedModel = tuple[nn.Module, Pixels | None]


def from_torchvision(name: str) -> PretrainedModel:
    """A pretrained model, such as `ResNet50_Weights.IMAGENET1K_V2`, from the cache or a
    download."""
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
        message = f"torchvision's {name} are not weights of an image classifier"
        raise problem("unknown-weights", message, help=_meant(models, name))
    module = _filled(models, builder, weights, name)
    return module, _pixels(weights, own_normalization=hasattr(module, "transform_input"))


def problem(code: str, message: str, notes: tuple[str, ...] = (), help: str = "") -> SpecError:
    return SpecError([Diagnostic(code, message, notes=notes, help=help)])


def reason(error: Exception) -> str:
    """The message of an exception on one line of bounded length."""
    return " ".join(str(error).split())[:200] or type(error).__name__


# ---- names -----------------------------------------------------------------------------------


def _meant(models: ModuleType, name: str) -> str:
    """Help for an unknown name: a similar one, or weights of the network with that name."""
    network, _, version = name.partition(".")
    network = network.lower().removesuffix("_weights")
    if network in models.list_models(module=models):
        kind = models.get_model_weights(network)
        close = f"{kind.__name__}.{closest(version, kind.__members__) or kind.DEFAULT.name}"
    else:
        close = closest(name, _names(models))
    return f"did you mean `torchvision:{close}`?" if close else ""


def _names(models: ModuleType) -> list[str]:
    return [
        f"{kind}.{one.name}"
        for kind, members in vars(models).items()
        if kind.endswith("_Weights") and isinstance(members, type)
        for one in members  # type: ignore[attr-defined]
    ]


def _builders(models: ModuleType, kind: type) -> Iterator[str]:
    """The names of the models that have weights of this class; none if these are for quantized
    models, object detection or videos."""
    for name in models.list_models(module=models):
        if models.get_model_weights(name) is kind:
            yield name


# ---- weights ---------------------------------------------------------------------------------


def _filled(models: ModuleType, builder: str, weights: Any, name: str) -> nn.Module:
    place = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rpartition("/")[2]
    was_cached = place.exists()
    try:
        state = weights.get_state_dict(progress=False, check_hash=True)
        module = _built(models, builder)
        module.load_state_dict(state)
    except Exception as error:  # noqa: BLE001 (it fails in many ways without a network)
        if was_cached:
            message = f"torchvision:{name} cannot be read: {reason(error)}"
            help = "delete the file; it will be downloaded again"
            raise problem("weights-damaged", message, (f"it is in {place}",), help) from None
        message = f"torchvision:{name} is not on this computer, and cannot be downloaded"
        notes = (reason(error), f"it is downloaded from {weights.url}")
        help = f"download it elsewhere and put it at {place}"
        raise problem("no-such-weights", message, notes, help) from None
    return module


def _built(models: ModuleType, builder: str) -> nn.Module:
    model: nn.Module
    try:  # two of the models warn if `init_weights` is not given
        model = models.get_model(builder, weights=None, init_weights=False)
    except TypeError:
        model = models.get_model(builder, weights=None)
    return model


def _pixels(weights: Any, *, own_normalization: bool) -> Pixels | None:
    """The preprocessing of image classifiers; None for other networks. The two models that convert
    torchvision's usual normalization themselves (`transform_input`) were trained on -1 to 1."""
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
