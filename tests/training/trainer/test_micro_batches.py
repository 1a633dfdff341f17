"""Batches that do not fit into memory are computed in parts, and nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.checkpoint.checkpoint import read_checkpoint
from dotcnn.training.trainer import setup
from dotcnn.training.trainer.loop import Loop
from dotcnn.training.trainer.state import Learner

from ..small import SPEC, Looker, equal, gone_on, last, trained

pytestmark = pytest.mark.usefixtures("no_report")

AUGMENTED = SPEC + "augment { rotate 10, mixup 0.4 }\n"

FULL = torch.OutOfMemoryError("CUDA out of memory")


def limited(monkeypatch: pytest.MonkeyPatch, most: int, first: int = 0) -> list[int]:
    """A device with room for so many images: in the dropout, after the batch norm has updated its
    statistics, and random numbers are drawn. The first batches fit all the same."""
    sizes: list[int] = []
    whole = nn.Dropout.forward

    def forward(self: nn.Dropout, input: Tensor) -> Tensor:
        output = whole(self, input)
        if self.training:
            sizes.append(len(input))
            if len(input) > most and len(sizes) > first:
                raise FULL
        return output

    monkeypatch.setattr(nn.Dropout, "forward", forward)
    return sizes


def started_with(monkeypatch: pytest.MonkeyPatch, parts: int) -> None:
    whole = setup.make_learner

    def make_learner(*arguments: Any, **options: Any) -> Learner:
        learner = whole(*arguments, **options)
        learner.micro_batches = parts
        return learner

    monkeypatch.setattr(setup, "make_learner", make_learner)


def restored_with(monkeypatch: pytest.MonkeyPatch, parts: int) -> None:
    whole = Learner.restore
    monkeypatch.setattr(
        Learner, "restore", lambda self, state: whole(self, {**state, "micro_batches": parts})
    )


def full_in_steps(monkeypatch: pytest.MonkeyPatch, *which: int) -> list[int]:
    """Memory runs out in these steps of an optimizer, counted from 1, when all weights but one are
    changed."""
    made: list[int] = []
    whole = Loop.step

    def step(self: Loop, bad: Tensor | None) -> None:
        made.append(len(made) + 1)
        if made[-1] not in which:
            return whole(self, bad)
        weight = self.learner.parameters[-1]
        weight.grad, gradient = None, weight.grad
        whole(self, bad)
        weight.grad = gradient
        raise FULL

    monkeypatch.setattr(Loop, "step", step)
    return made


def test_a_failed_attempt_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights, running statistics and random numbers are those of a run that knew it."""
    looker = Looker()
    with monkeypatch.context() as patch:
        sizes = limited(patch, 70)
        trained(tmp_path / "a", callback=looker)
    assert sizes[:4] == [256, 128, 64, 64]
    assert max(sizes[2:]) == 64
    assert [note for note in looker.notes if "parts" in note] == [
        f"out of memory: a batch is computed in {parts} parts from now on; batch norms see the"
        " parts"
        for parts in (2, 4)
    ]
    with monkeypatch.context() as patch:
        started_with(patch, 4)
        trained(tmp_path / "b")
    assert equal(last(tmp_path / "a"), last(tmp_path / "b"))
    trained(tmp_path / "c")
    assert not equal(last(tmp_path / "a"), last(tmp_path / "c"))  # the batch norm sees the parts


@pytest.mark.slow
def test_without_batch_norm_the_gradient_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to rounding, also where a batch has a rest and a step has several."""
    spec = SPEC.replace("bn, ", "").replace("  dropout 0.2\n", "  dropout 0\n")
    spec = spec.replace("epochs 3", "epochs 1\n accumulate 2").replace("adamw lr=5e-3", "sgd")
    trained(tmp_path / "a", spec)
    started_with(monkeypatch, 3)
    trained(tmp_path / "b", spec)
    assert same_up_to_rounding(tmp_path / "a", tmp_path / "b")


def test_gradients_of_earlier_batches_are_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a step accumulates, memory may run out at its second batch."""
    spec = SPEC.replace("bn, ", "").replace("  dropout 0.2\n", "  dropout 0\n")
    spec = spec.replace("epochs 3", "epochs 1\n accumulate 2").replace("adamw lr=5e-3", "sgd")
    trained(tmp_path / "a", spec)
    sizes = limited(monkeypatch, 128, first=1)
    trained(tmp_path / "b", spec)
    assert sizes[:4] == [256, 256, 128, 128]
    assert read_checkpoint(tmp_path / "b" / "last.ckpt")["micro_batches"] == 2
    assert same_up_to_rounding(tmp_path / "a", tmp_path / "b")


