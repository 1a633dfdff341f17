"""The choices of `precision auto` and `channels_last auto`, and their reasons."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dotcnn
from dotcnn.compiler.language.overrides import read_override
from dotcnn.compiler.network import Network
from dotcnn.compiler.plan import plan
from dotcnn.compiler.plan.plan import Train
from dotcnn.training.optim import choose_precision as precision
from dotcnn.training.optim.choose_precision import Choice, choose
from dotcnn.training.optim.precision import FULL, Precision

CPU = torch.device("cpu")
BF16 = torch.bfloat16

SMALL = "network Net { input 3x32x32, conv 4 3x3, relu, flatten, fc 10 }"
LARGE = "network Net { input 3x64x64, conv 16 3x3 same, bn, relu, flatten, fc 10 }"


def train_of(network: Network, *changes: str) -> Train:
    overrides: list[Any] = [read_override(f"train.{change}")[1] for change in changes]
    return plan(network, overrides, needs_data=False).train


def chosen(spec: str, *changes: str, batch: int = 8, images: int = 30_000) -> Choice:
    network = dotcnn.compile(spec)
    return choose(
        network, train_of(network, *changes), dotcnn.load(spec), CPU, batch=batch, images=images
    )


@pytest.fixture
def fast_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that has it; and any network is worth a look."""
    monkeypatch.setattr(precision, "bf16_is_fast", lambda device: True)
    monkeypatch.setattr(precision, "WORTH_IT", 1)


class Clock:
    """Time goes by as fast as a choice of precision would have it."""

    def __init__(self, cost: dict[Precision, float]) -> None:
        self.now = 0.0
        self.cost = cost
        self.steps: list[Precision] = []

    def perf_counter(self) -> float:
        return self.now

    def step(self, module: nn.Module, precision: Precision, images: Tensor, device: object) -> None:
        self.steps.append(precision)
        self.now += self.cost[precision] * len(images)


def timed(monkeypatch: pytest.MonkeyPatch, *seconds: float) -> Clock:
    """Of float32, that in the other layout, and the same two of bf16."""
    options = [FULL, Precision(None, True), Precision(BF16, False), Precision(BF16, True)]
    clock = Clock(dict(zip(options, seconds, strict=True)))
    monkeypatch.setattr(precision, "time", clock)
    monkeypatch.setattr(precision, "_step", clock.step)
    return clock


@pytest.mark.usefixtures("fast_bf16")
@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ((1.0, 0.9, 0.6, 0.5), Precision(BF16, True)),
        ((1.0, 0.8, 1.2, 1.1), Precision(None, True)),
        ((1.0, 1.1, 0.7, 0.9), Precision(BF16, False)),
        ((1.0, 0.97, 0.99, 1.0), FULL),
    ],
)
def test_the_fastest_option_is_chosen(
    monkeypatch: pytest.MonkeyPatch, seconds: tuple[float, ...], expected: Precision
) -> None:
    """Unless that gains next to nothing; what was measured is said."""
    timed(monkeypatch, *(second / 100 for second in seconds))
    found = chosen(LARGE)
    assert found.precision == expected
    assert "timed" in found.lines[0]
    assert f"precision {expected.word}" in found.lines[0]


# ---- on a GPU ----------------------------------------------------------------------------------

GPU = torch.device("cuda")
OF_GPU = 10**9
"""The number of images of a long run."""


