"""The measures of each kind of answer, whose values are those of the metrics of an evaluation, and
the pairing of images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy
import pytest
import torch
from numpy.typing import NDArray

from dotcnn.compiler.plan.loss import IMAGES
from dotcnn.compiler.plan.number_loss import Mse
from dotcnn.training.answers.kept_answers import KeptAnswers, OutputAnswers, identities
from dotcnn.training.comparing.measures import average_precision, measures_of
from dotcnn.training.comparing.same_images import paired
from dotcnn.training.tasks.regression import Regression


def output(task: str, arrays: Mapping[str, Any], classes: int = 2, **more: Any) -> OutputAnswers:
    own: dict[str, NDArray[numpy.generic]] = {k: numpy.array(v) for k, v in arrays.items()}
    names = tuple(f"c{number}" for number in range(classes))
    rows = numpy.arange(len(next(iter(own.values()))))
    return replace(OutputAnswers("", task, names, rows, own), **more)


def of_classes(predicted: list[int], labels: list[int], classes: int = 3) -> OutputAnswers:
    """Answers with all their probability on one class."""
    best = [[one, (one + 1) % classes] for one in predicted]
    ranks = [int(one != label) * 5 for one, label in zip(predicted, labels, strict=True)]
    return output(
        "classification",
        {
            "label": labels, "best": best, "shares": [[0.75, 0.25]] * len(labels), "rank": ranks,
            "loss": [0.1 + rank for rank in ranks],
        },
        classes,
    )  # fmt: skip


# ---- values, intervals, tests ------------------------------------------------------------------


def test_classes_by_hand() -> None:
    """12 images: the first is right on 8, the second on 11; 1 is right in the first alone."""
    labels = [0] * 12
    first = measures_of(of_classes([0] * 8 + [1] * 4, labels))
    second = measures_of(of_classes([1] + [0] * 11, labels))
    top1, loss = first
    assert (top1.metric, loss.metric) == ("top1", "loss")
    assert top1.value() == pytest.approx(8 / 12)
    test = top1.test(second[0])
    assert test.counts == (1, 4)
    assert test.difference == pytest.approx(3 / 12)
    assert test.p == pytest.approx(2 * (1 + 5) / 2**5)
    assert loss.value() == pytest.approx(0.1 + 5 * 4 / 12)


def test_top5_is_measured_where_there_are_more_classes() -> None:
    metrics = [each.metric for each in measures_of(of_classes([0], [0], classes=6))]
    assert metrics == ["top1", "top5", "loss"]


def test_average_precision_by_hand() -> None:
    """Hits on ranks 1 and 3 of 4: (1 + 2/3) / 2."""
    scores = numpy.array([4.0, 3.0, 2.0, 1.0])
    present = numpy.array([True, False, True, False])
    assert average_precision(scores, present) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(-scores, ~present) == pytest.approx((1 + 2 / 3) / 2)


def test_equal_scores_are_one_step() -> None:
    assert average_precision(numpy.zeros(4), numpy.array([True, False, False, False])) == 0.25


def test_average_precision_of_no_hits() -> None:
    assert average_precision(numpy.zeros(2), numpy.zeros(2, bool)) == 0


def test_tags() -> None:
    tags = output(
        "multi_label",
        {"logits": [[2.0, -1.0], [1.0, 3.0], [-1.0, 0.0]], "present": [[1, 0], [0, 1], [255, 1]]},
    )
    average, exact = measures_of(tags)
    assert average.value() == pytest.approx(1.0)
    assert exact.value() == pytest.approx(2 / 3)  # of the second, class 0 is a false alarm
    strict = measures_of(replace(tags, thresholds=(0.8, 0.3)))[1]
    assert strict.value() == 1
    assert average.test(average).p == 1


def test_thresholds_at_the_ends() -> None:
    tags = output("multi_label", {"logits": [[9.0, -9.0]], "present": [[1, 0]]})
    assert measures_of(replace(tags, thresholds=(0.0, 1.0)))[1].value() == 1


@pytest.mark.parametrize("missing", [False, True])
def test_numbers_are_those_of_an_evaluation(missing: bool) -> None:
    random = torch.Generator().manual_seed(0)
    truth, answers = (torch.randn(40, 3, generator=random) * 7 + 3 for _ in range(2))
    if missing:
        truth[::3, 1], truth[5] = torch.nan, torch.nan
    task = Regression(("a", "b", "c"), (0.0,) * 3, (1.0,) * 3)
    tally = task.tally(Mse(), torch.device("cpu"))
    tally.add(answers, truth)
    metrics = tally.metrics()
    mae, rmse = measures_of(
        output("regression", {"numbers": answers.numpy(), "truth": truth.numpy()}, 3)
    )
    assert mae.value() == pytest.approx(metrics["mae"], rel=1e-5)
    assert rmse.value() == pytest.approx(metrics["rmse"], rel=1e-5)
    for measure in (mae, rmse):
        interval = measure.interval()
        assert interval is not None
        assert interval.low < measure.value() < interval.high


def test_numbers_better_on_every_image() -> None:
    truth = numpy.linspace(0, 1, 30)[:, None]
    first = output("regression", {"numbers": truth + 0.5, "truth": truth}, 1)
    jitter = numpy.where(numpy.arange(30) % 2, 0.01, 0.02)[:, None]
    second = output("regression", {"numbers": truth + jitter, "truth": truth}, 1)
    for one, other in zip(measures_of(first), measures_of(second), strict=True):
        test = one.test(other)
        assert test.difference < 0
        assert test.p < 0.001


def test_masks() -> None:
    first = output("segmentation", {"score": [0.5, numpy.nan, 0.7, 0.6, 0.4, 0.5]})
    second = output("segmentation", {"score": [0.6, numpy.nan, 0.8, 0.7, 0.5, 0.6]})
    (one,), (other,) = measures_of(first), measures_of(second)
    assert one.value() == pytest.approx(0.54)
    assert one.label == "miou/image"
    test = one.test(other)
    assert test.difference == pytest.approx(0.1)
    assert test.interval == pytest.approx((0.1, 0.1))
    assert test.at_most


def test_images() -> None:
    scores = output(IMAGES, {"score": [20.0, 30.0]})
    (psnr,) = measures_of(scores)
    assert psnr.value() == 25
    assert psnr.quality.tolist() == [20.0, 30.0]


def test_smaller_errors_are_better_answers() -> None:
    errors = output("regression", {"error": [1.0, 3.0]}, 1)
    assert measures_of(errors)[0].quality.tolist() == [-1.0, -3.0]


# ---- pairs -------------------------------------------------------------------------------------


def answers(one: OutputAnswers, names: list[str]) -> KeptAnswers:
    return KeptAnswers("val", "image", 1, len(names), identities(names), tuple(names), (one,))


def test_images_in_another_order_are_paired() -> None:
    first = answers(of_classes([0, 1, 2], [0, 1, 2]), ["a", "b", "c"])
    second = answers(of_classes([2, 0, 0], [2, 0, 1]), ["c", "a", "b"])
    pairing = paired(first, second, 0)
    assert not isinstance(pairing, str)
    left = [first.names[at] for at in pairing.first]
    assert left == [second.names[at] for at in pairing.second]


def test_other_images_are_not_paired() -> None:
    first = answers(of_classes([0, 1], [0, 1]), ["a", "b"])
    assert paired(first, answers(of_classes([0, 1], [0, 1]), ["b", "c"]), 0) == (
        "their validation sets differ: 1 of 2 images are in both"
    )
    assert "0 of 2 and 1 images" in str(paired(first, answers(of_classes([0], [0]), ["z"]), 0))


def test_other_labels_are_not_paired() -> None:
    first = answers(of_classes([0, 1], [0, 1]), ["a", "b"])
    second = answers(of_classes([0, 1], [0, 2]), ["a", "b"])
    assert "the labels of 1 of 2 images differ" in str(paired(first, second, 0))


def test_numbers_that_went_through_another_scale_are_the_same() -> None:
    truth = numpy.array([[1e4], [0.0]])
    one = output("regression", {"numbers": truth, "truth": truth}, 1)
    other = output("regression", {"numbers": truth, "truth": truth * (1 + 1e-6) + 1e-3}, 1)
    assert not isinstance(paired(answers(one, ["a", "b"]), answers(other, ["a", "b"]), 0), str)


def test_images_without_labels_in_one() -> None:
    first = answers(of_classes([0, 1], [0, 1]), ["a", "b"])
    second = answers(replace(of_classes([0], [0]), rows=numpy.array([0])), ["a", "b"])
    assert paired(first, second, 0) == "not the same images have labels"
