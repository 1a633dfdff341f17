"""Networks that decide each class by itself: average precision, a loss for many absent classes."""

from __future__ import annotations

import pytest
import torch

from dotcnn.compiler.plan.loss import Asymmetric, Bce
from dotcnn.training.optim.losses import loss_function
from dotcnn.training.tasks.multi_label import MultiLabel


def precision_by_hand(scores: torch.Tensor, there: torch.Tensor) -> float:
    """At each image that has the class, in the order of scores, the share of hits until there."""
    order = scores.argsort(descending=True)
    hits, found = 0, []
    for place, index in enumerate(order.tolist(), 1):
        if there[index]:
            hits += 1
            found.append(hits / place)
    return sum(found) / len(found)


def test_average_precision_follows_its_definition() -> None:
    random = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(60, 4, generator=random)
    labels = (torch.rand(60, 4, generator=random) < torch.tensor([0.5, 0.2, 0.05, 0.0])).float()
    labels[7, 2] = 1.0
    tally = MultiLabel(tuple("abcd")).tally(Bce(), torch.device("cpu"))
    for part in torch.arange(60).split(7):
        tally.add(logits[part], labels[part])
    expected = [precision_by_hand(logits[:, c], labels[:, c] > 0) for c in range(3)]
    figures = tally.per_class()
    assert [figures[name]["average_precision"] for name in "abc"] == pytest.approx(
        expected, abs=0.02
    )
    assert tally.metrics()["map"] == pytest.approx(sum(expected) / 3, abs=0.02)


def test_the_asymmetric_loss_follows_its_formula() -> None:
    logits = torch.tensor([[2.0, -1.0, -4.0], [0.3, 0.0, 1.0]], dtype=torch.float64)
    labels = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
    loss = Asymmetric(absent=4.0, present=1.0, shift=0.05)
    total = 0.0
    for logit, label in zip(logits.flatten(), labels.flatten(), strict=True):
        share = 1 / (1 + torch.exp(-logit))
        lowered = max(float(share) - 0.05, 0.0)
        if label:
            total -= float((1 - share) * share.log())
        else:
            total -= lowered**4 * float(torch.tensor(1 - lowered).log())
    assert float(loss_function(loss)(logits, labels)) == pytest.approx(total / 6, rel=1e-5)


def test_without_focus_and_shift_it_is_binary_cross_entropy() -> None:
    random = torch.Generator().manual_seed(1)
    logits = torch.randn(8, 5, generator=random)
    labels = (torch.rand(8, 5, generator=random) < 0.3).float()
    plain = loss_function(Asymmetric(absent=0.0, present=0.0, shift=0.0))(logits, labels)
    assert float(plain) == pytest.approx(float(loss_function(Bce())(logits, labels)), rel=1e-5)