class Gpu:
    """A GPU that is not there: it has the capability that it is given, and its clock runs only when
    the program waits for it."""

    def __init__(self, patch: pytest.MonkeyPatch, *seconds: float, major: int = 8) -> None:
        options = [Precision(half, last) for half in (None, BF16) for last in (False, True)]
        self.cost = dict(zip(options, seconds, strict=True))
        self.now = self.queued = 0.0
        self.steps: list[Precision] = []
        self.too_large: set[Precision] = set()
        patch.setattr(torch.cuda, "get_device_capability", lambda device: (major, 0))
        patch.setattr(torch.cuda, "is_bf16_supported", lambda **_: major >= 8)
        patch.setattr(torch.cuda, "synchronize", self.synchronize)
        patch.setattr(torch.cuda, "empty_cache", lambda: None)
        patch.setattr(precision, "_copied", lambda module, device: module)
        patch.setattr(precision, "to_device", lambda images, device: images)
        patch.setattr(precision, "time", self)
        patch.setattr(precision, "_step", self.step)

    def perf_counter(self) -> float:
        return self.now

    def synchronize(self, device: torch.device) -> None:
        assert device == GPU
        self.now, self.queued = self.now + self.queued, 0.0

    def step(self, module: nn.Module, one: Precision, images: Tensor, device: object) -> None:
        if one in self.too_large:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.steps.append(one)
        self.queued += self.cost[one] * len(images)

    def chosen(self, *changes: str, images: int = OF_GPU) -> Choice:
        network = dotcnn.compile(LARGE)
        train, module = train_of(network, *changes), dotcnn.load(LARGE)
        return choose(network, train, module, GPU, batch=64, images=images)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ((4.0, 3.0, 2.0, 1.0), Precision(BF16, True)),
        ((4.0, 3.0, 1.0, 2.0), Precision(BF16, False)),  # as with depthwise convolutions
        ((1.0, 3.0, 2.0, 2.0), FULL),  # so small that casts are most of the work
        ((1.0, 1.0, 0.98, 1.0), Precision(BF16, True)),  # no other one is clearly faster
    ],
)
def test_a_gpu_is_timed(
    monkeypatch: pytest.MonkeyPatch, seconds: tuple[float, ...], expected: Precision
) -> None:
    """What is measured is the work that is queued, not the time to queue it."""
    gpu = Gpu(monkeypatch, *(second / 1000 for second in seconds))
    found = gpu.chosen()
    assert found.precision == expected
    assert "steps of 64 images were timed" in found.lines[0]
    assert f"bf16 channels_last {64 * seconds[3]:.0f} ms" in found.lines[0]
    assert gpu.queued == 0


def test_a_short_run_on_a_gpu_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu(monkeypatch, 1.0, 1.0, 1.0, 1.0)
    found = gpu.chosen(images=1000)
    assert found.precision == Precision(BF16, True)
    assert "too short" in found.lines[0]
    assert gpu.chosen("deterministic=on").precision == Precision(BF16, True)
    assert gpu.steps == []


def test_a_gpu_without_tensor_cores_keeps_the_usual_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu(monkeypatch, 1.0, 1.0, 1.0, 1.0, major=6)
    assert gpu.chosen(images=1000).precision == FULL
    assert gpu.chosen("precision=fp32", images=1000).precision == FULL
    newer = Gpu(monkeypatch, 1.0, 1.0, 1.0, 1.0, major=8)
    assert newer.chosen("precision=fp32", images=1000).precision == Precision(None, True)


def test_what_does_not_fit_into_memory_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu(monkeypatch, 1e-3, 1e-3, 4e-3, 5e-3)
    gpu.too_large = {FULL, Precision(None, True)}
    found = gpu.chosen()
    assert found.precision == Precision(BF16, False)
    assert "fp32 out of memory" in found.lines[0]


# ---- on a CPU ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("fast_bf16")
def test_timing_takes_little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a step of a minute, fewer images are looked at."""
    clock = timed(monkeypatch, 1.0, 1.0, 1.0, 1.0)
    chosen(LARGE, batch=64)
    assert clock.now < 90


@pytest.mark.usefixtures("fast_bf16")
def test_an_option_that_is_hopeless_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some processors have instructions for bf16, and take a hundred times as long with it."""
    clock = timed(monkeypatch, 0.03, 0.02, 3.0, 2.0)
    found = chosen(LARGE, batch=64, images=100_000)
    assert found.precision == Precision(None, True)
    assert clock.now < 35, "a step of a whole batch would take three minutes"
    assert "channels_last 1280 ms, bf16 about 192000 ms" in found.lines[0]


