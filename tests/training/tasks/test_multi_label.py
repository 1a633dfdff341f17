"""Networks that decide each class by itself: average precision, a loss for many absent classes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import dotcnn
from dotcnn.compiler.plan.loss import Asymmetric, Bce
from dotcnn.training.optim.losses import loss_function
from dotcnn.training.tasks.multi_label import MultiLabel

from ..data.sets import picture


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


# ---- labels that are not known -----------------------------------------------------------------


def with_unknown(count: int = 40, seed: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and labels of which a third is NaN; of each image, one is known."""
    random = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(count, 4, generator=random)
    labels = (torch.rand(count, 4, generator=random) < 0.4).float()
    unknown = torch.rand(count, 4, generator=random) < 0.33
    unknown[torch.arange(count), torch.arange(count) % 4] = False
    labels[unknown] = torch.nan
    return logits, labels


@pytest.mark.parametrize("loss", [Bce(), Bce(smoothing=0.1), Asymmetric()])
def test_unknown_labels_count_for_nothing_in_the_loss(loss: Bce | Asymmetric) -> None:
    logits, labels = with_unknown()
    function = loss_function(loss)
    each = [
        function(logits[row, known][None], labels[row, known][None])
        for row in range(len(labels))
        for known in [~labels[row].isnan()]
    ]
    inputs = logits.clone().requires_grad_()
    whole = function(inputs, labels)
    assert float(whole.detach()) == pytest.approx(float(torch.stack(each).mean()), rel=1e-5)
    whole.backward()  # type: ignore[no-untyped-call]
    assert inputs.grad is not None
    assert bool((inputs.grad[labels.isnan()] == 0).all())
    assert bool(inputs.grad.isfinite().all())


def test_unknown_labels_count_for_nothing_in_the_metrics() -> None:
    logits, labels = with_unknown()
    tally = MultiLabel(tuple("abcd")).tally(Bce(), torch.device("cpu")).thorough()
    tally.add(logits, labels)
    figures = tally.per_class()
    for column, name in enumerate("abcd"):
        known = ~labels[:, column].isnan()
        alone = MultiLabel(("x",)).tally(Bce(), torch.device("cpu"))
        alone.add(logits[known, column, None], labels[known, column, None])
        assert figures[name] == alone.per_class()["x"]
    metrics = tally.metrics()
    assert all(value == value for value in metrics.values())
    right = ((logits > 0) == (labels > 0.5)) | labels.isnan()
    assert metrics["top1"] == pytest.approx(float(right.all(1).float().mean()))


@pytest.mark.slow
def test_a_table_with_empty_cells_is_learned(tmp_path: Path) -> None:
    lines = ["file,cat,dog"]
    for number in range(16):
        picture(number).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,{number % 2}.0,{'' if number % 3 else number % 4 // 2}")
    lines[5] = "4.png,,NaN"
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    result = dotcnn.train(
        "network Net { input 3x8x8, conv 4 3x3 same, relu, pool avg global, flatten, fc classes }\n"
        "augment { flip horizontal, mixup p=0.5 }\n"
        f'train {{ data table "{tmp_path / "labels.csv"}" bad=10%, epochs 2, batch 4 }}',
        output=tmp_path / "run",
        device="cpu",
    )
    assert result.outcome is not None
    assert all(value == value for value in result.outcome.metrics.values())
    record = (tmp_path / "run" / "record.json").read_text()
    assert "empty cells count for nothing" in record
    assert "row 6 of labels.csv: it has no label" in record
