"""`validate 3`: which epochs are followed by validation, and what depends on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import dotcnn
from dotcnn.compiler.analysis.memory import Memory
from dotcnn.compiler.analysis.setting import Setting
from dotcnn.compiler.plan import plan
from dotcnn.compiler.plan.schedule import Plateau
from dotcnn.compiler.plan.train import EarlyStop, Validate
from dotcnn.training.data.loader.batches import Batches
from dotcnn.training.metrics.evaluation import count, evaluate
from dotcnn.training.metrics.evaluation_batch import evaluation_batch
from dotcnn.training.metrics.tally import Tally
from dotcnn.training.optim.early_stopping import EarlyStopping
from dotcnn.training.optim.precision import FULL
from dotcnn.training.optim.schedules import PlateauState
from dotcnn.training.page.history import epochs as read_epochs
from dotcnn.training.trainer import loop
from dotcnn.training.trainer.callbacks import EpochRecord
from dotcnn.training.trainer.job import Job
from networks import gallery

from ..data.sets import opened
from ..small import SPEC, Looker, equal, gone_on, last, trained

EVERY = {"train.validate": 3, "train.epochs": 7}


class Evaluations(Looker):
    """Counts the evaluations of a part by the epochs that are done."""

    def __init__(self, stop_after: int | None = None) -> None:
        super().__init__(stop_after)
        self.after: list[int] = []

    def evaluating(self, part: str, batch: int, batches: int) -> None:
        if batch == batches and self.end is None:
            self.after.append(len(self.epochs) + 1)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.usefixtures("no_report")
def test_only_some_epochs_are_followed_by_validation(tmp_path: Path) -> None:
    """The last one always. What is learned is the same; the best epoch is one of them."""
    looker = Evaluations()
    result = trained(tmp_path / "some", set=EVERY, callback=looker)
    trained(tmp_path / "all", set={"train.epochs": 7})
    assert looker.after == [1, 3, 6, 7, 8], "once before training, and once at the end"
    some, every = lines(tmp_path / "some"), lines(tmp_path / "all")
    assert [line["epoch"] for line in some if line["val"]] == [0, 3, 6, 7]
    for line, other in zip(some, every, strict=True):
        assert line["train"] == other["train"]
        assert line["val"] in ({}, other["val"])
    assert equal(last(tmp_path / "some"), last(tmp_path / "all"))
    assert result.best_epoch in (3, 6, 7)
    assert max(line["epoch"] for line in some if line["best"]) == result.best_epoch
    assert looker.begun is not None
    assert tuple(some[3]["val"]) == tuple(looker.begun.metrics)
    assert [bool(each.val) for each in read_epochs(tmp_path / "some")] == [
        bool(line["val"]) for line in some
    ]


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize("steps", [3, 6 * 4 + 2])
def test_a_run_is_resumed_between_validations(tmp_path: Path, steps: int) -> None:
    """Also before the first one: there are no best weights then."""
    trained(tmp_path / "whole", set=EVERY)
    stopped = trained(tmp_path / "run", set=EVERY, callback=Looker(stop_after=steps))
    assert stopped.interrupted
    result = gone_on(tmp_path / "run")
    assert equal(last(tmp_path / "run"), last(tmp_path / "whole"))
    assert [line["val"] for line in lines(tmp_path / "run")] == [
        line["val"] for line in lines(tmp_path / "whole")
    ]
    assert result.best_epoch in (3, 6, 7)


@pytest.mark.usefixtures("no_report")
def test_it_may_change_when_a_run_is_resumed(tmp_path: Path) -> None:
    trained(tmp_path, SPEC)
    longer = {"train.epochs": 6, "train.validate": 5}
    gone_on(tmp_path, SPEC, set=longer)
    val = [bool(line["val"]) for line in lines(tmp_path)]
    assert val == [True, True, True, True, False, True, True]


def test_the_report_shows_such_a_run(tmp_path: Path) -> None:
    result = trained(tmp_path / "run", set={"train.validate": 2, "train.epochs": 3})
    assert result.report is not None
    assert result.report.exists()


def test_patience_counts_epochs_not_validations() -> None:
    validate, stopping = Validate(every=4), EarlyStopping(EarlyStop(patience=10))
    plateau = PlateauState(Plateau.make(patience=7))
    stopped, reduced = [], []
    for epoch in range(1, 25):
        if validate.follows(epoch, 100):
            value = max(1.0, 3.0 - epoch / 4)  # 2 after epoch 4, 1 after epoch 8
            if stopping.epoch(value, validate.since(epoch)):
                stopped.append(epoch)
            if plateau.epoch(value, validate.since(epoch)):
                reduced.append(epoch)
    assert stopped[0] == 20, "12 epochs after the best one, the first time that it is looked at"
    assert reduced == [16, 24]


def test_when_it_follows() -> None:
    assert [epoch for epoch in range(1, 10) if Validate(every=4).follows(epoch, 9)] == [4, 8, 9]
    assert [Validate(every=4).since(epoch) for epoch in (4, 8, 9)] == [4, 4, 1]
    assert all(
        Validate().follows(epoch, 5) and Validate().since(epoch) == 1 for epoch in range(1, 6)
    )


# ---- its batches -----------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 64])
def test_on_a_gpu_batches_are_larger_without_gradients(batch: int) -> None:
    """They need no more memory than a step of training; a CPU gains nothing from them."""
    network = gallery("resnet/resnet18")
    train = plan(network, needs_data=False).train
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert evaluation_batch(network, train, FULL, cpu, batch) == batch
    size = evaluation_batch(network, train, FULL, gpu, batch)
    assert size > batch
    assert size % batch == 0
    memory = Memory(network, Setting("fp32", train.optimizer.memory, "cuda"))
    assert memory.forward.at(size) <= memory.training.at(batch)


@pytest.mark.usefixtures("no_report")
def test_the_batch_size_does_not_change_the_result(tmp_path: Path) -> None:
    result = trained(tmp_path, set={"train.epochs": 1})
    assert result.outcome is not None
    data = opened("digits", input="1x8x8")
    outcomes = [evaluate(result.module, data, "val", batch=size) for size in (7, 64, 359, 1000)]
    first = outcomes[0]
    for other in outcomes[1:]:
        assert torch.equal(other.confusion, first.confusion)
        assert torch.equal(other.labels, first.labels)
        torch.testing.assert_close(other.probabilities, first.probabilities)
        assert other.metrics == pytest.approx(first.metrics)


@pytest.mark.usefixtures("no_report")
def test_batches_that_do_not_fit_are_made_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Back to the size of training: validation never ends a run that could be trained."""
    monkeypatch.setattr(Job, "evaluation_batch", lambda job, precision: 4 * 256)
    seen: list[int] = []

    def counting(module: Any, data: Any, batches: Batches, *others: Any, **options: Any) -> Tally:
        seen.append(batches.batch)
        if batches.batch > 256:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return count(module, data, batches, *others, **options)

    monkeypatch.setattr(loop, "count", counting)
    looker = Looker()
    trained(tmp_path, set={"train.epochs": 2}, callback=looker)
    assert seen == [1024, 256, 256, 256]
    assert "out of memory: validating with batches of 256 images" in looker.notes


