"""Whether a network computes the same activations with somebody's weights as their module does.

Weights may fit to the last tensor and still belong to another network: one that strides or pads
elsewhere, or has other activations. Where they come as a module, both are run and compared.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..runtime.eval_mode import evaluating

_LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
"""Their inputs are compared."""

_TOLERANCE = 1e-3
"""Relative to the standard deviation of the input: rounding in float32 is a hundredth of it."""


class Divergence(NamedTuple):
    layer: str
    """The first of our layers, in the order of computation, whose input differs from that of its
    partner."""
    difference: float | None
    """The largest, relative to the standard deviation; None where the sizes differ."""


class Agreement(NamedTuple):
    compared: int
    """Layers whose inputs were compared."""
    divergence: Divergence | None


def compare(
    ours: nn.Module,
    theirs: nn.Module,
    partners: Mapping[str, str],
    anew: Collection[str],
    shape: tuple[int, ...],
    channels: int,
) -> Agreement | None:
    """In evaluation mode, with an image of noise; `channels` is how many their network takes.
    `partners` are their layers by ours; layers behind one of `anew` are not compared. None where
    their network refuses such an image."""
    noise = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0))
    image = other = noise
    if channels != shape[0]:  # grey, which both can represent
        image = noise[:, :1].expand_as(noise)
        other = noise[:, :1].expand(1, channels, *shape[1:])
    pairs = {
        one: two
        for one, two in partners.items()
        if isinstance(submodule(ours, one), _LAYERS) and isinstance(submodule(theirs, two), _LAYERS)
    }
    mine: dict[str, Tensor] = {}
    differences: dict[str, float | None] = {}

    def keep(name: str, arriving: Tensor) -> None:
        mine.setdefault(name, arriving.clone())  # others may work in place

    def meet(name: str, arriving: Tensor) -> None:
        if name in mine and name not in differences:
            differences[name] = _difference(mine[name], arriving)
            mine[name] = arriving.new_empty(0)

    if not _run(ours, {name: name for name in (*pairs, *anew)}, image, keep):
        return None
    if not _run(theirs, {two: one for one, two in pairs.items()}, other, meet):
        return None
    compared = 0
    for name in mine:
        if name in differences:
            compared += 1
            difference = differences[name]
            if difference is None or difference > _TOLERANCE:
                return Agreement(compared, Divergence(name, difference))
        if name in anew:
            break
    return Agreement(compared, None)


def submodule(module: nn.Module, name: str) -> nn.Module | None:
    try:
        return module.get_submodule(name)
    except AttributeError:
        return None


def _run(
    module: nn.Module, called: Mapping[str, str], image: Tensor, see: Callable[[str, Tensor], None]
) -> bool:
    """Calls `see` with the name and input of each part in `called`; False where the module cannot
    be run."""

    def hook_for(name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def hook(_: nn.Module, arguments: tuple[Any, ...]) -> None:
            if arguments and isinstance(arguments[0], Tensor):
                see(name, arguments[0])

        return hook

    parts = [(submodule(module, part), name) for part, name in called.items()]
    hooks = [part.register_forward_pre_hook(hook_for(name)) for part, name in parts if part]
    try:
        with evaluating(module), torch.no_grad():
            module(image.to(next(module.parameters())))
    except Exception:  # noqa: BLE001 (foreign code, which may refuse the image)
        return False
    finally:
        for hook in hooks:
            hook.remove()
    return True


def _difference(one: Tensor, other: Tensor) -> float | None:
    """The largest, relative to the standard deviation of the first. Where only the order of axes
    differs, sorted values agree."""
    if one.numel() != other.numel():
        return None
    one, other = one.double().flatten(), other.to(one.device).double().flatten()
    spread = float(one.std()) or 1.0
    difference = float((one - other).abs().max()) / spread
    if difference > _TOLERANCE:
        difference = float((one.sort().values - other.sort().values).abs().max()) / spread
    return difference
