"""Networks that predict numbers: labels are standardized, missing ones count for nothing."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
import torch
import torch.nn.functional as F

from dotcnn import SpecError, evaluate
from dotcnn.compiler.plan.number_loss import GaussianNll, Huber, Mae, Mse, NumberLoss
from dotcnn.training.data.sources.labels import as_labels
from dotcnn.training.optim.number_losses import number_loss
from dotcnn.training.tasks.regression import Regression

from ..small import trained

SPEC = """
network Numbers {{
  input 1x12x12
  conv 8 3x3 same, bn, relu
  pool avg 4x4
  flatten
  fc {outputs}
}}
train {{
  epochs {epochs}
  batch 16
  optimizer adamw lr=1e-2
  {loss}
}}
"""


def squares(count: int = 96) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Images of a bright square, and the row and column of its corner, in odd units."""
    random = numpy.random.default_rng(0)
    corners = random.integers(0, 8, (count, 2))
    images = random.integers(0, 40, (count, 12, 12)).astype(numpy.uint8)
    for image, (top, left) in zip(images, corners, strict=True):
        image[top : top + 4, left : left + 4] = 220
    return images, (corners * [10.0, 0.1] + [1000.0, 0.05]).astype(numpy.float32)


def test_numbers_are_learned_in_their_units(tmp_path: Path) -> None:
    images, numbers = squares()
    numbers[3, 0] = numpy.nan
    spec = SPEC.format(outputs="classes", epochs=12, loss="")
    result = trained(tmp_path / "run", spec, data=(images, numbers))
    assert result.outcome is not None
    figures = result.outcome.per_class
    assert list(figures) == ["y0", "y1"]
    assert figures["y0"]["mae"] < 12
    assert figures["y1"]["mae"] < 0.12
    assert result.metrics["r2"] > 0.6
    answers = result.outcome.answers
    assert float(answers[:, 0].mean()) == pytest.approx(1035, abs=10)
    again = evaluate(tmp_path / "run", data=(images, numbers))
    assert again.metrics == pytest.approx(result.metrics, rel=1e-4)


def test_a_loss_of_numbers_makes_whole_labels_numbers(tmp_path: Path) -> None:
    images, numbers = squares(32)
    whole = numpy.rint(numbers[:, 0]).astype(numpy.int64)
    spec = SPEC.format(outputs="1", epochs=1, loss="loss huber delta=0.5")
    assert "mae" in trained(tmp_path / "run", spec, data=(images, whole)).metrics


def test_the_number_of_outputs_is_that_of_the_numbers(tmp_path: Path) -> None:
    spec = SPEC.format(outputs="5", epochs=1, loss="loss mse")
    with pytest.raises(SpecError, match="has 2 numbers, and the network ends in 5"):
        trained(tmp_path / "run", spec, data=squares(32))
    spec = SPEC.format(outputs="4", epochs=1, loss="loss gaussian_nll")
    assert "r2" in trained(tmp_path / "run", spec, data=squares(32)).metrics


def test_numbers_are_no_classes(tmp_path: Path) -> None:
    spec = SPEC.format(outputs="2", epochs=1, loss="loss cross_entropy")
    with pytest.raises(SpecError, match=r"does not fit the labels of .*: numbers for each"):
        trained(tmp_path / "run", spec, data=squares(32))


@pytest.mark.parametrize(
    ("values", "task"),
    [
        ([0.0, 1.0, 2.0], "classification"),
        ([0.5, 1.0, 2.0], "regression"),
        ([[0.5, 1], [1, 2], [0, 1]], "regression"),
        ([[0, 1], [1, 1], [0, 0]], "multi_label"),
    ],
)
def test_what_labels_ask_for(values: list[object], task: str) -> None:
    assert as_labels([numpy.array(values)], ()).task == task


@pytest.mark.parametrize("loss", [Mse(), Mae(), Huber(delta=0.5), GaussianNll()])
def test_losses_follow_torch_and_leave_missing_labels_out(loss: NumberLoss) -> None:
    random = torch.Generator().manual_seed(0)
    width = 3 * loss.outputs_of_each
    outputs = torch.randn(5, width, generator=random, dtype=torch.float64, requires_grad=True)
    labels = torch.randn(5, 3, generator=random, dtype=torch.float64)
    labels[1, 2] = labels[4] = torch.nan
    value = number_loss(loss)(outputs, labels)
    expected = []
    for row, truth in zip(outputs, labels, strict=True):
        known = ~truth.isnan()
        mean, rest = row[:3][known], row[3:]
        if not bool(known.any()):
            expected.append(torch.tensor(0.0))
        elif isinstance(loss, Mse):
            expected.append(F.mse_loss(mean, truth[known]))
        elif isinstance(loss, Mae):
            expected.append(F.l1_loss(mean, truth[known]))
        elif isinstance(loss, Huber):
            expected.append(F.huber_loss(mean, truth[known], delta=0.5))
        else:
            variance = F.softplus(rest[known])
            expected.append(F.gaussian_nll_loss(mean, truth[known], variance))
    whole = sum(each.detach() for each in expected) / 5
    assert float(value.detach()) == pytest.approx(float(whole), rel=1e-4)
    (gradient,) = torch.autograd.grad(value, outputs)
    assert bool(gradient.isfinite().all())
    assert not gradient[4].any()


def test_metrics_computed_by_hand() -> None:
    task = Regression(("a", "b"), means=(10.0, 0.0), deviations=(2.0, 1.0))
    tally = task.tally(Mse(), torch.device("cpu"))
    truth = torch.tensor([[1.0, torch.nan], [-1.0, 0.5], [0.0, -0.5]])
    tally.add(torch.tensor([[2.0, 9.0], [-1.0, 0.5], [0.0, 0.5]]), truth)
    figures = tally.per_class()
    assert figures["a"] == pytest.approx(
        {"images": 3, "mae": 2 / 3, "rmse": 2 / 3**0.5, "r2": 1 - 1 / 2}
    )
    assert figures["b"] == pytest.approx({"images": 2, "mae": 0.5, "rmse": 0.5**0.5, "r2": -1.0})
    assert tally.metrics()["mae"] == pytest.approx((2 / 3 + 0.5) / 2)
