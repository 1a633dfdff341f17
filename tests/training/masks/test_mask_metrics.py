"""What is said of masks at the end of a run: boundary F1, class weights, the verdict."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from dotcnn import SpecError
from dotcnn.compiler.plan.data import UNLABELLED
from dotcnn.compiler.plan.loss import CrossEntropy
from dotcnn.dsl.source import Source
from dotcnn.training.data.dataset import Part
from dotcnn.training.metrics.boundary_f1 import boundary_f1
from dotcnn.training.metrics.guessing import guessing_masks
from dotcnn.training.metrics.verdict.facts import Facts, Finding
from dotcnn.training.metrics.verdict.verdict import verdict
from dotcnn.training.page.history import epochs
from dotcnn.training.request import request
from dotcnn.training.tasks.segmentation import Segmentation
from dotcnn.training.trainer.callbacks import EpochRecord

from ..mask_sets import spec, write_set
from ..small import trained


def square(top: int, left: int, side: int = 8, size: int = 40) -> torch.Tensor:
    mask = torch.zeros(size, size, dtype=torch.uint8)
    mask[top : top + side, left : left + side] = 1
    return mask


def test_outlines_within_a_pixel_are_met_and_others_are_not() -> None:
    true = square(10, 10)
    assert float(boundary_f1(true.long(), true, 2)) == 1
    assert float(boundary_f1(square(11, 10).long(), true, 2)) == 1
    assert float(boundary_f1(square(25, 25).long(), true, 2)) == 0
    far = float(boundary_f1(square(12, 10).long(), true, 2))
    assert 0.3 < far < 1


def test_where_there_is_no_label_there_is_no_outline() -> None:
    true = square(10, 10)
    true[:, 20:] = UNLABELLED
    wrong = true.long().clone()
    wrong[:, 20:] = 0
    assert float(boundary_f1(wrong, true, 2)) == 1
    empty = torch.zeros(9, 9, dtype=torch.uint8)
    assert math.isnan(float(boundary_f1(empty.long(), empty, 2)))


def test_only_the_final_evaluation_measures_outlines() -> None:
    task = Segmentation(("a", "b"))
    outputs = torch.nn.functional.one_hot(square(10, 10).long(), 2).permute(2, 0, 1)[None].float()
    plain, final = (task.tally(CrossEntropy(), torch.device("cpu")) for _ in range(2))
    final.thorough()
    for tally in (plain, final):
        tally.add(outputs, square(10, 10)[None])
    assert "boundary" not in plain.metrics()
    assert final.metrics()["boundary"] == 1


@pytest.mark.parametrize("loss", ["dice", "tversky", "lovasz"])
def test_losses_without_weights_refuse_them(loss: str) -> None:
    text = spec(f"data digits\nloss {loss}\nweights balanced", classes="3")
    with pytest.raises(SpecError, match="without weights"):
        request(Source("net.cnn", text))


# ---- the verdict -----------------------------------------------------------------------------

COUNTS = 6000, 3000, 1000


def judged(
    train: list[float],
    val: list[float],
    overlap: list[float],
    predicted: tuple[int, ...] = (1,) * 3,
) -> list[Finding]:
    """The verdict on a run with these pixel accuracies and means of IoU."""
    plan = request(Source("net.cnn", spec("data digits", classes="3"))).plan
    records = []
    for epoch, (right, pixels, miou) in enumerate(zip(train, val, overlap, strict=True), 1):
        of_val = {"loss": 1.5 - pixels, "miou": miou, "pixels": pixels}
        records.append(
            EpochRecord(
                epoch, 100 * epoch, 1e-3, {"loss": 1.5 - right, "pixels": right}, of_val,
                False, 1.0, 9.0, 0.0,
            )
        )  # fmt: skip
    parts = [Part(name, 400, COUNTS) for name in ("train", "val")]
    facts = Facts(plan, records, ("a", "b", "c"), *parts, masks=True, predicted=predicted)
    return list(verdict(facts))


def test_one_class_for_all_pixels_is_guessing() -> None:
    guess = guessing_masks(COUNTS)
    assert guess.shares["pixels"] == pytest.approx(0.6)
    assert guess.shares["miou"] == pytest.approx(0.2)
    (found,) = judged([0.59, 0.6, 0.6], [0.6, 0.6, 0.6], [0.2, 0.2, 0.2], (9000, 0, 0))
    assert found.rule == "guesses"
    assert "mean IoU stays at 20.0 %" in found.text


def test_pixels_known_by_heart_are_overfitting() -> None:
    (found, *_) = judged([0.8, 0.95, 0.995], [0.7, 0.75, 0.76], [0.4, 0.5, 0.5])
    assert found.rule == "overfits"
    assert "training pixel accuracy 99.5 %, validation 76.0 %" in found.text


def test_classes_that_are_never_found_are_named() -> None:
    found = judged([0.7, 0.8, 0.85], [0.7, 0.8, 0.84], [0.4, 0.5, 0.5], (800, 200, 0))
    assert found[-1].rule == "never-found"
    assert found[-1].text == "no pixel is taken for `c`. Try more epochs or `weights balanced`."


def test_outlines_may_decide_which_epoch_is_the_best(tmp_path: Path) -> None:
    write_set(tmp_path / "data")
    train = f'data folder "{tmp_path / "data"}"\nepochs 1\ncheckpoint metric=boundary'
    result = trained(tmp_path / "run", spec(train))
    (record,) = [each for each in epochs(tmp_path / "run") if each.epoch]
    assert record.val["boundary"] == pytest.approx(result.metrics["boundary"])
