"""Whether our network computes with somebody's weights what theirs does.

Weights may fit to the last tensor and still be of another network: one that strides or pads
elsewhere, or has other activations. What is known of theirs is then a module, so both are run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

_LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
"""What arrives at these is compared."""

_TOLERANCE = 1e-3
"""Of the spread of what arrives: rounding in float32 comes to a hundredth of it."""


class Parting(NamedTuple):
    layer: str
    """The first of ours, as they are carried out, at which something else arrives than at its
    partner."""
    off: float | None
    """By how much at most, beside the spread; None where it is not even as many numbers."""


class Alike(NamedTuple):
    """What came of it."""

    compared: int
    """At how many layers."""
    parting: Parting | None


def compare(
    ours: nn.Module,
    theirs: nn.Module,
    partners: Mapping[str, str],
    anew: Collection[str],
    shape: tuple[int, ...],
    channels: int,
) -> Alike | None:
    """With an image of noise, which theirs takes in so many channels, in evaluation. `partners` are
    layers of theirs by ours; what comes behind one of ours that begins anew says nothing. None
    where theirs cannot take such an image."""
    noise = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0))
    image = other = noise
    if channels != shape[0]:  # of one colour, which is all that both have in common
        image = noise[:, :1].expand_as(noise)
        other = noise[:, :1].expand(1, channels, *shape[1:])
    pairs = {
        one: two
        for one, two in partners.items()
        if isinstance(_part(ours, one), _LAYERS) and isinstance(_part(theirs, two), _LAYERS)
    }
    mine: dict[str, Tensor] = {}
    off: dict[str, float | None] = {}

    def keep(name: str, arriving: Tensor) -> None:
        mine.setdefault(name, arriving.clone())  # others may work in place

    def meet(name: str, arriving: Tensor) -> None:
        if name in mine and name not in off:
            off[name] = _off(mine[name], arriving)
            mine[name] = arriving.new_empty(0)

    if not _run(ours, {name: name for name in (*pairs, *anew)}, image, keep):
        return None
    if not _run(theirs, {two: one for one, two in pairs.items()}, other, meet):
        return None
    compared = 0
    for name in mine:
        if name in off:
            compared += 1
            found = off[name]
            if found is None or found > _TOLERANCE:
                return Alike(compared, Parting(name, found))
        if name in anew:
            break
    return Alike(compared, None)


def _part(module: nn.Module, name: str) -> nn.Module | None:
    try:
        return module.get_submodule(name)
    except AttributeError:
        return None


def _run(
    module: nn.Module, called: Mapping[str, str], image: Tensor, see: Callable[[str, Tensor], None]
) -> bool:
    """Tells what arrives at parts of it, and what these are called; whether that could be done."""

    def looker(name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def look(_: nn.Module, arguments: tuple[Any, ...]) -> None:
            if arguments and isinstance(arguments[0], Tensor):
                see(name, arguments[0])

        return look

    parts = [(_part(module, part), name) for part, name in called.items()]
    hooks = [part.register_forward_pre_hook(looker(name)) for part, name in parts if part]
    try:
        with _evaluating(module), torch.no_grad():
            module(image.to(next(module.parameters())))
    except Exception:  # noqa: BLE001 (it runs foreign code, on images that it may refuse)
        return False
    finally:
        for hook in hooks:
            hook.remove()
    return True


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Each part is as it was, afterwards."""
    modes = [(inner, inner.training) for inner in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for inner, mode in modes:
            inner.training = mode


def _off(one: Tensor, other: Tensor) -> float | None:
    """The largest difference, beside the spread of the first. Where only the order of axes is
    another, numbers are compared by size."""
    if one.numel() != other.numel():
        return None
    one, other = one.double().flatten(), other.to(one.device).double().flatten()
    spread = float(one.std()) or 1.0
    off = float((one - other).abs().max()) / spread
    if off > _TOLERANCE:
        off = float((one.sort().values - other.sort().values).abs().max()) / spread
    return off
