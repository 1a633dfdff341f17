"""Helpers for tests of augmentation: directives as in a spec, applied to batches."""

from __future__ import annotations

import torch
from torch import Tensor

from dotcnn.compiler.plan import TrainPlan, plan
from dotcnn.compiler.plan.augment.augmentation import Augmentation
from dotcnn.compiler.plan.augment.passes import Size
from dotcnn.compiler.plan.fusion import Fusion, fused, separate
from dotcnn.training.augment import Augmenter
from dotcnn.training.augment.registry import Resources
from networks import network

CLASSES = 7


def planned(directives: str, input: str = "3x32x32", sections: str = "") -> TrainPlan:
    return plan(
        network(
            f"network Net {{ input {input}, conv 4, pool avg global, flatten, fc {CLASSES} }}\n"
            f"augment {{ {directives} }}\n{sections}"
        ),
        needs_data=False,
    )


def augmentations(directives: str, input: str = "3x32x32") -> tuple[Augmentation, ...]:
    return planned(directives, input).augment


def resources() -> Resources:
    return Resources.of(0, (torch.ones(3), torch.zeros(3)))


def module(fusion: Fusion, seed: int = 0, channels: int | None = None) -> Augmenter:
    """An augmentation module without normalization: pixels remain from 0 to 255."""
    count = channels or fusion.channels
    return Augmenter(fusion, (torch.ones(count), torch.zeros(count)), seed=seed, classes=CLASSES)


def done(
    images: Tensor,
    directives: str,
    *,
    apart: bool = False,
    out: Size | None = None,
    seed: int = 0,
    epoch: int = 0,
) -> Tensor:
    """Images (0 to 255) after directives, fused or one after the other."""
    size = (images.shape[2], images.shape[3])
    height, width = out or size
    found = augmentations(directives, f"{images.shape[1]}x{height}x{width}")
    fusion = (separate if apart else fused)(found, size, images.shape[1])
    augment = module(fusion, seed)
    given, labels, indices = in_a_ring(augment, images, torch.zeros(len(images), dtype=torch.int64))
    return augment(given, labels, indices, epoch)[0]  # type: ignore[no-any-return]


def in_a_ring(augment: Augmenter, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The images with the first ones repeated at the end, as many as mixing needs."""
    indices = torch.arange(len(images) + augment.guests) % len(images)
    given = images[indices] if augment.guests else images
    return given, labels[indices] if augment.guests else labels, indices


def noisy(count: int = 3, channels: int = 3, size: Size = (33, 47)) -> Tensor:
    """Images of noise, the hardest to interpolate."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, channels, *size), dtype=torch.uint8, generator=generator)


def smooth(count: int = 16, channels: int = 3, size: Size = (48, 48), period: float = 24) -> Tensor:
    """float32: waves of a period and above, from 0 to 255, of which a bound is known for what a
    bilinear look gets wrong."""
    generator = torch.Generator().manual_seed(2)
    height, width = size
    y = torch.arange(height).view(1, 1, -1, 1)
    x = torch.arange(width).view(1, 1, 1, -1)
    phase, angle = torch.rand(2, count, channels, 1, 1, generator=generator) * 2 * torch.pi
    return 127.5 + 127.5 * torch.sin(
        (x * angle.cos() + y * angle.sin()) * (2 * torch.pi / period) + phase
    )
