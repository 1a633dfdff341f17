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
from dotcnn.training.trainer.state import Learner

from ..small import SPEC, Looker, equal, gone_on, last, trained

pytestmark = pytest.mark.usefixtures("no_report")

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


@pytest.mark.slow
def test_later_gradients_of_earlier_batches_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take longer than it is worth: then it is an error."""
    limited(monkeypatch, 100, first=5)
    with pytest.raises(SpecError) as raised:
        trained(tmp_path / "run", set={"train.accumulate": 2})
    assert raised.value.diagnostics[0].code == "out-of-memory"


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
