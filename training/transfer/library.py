"""Published weights, as torchvision and timm name, fetch and keep them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from ...compiler.problems import closest
from ...dsl.diagnostics import Diagnostic, SpecError
from ..vision import torchvision
from .pixels import Pixels

Found = tuple[nn.Module, Pixels | None]


# ---- torchvision -----------------------------------------------------------------------------


def from_torchvision(name: str) -> Found:
    """`ResNet50_Weights.IMAGENET1K_V2`, from its cache or the network."""
    try:
        models = torchvision("models")
    except ImportError:
        help = 'pip install "dotcnn[torchvision]"'
        message = "weights of torchvision's need torchvision, which is not installed"
        raise _problem("missing-package", message, help=help) from None
    try:
        weights = models.get_weight(name)
    except (ValueError, AttributeError, KeyError):
        close = closest(name, _names(models))
        help = f"did you mean `torchvision:{close}`?" if close else ""
        message = f"torchvision has no weights called {name}"
        raise _problem("unknown-weights", message, help=help) from None
    module: nn.Module = models.get_model(_builder(models, weights), weights=None)
    module.load_state_dict(_fetched(weights, name))
    return module, _pixels_of_torchvision(weights)


def _names(models: ModuleType) -> list[str]:
    return [
        f"{kind}.{one.name}"
        for kind, found in vars(models).items()
        if kind.endswith("_Weights") and isinstance(found, type)
        for one in found  # type: ignore[attr-defined]
    ]


def _builder(models: ModuleType, weights: Any) -> str:
    """What makes the module that weights are of."""
    found: Iterator[str] = (
        name
        for name in models.list_models(module=models)
        if models.get_model_weights(name) is type(weights)
    )
    return next(found)


def _fetched(weights: Any, name: str) -> Any:
    try:
        return weights.get_state_dict(progress=False, check_hash=True)
    except Exception as error:  # noqa: BLE001 (it fails in many ways without a network)
        why = " ".join(str(error).split())[:200]
        place = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rpartition("/")[2]
        raise _problem(
            "no-such-weights",
            f"torchvision:{name} is not on this computer, and cannot be fetched: {why}",
            notes=(f"it is fetched from {weights.url}",),
            help=f"fetch it elsewhere and put it at {place}",
        ) from None


def _pixels_of_torchvision(weights: Any) -> Pixels | None:
    """Of networks that take images of one kind; others have transforms of other kinds."""
    preset = weights.transforms()
    try:
        return Pixels(
            int(preset.resize_size[0]),
            preset.interpolation.value,
            (int(preset.crop_size[0]), int(preset.crop_size[0])),
            tuple(map(float, preset.mean)),
            tuple(map(float, preset.std)),
        )
    except (AttributeError, IndexError, TypeError):
        return None


# ---- timm ------------------------------------------------------------------------------------


def from_timm(name: str) -> Found:
    """`resnet50.a1_in1k`, where timm is installed."""
    try:
        timm: Any = importlib.import_module("timm")
    except ImportError:
        message = f"timm:{name} needs timm, which is not installed"
        raise _problem("missing-package", message, help="pip install timm") from None
    if not timm.is_model(name.partition(".")[0]):
        close = closest(name, timm.list_models(pretrained=True))
        help = f"did you mean `timm:{close}`?" if close else ""
        message = f"timm has no model called {name}"
        raise _problem("unknown-weights", message, help=help)
    try:
        module: nn.Module = timm.create_model(name, pretrained=True)
    except Exception as error:  # noqa: BLE001 (it fails in many ways without a network)
        why = " ".join(str(error).split())[:200]
        message = f"timm:{name} is not on this computer, and cannot be fetched: {why}"
        raise _problem("no-such-weights", message) from None
    return module, _pixels_of_timm(getattr(module, "pretrained_cfg", None) or {})


def _pixels_of_timm(about: Any) -> Pixels | None:
    try:
        _, height, width = about["input_size"]
        return Pixels(
            int(height / about["crop_pct"]),
            about["interpolation"],
            (int(height), int(width)),
            tuple(map(float, about["mean"])),
            tuple(map(float, about["std"])),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _problem(code: str, message: str, notes: tuple[str, ...] = (), help: str = "") -> SpecError:
    return SpecError([Diagnostic(code, message, notes=notes, help=help)])
