"""A training step reads nothing from the device but its loss, once for each batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from dotcnn.benchmarks.cuda_suite.waits import Reads, Transfers, to_device_unseen
from dotcnn.compiler.plan.loss import Bce, CrossEntropy
from dotcnn.training.metrics.evaluation import Answers, evaluate
from dotcnn.training.metrics.running_metrics import OFTEN, RunningMetrics
from dotcnn.training.optim.precision import Precision
from dotcnn.training.tasks.known_tasks import task_of
from dotcnn.training.trainer import finish
from dotcnn.training.trainer.loop import Loop

from ..small import NETWORK, Looker, trained

pytestmark = pytest.mark.usefixtures("no_report")

SPECS = {
    "plain": "",
    "many": "clip 1, ema 0.9, loss focal, weights balanced, accumulate 2, metrics f1 per_class",
    "momentum": "optimizer sgd lr=0.01 momentum=0.9, clip 1 by=value, loss bce smoothing=0.1",
    "rmsprop": "optimizer rmsprop lr=0.001, schedule onecycle, lookahead 2, recompute conv",
    "bf16": "precision bf16, channels_last on, loss cross_entropy smoothing=0.1, deterministic on",
}
AUGMENT = "augment { rotate 10, noise 0.1, erase, trivial }"


@contextmanager
def watched(reads: Reads) -> Iterator[None]:
    """A context in which all epochs of training are watched, without their validation."""
    real = Loop.train_epoch

    def train_epoch(loop: Loop, began: float | None = None) -> bool:
        with reads:
            return real(loop, began)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loop, "train_epoch", train_epoch)
        yield


def only_losses(reads: Reads, batches: int) -> None:
    assert reads.seen
    assert {each.partition(":")[0] for each in reads.seen} == {"tolist at runtime/async_scalar.py"}
    assert len(reads.seen) == batches


@pytest.mark.parametrize("name", SPECS)
def test_a_step_reads_its_loss_alone(name: str, tmp_path: Path) -> None:
    """Whatever the spec says. Augmentation has a test of its own, since it reads numbers on a CPU
    that it does not read on a GPU."""
    looker, reads = Looker(), Reads(apart_from="augment/")
    train = f"train {{ data digits, epochs 1, batch 480, {SPECS[name]} }}"
    with watched(reads):
        augment = AUGMENT.replace("trivial", "mixup") if name == "plain" else AUGMENT
        trained(tmp_path / "run", f"{NETWORK}\n{train}\n{augment}", callback=looker)
    assert looker.begun is not None
    only_losses(reads, looker.begun.batches)


def test_neither_do_fine_tuned_networks_read_more(tmp_path: Path) -> None:
    train = "train { data digits, epochs 1, batch 480 }"
    trained(tmp_path / "first", f"{NETWORK}\n{train}")
    transfer = f'transfer {{ from "{tmp_path / "first"}", l2 0.1 }}'
    reads = Reads()
    with watched(reads):
        trained(tmp_path / "run", f"{NETWORK}\n{train}\n{transfer}")
    only_losses(reads, 3)


@pytest.mark.parametrize("multi_label", [False, True])
def test_counting_does_not_wait_for_the_device(multi_label: bool) -> None:
    """On `meta`, to read a value is an error."""
    meta = torch.device("meta")
    task = task_of("multi_label" if multi_label else "classification", list(map(str, range(50))))
    tally = task.tally(Bce() if multi_label else CrossEntropy(), meta)
    labels = torch.empty((8, 50) if multi_label else (8,), device=meta)
    labels = labels if multi_label else labels.long()
    logits = torch.empty(8, 50, device=meta)
    running = RunningMetrics(meta, task)
    with to_device_unseen(), Transfers() as transfers:
        tally.add(logits, labels)
        for _ in range(OFTEN):
            running.add(logits.sum(), logits, labels)
    assert transfers.seen == []


def test_probabilities_are_copied_in_few_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = torch.rand(30, 8, 10)
    for large, copies in ((10**6, 1), (800, 3)):
        monkeypatch.setattr(Answers, "LARGE", large)
        kept = Answers()
        with Reads() as reads:
            for batch in batches:
                kept.add(batch)
            found = kept.all()
        assert torch.equal(found, batches.flatten(0, 1))
        assert len(reads.seen) == copies


def test_the_last_evaluation_has_the_precision_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []

    def noted(*given: Any, precision: Precision, **named: Any) -> Any:
        used.append(precision.word)
        return evaluate(*given, precision=precision, **named)

    monkeypatch.setattr(finish, "evaluate", noted)
    trained(tmp_path / "run", set={"train.epochs": 1, "train.precision": "bf16"})
    assert used == ["bf16"]
