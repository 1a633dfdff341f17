"""Pictures of masks: a mask in color over its image, and which pixels are right or wrong."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ...compiler.plan.data import UNLABELLED
from .class_colors import class_colors, is_background

_OPACITY = 0.55
WRONG = (232, 89, 12)
"""The color of wrong pixels."""
UNKNOWN = (120, 124, 132)
"""The stripes of pixels without a label."""


def mask_overlay(image: Tensor, mask: Tensor, classes: Sequence[str]) -> Tensor:
    """An image (uint8, channels x height x width) in gray with its mask over it: each class in its
    color, with an outline. The background and pixels without a label are not painted."""
    colors = class_colors(classes)
    painted = torch.tensor([not is_background(name) for name in classes])
    known = mask.long().clamp(max=len(classes) - 1)
    shown = painted[known] & (mask < len(classes))
    paint = colors[known].permute(2, 0, 1).float()
    opacity = torch.where(edges(mask), 1.0, _OPACITY) * shown
    return _mixed(pale(image), paint, opacity)


def errors_overlay(image: Tensor, mask: Tensor, answer: Tensor) -> Tensor:
    """An image in gray on which the pixels that are answered wrongly are orange; those without a
    label are striped."""
    labeled = mask != UNLABELLED
    wrong = (answer != mask) & labeled
    paint = torch.tensor(WRONG).view(3, 1, 1).float().expand(3, *mask.shape)
    picture = _mixed(pale(image), paint, 0.9 * wrong).float()
    rows, columns = (torch.arange(side) for side in mask.shape)
    stripes = (rows[:, None] + columns) % 6 < 2
    gray = torch.tensor(UNKNOWN).view(3, 1, 1).float().expand(3, *mask.shape)
    return _mixed(picture, gray, 0.9 * (stripes & ~labeled))


def pale(image: Tensor) -> Tensor:
    """An image in gray, neither black nor white, on which all colors are visible: float32."""
    gray = image[:3].float().mean(0, keepdim=True) if len(image) != 2 else image[:1].float()
    return (50 + 0.75 * gray).expand(3, -1, -1)


def edges(mask: Tensor) -> Tensor:
    """The pixels whose class is not that of the pixel to their right or below them."""
    different = torch.zeros(mask.shape, dtype=torch.bool)
    different[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    different[:-1] |= mask[:-1] != mask[1:]
    return different


def smaller(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """A mask of another size: each pixel is the nearest one."""
    return F.interpolate(mask[None, None], size, mode="nearest-exact")[0, 0]


def _mixed(base: Tensor, paint: Tensor, opacity: Tensor) -> Tensor:
    mixed = base * (1 - opacity) + paint * opacity
    return mixed.round().clamp(0, 255).to(torch.uint8)
