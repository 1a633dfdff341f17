"""The verdict on a run: each rule on figures that show it, and silence where nothing is certain."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import log, nan
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dotcnn
from dotcnn.compiler.plan import plan
from dotcnn.compiler.plan.plan import TrainPlan
from dotcnn.training.data.dataset import Part
from dotcnn.training.metrics.guessing import guessing
from dotcnn.training.metrics.verdict.facts import Facts, Finding
from dotcnn.training.metrics.verdict.verdict import verdict
from dotcnn.training.trainer.callbacks import EpochRecord

from ..small import Looker, trained


@cache
def a_plan(train: str = "", augment: str = "") -> TrainPlan:
    """A plan for ten classes."""
    return plan(
        dotcnn.compile(
            "network N { input 1x8x8\n conv 4 3x3, relu, flatten\n fc 10 }\n"
            f"train {{ data digits\n {train} }}\n augment {{ {augment} }}"
        )
    )


def even(name: str, images: int, classes: int = 10) -> Part:
    return Part(name, images, (images // classes,) * classes)


def run(
    train_loss: Sequence[float],
    train_top1: Sequence[float],
    val_loss: Sequence[float],
    val_top1: Sequence[float],
    *,
    before: float = 0.1,
    steps: int = 100,
    images: int = 2000,
    lr: float | None = None,
    **facts: Any,
) -> list[Finding]:
    """The verdict on a run with these metrics, an epoch each."""
    planned = a_plan() if lr is None else a_plan(f"optimizer adamw lr={lr:.9f}")
    lr = planned.train.optimizer.lr
    epochs = [EpochRecord(0, 0, lr, {}, {"loss": 2.31, "top1": before}, False, 0.1, 0.0, 0.0)]
    rows = zip(train_loss, train_top1, val_loss, val_top1, strict=True)
    for epoch, (loss, top1, v_loss, v_top1) in enumerate(rows, 1):
        trained, val = {"loss": loss, "top1": top1}, {"loss": v_loss, "top1": v_top1}
        epochs.append(EpochRecord(epoch, epoch * steps, lr, trained, val, False, 1.0, 9.0, 0.0))
    known = {
        "plan": planned,
        "epochs": epochs,
        "classes": tuple("0123456789"),
        "train": even("train", 8000),
        "val": even("val", images),
    }
    return list(verdict(Facts(**{**known, **facts})))


def rules(found: Sequence[Finding]) -> list[str]:
    return [each.rule for each in found]


# ---- each rule ---------------------------------------------------------------------------------


def test_it_overfits() -> None:
    """A small network on 8,000 images of CIFAR-10, without augmentation."""
    found = run(
        [1.6, 1.0, 0.6, 0.2, 0.05, 0.01],
        [0.42, 0.65, 0.79, 0.94, 0.993, 1.0],
        [1.3, 1.1, 1.2, 1.5, 1.9, 2.2],
        [0.53, 0.6, 0.61, 0.6, 0.6, 0.61],
    )
    assert rules(found) == ["overfits"]
    assert found[0].text == (
        "training accuracy 100.0 %, validation 61.0 %: it has memorized the training images. What"
        " helps: more data, `augment` or dropout."
    )


def test_a_wide_gap_is_overfitting_before_all_images_are_known() -> None:
    """Ten epochs of a small network on 8,000 images of CIFAR-10."""
    found = run([1.25, 0.98, 0.78, 0.71], [0.55, 0.66, 0.74, 0.767], [1.3, 1.27, 1.2, 1.18],
                [0.54, 0.56, 0.58, 0.589])  # fmt: skip
    assert rules(found) == ["overfits"]
    assert "training accuracy 76.7 %, validation 58.9 %: it overfits." in found[0].text


@pytest.mark.parametrize(
    ("top1", "words"),
    [([0.95], "1 epoch is too few"), ([0.7, 0.999], "2 epochs are too few")],
)
def test_two_epochs_do_not_show_overfitting(top1: list[float], words: str) -> None:
    """In the first, each image is new when it is measured: a gap has another cause."""
    (found,) = run([0.2] * len(top1), top1, [1.2] * len(top1), [0.7] * len(top1))
    percent = f"{100 * top1[-1]:.1f} %"
    assert found.rule == "early"
    assert found.text == (
        f"training accuracy {percent}, validation 70.0 %: {words} to tell whether it overfits."
        " Train for at least 3."
    )


def test_two_epochs_of_guessing_may_be_too_few() -> None:
    (found,) = run([2.31, 2.303], [0.1, 0.1], [2.304, 2.303], [0.1, 0.1])
    assert found.rule == "guesses"
    assert "Train for longer first, as 2 epochs are too few; if that does not help," in found.text


def test_a_few_steps_of_one_class_are_no_finding() -> None:
    assert run([2.3], [0.11], [2.3], [0.1], steps=5, predicted=(2000, *[0] * 9)) == []


def test_what_is_there_already_is_not_suggested() -> None:
    found = run(
        [1.0, 0.5, 0.2],
        [0.6, 0.8, 0.93],
        [1.2, 1.1, 1.3],
        [0.55, 0.6, 0.6],
        plan=a_plan("optimizer adamw weight_decay=0.05", "flip horizontal"),
        dropout=True,
    )
    assert found[0].text == (
        "training accuracy 93.0 %, validation 60.0 %: it overfits. What helps: more data or"
        " stronger augmentation."
    )


def test_it_overfits_by_its_loss() -> None:
    found = run(
        [1.5, 1.2, 1.0, 0.8, 0.6, 0.5],
        [0.45, 0.52, 0.56, 0.6, 0.64, 0.67],
        [1.5, 1.3, 1.25, 1.4, 1.6, 1.75],
        [0.45, 0.53, 0.56, 0.55, 0.54, 0.54],
    )
    assert rules(found) == ["overfits"]
    assert "since epoch 3, the validation loss rises (1.25 to 1.75)" in found[0].text
    assert "of training falls (1 to 0.5)" in found[0].text


def test_it_guesses() -> None:
    """Sixty layers of sigmoids: no gradient arrives."""
    ln = log(10)
    found = run(
        [2.35, 2.307, 2.306, 2.306],
        [0.098, 0.099, 0.101, 0.097],
        [2.305, 2.304, 2.3027, 2.303],
        [0.1, 0.1, 0.1, 0.1],
        predicted=(0, 0, 2000, 0, 0, 0, 0, 0, 0, 0),
        spec="deep.cnn",
    )
    assert rules(found) == ["guesses"]
    assert found[0].text.startswith(
        f"the loss stays at {ln:.3f} = ln 10: the network guesses, and takes every image for `2`."
    )
    assert "`cnn show deep.cnn --gradients`" in found[0].text


def test_a_loss_that_jumps_about_above_guessing_is_guessing_too() -> None:
    found = run(
        [5.0, 2.9, 2.6, 2.5], [0.1, 0.1, 0.11, 0.1], [2.9, 3.3, 2.5, 2.6], [0.1, 0.1, 0.12, 0.1]
    )
    assert rules(found) == ["guesses"]
    said = "the validation loss is 2.5 at best, that of guessing 2.303 = ln 10: the network"
    assert found[0].text.startswith(said)


@pytest.mark.parametrize(
    ("lr", "losses", "advice"),
    [
        (1e-5, [3.5, 3.1, 2.8, 2.5], "Try ten times the learning rate (1e-05)"),
        (0.1, [2.4, 2.31, 2.31, 2.31], "Try a tenth of the learning rate (0.1)"),
        (1e-3, [2.4, 2.31, 2.9, 2.5], "Try a tenth of the learning rate (0.001)"),
        (1e-3, [3.5, 2.6, 2.4, 2.31], "guesses. `cnn show"),
    ],
)
def test_what_to_try_follows_from_rate_and_losses(
    lr: float, losses: list[float], advice: str
) -> None:
    (found,) = run(losses, [0.1] * 4, [2.31] * 4, [0.1] * 4, lr=lr)
    assert advice in found.text


def test_the_loss_rises() -> None:
    found = run(
        [1.9, 1.5, 1.7, 2.1, 2.2],
        [0.3, 0.45, 0.38, 0.22, 0.19],
        [1.7, 1.6, 2.0, 2.2, 2.2],
        [0.38, 0.41, 0.3, 0.2, 0.18],
        lr=0.3,
    )
    assert rules(found) == ["rises"]
    assert "from 1.5 in epoch 2 to 2.2: the learning rate (0.3) is too large" in found[0].text


def test_it_still_improves() -> None:
    found = run(
        [2.0, 1.7, 1.5, 1.35, 1.22, 1.12],
        [0.27, 0.38, 0.46, 0.52, 0.57, 0.6],
        [1.8, 1.6, 1.45, 1.32, 1.21, 1.13],
        [0.35, 0.43, 0.48, 0.53, 0.57, 0.6],
    )
    assert rules(found) == ["improves"]
    assert "in the last 2 epochs" in found[0].text
    assert "accuracy rose from 53.0 % to 60.0 %" in found[0].text


def test_it_underfits() -> None:
    """A network of 200 parameters."""
    losses = [2.0, 1.75, 1.7, 1.69, 1.688, 1.687, 1.686, 1.686, 1.686]
    top1 = [0.28, 0.37, 0.39, 0.395, 0.395, 0.396, 0.396, 0.396, 0.396]
    found = run(losses, top1, losses, top1, lr=0.01)
    assert rules(found) == ["underfits"]
    assert found[0].text.endswith("What helps: a larger network.")


def test_a_head_that_gives_only_zeros() -> None:
    """SqueezeNet ends in a `relu`: after too large a step, 16 of 24 images give zeros alone."""
    curves = ([2.7, 0.7, 0.61], [0.56, 0.73, 0.7], [0.64, 0.68, 0.68], [0.67, 0.67, 0.67])
    found = run(*curves, images=24, undecided=16, ends_in_relu=True)
    assert rules(found) == ["undecided"]
    assert "for 16 of 24 validation images, every class is exactly as likely" in found[0].text
    assert "Take that `relu` out" in found[0].text
    assert "relu" not in run(*curves, images=24, undecided=16)[0].text
    assert "undecided" not in rules(run(*curves, images=24, undecided=1))


def test_all_images_are_taken_for_one_class() -> None:
    """Nine of ten images are of one class."""
    counts = (1800, *(20, 24) * 4, 24)
    found = run(
        [0.5, 0.42, 0.4],
        [0.9, 0.9, 0.9],
        [0.45, 0.43, 0.41],
        [0.9, 0.9, 0.9],
        val=Part("val", sum(counts), counts),
        train=Part("train", 8 * sum(counts), tuple(8 * count for count in counts)),
        predicted=(sum(counts), *(0,) * 9),
    )
    assert rules(found) == ["one-class"]
    assert "all 2,000 validation images are taken for `0`, the most frequent" in found[0].text
    assert "90.0 % is the accuracy of guessing" in found[0].text


def test_the_learning_rate_is_too_small() -> None:
    losses = [2.31, 2.29, 2.27, 2.25, 2.23]
    top1 = [0.11, 0.13, 0.15, 0.17, 0.19]
    found = run(losses, top1, losses, top1, lr=1e-5)
    assert rules(found) == ["slow"]
    assert "the learning rate (1e-05) is too small" in found[0].text
    assert rules(run(losses, top1, losses, top1, lr=1e-3)) != ["slow"], "it is the usual one"


def test_one_epoch_is_not_one_epochs() -> None:
    found = run([1.0, 0.6, 0.4], [0.7, 0.8, 0.85], [0.9, 0.6, 0.4], [0.72, 0.8, 0.86])
    assert found[0].rule == "improves"
    assert found[0].text.startswith("in the last epoch, the validation loss fell")


def test_training_made_it_worse() -> None:
    found = run([1.0, 0.9], [0.7, 0.72], [0.9, 0.9], [0.74, 0.75], before=0.91)
    assert rules(found) == ["worse"]
    assert "before training, validation accuracy was 91.0 %" in found[0].text


def test_there_are_too_few_images_to_tell() -> None:
    found = run(
        [1.0, 0.5, 0.4, 0.4], [0.7, 0.9, 0.92, 0.92], [0.9, 0.5, 0.5, 0.5],
        [0.8, 0.925, 0.9, 0.925], images=40,
    )  # fmt: skip
    assert rules(found) == ["few"]
    assert found[0].text == (
        "40 validation images are few: on others of this kind, the best accuracy, 92.5 %, could as"
        " well be 80.1 % or 97.4 %; 2 epochs have it."
    )


def test_all_is_well() -> None:
    found = run(
        [0.5, 0.1, 0.05, 0.03], [0.88, 0.97, 0.985, 0.99], [0.15, 0.08, 0.07, 0.07],
        [0.955, 0.975, 0.979, 0.98],
    )  # fmt: skip
    assert rules(found) == ["well"]


# ---- silence -----------------------------------------------------------------------------------


def test_nothing_is_said_of_what_may_be_chance() -> None:
    """The same accuracies that are overfitting on 2,000 images, on 20 of them."""
    figures = [1.0, 0.3, 0.2], [0.7, 0.9, 0.92], [0.7, 0.6, 0.6], [0.75, 0.8, 0.8]
    assert rules(run(*figures)) == ["overfits"]
    assert "overfits" not in rules(run(*figures, images=20))


def test_nothing_is_said_of_a_single_epoch_or_a_few_steps() -> None:
    guess = [2.303], [0.1], [2.303], [0.1]
    assert run(*guess) == []
    twice = [2.303] * 2, [0.1] * 2, [2.303] * 2, [0.1] * 2
    assert run(*twice, steps=5) == []


def test_mixed_images_are_no_sign_of_underfitting() -> None:
    """Training accuracy is measured on pairs of images then."""
    losses, top1 = [1.7] * 6, [0.6] * 6
    figures = losses, top1, losses, top1
    assert rules(run(*figures, lr=1.0)) == ["underfits"]
    assert run(*figures, lr=1.0, plan=a_plan("", "mixup")) == []


def test_a_run_that_stopped_early_does_not_improve_any_more() -> None:
    losses, top1 = [2.0, 1.5, 1.2, 1.0], [0.3, 0.5, 0.6, 0.7]
    found = run(losses, top1, losses, top1)
    assert rules(found) == ["improves"]
    assert found[0].text.startswith("in the last epoch, the validation loss fell")
    assert run(losses, top1, losses, top1, stopped_early=True) == []


FIGURES = st.lists(
    st.tuples(
        st.one_of(st.floats(0, 1e6), st.just(nan)), st.floats(0, 1), st.floats(0, 1e6),
        st.floats(0, 1),
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=40)
@given(FIGURES, st.integers(0, 3000), st.sampled_from([1e-8, 1e-3, 10.0]), st.booleans())
def test_any_figures_are_borne(
    figures: list[tuple[float, float, float, float]], images: int, lr: float, several: bool
) -> None:
    columns = list(zip(*figures, strict=True)) if figures else [()] * 4
    found = run(*columns, images=images, lr=lr, multi_label=several)
    assert len(found) <= 2
    assert all(each.text and "nan" not in each.text for each in found)


# ---- its figures -------------------------------------------------------------------------------


def test_guessing_is_the_entropy_of_the_classes() -> None:
    found = guessing([10] * 10, 100, separate=False, multi_label=False)
    assert found.loss == pytest.approx(log(10))
    assert found.loss_text == "2.303 = ln 10"
    assert found.shares == {"top1": 0.1, "top5": 0.5}
    uneven = guessing([90, 10], 100, separate=False, multi_label=False)
    assert uneven.loss == pytest.approx(-0.9 * log(0.9) - 0.1 * log(0.1))
    assert uneven.loss_text == "0.3251"
    assert uneven.shares == {"top1": 0.9}
    each = guessing([50, 25], 100, separate=True, multi_label=True)
    assert each.loss == pytest.approx((log(2) - 0.25 * log(0.25) - 0.75 * log(0.75)) / 2)
    assert each.shares == {}


# ---- real runs ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_report")
def test_random_labels_are_learned_by_heart(tmp_path: Path) -> None:
    random = numpy.random.default_rng(0)
    numpy.savez(
        tmp_path / "data.npz",
        images=random.integers(0, 256, (200, 8, 8), dtype=numpy.uint8),
        labels=random.integers(0, 4, 200),
    )
    looker = Looker()
    spec = "network N { input 1x8x8\n flatten, fc 128, relu, fc classes }\n"
    spec += "train { data digits, epochs 16, batch 32, optimizer adamw lr=0.01 }"
    result = trained(tmp_path / "run", spec, data=tmp_path / "data.npz", callback=looker)
    assert rules(result.verdict) == ["overfits", "few"]
    assert "memorized" in result.verdict[0].text
    assert looker.end is not None
    assert list(looker.end.verdict) == [each.text for each in result.verdict]


@pytest.mark.usefixtures("no_report")
def test_a_dead_network_guesses(tmp_path: Path) -> None:
    spec = "network N { input 1x8x8\n flatten" + ", fc 8, sigmoid" * 12 + ", fc classes }\n"
    spec += "train { data digits, epochs 3, batch 64, optimizer sgd lr=0.01 }"
    (found,) = trained(tmp_path, spec).verdict
    assert found.rule == "guesses"
    assert "2.303 = ln 10" in found.text or "2.30" in found.text


# ---- numbers ---------------------------------------------------------------------------------


def of_numbers(
    train_loss: Sequence[float], val_loss: Sequence[float], r2: Sequence[float]
) -> list[Finding]:
    epochs = [
        EpochRecord(
            epoch, 100 * epoch, 0.01, {"loss": loss, "mae": 1.0}, {"loss": v_loss, "r2": each},
            False, 1.0, 9.0, 0.0,
        )
        for epoch, (loss, v_loss, each) in enumerate(zip(train_loss, val_loss, r2, strict=True), 1)
    ]  # fmt: skip
    train, val = Part("train", 8000, (8000,)), Part("val", 2000, (2000,))
    return list(verdict(Facts(a_plan(), epochs, ("age",), train, val, numbers=True)))


def test_predicting_the_mean_is_guessing_numbers() -> None:
    (found,) = of_numbers([1.02, 1.0, 1.0, 1.0], [1.0, 1.0, 1.01, 1.0], [-0.01, 0.0, -0.01, 0.01])
    assert found.rule == "guesses"
    assert "predicting the mean" in found.text
    assert "R2 stays at 0.01 or below" in found.text


def test_numbers_that_are_learned_are_well() -> None:
    (found,) = of_numbers([0.6, 0.1, 0.05, 0.05], [0.5, 0.1, 0.052, 0.052], [0.5, 0.9, 0.95, 0.95])
    assert found.rule == "well"
    assert "R2 is 0.950" in found.text


def test_numbers_that_only_training_knows_are_overfitted() -> None:
    (found,) = of_numbers([0.6, 0.2, 0.05, 0.01], [0.5, 0.4, 0.7, 0.8], [0.5, 0.6, 0.3, 0.2])
    assert found.rule == "overfits"
    assert rules(of_numbers([0.6, 0.5, 0.45, 0.44], [0.6, 0.5, 0.48, 0.48], [0.4, 0.5] * 2)) == []
