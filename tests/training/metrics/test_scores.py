"""AUROC, calibration, Brier score and thresholds, against the figures of scikit-learn 1.9 and
torchmetrics 1.9 for the same random answers."""

from __future__ import annotations

import pytest
import torch

from dotcnn.compiler.plan.loss import Bce, CrossEntropy
from dotcnn.training.metrics.score_bins import BINS, HALF, edge_of, probability_of
from dotcnn.training.metrics.tag_tally import TagTally
from dotcnn.training.optim.losses import plain_loss
from dotcnn.training.tasks.classification import Classification
from dotcnn.training.tasks.multi_label import MultiLabel

CPU = torch.device("cpu")
NAMES = tuple("abcde")


def answers() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(7)
    logits = 2 * torch.randn(300, 5, generator=random)
    labels = torch.randint(5, (300,), generator=random)
    logits[torch.arange(300), labels] += 1.5
    shares = torch.tensor([0.5, 0.3, 0.2, 0.1, 0.05])
    several = (torch.rand(300, 5, generator=random) < shares).float()
    return logits, labels, 2 * torch.randn(300, 5, generator=random) + 2 * several, several


def test_metrics_of_classes_are_those_of_scikit_learn() -> None:
    logits, labels, _, _ = answers()
    tally = Classification(NAMES).tally(CrossEntropy(), CPU).thorough()
    for part in torch.arange(300).split(64):
        tally.add(logits[part], labels[part])
    found = tally.metrics()
    assert found["auroc"] == pytest.approx(0.745644, abs=1e-3)
    assert found["ece"] == pytest.approx(0.2439, abs=1e-4)
    assert found["brier"] == pytest.approx(0.763401, abs=1e-5)
    each = [figures["auroc"] for figures in tally.per_class().values()]
    assert each == pytest.approx([0.726301, 0.790807, 0.763110, 0.701680, 0.746319], abs=2e-3)


def test_metrics_of_several_classes_are_those_of_scikit_learn() -> None:
    _, _, logits, labels = answers()
    tally = MultiLabel(NAMES).tally(Bce(), CPU).thorough()
    tally.add(logits, labels)
    found = tally.metrics()
    assert found["map"] == pytest.approx(0.447729, abs=2e-3)
    assert found["auroc"] == pytest.approx(0.748500, abs=1e-3)
    assert found["ece"] == pytest.approx(0.3264, abs=1e-4)
    best = [figures["f1"] for figures in tally.per_class().values()]
    assert best == pytest.approx([0.716049, 0.575472, 0.507463, 0.323944, 0.273684], abs=0.01)


def test_metrics_that_take_long_are_measured_only_if_asked_for() -> None:
    logits, labels, _, _ = answers()
    tally = Classification(NAMES).tally(CrossEntropy(), CPU)
    tally.add(logits, labels)
    assert not {"auroc", "ece", "brier"} & tally.metrics().keys()


def test_a_threshold_is_between_the_scores_that_it_divides() -> None:
    scores = torch.tensor([[-3.0, -3.0], [-2.0, -2.0], [1.0, 1.0], [2.0, 2.0]])
    labels = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    tally = TagTally(("a", "never"), plain_loss(Bce()), CPU)
    tally.add(scores, labels)
    first, second = tally.thresholds()
    assert first == pytest.approx(float(torch.tensor(-2.5).sigmoid()), rel=0.01)
    assert second == 0.5  # nothing is known of a class without images
    assert tally.metrics()["f1"] == 1


def test_chosen_thresholds_give_the_same_shares_when_they_are_given() -> None:
    """What training records is what an evaluation with the run's thresholds finds."""
    _, _, logits, labels = answers()
    training = MultiLabel(NAMES).tally(Bce(), CPU)
    training.add(logits[:200], labels[:200])
    task = MultiLabel(NAMES).validated(training)
    again = task.tally(Bce(), CPU)
    again.add(logits[:200], labels[:200])
    for name in ("f1", "precision", "recall", "map"):
        assert again.metrics()[name] == training.metrics()[name]
    present = torch.stack([task.present(answer) for answer in task.answers(logits[:200])])
    hits = (present & (labels[:200] > 0)).sum(0)
    f1 = 2 * hits / (present.sum(0) + labels[:200].sum(0))
    assert float(f1.mean()) == pytest.approx(again.metrics()["f1"])
    exact = (present == (labels[:200] > 0)).all(1).double().mean()
    assert again.metrics()["top1"] == pytest.approx(float(exact))


def test_counts_of_several_processes_choose_the_thresholds_of_all_images() -> None:
    _, _, logits, labels = answers()
    whole, parts = MultiLabel(NAMES).tally(Bce(), CPU), []
    whole.add(logits, labels)
    for part in (slice(0, 100), slice(100, 300)):
        parts.append(MultiLabel(NAMES).tally(Bce(), CPU))
        parts[-1].add(logits[part], labels[part])
    parts[0].add_counts(parts[1])
    assert MultiLabel(NAMES).validated(parts[0]) == MultiLabel(NAMES).validated(whole)


@pytest.mark.parametrize("edge", [0, 1, HALF - 7, HALF, BINS - 1, BINS])
def test_edges_are_probabilities_and_back(edge: int) -> None:
    assert edge_of(probability_of(edge)) == edge
