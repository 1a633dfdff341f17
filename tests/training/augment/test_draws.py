"""The random numbers of an image do not depend on its batch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dotcnn.compiler.plan.fusion import fused
from dotcnn.training.augment.random_numbers import Draws, Layout, normal, whole

from .done import CLASSES, augmentations, done, module, noisy

ALL = (
    "crop pad=3 fill=reflect, flip both, rotate 15, scale 0.9..1.1, shift 10%, shear 10,"
    " perspective 0.3, elastic 20, color brightness=0.2 contrast=0.2 saturation=0.2 hue=0.1,"
    " grayscale, pca_color 0.1, noise 0..0.1, blur 0.1..1, erase p=50% fill=noise,"
    " randaugment, trivial"
)
"""Every word whose outcome is an image's own."""


def drawn(seed: int, epoch: int, indices: list[int], places: int = 8) -> torch.Tensor:
    layout = Layout()
    layout.reserve(0, 0, places)
    return Draws(layout, seed)(epoch, torch.tensor(indices))


def test_numbers_are_uniform_and_independent() -> None:
    found = drawn(0, 0, list(range(2000)), 200)
    assert 0 < found.min() < 1e-4
    assert 1 - 1e-4 < found.max() < 1
    assert found.mean() == pytest.approx(0.5, abs=1e-3)
    counts = (found * 16).long().flatten().bincount()
    assert ((counts / counts.float().mean() - 1).abs() < 0.03).all()
    between = torch.corrcoef(found) - torch.eye(200)
    assert between.abs().max() < 6 / 2000**0.5
    assert between.std() == pytest.approx(2000**-0.5, rel=0.05)


def test_other_seeds_epochs_and_images_get_other_numbers() -> None:
    first = drawn(0, 0, [0])
    for other in (drawn(1, 0, [0]), drawn(0, 1, [0]), drawn(0, 0, [1])):
        assert (first != other).all()
    assert (drawn(0, 1, [0]) != drawn(1, 0, [0])).all()


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.integers(0, 10**12), min_size=1, max_size=30),
    st.integers(0, 2**63 - 1),
    st.integers(0, 10**6),
)
def test_an_image_draws_the_same_in_any_batch(indices: list[int], seed: int, epoch: int) -> None:
    together = drawn(seed, epoch, indices)
    for column, index in enumerate(indices):
        assert torch.equal(together[:, column : column + 1], drawn(seed, epoch, [index]))


def test_numbers_of_a_directive_do_not_depend_on_others() -> None:
    alone, beside = Layout(), Layout()
    alone.reserve(3, 0, 2)
    beside.reserve(1, 0, 5)
    place = beside.reserve(3, 0, 2)
    index = torch.arange(4)
    assert torch.equal(Draws(alone, 0)(0, index), Draws(beside, 0)(0, index)[place])


def test_integers_include_both_ends() -> None:
    uniform = torch.tensor([0.001, 0.4, 0.999])
    assert whole(uniform, -1, 1).tolist() == [-1, 0, 1]


def test_normal_numbers_are_normal() -> None:
    found = normal(*drawn(0, 0, list(range(20000)), 2))
    assert found.mean() == pytest.approx(0, abs=0.02)
    assert found.std() == pytest.approx(1, abs=0.02)
    assert (found.abs() < 1.96).float().mean() == pytest.approx(0.95, abs=0.005)


# ---- whole augmentations -----------------------------------------------------------------------


def test_a_batch_may_be_split_and_shuffled() -> None:
    """Every image is the same to the last bit but for what adds up in another order: whatever
    batch, worker or process it comes to."""
    images = noisy(12, size=(32, 32))
    augment = module(fused(augmentations(ALL), (32, 32), 3))
    labels, indices = torch.arange(12) % CLASSES, torch.arange(12) + 1000
    whole_batch, _ = augment(images, labels, indices, 3)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    for some in (order[:1], order[1:6], order[6:]):
        part, _ = augment(images[some], labels[some], indices[some], 3)
        # Policies round to whole levels: a millionth may be the next one.
        apart = (part - whole_batch[some]).abs()
        assert (apart > 1e-3).float().mean() < 1e-3
    again, _ = augment(images, labels, indices, 3)
    assert torch.equal(again, whole_batch)


def test_another_epoch_or_seed_gives_other_images() -> None:
    images = noisy(4, size=(32, 32))
    first = done(images, ALL)
    for other in (done(images, ALL, epoch=1), done(images, ALL, seed=1)):
        assert ((first - other).abs().amax((1, 2, 3)) > 1).all()


def test_the_global_generator_is_not_used() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    done(noisy(4, size=(32, 32)), ALL + ", mixup, cutmix")
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_input_images_are_not_changed(dtype: torch.dtype) -> None:
    for text in ("noise 0.1", "erase p=1", "flip both p=1, noise 0.1", "flip both p=0, erase p=1"):
        images = noisy(4, size=(16, 16)).to(dtype)
        before = images.clone()
        done(images, text)
        assert torch.equal(images, before)


@pytest.mark.parametrize("axis", ["horizontal", "vertical"])
def test_an_alternating_flip_shows_each_image_both_ways_in_turn(axis: str) -> None:
    """Keller Jordan, arXiv:2404.00498, section 3.6: every pair of epochs has all of both views."""
    images = noisy(40, size=(8, 8))
    text = f"flip {axis} alternate"
    epochs = [done(images, text, epoch=epoch) for epoch in range(4)]
    other = images.flip(-1 if axis == "horizontal" else -2).float()
    flipped = (epochs[0] == other).flatten(1).all(1)
    assert 8 < flipped.sum() < 32
    shown = [torch.where(mirrored.view(-1, 1, 1, 1), other, images.float())
             for mirrored in (flipped, ~flipped)]  # fmt: skip
    for epoch, found in enumerate(epochs):
        assert torch.equal(found, shown[epoch % 2])


def test_other_draws_do_not_change_beside_an_alternating_flip() -> None:
    images = noisy(6, size=(8, 8))
    for epoch in (0, 1):
        plain = done(images, "crop pad=2, flip horizontal p=0", epoch=epoch)
        beside = done(images, "crop pad=2, flip horizontal alternate", epoch=epoch)
        same = [torch.equal(a, b) or torch.equal(a, b.flip(-1))
                for a, b in zip(plain, beside, strict=True)]  # fmt: skip
        assert all(same)
