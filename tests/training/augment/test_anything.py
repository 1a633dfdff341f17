"""Random directives on images of any size, with any number of channels."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dotcnn.compiler.plan.augment.augmentation import Augmentation
from dotcnn.compiler.plan.fusion import fused
from dotcnn.training.augment.color import hue_turned

from .done import CLASSES, augmentations, in_a_ring, module, noisy

ANYTHING = (
    "flip both", "rotate 180", "rotate 20 fill=nearest", "scale 0.2..3 fill=reflect", "shift 100%",
    "shear 60 y=60 fill=9", "perspective 1 p=1", "elastic 90 sigma=0.5", "elastic 20 sigma=9",
    "crop 7x9 pad=3 fill=reflect", "crop 5 scale=1%..100% ratio=0.1..10", "crop 30", "resize 6",
    "resize 3x11 mode=bicubic", "color brightness=0..3 contrast=0..3", "noise 0..1", "blur 0..9",
    "erase p=1", "erase p=1 fill=7 scale=90%..100%", "randaugment n=3 magnitude=30",
    "trivial fill=reflect", "mixup 0.3", "cutmix 1",
)  # fmt: skip
COLOURS = ("color saturation=0..4 hue=0.5", "grayscale p=50%", "pca_color 3")

_KNOWN: dict[str, Augmentation] = {}


def one(text: str) -> Augmentation:
    if text not in _KNOWN:
        end = ", crop 32" if text.startswith(("crop", "resize")) else ""
        _KNOWN[text] = augmentations(text + end)[0]
    return _KNOWN[text]


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.sampled_from(ANYTHING), min_size=1, max_size=5),
    st.lists(st.sampled_from(COLOURS), max_size=2),
    st.integers(1, 24),
    st.integers(1, 24),
    st.sampled_from([1, 2, 3, 5]),
    st.integers(1, 5),
    st.booleans(),
)
def test_images_stay_images(
    texts: list[str], colours: list[str], height: int, width: int, channels: int, count: int,
    last: bool,
) -> None:  # fmt: skip
    """Of the size that the compiler expects, from 0 to 255, and all numbers."""
    if channels == 3:
        texts = [*texts, *colours]
    directives = tuple(map(one, texts))
    size = (height, width)
    augment = module(fused(directives, size, channels))
    for directive in directives:
        size = directive.size_after(size)
    images = noisy(count, channels, (height, width))
    if last:
        images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.arange(count) % CLASSES
    given, labels, indices = in_a_ring(augment, images, labels)
    found, shares = augment(given, labels, indices, 1)
    assert found.shape == (count, channels, *size)
    assert found.dtype == torch.float32
    assert found.isfinite().all()
    assert found.min() >= -0.01
    assert found.max() <= 255.01
    if "mixup 0.3" in texts or "cutmix 1" in texts:
        assert torch.allclose(shares.sum(1), torch.ones(count), atol=1e-5)
    else:
        assert shares is labels


@settings(deadline=None, max_examples=30)
@given(st.floats(-2, 2), st.integers(0, 1000))
def test_hue_rotation_is_periodic(turns: float, seed: int) -> None:
    """Turned and turned back; the lightest and the darkest channel of a pixel stay."""
    images = torch.rand(2, 3, 5, 5, generator=torch.Generator().manual_seed(seed)) * 255
    by = torch.full((2,), turns)
    found = hue_turned(images, by)
    assert torch.allclose(found.amax(1), images.amax(1), atol=0.01)
    assert torch.allclose(found.amin(1), images.amin(1), atol=0.01)
    assert torch.allclose(hue_turned(found, -by), images, atol=0.1)
    assert torch.allclose(hue_turned(images, torch.ones(2)), images, atol=0.01)
