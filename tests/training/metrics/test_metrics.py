"""Metrics compared with results computed by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dotcnn.compiler.plan.loss import Bce, CrossEntropy
from dotcnn.training.metrics.better import is_best, is_better
from dotcnn.training.metrics.evaluation import outcome_of
from dotcnn.training.metrics.tally import Tally
from dotcnn.training.tasks.known_tasks import task_of
from dotcnn.training.tasks.multi_label import MultiLabel
from dotcnn.training.tasks.task import Task

ONE, SEVERAL = CrossEntropy(smoothing=0.1), Bce(smoothing=0.1)
CPU = torch.device("cpu")


def task(classes: int, *, multi_label: bool = False) -> Task:
    word = "multi_label" if multi_label else "classification"
    return task_of(word, [chr(ord("a") + number) for number in range(classes)])


def tally(classes: int, *, multi_label: bool = False) -> Tally:
    loss = SEVERAL if multi_label else ONE
    return task(classes, multi_label=multi_label).tally(loss, CPU)


def sure(classes: int, *answers: int) -> Tensor:
    """Logits of one class each."""
    return 20.0 * F.one_hot(torch.tensor(answers), classes)


def test_metrics_computed_by_hand() -> None:
    """Three cats, one of them taken for a dog; a dog, known; two cows, one taken for a cat."""
    counted = tally(3)
    counted.add(sure(3, 0, 0, 1), torch.tensor([0, 0, 0]))
    counted.add(sure(3, 1, 2, 0), torch.tensor([1, 2, 2]))
    assert counted.confusion().tolist() == [[2, 1, 0], [0, 1, 0], [1, 0, 1]]
    found = counted.metrics()
    assert found["top1"] == pytest.approx(4 / 6)
    assert "top5" not in found
    assert found["precision"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert found["recall"] == pytest.approx((2 / 3 + 1 + 1 / 2) / 3)
    assert found["f1"] == pytest.approx((2 / 3 + 2 / 3 + 2 / 3) / 3)
    assert found["loss"] == pytest.approx(2 * 20 / 6, rel=1e-4)
    cat = counted.per_class()["a"]
    assert cat == pytest.approx({"images": 3, "precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3})


def test_a_class_without_images_says_nothing_about_the_whole() -> None:
    """Its recall would be 0 of 0; means are over the classes that there are."""
    counted = tally(3)
    counted.add(sure(3, 0, 1), torch.tensor([0, 1]))
    assert counted.metrics()["recall"] == 1
    assert counted.per_class()["c"]["images"] == 0


def test_top5() -> None:
    logits = torch.arange(7.0).repeat(3, 1)  # 6, 5, 4, 3 and 2 are the best five
    counted = tally(7)
    counted.add(logits, torch.tensor([6, 2, 1]))
    found = counted.metrics()
    assert found["top1"] == pytest.approx(1 / 3)
    assert found["top5"] == pytest.approx(2 / 3)


def test_multi_label_metrics() -> None:
    """An image is right where each class is; precision and recall are of each class by itself."""
    counted = MultiLabel(("a", "b"), (0.5, 0.5)).tally(SEVERAL, CPU)
    logits = torch.tensor([[9.0, 9.0], [9.0, -9.0], [-9.0, -9.0]])
    counted.add(logits, torch.tensor([[1.0, 1.0], [0.0, 0.0], [1.0, 0.0]]))
    found = counted.metrics()
    assert found["top1"] == pytest.approx(1 / 3)
    assert found["precision"] == pytest.approx((1 / 2 + 1) / 2)
    assert found["recall"] == pytest.approx((1 / 2 + 1) / 2)
    assert counted.confusion().shape == (0, 0)
    assert counted.per_class()["a"]["images"] == 2
    assert found["loss"] == pytest.approx(2 * 9 / 6, rel=1e-3)


@given(st.integers(0, 99), st.integers(2, 9), st.integers(1, 20))
def test_counts_do_not_depend_on_batches(seed: int, classes: int, images: int) -> None:
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, classes, generator=random)
    labels = torch.randint(classes, (images,), generator=random)
    whole, parts = tally(classes), tally(classes)
    whole.add(logits, labels)
    for start in range(0, images, 3):
        parts.add(logits[start : start + 3], labels[start : start + 3])
    assert parts.metrics() == pytest.approx(whole.metrics())
    assert torch.equal(parts.confusion(), whole.confusion())
    assert whole.metrics()["loss"] == pytest.approx(float(F.cross_entropy(logits, labels)))


@given(st.integers(0, 99), st.booleans())
def test_probabilities_say_the_same_as_logits(seed: int, multi_label: bool) -> None:
    random = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(12, 6, generator=random)
    labels = torch.randint(6, (12,), generator=random)
    if multi_label:
        labels = F.one_hot(labels, 6).float()
    counted = tally(6, multi_label=multi_label).thorough()
    counted.add(logits, labels)
    probabilities = logits.sigmoid() if multi_label else logits.softmax(1)
    loss = SEVERAL if multi_label else ONE
    outcome = outcome_of("val", probabilities, labels, task(6, multi_label=multi_label), loss)
    assert outcome.metrics == pytest.approx(counted.metrics(), rel=1e-3, abs=0.02)


def test_no_images_no_metrics() -> None:
    assert tally(3).metrics() == {}


def test_is_better() -> None:
    assert is_better("loss", 0.1, 0.2)
    assert not is_better("top1", 0.1, 0.2)
    assert not is_better("top1", 0.2, 0.2)
    assert is_better("f1", 0.2, None)
    assert not is_better("loss", math.nan, None)
    assert not is_better("loss", 0.19, 0.2, by=0.05)


def test_the_lowest_loss_decides_between_equal_results() -> None:
    first, later = {"loss": 0.4, "top1": 0.9}, {"loss": 0.2, "top1": 0.9}
    assert is_best("top1", first, None)
    assert is_best("top1", later, first)
    assert not is_best("top1", first, later)
    assert not is_best("top1", first, first)
    assert is_best("top1", {"loss": 3.0, "top1": 0.91}, first)
    assert not is_best("top1", {"loss": math.nan, "top1": math.nan}, None)
