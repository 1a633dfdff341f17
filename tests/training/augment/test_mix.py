"""Mixup and CutMix: labels are mixed in the same proportion as images."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dotcnn.compiler.plan.fusion import fused
from dotcnn.training.augment.mix import Shares

from .done import CLASSES, augmentations, in_a_ring, module, noisy


def mixed(text: str, images: Tensor, labels: Tensor, epoch: int = 0) -> tuple[Tensor, Tensor]:
    size = (images.shape[2], images.shape[3])
    found = augmentations(text, f"{images.shape[1]}x{size[0]}x{size[1]}")
    augment = module(fused(found, size, images.shape[1]))
    made: tuple[Tensor, Tensor] = augment(*in_a_ring(augment, images, labels), epoch)
    return made


@pytest.mark.parametrize("text", ["mixup 0.4", "cutmix 1", "mixup 1 p=50%", "cutmix 1, mixup 0.2"])
def test_labels_are_mixed_like_the_images(text: str) -> None:
    """Images of a single level each, one level a class: their mean is that of their labels."""
    labels = torch.randint(0, CLASSES, (300,), generator=torch.Generator().manual_seed(0))
    images = (labels * 30).view(-1, 1, 1, 1).expand(-1, 3, 24, 20).byte()
    found, shares = mixed(text, images, labels)
    assert shares.shape == (300, CLASSES)
    assert torch.allclose(shares.sum(1), torch.ones(300))
    assert (shares >= 0).all()
    levels = torch.arange(CLASSES) * 30.0
    assert torch.allclose(found.mean((1, 2, 3)), shares @ levels, atol=1e-3)
    assert (shares.amax(1) < 0.999).float().mean() > 0.2


@pytest.mark.parametrize("text", ["mixup 0.4 p=30%", "cutmix 1 p=30%"])
def test_images_are_mixed_with_the_given_probability(text: str) -> None:
    images, labels = noisy(500, size=(12, 12)), torch.arange(500) % CLASSES
    found, shares = mixed(text, images, labels)
    changed = (found - images).abs().amax((1, 2, 3)) > 0
    # A part may come out as nothing, and two images in a row never have the same class.
    assert changed.float().mean() == pytest.approx(0.28, abs=0.06)
    assert torch.equal(changed, shares.amax(1) < 1)


def test_cutmix_pastes_a_part_of_the_next_image() -> None:
    images, labels = noisy(40, size=(16, 16)), torch.arange(40) % CLASSES
    found, shares = mixed("cutmix 1", images, labels)
    for index in range(40):
        other = (index + 1) % 40
        own = (found[index] == images[index]).all(0)
        theirs = (found[index] == images[other]).all(0)
        assert (own | theirs).all()
        share = float(own.float().mean())
        assert float(shares[index, labels[index]]) == pytest.approx(share, abs=0.01)
        cut = (~own).nonzero()
        if len(cut):
            area = (cut.amax(0) - cut.amin(0) + 1).prod()
            assert len(cut) == pytest.approx(int(area), abs=2)  # equal by chance here and there


@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.5, 1.0, 3.0, 50.0])
def test_shares_follow_the_beta_distribution(alpha: float) -> None:
    """By the quantiles of Beta(alpha, alpha), as drawn from torch's."""
    uniform = (torch.arange(200_000) + 0.5) / 200_000
    found = Shares(alpha)(uniform)
    assert (found.diff() >= 0).all()
    assert found.mean() == pytest.approx(0.5, abs=1e-3)
    assert found.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.01)
    torch.manual_seed(0)
    theirs = torch.distributions.Beta(alpha, alpha).sample((200_000,)).sort().values
    inner = slice(200, -200)  # the last ones are nobody's to foresee
    assert torch.allclose(found[inner], theirs[inner], atol=0.02)


def test_multi_label_labels_are_mixed() -> None:
    images = noisy(8, size=(8, 8))
    labels = torch.eye(CLASSES)[torch.arange(8) % CLASSES] + torch.eye(CLASSES)[3]
    _, shares = mixed("mixup 1", images, labels.clamp(max=1))
    assert torch.allclose(shares[:, 3], torch.ones(8))


@pytest.mark.parametrize(
    "text", ["mixup 1", "cutmix 1", "rotate 15, mixup 1 p=50%, cutmix, noise 0.1"]
)
def test_mixing_does_not_depend_on_batch_boundaries(text: str) -> None:
    """Images come with those behind them, and are mixed with the same ones."""
    images, labels = noisy(12, size=(16, 16)), torch.arange(12) % CLASSES
    augment = module(fused(augmentations(text, "3x16x16"), (16, 16), 3))
    images, labels, indices = in_a_ring(augment, images, labels)
    whole, shares = augment(images, labels, indices)
    assert len(whole) == len(shares) == 12
    for first, last in ((0, 1), (1, 7), (7, 12)):
        part = slice(first, last + augment.guests)
        found, parts = augment(images[part], labels[part], indices[part])
        assert torch.allclose(found, whole[first:last], atol=1e-3)
        assert torch.equal(parts, shares[first:last])


def test_labels_are_unchanged_without_mixing() -> None:
    labels = torch.arange(4)
    assert mixed("flip horizontal", noisy(4), labels)[1] is labels
