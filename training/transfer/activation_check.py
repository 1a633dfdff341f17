"""Checks that a network with pretrained weights computes the same activations as the source module.

All weights may fit and still belong to another network, with other strides, padding or activation
functions. If the weights come as a module, both networks are run and compared.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..runtime.eval_mode import evaluating

_LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
"""The layers whose inputs are compared."""

_TOLERANCE = 1e-3
"""The allowed difference relative to the standard deviation of the input; rounding in float32 is
about a hundredth of this."""


class Divergence(NamedTuple):
    layer: str
    """The first layer of the network, in the order of computation, whose input differs from that of
    its partner in the source."""
    difference: float | None
    """The largest difference, relative to the standard deviation; None if the sizes differ."""


class Agreement(NamedTuple):
    compared: int
    """The number of layers whose inputs were compared."""
    divergence: Divergence | None


def compare(
    module: nn.Module,
    source: nn.Module,
    partners: Mapping[str, str],
    reset: Collection[str],
    shape: tuple[int, ...],
    channels: int,
) -> Agreement | None:
    """Compares both networks in evaluation mode, for an image of noise. `channels` is the number of
    input channels of the source. `partners` maps layers of the network to layers of the source.
    Layers after a reinitialized one, in `reset`, are not compared. None if one of the networks
    cannot process the image."""
    noise = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0))
    image = source_image = noise
    if channels != shape[0]:  # a gray image, which both can represent
        image = noise[:, :1].expand_as(noise)
        source_image = noise[:, :1].expand(1, channels, *shape[1:])
    pairs = {
        one: two
        for one, two in partners.items()
        if isinstance(submodule(module, one), _LAYERS)
        and isinstance(submodule(source, two), _LAYERS)
    }
    inputs: dict[str, Tensor] = {}
    differences: dict[str, float | None] = {}

    def keep(name: str, input: Tensor) -> None:
        inputs.setdefault(name, input.clone())  # the next layer may work in place

    def compare_input(name: str, input: Tensor) -> None:
        if name in inputs and name not in differences:
            differences[name] = _difference(inputs[name], input)
            inputs[name] = input.new_empty(0)

    if not _run(module, {name: name for name in (*pairs, *reset)}, image, keep):
        return None
    if not _run(source, {two: one for one, two in pairs.items()}, source_image, compare_input):
        return None
    compared = 0
    for name in inputs:
        if name in differences:
            compared += 1
            difference = differences[name]
            if difference is None or difference > _TOLERANCE:
                return Agreement(compared, Divergence(name, difference))
        if name in reset:
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
    """Runs the module and calls `see` with the name and the input of each part in `called`. Returns
    False if the module cannot be run."""

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
    except Exception:  # noqa: BLE001 (code of others, which may not accept the image)
        return False
    finally:
        for hook in hooks:
            hook.remove()
    return True


def _difference(one: Tensor, other: Tensor) -> float | None:
    """The largest difference, relative to the standard deviation of the first tensor. If only the
    order of axes differs, the sorted values agree, and there is no difference."""
    if one.numel() != other.numel():
        return None
    one, other = one.double().flatten(), other.to(one.device).double().flatten()
    spread = float(one.std()) or 1.0
    difference = float((one - other).abs().max()) / spread
    if difference > _TOLERANCE:
        difference = float((one.sort().values - other.sort().values).abs().max()) / spread
    return difference
