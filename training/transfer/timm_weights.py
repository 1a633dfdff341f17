"""Pretrained weights of timm (`from "timm:resnet50.a1_in1k"`), downloaded and cached by timm."""

from __future__ import annotations

import importlib
from contextlib import suppress
from math import floor
from typing import Any

from torch import nn

from ...dsl.closest import closest
from ...dsl.diagnostics import SpecError
from ..data.diagnostic import listed
from ..runtime.import_torchvision import torchvision
from .preprocessing_of_weights import Pixels
from .torchvision_weights import PretrainedModel, problem, reason

_FILES = ("model.safetensors", "pytorch_model.bin")
"""The usual names of files with weights, the preferred one first."""


def from_timm(name: str) -> PretrainedModel:
    """A pretrained model of timm: `resnet50.a1_in1k`, or `resnet50` for timm's default weights."""
    timm = _timm(name)
    _must_be_known(timm, name)
    about = _about(timm, name)
    file = _cached(about)
    # A cached file is used as it is: timm would check online for a newer one, which takes most of a
    # minute without a connection.
    overlay = {"file": file} if file else None
    try:
        module: nn.Module = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay)
    except Exception as error:  # noqa: BLE001 (it fails in many ways without a network)
        raise _unusable(name, about, file, error) from None
    return module, _pixels(getattr(module, "pretrained_cfg", None) or {})


def _timm(name: str) -> Any:
    with suppress(ImportError):
        torchvision()  # timm imports it, and would fail without our workaround
    try:
        library: Any = importlib.import_module("timm")
    except ImportError as error:
        if error.name in (None, "timm"):
            message, help = f"timm:{name} needs timm, which is not installed", "pip install timm"
        else:
            message = f"timm:{name} needs timm, which needs {error.name}, which is not installed"
            help = f"pip install {error.name}"
        raise problem("missing-package", message, help=help) from None
    if not hasattr(library, "get_pretrained_cfg"):
        message = f"timm:{name} needs timm 0.9 or later, which has several weights for a network"
        raise problem("missing-package", message, help="pip install --upgrade timm")
    return library


# ---- names -----------------------------------------------------------------------------------


def _must_be_known(timm: Any, name: str) -> None:
    network, _, tag = name.partition(".")
    if not timm.is_model(network):
        every = timm.list_pretrained() if tag else timm.list_models()
        message = f"timm has no model called {network}"
        raise problem("unknown-weights", message, help=_did_you_mean(closest(name, every)))
    published = timm.list_pretrained(f"{network}.*")
    if published and (not tag or name in published):
        return
    if published:
        message = f"timm has no weights {tag} of {network}"
        note = f"there are {listed([one.partition('.')[2] for one in published], 12)}"
        close = closest(name, published) or published[0]
        raise problem("unknown-weights", message, (note,), _did_you_mean(close))
    if network in timm.list_models():  # else it is an old name of another model
        message = f"timm has no pretrained weights of {network}"
        close = closest(network, [one.partition(".")[0] for one in timm.list_pretrained()])
        raise problem("unknown-weights", message, help=_did_you_mean(close))


def _did_you_mean(close: str) -> str:
    return f"did you mean `timm:{close}`?" if close else ""


# ---- weights ---------------------------------------------------------------------------------


def _about(timm: Any, name: str) -> Any:
    """timm's information about weights, without downloading them; None for an old name."""
    try:
        return timm.get_pretrained_cfg(name)
    except RuntimeError:
        return None


def _cached(about: Any) -> str | None:
    """The cached file, if the weights were downloaded before."""
    where = _where(about)
    if where is None or about.custom_load:
        return None
    hub, repository, revision, files = where
    for file in files:
        path = hub.try_to_load_from_cache(repository, file, revision=revision)
        if isinstance(path, str):
            return path
    return None


def _where(about: Any) -> tuple[Any, str, str | None, tuple[str, ...]] | None:
    """Where weights are on the Hugging Face hub: its module, the repository, the revision, and the
    possible file names. None if they are elsewhere."""
    if about is None or not about.hf_hub_id:
        return None
    try:
        hub: Any = importlib.import_module("huggingface_hub")
    except ImportError:
        return None
    repository, _, revision = about.hf_hub_id.partition("@")
    files = (about.hf_hub_filename,) if about.hf_hub_filename else _FILES
    return hub, repository, revision or None, files


def _unusable(name: str, about: Any, file: str | None, error: Exception) -> SpecError:
    if file is not None:
        message = f"timm:{name} cannot be read: {reason(error)}"
        help = "delete the file; it will be downloaded again"
        return problem("weights-damaged", message, (f"it is in {file}",), help)
    where = _where(about)
    if where is not None:
        hub, repository, revision, files = where
        address = hub.hf_hub_url(repository, files[0], revision=revision)
    else:
        address = str((about and about.url) or "")
    notes = (reason(error), *([f"it is downloaded from {address}"] if address else []))
    return problem(
        "no-such-weights",
        f"timm:{name} is not on this computer, and cannot be downloaded",
        notes,
        "download it elsewhere and name the file in `from`; set its preprocessing in `evaluate`",
    )


def _pixels(about: Any) -> Pixels | None:
    """The preprocessing of timm's configuration. Images are resized a little larger than the center
    crop: their shorter side, or both sides if the crop mode is not `center`."""
    try:
        _, height, width = map(int, about["input_size"])
        share = float(about["crop_pct"])
        larger = floor(height / share), floor(width / share)
        whole = about.get("crop_mode", "center") != "center"
        return Pixels(
            larger if whole else min(larger),
            about["interpolation"],
            (height, width),
            tuple(map(float, about["mean"])),
            tuple(map(float, about["std"])),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
