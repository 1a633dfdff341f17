"""Losses compared with torch's, and with arithmetic."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dotcnn.compiler.plan.loss import Bce, CrossEntropy, Focal, Loss
from dotcnn.training.optim.losses import loss_function, mean_one, plain_loss, with_aux

SMOOTHING = st.sampled_from([0.0, 0.1, 0.5])


def drawn(seed: int, images: int = 7, classes: int = 4) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(images, classes, generator=random)
    return logits, torch.randint(classes, (images,), generator=random)


@given(st.integers(0, 99), SMOOTHING)
def test_cross_entropy_is_torchs(seed: int, smoothing: float) -> None:
    logits, labels = drawn(seed)
    found = loss_function(CrossEntropy(smoothing=smoothing))(logits, labels)
    assert torch.equal(found, F.cross_entropy(logits, labels, label_smoothing=smoothing))


@given(st.integers(0, 99), SMOOTHING)
def test_weights_of_classes_weigh_images(seed: int, smoothing: float) -> None:
    """torch's sum of weighted losses, divided by images and not by their weights: so the mean of
    two halves is that of the whole."""
    logits, labels = drawn(seed, images=8)
    weights = torch.tensor([1.0, 2.0, 0.0, 0.5])
    function = loss_function(CrossEntropy(smoothing=smoothing), weights)
    total = F.cross_entropy(
        logits, labels, weight=weights, label_smoothing=smoothing, reduction="sum"
    )
    assert function(logits, labels) == pytest.approx(float(total) / 8)
    halves = function(logits[:4], labels[:4]) + function(logits[4:], labels[4:])
    assert function(logits, labels) == pytest.approx(float(halves) / 2)


@given(st.integers(0, 99), SMOOTHING)
def test_bce_is_torchs(seed: int, smoothing: float) -> None:
    logits, _ = drawn(seed)
    several = (drawn(seed + 100)[0] > 0).float()
    targets = several * (1 - smoothing) + smoothing / 2
    found = loss_function(Bce(smoothing=smoothing))(logits, several)
    assert found == pytest.approx(float(F.binary_cross_entropy_with_logits(logits, targets)))


def test_bce_takes_one_class_for_a_yes_among_noes() -> None:
    logits, labels = drawn(0)
    function = loss_function(Bce(smoothing=0.0))
    assert torch.equal(function(logits, labels), function(logits, F.one_hot(labels, 4).float()))


def test_focal_by_hand() -> None:
    """Lin et al., equation 4: -(1 - p)^gamma log p, of p = 0.8 and p = 0.25."""
    logits = torch.tensor([[0.8, 0.2], [0.75, 0.25]]).log()
    labels = torch.tensor([0, 1])
    expected = (0.2**2 * -math.log(0.8) + 0.75**2 * -math.log(0.25)) / 2
    assert loss_function(Focal(gamma=2.0))(logits, labels) == pytest.approx(expected)


@given(st.integers(0, 99))
def test_focal_without_gamma_is_cross_entropy(seed: int) -> None:
    logits, labels = drawn(seed)
    found = loss_function(Focal(gamma=0.0))(logits, labels)
    assert found == pytest.approx(float(F.cross_entropy(logits, labels)), rel=1e-5)
    weights = torch.tensor([1.0, 2.0, 0.0, 0.5])
    found = loss_function(Focal(gamma=0.0), weights)(logits, labels)
    plain = loss_function(CrossEntropy(smoothing=0.0), weights)(logits, labels)
    assert found == pytest.approx(float(plain), rel=1e-5)


LOSSES = [CrossEntropy(smoothing=0.1), Bce(smoothing=0.1), Focal(gamma=2.0)]


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_shares_of_classes_are_labels_too(loss: Loss) -> None:
    """As mixing images makes them; all of one class is that class."""
    logits, labels = drawn(3)
    function = loss_function(loss)
    whole = F.one_hot(labels, 4).float()
    assert function(logits, whole) == pytest.approx(float(function(logits, labels)), rel=1e-5)
    mixed = 0.3 * whole + 0.7 * whole.roll(1, 0)
    rolled = function(logits, labels.roll(1, 0))
    if not isinstance(loss, Bce):
        expected = 0.3 * function(logits, labels) + 0.7 * rolled
        assert function(logits, mixed) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_evaluation_loss_has_no_smoothing(loss: Loss) -> None:
    """A sure and right answer costs nothing."""
    logits = torch.tensor([[40.0, -40.0], [-40.0, 40.0]])
    assert plain_loss(loss)(logits, torch.tensor([0, 1])) == pytest.approx(0, abs=1e-12)


def test_auxiliary_heads_count_with_their_weights() -> None:
    function = loss_function(CrossEntropy(smoothing=0.0))
    (logits, labels), (first, _), (second, _) = drawn(0), drawn(1), drawn(2)
    found = with_aux(function, [0.3, 0.1])((logits, first, second), labels)
    expected = function(logits, labels) + 0.3 * function(first, labels)
    assert found == pytest.approx(float(expected + 0.1 * function(second, labels)))
    assert with_aux(function, []) is function


@given(st.lists(st.integers(1, 50), min_size=3, max_size=3), st.floats(0.1, 50))
def test_the_scale_of_class_weights_does_not_matter(counts: list[int], factor: float) -> None:
    weights = torch.tensor([1.0, 2.0, 5.0])
    found = mean_one(weights, counts)
    assert found is not None
    assert float((found * torch.tensor(counts)).sum()) / sum(counts) == pytest.approx(1, rel=1e-5)
    scaled = mean_one(weights * factor, counts)
    assert scaled is not None
    assert scaled.tolist() == pytest.approx(found.tolist(), rel=1e-4)
    assert mean_one(None, counts) is None
