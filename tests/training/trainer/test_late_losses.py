"""On a GPU losses are read one step late. Here that is tried on the CPU: nothing else changes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.distributed
from torch import Tensor

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.runtime.async_scalar import AsyncScalars, send
from dotcnn.training.runtime.process_group import Processes
from dotcnn.training.trainer import loop

from ..small import SPEC, Looker, equal, last, trained

pytestmark = pytest.mark.usefixtures("no_report")


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "read_late", lambda learner: True)


def test_it_trains_the_same(tmp_path: Path, late: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the last bit; each step is reported once, in order, with its own loss."""
    seen = []
    for name in ("late", "at once"):
        looker = Looker()
        changes = {"train.epochs": 2, "train.accumulate": 2, "train.ema": 0.9, "train.clip": 1}
        trained(tmp_path / name, callback=looker, set=changes)
        seen.append([(step.epoch, step.batch, step.loss, step.lr) for step in looker.steps])
        monkeypatch.setattr(loop, "read_late", lambda learner: False)
    assert seen[0] == seen[1]
    assert equal(last(tmp_path / "late"), last(tmp_path / "at once"))


def test_it_stops_after_the_step(tmp_path: Path, late: None) -> None:
    looker = Looker(stop_after=3)
    result = trained(tmp_path / "run", callback=looker)
    assert result.reason == "interrupted"
    assert all(math.isfinite(step.loss) for step in looker.steps)


def exploding(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """As `set_rate`, but the third step destroys the weights."""
    for group in optimizer.param_groups:
        group["steps"] = group.get("steps", 0) + 1
        group["lr"] = 1e30 if group["steps"] == 3 else rate


@pytest.mark.parametrize(
    "optimizer", ["sgd lr=1e-3 momentum=0.9", "adamw lr=1e-3", "rmsprop lr=1e-3"]
)
def test_nan_is_found_one_step_later(
    optimizer: str, tmp_path: Path, late: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is the same: the step with that loss was left out, so that the weights are those
    with which it was computed."""
    spec = SPEC.replace("bn, ", "").replace("dropout 0.2", "")
    changes = {"train.optimizer": optimizer, "train.batch": 16, "train.ema": 0.9}
    monkeypatch.setattr(loop, "set_rate", exploding)
    errors = []
    for name in ("late", "at once"):
        with pytest.raises(SpecError) as error:
            trained(tmp_path / name, spec, set=changes)
        (diagnostic,) = error.value.diagnostics
        errors.append((diagnostic.message, diagnostic.notes))
        monkeypatch.setattr(loop, "read_late", lambda learner: False)
    assert "NaN or infinite at step" in errors[0][0]
    assert errors[0] == errors[1]


def test_numbers_come_back_in_order() -> None:
    queue = AsyncScalars[str](late=True)
    read = []
    for number, name in enumerate("abc"):
        queue.put(send(torch.tensor([float(number), 0.5])), name)
        read += list(queue.take())
    assert read == [([0.0, 0.5], "a"), ([1.0, 0.5], "b")]
    assert list(queue.rest()) == [([2.0, 0.5], "c")]


def test_processes_agree_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """By one sum over a tensor on the device, in which is all that is asked. On `meta`, to read a
    value would be an error."""
    sums: list[Tensor] = []
    monkeypatch.setattr(torch.distributed, "all_reduce", sums.append)
    meta = torch.device("meta")
    both = Processes(0, 2, meta).agree(torch.empty((), device=meta, requires_grad=True), True)
    assert len(sums) == 1
    assert sums[0] is both
    assert both.shape == (3,)
    assert not both.requires_grad
