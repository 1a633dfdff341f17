"""Masks move along with their images: shown by images that say where each of their pixels is from,
and beside torchvision's `tv_tensors` with the same parameters."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dotcnn.compiler.plan.data import UNLABELLED
from dotcnn.compiler.plan.fusion import fused, separate
from dotcnn.training.augment.transforms import corners, parts
from dotcnn.training.runtime.import_torchvision import torchvision

from .done import augmentations, in_a_ring, module, smooth

SIZE = 48, 60
WHITE = 255.0


def where_from(count: int) -> Tensor:
    """Images whose pixels hold their column, their row and white, which is where an image is."""
    height, width = SIZE
    columns = torch.arange(width).float().expand(height, width)
    rows = torch.arange(height).float().view(-1, 1).expand(height, width)
    return torch.stack([columns, rows, torch.full(SIZE, WHITE)]).expand(count, -1, -1, -1).clone()


def moved(
    directives: str, images: Tensor, masks: Tensor, *, apart: bool = False, epoch: int = 0
) -> tuple[Tensor, Tensor]:
    """Images and their masks after directives; with `apart`, after one directive at a time."""
    found = augmentations(directives, "3x48x60")
    augment = module((separate if apart else fused)(found, SIZE, 3))
    given, labels, indices = in_a_ring(augment, images, masks)
    return augment(given, labels, indices, epoch)


def check(directives: str, *, apart: bool = False, near: float, epoch: int = 0) -> None:
    """Each pixel of a mask is that of the pixel which the image has there, at most `near` pixels
    off; and pixels from outside have no label."""
    count = 8
    images = where_from(count)
    for axis in (0, 1):
        labels = images[:, axis].to(torch.uint8)
        image, mask = moved(directives, images, labels, apart=apart, epoch=epoch)
        assert mask.dtype == torch.uint8
        there = image[:, 2]
        # At a border, bilinear interpolation mixes pixels of the image with what is beyond.
        inside, outside = there > WHITE - 0.5, there < 0.5
        assert (mask[outside] == UNLABELLED).all(), directives
        assert inside.float().mean() > 0.02, directives
        off = (mask.float() - image[:, axis]).abs()
        known = inside & (mask != UNLABELLED)
        lost = (inside & ~known).float().mean()
        assert off[known].max() <= near, (directives, float(off[known].max()))
        assert lost < 0.05, (directives, float(lost))  # a border of a pixel


WORDS = {
    "flip horizontal": 0.01,
    "flip vertical": 0.01,
    "flip both": 0.01,
    "rotate 40": 0.51,
    "rotate 90..90": 0.51,
    "rotate 30 fill=nearest": 0.51,
    "rotate 30 fill=reflect": 0.51,
    "rotate 30 fill=mirror": 0.51,
    "shift 25%": 0.51,
    "shift x=-30%..30% y=10%..10%": 0.51,
    "scale 0.5..2": 0.51,
    "shear 20": 0.51,
    "shear x=15..15 fill=9": 0.51,
    "perspective 0.5 p=1": 0.51,
    "elastic 40 sigma=6": 0.51,
    "crop pad=7": 0.01,
    "crop pad=7 fill=reflect": 0.01,
    "crop scale=30%..90%": 1.01,
    "crop scale=5%..20% ratio=0.5..2": 1.01,
}
"""Words that move pixels, and how many pixels a label may be off: half, where a mask takes the
nearest pixel of a bilinear interpolation."""

CHAINS = [
    "flip both, rotate 20, scale 0.8..1.2, shear 10",
    "crop pad=6, flip horizontal, rotate 15, shift 10%",
    "perspective 0.3, rotate 25 fill=reflect, elastic 20 sigma=5",
    "crop scale=40%..100%, flip both, shear 10, shift 10%",
]


@pytest.mark.parametrize("word", WORDS)
def test_a_label_is_that_of_its_pixel(word: str) -> None:
    check(word, near=WORDS[word])


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("apart", [False, True])
def test_after_several_words_too(chain: str, apart: bool) -> None:
    check(chain, apart=apart, near=_bound(chain, apart))


def _bound(chain: str, apart: bool = False) -> float:
    """Half a pixel, and one for each further interpolation: a mask takes the nearest each time."""
    found = augmentations(chain, "3x48x60")
    return 0.51 + 1.1 * (len((separate if apart else fused)(found, SIZE, 3).passes) - 1)


def _drawn_chains(count: int, seed: int) -> list[str]:
    choose = random.Random(seed)
    words = [word for word in WORDS if "fill=9" not in word and "5%..20%" not in word]
    return [", ".join(choose.sample(words, choose.randint(2, 4))) for _ in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize("chain", _drawn_chains(60, seed=7))
def test_after_chains_that_are_drawn(chain: str) -> None:
    for epoch in range(3):
        check(chain, near=_bound(chain) + 1, epoch=epoch)


def test_mixed_images_take_their_labels_along() -> None:
    """CutMix pastes a mask where it pastes the image; erased pixels keep their label."""
    images = where_from(8)
    images[:, 2] = torch.arange(8).view(-1, 1, 1) * 20.0  # which image a pixel is from
    labels = images[:, 2].to(torch.uint8)
    image, mask = moved("cutmix, rotate 0..0", images, labels)
    assert torch.equal(mask.float(), image[:, 2].round())
    assert any(len(one.unique()) == 2 for one in mask)
    _, kept = moved("erase p=1", images, labels)
    assert torch.equal(kept, labels)


# ---- beside torchvision ------------------------------------------------------------------------


def _scene(count: int) -> tuple[Tensor, Tensor]:
    """Smooth images, and masks with large regions."""
    images = smooth(count, size=SIZE, period=40)
    rough = F.interpolate(
        torch.rand(count, 1, 6, 7, generator=torch.Generator().manual_seed(0)), SIZE, mode="bicubic"
    )
    return images, (rough[:, 0] * 6).clamp(0, 5).to(torch.uint8)


def _tv() -> tuple[Any, Any, Any]:
    return (
        torchvision("transforms.v2.functional"),
        torchvision("tv_tensors"),
        torchvision("transforms").InterpolationMode.BILINEAR,
    )


def _beside(directives: str, theirs: Any, *, area: bool = False) -> None:
    """`theirs(tensor, index)` does the same to a tv_tensor."""
    _, tensors, _ = _tv()
    images, labels = _scene(6)
    image, mask = moved(directives, images, labels)
    for index in range(len(images)):
        wanted = theirs(tensors.Image(images[index]), index).float()
        their_mask = theirs(tensors.Mask(labels[index]), index)
        assert type(their_mask) is tensors.Mask
        beyond = F.pad((their_mask == UNLABELLED).float(), (1, 1, 1, 1), value=1.0)
        inside = F.max_pool2d(beyond[None], 5, 1, 1)[0] == 0
        assert inside.float().mean() > 0.2
        apart = (image[index] - wanted).abs()[:, inside]
        assert apart.max() < (4 if area else 0.6), (directives, float(apart.max()))
        differ = mask[index] != their_mask
        assert differ.float().mean() < (0.2 if area else 0.01), directives
        # Where they differ, it is by a pixel: theirs has that label next to it.
        near = F.unfold(their_mask[None, None].float(), 3, padding=1).view(9, *their_mask.shape)
        beside = (near == mask[index].float()).any(0)
        assert beside[1:-1, 1:-1].float().mean() > 0.999, directives


def _filled(functional: Any, tensors: Any, name: str) -> Any:
    """A function of torchvision that fills masks with what has no label."""

    def call(tensor: Any, *args: Any, **options: Any) -> Any:
        fill = float(UNLABELLED) if isinstance(tensor, tensors.Mask) else 0.0
        return getattr(functional, name)(tensor, *args, fill=fill, **options)

    return call


@pytest.mark.slow
def test_beside_torchvision() -> None:
    functional, tensors, bilinear = _tv()
    affine = _filled(functional, tensors, "affine")

    def moved_by(**options: Any) -> Any:
        known = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0], **options}
        return lambda tensor, _: affine(tensor, interpolation=bilinear, **known)

    rotate = _filled(functional, tensors, "rotate")
    _beside("rotate 17..17", lambda one, _: rotate(one, 17.0, interpolation=bilinear))
    _beside("shift x=20%..20% y=-25%..-25%", moved_by(translate=[12, -12]))
    _beside("scale 1.3..1.3", moved_by(scale=1.3))
    _beside("scale 0.7..0.7", moved_by(scale=0.7))
    _beside("shear x=12..12 y=7..7", moved_by(shear=[12.0, 7.0]))
    _beside("flip horizontal p=1", lambda one, _: functional.horizontal_flip(one))
    _beside("flip vertical p=1", lambda one, _: functional.vertical_flip(one))


def _drawn(directives: str, count: int) -> Tensor:
    """The random numbers of a single directive: the first decides whether it is applied."""
    augment = module(fused(augmentations(directives, "3x48x60"), SIZE, 3))
    return augment._draws(0, torch.arange(count))


@pytest.mark.slow
def test_perspective_beside_torchvision() -> None:
    functional, tensors, bilinear = _tv()
    words = "perspective 0.4 p=1"
    ends = corners(_drawn(words, 6)[1:9], 0.4, SIZE).int().tolist()
    bottom, right = SIZE[0] - 1, SIZE[1] - 1
    starts = [[0, 0], [right, 0], [right, bottom], [0, bottom]]
    perspective = _filled(functional, tensors, "perspective")
    _beside(words, lambda one, index: perspective(one, starts, ends[index], interpolation=bilinear))


@pytest.mark.slow
def test_crops_beside_torchvision() -> None:
    functional, _, bilinear = _tv()
    words = "crop scale=30%..80%"
    (directive,) = augmentations(words, "3x48x60")
    boxes = parts(_drawn(words, 6), directive, SIZE).int().tolist()

    def cut(one: Any, index: int) -> Any:
        left, top, width, height = boxes[index]
        return functional.resized_crop(one, top, left, height, width, SIZE, bilinear)

    _beside(words, cut, area=True)