@pytest.mark.usefixtures("fast_bf16")
@pytest.mark.parametrize("images", [500, 2_500, 100_000])
def test_timing_takes_a_small_part_of_the_run(monkeypatch: pytest.MonkeyPatch, images: int) -> None:
    """Where little is computed, only what promises most is held against plain float32."""
    clock = timed(monkeypatch, 0.01, 0.01, 0.01, 0.006)
    found = chosen(LARGE, batch=64, images=images)
    assert found.precision == Precision(BF16, True)
    assert clock.now < max(0.08 * images * 0.01, 1.0)
    assert (Precision(None, True) in clock.steps) == (images > 20_000)


def test_frozen_layers_are_timed_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take a third of the time: what learns is timed learning, what does not is not."""
    monkeypatch.setattr(precision, "bf16_is_fast", lambda device: True)
    monkeypatch.setattr(precision, "WORTH_IT", 1)
    seen: list[tuple[bool, bool]] = []

    def step(module: nn.Module, *others: object) -> None:
        seen.append((module.get_submodule("bn").training, module.get_submodule("fc").training))

    def freeze(module: nn.Module) -> None:
        module.get_submodule("bn").eval()

    monkeypatch.setattr(precision, "_step", step)
    network, module = dotcnn.compile(LARGE), dotcnn.load(LARGE)
    choose(network, train_of(network), module, CPU, batch=8, images=1000, freeze=freeze)
    assert set(seen) == {(False, True)}
    assert module.get_submodule("bn").training


def test_small_networks_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "bf16_is_fast", lambda device: True)
    clock = timed(monkeypatch, 1.0, 1.0, 1.0, 1.0)
    found = chosen(SMALL)
    assert found.precision == FULL
    assert clock.steps == []


def test_short_deterministic_runs_are_those_of_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "bf16_is_fast", lambda device: True)
    assert chosen(SMALL, "deterministic=on").precision == FULL


@pytest.mark.usefixtures("fast_bf16")
def test_deterministic_runs_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = timed(monkeypatch, 1.0, 1.0, 1.0, 1.0)
    assert chosen(LARGE, "deterministic=on").precision == Precision(BF16, True)
    monkeypatch.setattr(precision, "bf16_is_fast", lambda device: False)
    assert chosen(LARGE, "deterministic=on").precision == FULL
    assert clock.steps == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (["precision=bf16", "channels_last=on"], Precision(BF16, True)),
        (["precision=fp32", "channels_last=off"], FULL),
        (["precision=fp16", "channels_last=off"], Precision(torch.float16, False)),
    ],
)
def test_what_the_spec_says_is_done(changes: list[str], expected: Precision) -> None:
    found = chosen(LARGE, *changes)
    assert found.precision == expected
    assert "as the spec says" in found.lines[0]


@pytest.mark.usefixtures("fast_bf16")
def test_real_timing() -> None:
    """On this machine, whatever it is: one of the four, and the module is as it was."""
    spec = "network Net { input 3x16x16, conv 8 3x3 same, bn, relu, flatten, fc 10 }"
    network, module = dotcnn.compile(spec), dotcnn.load(spec)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    found = choose(network, train_of(network), module, CPU, batch=8, images=1000)
    assert found.precision.dtype in (None, BF16)
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())


def test_images_are_laid_out_as_bytes() -> None:
    images = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    assert FULL.laid_out(images) is images
    laid = Precision(None, True).laid_out(images)
    assert laid.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("word", ["fp32", "bf16", "fp16"])
def test_words_and_back(word: str) -> None:
    assert Precision.of(word, True).word == word


def test_a_step_of_several_outputs_is_timed() -> None:
    """They differ in their number of classes, and some are maps."""

    class Several(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.maps = nn.Conv2d(3, 4, 1)
            self.vector = nn.Linear(4, 2)

        def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
            maps = self.maps(images)
            return maps, self.vector(maps.mean((2, 3)))

    module, seen = Several(), []
    module.vector.register_full_backward_hook(lambda *_: seen.append(1))
    precision._step(module, FULL, torch.zeros(2, 3, 5, 5), torch.device("cpu"))
    assert seen
