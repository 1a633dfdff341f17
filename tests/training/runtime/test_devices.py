"""The current GPU is the one that trains; what a device cannot do is named."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch

from dotcnn.compiler.plan.train import Compile, Deterministic, Precision
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.source import Source
from dotcnn.training.request import request
from dotcnn.training.runtime.async_scalar import AsyncScalars, send
from dotcnn.training.runtime.devices import set_up_torch, using
from dotcnn.training.runtime.errors import explain_error
from dotcnn.training.runtime.missing_operation import missing_operation
from dotcnn.training.runtime.out_of_memory import Situation

from ..small import SPEC

SECOND = torch.device("cuda", 1)


@pytest.fixture
def current(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The current GPU, as CUDA knows it: the last number of the list."""
    devices = [0]

    class Device:
        def __init__(self, device: torch.device) -> None:
            self.index = device.index

        def __enter__(self) -> None:
            devices.append(self.index)

        def __exit__(self, *error: object) -> None:
            devices.pop()

    monkeypatch.setattr(torch.cuda, "device", Device)
    return devices


def test_training_makes_its_gpu_the_current_one(current: list[int]) -> None:
    """Else pinned memory and events are those of `cuda:0`."""
    with set_up_torch(
        SECOND, Precision.make(), Deterministic.make(on=False), Compile.make(on=False)
    ):
        assert current[-1] == 1
    assert current == [0]


@pytest.mark.parametrize(
    ("config", "used", "warns"),
    [(None, 0, False), (None, 9, True), (":0:0", 9, True), (":16:8", 9, False)],
)
def test_cublas_reads_its_settings_once(
    monkeypatch: pytest.MonkeyPatch, current: list[int], config: str | None, used: int, warns: bool
) -> None:
    """If the process has used the GPU before, `deterministic` may come too late."""
    name = "CUBLAS_WORKSPACE_CONFIG"
    monkeypatch.setenv(name, "")  # so that it is restored
    monkeypatch.delenv(name) if config is None else monkeypatch.setenv(name, config)
    statistics = {"allocation.all.allocated": used} if used else {}
    monkeypatch.setattr(torch.cuda, "memory_stats", lambda device: statistics)
    with set_up_torch(
        SECOND, Precision.make(), Deterministic.make(on=True), Compile.make(on=False)
    ) as warning:
        assert os.environ[name] in (":4096:8", ":16:8")
    assert ("cuda:1 before" in warning) == warns


class OnSecond:
    """Numbers on the second GPU, as far as copying them goes."""

    device = SECOND

    def detach(self) -> OnSecond:
        return self

    def to(self, device: str, non_blocking: bool) -> torch.Tensor:
        return torch.tensor([0.5])


def test_a_loss_is_read_when_its_own_gpu_has_computed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when the stream of the current GPU, on which nothing runs, gets there: at once."""

    class Event:
        stream: object = "the stream of the current GPU"

        def record(self, stream: object = None) -> None:
            self.stream = stream

        def synchronize(self) -> None:
            waited_for.append(self.stream)

    waited_for: list[object] = []
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device=None: f"stream of {device}")
    loss: Any = OnSecond()
    losses = AsyncScalars[str]()
    losses.put(send(loss), "step 1")
    assert list(losses.take()) == [([0.5], "step 1")]
    assert waited_for == ["stream of cuda:1"]


# ---- what a device cannot do -----------------------------------------------------------------

MISSING = (
    "The operator 'aten::max_pool3d_with_indices.out' is not currently implemented for the MPS"
    " device. If you want this op to be considered for addition please comment on … As a temporary"
    " fix, you can set the environment variable `PYTORCH_ENABLE_MPS_FALLBACK=1` to use the CPU as a"
    " fallback for this op."
)
OTHERS = (
    RuntimeError("Adaptive pool MPS: input sizes must be divisible by output sizes. Non-divisible"
                 " input sizes are not implemented on MPS device yet."),
    TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support"
              " float64. Please use float32 instead."),
)  # fmt: skip
MPS = torch.device("mps")


def test_an_operation_that_mps_lacks_is_named() -> None:
    with pytest.raises(SpecError) as raised, using(MPS):
        raise NotImplementedError(MISSING)
    (found,) = raised.value.diagnostics
    assert found.code == "missing-operation"
    assert found.message.endswith("does not have the operation `max_pool3d_with_indices` on mps")
    assert found.help == "use the CPU: `--device cpu`"
    assert "PYTORCH_ENABLE_MPS_FALLBACK=1" in found.notes[-1]


@pytest.mark.parametrize("error", OTHERS, ids=lambda error: type(error).__name__)
def test_other_gaps_of_mps_have_the_same_advice(error: Exception) -> None:
    found = missing_operation(error, MPS)
    assert found is not None
    assert found.notes[0] in str(error)
    assert found.help == "use the CPU: `--device cpu`"


def test_other_errors_are_not_explained_away() -> None:
    assert missing_operation(RuntimeError("MPS backend out of memory"), MPS) is None
    assert missing_operation(NotImplementedError("no label"), MPS) is None
    assert missing_operation(NotImplementedError(MISSING), torch.device("cpu")) is None


def test_a_step_that_mps_cannot_do_ends_the_run_with_that_error() -> None:
    asked = request(Source("net.cnn", SPEC))
    found = explain_error(
        NotImplementedError(MISSING), Situation(request=asked, device=MPS, batch=8)
    )
    assert found is not None
    assert found.code == "missing-operation"
