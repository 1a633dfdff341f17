"""Fused passes give the same result as directives one after the other."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
import torch
from torch import Tensor

from dotcnn.compiler.plan.fusion import fused, separate
from dotcnn.training.runtime.import_torchvision import torchvision

from .done import CLASSES, augmentations, done, module, noisy, smooth

PERIOD = 24.0
WRONG = 127.5 * (2 * math.pi / PERIOD) ** 2 / 8
"""At most so many levels a bilinear look is off, on waves of that period: an eighth of the second
derivative along the one direction in which it is not 0, twice for both axes at worst."""

GEOMETRY = {
    "two": "rotate 20, scale 1..1.2",
    "with flips": "flip both, rotate 15, flip horizontal, shift 10%",
    "all": "flip horizontal, rotate 15, shift 10%, scale 1..1.1, shear 10",
    "colour": "rotate 15 fill=(10, 20, 30), shift 20% fill=(10, 20, 30), shear 9 fill=(10, 20, 30)",
    "nearest": "rotate 15 fill=nearest, shift 20% fill=nearest, shear 10 fill=nearest",
    "reflect": "rotate 15 fill=reflect, shift 20% fill=reflect, shear 10 fill=reflect",
    "mirror": "rotate 15 fill=mirror, shift 20% fill=mirror, shear 10 fill=mirror",
    "perspective": "rotate 15, perspective 0.2 p=1, shift 10%",
    "elastic": "rotate 15, shift 10%, elastic 20 sigma=6",
    "a cut": "crop 36, rotate 15, shift 10%",
    "a part": "crop 36 scale=60%..90%, flip horizontal, rotate 15",
    "a part behind": "rotate 15, crop 36 scale=60%..90%",
    "sometimes": "rotate 15 p=50%, shift 10% p=50%, scale 1..1.1 p=50%",
}


@pytest.mark.parametrize("case", GEOMETRY)
def test_one_interpolation_is_as_accurate_as_several(case: str) -> None:
    """On waves, within what bilinear looks get wrong: one of the fused, one for each step of the
    others. Pixels next to a border are left out: there, several looks have blurred the border."""
    text, images = GEOMETRY[case], smooth(period=PERIOD)
    size = (36, 36) if "36" in text else (48, 48)
    found = augmentations(text, f"3x{size[0]}x{size[1]}")
    assert len(fused(found, (48, 48), 3).passes) == 1
    together = done(images, text, out=size)
    one_by_one = done(images, text, out=size, apart=True)
    beyond = done(torch.full_like(images, 1000.0), text, out=size, apart=True)
    near = -torch.nn.functional.max_pool2d(-(beyond - 1000).abs().neg().exp(), 5, 1, 2)
    repeated = case in ("nearest", "reflect", "mirror")
    inside = _inner(images, text) if repeated else near > 0.5
    steps = len(separate(found, (48, 48), 3).passes)
    apart = (together - one_by_one).abs()
    assert inside.float().mean() > 0.3
    assert apart[inside].max() < (steps + 1) * WRONG
    assert apart[inside].mean() < WRONG


def _inner(images: Tensor, text: str) -> Tensor:
    """Where nothing of a border is to be seen: what is drawn out or mirrored has an edge."""
    zero = re.sub("nearest|reflect|mirror", "zero", text)
    beyond = done(torch.full_like(images, 1000.0), zero, apart=True)
    near = -torch.nn.functional.max_pool2d(-(beyond - 1000).abs().neg().exp(), 5, 1, 2)
    return near > 0.5


def test_pixels_that_leave_the_image_do_not_come_back() -> None:
    """There and back again: one matrix would be the identity."""
    images = torch.full((1, 1, 16, 16), 200, dtype=torch.uint8)
    text = "shift x=0.25..0.25, shift x=-0.25..-0.25"
    together, one_by_one = done(images, text), done(images, text, apart=True)
    assert (together - one_by_one).abs().max() < 0.01
    assert together[0, 0, 8].tolist() == pytest.approx([200] * 12 + [0] * 4, abs=0.01)


@pytest.mark.parametrize("fill", ["zero", "nearest", "reflect", "50"])
def test_intermediate_borders_apply_for_every_fill(fill: str) -> None:
    """By whole pixels, so that nothing is looked at between them: equal everywhere."""
    images = noisy(20, size=(16, 16))
    text = (
        f"shift 0.25 fill={fill} p=0, shift x=0.25..0.25 y=0.125..0.125 fill={fill},"
        f" shift x=-0.5..-0.5 y=0.25..0.25 fill={fill} p=50%, flip both,"
        f" shift y=-0.25..-0.25 fill={fill} p=50%"
    )
    assert (done(images, text) - done(images, text, apart=True)).abs().max() < 0.02


@pytest.mark.parametrize("fill", ["zero", "nearest", "reflect", "(9, 8, 7)"])
def test_flips_and_crops_are_exact(fill: str) -> None:
    images = noisy(40, size=(20, 24))
    text = f"crop pad=5 fill={fill}, flip both, crop 14 pad=2 fill={fill}, flip horizontal"
    found = augmentations(text, "3x14x14")
    assert [one.kind.name for one in fused(found, (20, 24), 3).passes] == ["move"]
    together, one_by_one = (done(images, text, out=(14, 14), apart=a) for a in (False, True))
    assert torch.equal(together, one_by_one)
    assert torch.equal(together, together.round())


def test_fused_color_changes_equal_separate_ones() -> None:
    """In the order written, and cut off wherever something could lie beyond 0..255."""
    images = noisy(30)
    text = (
        "color contrast=0.5, color brightness=0.3 saturation=0.4, pca_color 0.1, grayscale p=30%,"
        " color contrast=0.4, color saturation=0.5 brightness=0.1"
    )
    found = augmentations(text, "3x33x47")
    assert len(fused(found, (33, 47), 3).passes) == 1
    assert (done(images, text) - done(images, text, apart=True)).abs().max() < 1e-2
    assert (done(images, text) == 255).float().mean() > 0.005


@pytest.mark.parametrize("factor", [0.6, 1.7])
def test_color_changes_come_in_torchvisions_order(factor: float) -> None:
    """Where something lies beyond 0..255 on the way, too."""
    v2: Any = torchvision("transforms.v2.functional")
    images = noisy(6).float()
    by = f"{factor}..{factor}"
    found = done(images, f"color brightness={by} contrast={by} saturation={by} hue=0.1..0.1")
    wanted = v2.adjust_brightness(images / 255, factor)
    wanted = v2.adjust_contrast(wanted, factor)
    wanted = v2.adjust_hue(v2.adjust_saturation(wanted, factor), 0.1)
    assert (found - wanted * 255).abs().max() < 0.01


def test_the_order_of_directives_is_kept() -> None:
    images = noisy(2).float() * 0.1 + 100
    one = done(images, "color saturation=3..3, grayscale p=1")
    other = done(images, "grayscale p=1, color saturation=3..3")
    assert (one - other).abs().max() < 1e-3  # grey has nothing to saturate
    one = done(images, "color brightness=2..2, color contrast=0.5..0.5")
    other = done(images, "color contrast=0.5..0.5, color brightness=2..2")
    assert torch.allclose(one, other, atol=1e-3)  # both are linear, and about the same mean
    images = noisy(8, channels=1, size=(16, 16)).float()
    one = done(images, "shift x=0.25..0.25, flip horizontal p=1")
    other = done(images, "flip horizontal p=1, shift x=0.25..0.25")
    assert (one[..., :4] > 0).any()
    assert (other[..., :4] == 0).all()


def test_normalization_is_fused_with_the_last_color_pass() -> None:
    directives = augmentations("color brightness=0.5 saturation=0.5")
    images, labels = noisy(6, size=(32, 32)), torch.zeros(6, dtype=torch.int64)
    factor, offset = torch.tensor([0.01, 0.02, 0.03]), torch.tensor([-1.0, 0, 1])
    fusion = fused(directives, (32, 32), 3)
    assert not fusion.normalizes
    plain = module(fusion)(images, labels, torch.arange(6))[0]
    augment = type(module(fusion))(fusion, (factor, offset), seed=0, classes=CLASSES)
    found = augment(images, labels, torch.arange(6))[0]
    wanted = plain * factor.view(1, 3, 1, 1) + offset.view(1, 3, 1, 1)
    assert torch.allclose(found, wanted, atol=1e-4)


def test_bgr_order() -> None:
    directives = augmentations("rotate 10, grayscale p=0")
    images, labels = noisy(3, size=(32, 32)), torch.zeros(3, dtype=torch.int64)
    fusion = fused(directives, (32, 32), 3)
    numbers = torch.tensor([1.0, 2, 3]), torch.tensor([0.0, 1, 2])
    kind = type(module(fusion))
    forward = kind(fusion, numbers, seed=0, classes=CLASSES)
    backward = kind(fusion, numbers, seed=0, classes=CLASSES, reverse=True)
    index = torch.arange(3)
    one, other = (each(images, labels, index)[0] for each in (forward, backward))
    assert torch.equal(one.flip(1), other)


# ---- in distribution ---------------------------------------------------------------------------


def test_the_distribution_is_that_of_torchvision() -> None:
    """Over many images: means, deviations, how much is black, how much white."""
    v2: Any = torchvision("transforms.v2")
    bilinear = torchvision("transforms").InterpolationMode.BILINEAR
    images = (smooth(800, size=(24, 24), period=40) * 0.6 + 50).round().byte()
    text = (
        "flip horizontal, rotate 15, shift 10%, scale 0.9..1.1, shear 10,"
        " color brightness=0.2 contrast=0.2 saturation=0.2, noise 0.03, erase p=50%"
    )
    theirs = v2.Compose(
        [
            v2.ToDtype(torch.float32, scale=True),
            v2.RandomHorizontalFlip(),
            v2.RandomRotation(15, bilinear),
            v2.RandomAffine(0, (0.1, 0.1), interpolation=bilinear),
            v2.RandomAffine(0, scale=(0.9, 1.1), interpolation=bilinear),
            v2.RandomAffine(0, shear=10, interpolation=bilinear),
            v2.ColorJitter(0.2, 0.2, 0.2),
            v2.GaussianNoise(sigma=0.03),
            v2.RandomErasing(p=0.5),
        ]
    )
    torch.manual_seed(0)
    reference = torch.stack([theirs(image) for image in images])
    found = done(images, text) / 255

    def told(of: Tensor) -> Tensor:
        each = of.flatten(1)
        return torch.stack(
            [
                each.mean(), each.mean(1).std(), each.std(1).mean(), each.std(1).std(),
                (each < 0.01).float().mean(), (each > 0.99).float().mean(),
                (of[..., :3, :] < 0.01).float().mean(), (of[..., 9:15, 9:15] < 0.01).float().mean(),
            ]
        )  # fmt: skip

    assert torch.allclose(told(found), told(reference), atol=0.012), (told(found), told(reference))


def test_gradients_flow_through_augmentation() -> None:
    images = noisy(3, size=(32, 32)).float().requires_grad_()
    text = "rotate 10, elastic 10, color contrast=0.2 hue=0.05, noise 0.02, blur 1, erase, mixup"
    done(images, text).sum().backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert images.grad.isfinite().all()