# ---- epoch 0 -----------------------------------------------------------------------------------


class Before(Looker):
    """Keeps what is told before training."""

    def __init__(self, stop_after: int | None = None) -> None:
        super().__init__(stop_after)
        self.before: list[EpochRecord] = []

    def before_training(self, record: EpochRecord) -> None:
        assert not self.steps
        self.before.append(record)


@pytest.mark.usefixtures("no_report")
def test_epoch_0_has_the_metrics_of_the_starting_weights(tmp_path: Path) -> None:
    looker = Before()
    trained(tmp_path, set={"train.epochs": 1}, callback=looker)
    (record,) = looker.before
    first, second = lines(tmp_path)
    assert (first["epoch"], first["steps"], first["train"], first["best"]) == (0, 0, {}, False)
    assert second["epoch"] == 1
    torch.manual_seed(0)
    data = opened("digits", input="1x8x8")
    wanted = evaluate(dotcnn.load(SPEC.replace("classes", "10")), data, "val").metrics
    for name, value in record.val.items():
        assert value == first["val"][name] == pytest.approx(wanted[name])


@pytest.mark.usefixtures("no_report")
def test_epoch_0_changes_nothing_of_what_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path / "with")
    monkeypatch.setattr(loop.Loop, "validate_before_training", lambda loop: None)
    trained(tmp_path / "without")
    assert equal(last(tmp_path / "with"), last(tmp_path / "without"))
    assert [line["val"] for line in lines(tmp_path / "with")[1:]] == [
        line["val"] for line in lines(tmp_path / "without")
    ]


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize("out_of_memory", [False, True])
def test_epoch_0_takes_a_part_of_a_large_validation_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out_of_memory: bool
) -> None:
    """The same one every time, of all classes; later epochs take all of it."""
    seen: list[int] = []
    failed: list[bool] = []

    def counting(module: Any, data: Any, batches: Batches, *others: Any, **options: Any) -> Tally:
        if out_of_memory and not failed:
            failed.append(True)
            raise torch.OutOfMemoryError("CUDA out of memory")
        tally = count(module, data, batches, *others, **options)
        seen.append(int(tally.confusion().sum()))
        return tally

    monkeypatch.setattr(Job, "evaluation_batch", lambda job, precision: 4 * 256)
    monkeypatch.setattr(loop, "count", counting)
    monkeypatch.setattr(loop, "BEFORE_TRAINING", 100)
    looker = Before()
    trained(tmp_path, set={"train.epochs": 1}, callback=looker)
    assert seen[0] == 100
    assert seen[1] > 200
    said = f"epoch 0 is measured on 100 of the {seen[1]} validation images, chosen at random"
    assert said in looker.notes


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize("steps", [2, 8])
def test_a_resumed_run_has_one_epoch_0(tmp_path: Path, steps: int) -> None:
    """Also if it was interrupted in its first epoch."""
    assert trained(tmp_path, callback=Looker(stop_after=steps)).interrupted
    looker = Before()
    gone_on(tmp_path, callback=looker)
    assert not looker.before
    assert [line["epoch"] for line in lines(tmp_path)] == [0, 1, 2, 3]


@pytest.mark.usefixtures("no_report")
def test_a_run_that_died_before_its_first_checkpoint_begins_again(tmp_path: Path) -> None:
    class Dying(Looker):
        def step(self, step: object) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, callback=Dying())
    assert [line["epoch"] for line in lines(tmp_path)] == [0]
    gone_on(tmp_path)
    assert [line["epoch"] for line in lines(tmp_path)] == [0, 1, 2, 3]


@pytest.mark.usefixtures("no_report")
def test_outputs_that_are_zero_before_training_are_no_reason_to_warn(tmp_path: Path) -> None:
    looker = Before()
    spec = SPEC.replace("input 1x8x8", "input 1x8x8\n  init normal std=1e-30")
    trained(tmp_path, spec, set={"train.epochs": 1}, callback=looker)
    assert looker.before[0].val["loss"] == pytest.approx(2.302585, abs=1e-5)
    assert not any("after epoch 0" in note for note in looker.notes)