def same_up_to_rounding(one: Path, two: Path) -> bool:
    a, b = last(one), last(two)
    return all(torch.allclose(a[name], b[name], rtol=1e-4, atol=1e-6) for name in a)


def test_a_resumed_run_goes_on_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though memory would suffice by then."""
    with monkeypatch.context() as patch:
        limited(patch, 128)
        trained(tmp_path / "a")
        trained(tmp_path / "b", callback=Looker(stop_after=2))
    looker = Looker()
    gone_on(tmp_path / "b", callback=looker)
    assert not any("parts" in note for note in looker.notes)
    assert equal(last(tmp_path / "a"), last(tmp_path / "b"))


def test_not_even_one_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, 0)
    with pytest.raises(SpecError) as raised:
        trained(tmp_path / "run", set={"train.batch": 16})
    (found,) = raised.value.diagnostics
    assert found.code == "out-of-memory"
    assert found.help.startswith("not even one image fits")


def test_memory_may_run_out_at_any_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after the first one, which allocates the state of the optimizer."""
    for first in (1, 4):
        with monkeypatch.context() as patch:
            sizes = limited(patch, 128, first=first)
            trained(tmp_path / str(first), set={"train.epochs": 1})
        assert sizes[first : first + 3] == [256, 128, 128]
        assert max(sizes[first + 1 :]) == 128


@pytest.mark.parametrize("spec", [SPEC, AUGMENTED], ids=["plain", "augmented"])
def test_all_batches_of_a_step_are_computed_again(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a step accumulates, and memory runs out at its second batch long after the start: the
    first one has changed gradients, statistics and random numbers, too. From then on, the run is
    that of one which knew it."""
    changes = {"train.accumulate": 2, "train.epochs": 2}
    with monkeypatch.context() as patch:
        # Of the second epoch: its second step, which has three batches in the first epoch.
        sizes = limited(patch, 128, first=9)
        trained(tmp_path / "a", spec, set=changes)
    assert sizes[9:14] == [256, 128, 128, 128, 128]
    trained(tmp_path / "b", spec, set=changes, callback=Looker(stop_after=4))
    with monkeypatch.context() as patch:
        restored_with(patch, 2)
        gone_on(tmp_path / "b")
    assert equal(last(tmp_path / "a"), last(tmp_path / "b"))


@pytest.mark.parametrize("spec", ["adamw lr=5e-3", "muon lr=0.01"])
def test_the_state_of_the_optimizer_may_not_fit(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory that batches leave in pieces may be too little for it. Then the step is made again
    from its beginning, although some weights had been changed by it."""
    spec = SPEC.replace("adamw lr=5e-3", spec)
    with monkeypatch.context() as patch:
        steps = full_in_steps(patch, 1, 2)
        looker = Looker()
        trained(tmp_path / "a", spec, set={"train.epochs": 1}, callback=looker)
    assert len(steps) == len(looker.steps) + 2
    assert [note for note in looker.notes if "4 parts" in note]
    with monkeypatch.context() as patch:
        started_with(patch, 4)
        trained(tmp_path / "b", spec, set={"train.epochs": 1})
    assert equal(last(tmp_path / "a"), last(tmp_path / "b"))


def test_the_state_of_the_optimizer_never_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_in_steps(monkeypatch, *range(1, 99))
    with pytest.raises(SpecError) as raised:
        trained(tmp_path / "run", set={"train.batch": 16})
    (found,) = raised.value.diagnostics
    assert found.code == "out-of-memory"


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_auxiliary_heads_in_parts(
    precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their outputs are joined, too, and metrics count every image once."""
    spec = SPEC.replace("bn, relu\n", "relu\n aux { flatten, fc classes }\n")
    spec = spec.replace("epochs 3", f"epochs 1\n precision {precision}")
    spec = spec.replace("dropout 0.2", "dropout 0").replace("adamw lr=5e-3", "sgd")
    whole = trained(tmp_path / "a", spec)
    started_with(monkeypatch, 3)
    parts = trained(tmp_path / "b", spec)
    assert whole.metrics["loss"] == pytest.approx(parts.metrics["loss"], rel=1e-2)
    lines = [(tmp_path / name / "metrics.jsonl").read_text().splitlines()[-1] for name in "ab"]
    a, b = (json.loads(line)["train"] for line in lines)
    assert a["loss"] == pytest.approx(b["loss"], rel=1e-2)
    assert a["top1"] == pytest.approx(b["top1"], abs=0.02)
