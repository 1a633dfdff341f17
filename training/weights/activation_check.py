"""Checks that a network with pretrained weights computes the same activations as the source module.

All weights may fit and still belong to another network, with other strides, padding or activation
functions, or be in the wrong places. If the weights come as a module, both networks are run on the
same image, and compared: the inputs of layers, and the outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._pytree import tree_leaves

from ..runtime.eval_mode import evaluating

_LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
"""The layers whose inputs are compared."""

_TOLERANCE = 1e-3
"""The allowed difference relative to the standard deviation of the input; rounding in float32 is
about a hundredth of this."""

OUTPUT = "the output"


class Divergence(NamedTuple):
    layer: str
    """The first layer of the network, in the order of computation, whose input differs from that of
    its partner in the source; or OUTPUT."""
    difference: float | None
    """The largest difference, relative to the standard deviation; None if the sizes differ."""

    def described(self) -> str:
        """`conv2 (off by 0.31 of their standard deviation)`"""
        off = self.difference
        how = (
            "their sizes differ" if off is None else f"off by {off:.2g} of their standard deviation"
        )
        return f"{self.layer} ({how})"


class Agreement(NamedTuple):
    compared: int
    """The number of layers and outputs that were compared."""
    divergence: Divergence | None


def compare(
    module: nn.Module,
    source: nn.Module,
    partners: Mapping[str, str],
    reset: Collection[str],
    shapes: Sequence[tuple[int, ...]],
    channels: int,
    tolerance: float = _TOLERANCE,
) -> Agreement:
    """Compares both networks in evaluation mode, for images of noise, one for each input of the
    network. `channels` is the number of channels of the source's first input. `partners` maps
    layers of the network to layers of the source. Layers after a reinitialized one, in `reset`, are
    not compared. Raises what a network raises that cannot process the image."""
    generator = torch.Generator().manual_seed(0)
    noise = [torch.randn(1, *shape, generator=generator) for shape in shapes]
    images, source_images = [*noise], [*noise]
    if channels != shapes[0][0]:  # a gray image, which both can represent
        images[0] = noise[0][:, :1].expand_as(noise[0])
        source_images[0] = noise[0][:, :1].expand(1, channels, *shapes[0][1:])
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
            differences[name] = _difference(inputs[name], input, tolerance, reordered=True)
            inputs[name] = input.new_empty(0)

    result = _run(module, {name: name for name in (*pairs, *reset)}, images, keep)
    expected = _run(source, {two: one for one, two in pairs.items()}, source_images, compare_input)
    compared = 0
    for name in inputs:
        if name in differences:
            compared += 1
            if _differs(differences[name], tolerance):
                return Agreement(compared, Divergence(name, differences[name]))
        if name in reset:
            return Agreement(compared, None)
    for one, two in zip(result, expected, strict=False):  # modules may return features, too
        compared += 1
        difference = _difference(one, two, tolerance, reordered=one.shape != two.shape)
        if _differs(difference, tolerance):
            return Agreement(compared, Divergence(OUTPUT, difference))
    return Agreement(compared, None)


def _differs(difference: float | None, tolerance: float) -> bool:
    """Also if it is not a number."""
    return difference is None or not difference <= tolerance


def submodule(module: nn.Module, name: str) -> nn.Module | None:
    try:
        return module.get_submodule(name)
    except AttributeError:
        return None


def _run(
    module: nn.Module,
    called: Mapping[str, str],
    images: Sequence[Tensor],
    see: Callable[[str, Tensor], None],
) -> list[Tensor]:
    """The outputs of a module. Calls `see` with the name and the input of each part in `called`."""

    def hook_for(name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def hook(_: nn.Module, arguments: tuple[Any, ...]) -> None:
            if arguments and isinstance(arguments[0], Tensor):
                see(name, arguments[0])

        return hook

    parts = [(submodule(module, part), name) for part, name in called.items()]
    hooks = [part.register_forward_pre_hook(hook_for(name)) for part, name in parts if part]
    try:
        with evaluating(module), torch.no_grad():
            like = next(module.parameters())
            result = module(*(image.to(like) for image in images))
    finally:
        for hook in hooks:
            hook.remove()
    return [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]


def _difference(one: Tensor, other: Tensor, tolerance: float, reordered: bool) -> float | None:
    """The largest difference, relative to the standard deviation of the first tensor. If the axes
    may be `reordered`, it is enough that the sorted values agree. One layer may pad its input
    itself, and its partner's be padded before: zeros that only one has are no difference then."""
    if one.numel() != other.numel():
        if not reordered or one.shape[:2] != other.shape[:2]:
            return None
        size = max(one.numel(), other.numel())
        padded = [F.pad(each.flatten(), (0, size - each.numel())) for each in (one, other)]
        difference = _difference(padded[0], padded[1], tolerance, reordered=True)
        return None if _differs(difference, tolerance) else difference
    one, other = one.double().flatten(), other.to(one.device).double().flatten()
    spread = float(one.std()) if one.numel() > 1 else float(one.abs())
    spread = spread or 1.0
    difference = float((one - other).abs().max()) / spread
    if reordered and difference > tolerance:
        difference = float((one.sort().values - other.sort().values).abs().max()) / spread
    return difference
