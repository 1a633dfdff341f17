"""`randaugment` and `trivial`: the published operations, compared with torchvision."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from dotcnn.compiler.plan.augment.passes import POLICY
from dotcnn.compiler.plan.fusion import Step
from dotcnn.training.augment.policies import BINS, CHANGES, Policy
from dotcnn.training.augment.registry import implementation
from dotcnn.training.runtime.import_torchvision import torchvision

from .done import augmentations, done, noisy, resources, smooth

transforms: Any = torchvision("transforms.v2")
BILINEAR = torchvision("transforms").InterpolationMode.BILINEAR

NAMES = {
    "identity": "Identity", "shear_x": "ShearX", "shear_y": "ShearY",
    "translate_x": "TranslateX", "translate_y": "TranslateY", "rotate": "Rotate",
    "brightness": "Brightness", "color": "Color", "contrast": "Contrast",
    "sharpness": "Sharpness", "posterize": "Posterize", "solarize": "Solarize",
    "autocontrast": "AutoContrast", "equalize": "Equalize",
}  # fmt: skip
"""Theirs."""
SIZE = (40, 56)


def policy(text: str) -> Policy:
    (directive,) = augmentations(text)
    return implementation(Step(0, directive, SIZE, POLICY), resources())  # type: ignore[no-any-return]


def numbers(change: int, bin: int, negative: bool) -> torch.Tensor:
    """What has to be drawn for a change, a strength and a direction."""
    which = (change + 0.5) / len(CHANGES)
    return torch.tensor([[which], [(bin + 0.5) / BINS], [0.25 if negative else 0.75]])


@pytest.mark.parametrize("change", range(len(CHANGES)))
@pytest.mark.parametrize("which", ["randaugment", "trivial"])
def test_each_operation_agrees_with_torchvision(change: int, which: str) -> None:
    theirs = (transforms.RandAugment if which == "randaugment" else transforms.TrivialAugmentWide)()
    name = NAMES[CHANGES[change].name]
    strengths, signed = theirs._AUGMENTATION_SPACE[name]
    images = smooth(2, size=SIZE).round().byte()
    images[1] = noisy(1, size=SIZE)[0] // 2 + 40
    for bin, negative in ((0, False), (9, False), (30, True)):
        text = f"randaugment n=1 magnitude={bin}" if which == "randaugment" else "trivial"
        mine = policy(text)
        found = torch.cat([mine(numbers(change, bin, negative))(image[None].float(), slice(0, 1))
                           for image in images])  # fmt: skip
        magnitudes = strengths(BINS, *SIZE)
        magnitude = float(magnitudes[bin]) if magnitudes is not None else 0.0
        wanted = theirs._apply_image_or_video_transform(
            images, name, -magnitude if negative and signed else magnitude, BILINEAR, {}
        ).float()
        apart = (found - wanted).abs()
        if name in ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate"):
            # Around a half either is right.
            assert (apart <= 1).all()
            assert (apart > 0).float().mean() < 0.05
        else:
            assert (apart <= 1).all()  # torchvision leaves out what is behind the point


def test_the_lists_are_the_published_ones() -> None:
    for theirs in (transforms.RandAugment(), transforms.TrivialAugmentWide()):
        assert sorted(theirs._AUGMENTATION_SPACE) == sorted(NAMES.values())
        for change in CHANGES:
            assert theirs._AUGMENTATION_SPACE[NAMES[change.name]][1] == change.signed


def test_operations_are_drawn_uniformly() -> None:
    image = noisy(1, size=(12, 12)) // 2 + 40
    found = done(image.expand(3000, -1, -1, -1), "trivial")
    same = (found == image).flatten(1).all(1).float().mean()
    # The identity; `equalize`, of fewer pixels than levels; what goes by a strength, at none; what
    # concerns no level from 40 to 167.
    assert same == pytest.approx((2 + (9 + 3 + 11) / BINS) / len(CHANGES), abs=0.02)


def test_the_number_of_operations_is_as_given() -> None:
    images = noisy(200, size=(16, 16))
    once, often = (
        (done(images, f"randaugment n={n} magnitude=20") - images).abs().mean((1, 2, 3))
        for n in (1, 5)
    )
    assert (once == 0).float().mean() == pytest.approx(1 / 14, abs=0.05)
    assert often.mean() > 1.5 * once.mean()
    assert (often == 0).sum() == 0


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_they_work_on_any_number_of_channels(channels: int) -> None:
    images = noisy(60, channels=channels, size=(14, 15))
    for text in ("randaugment n=3 magnitude=15 fill=nearest", "trivial fill=9"):
        found = done(images, text)
        assert found.shape == images.shape
        assert torch.equal(found, found.round().clamp(0, 255))
