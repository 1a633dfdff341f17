"""Running out of memory: in which words, at which places, and what is advised."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor, nn

import dotcnn
from dotcnn import cli
from dotcnn.compiler.analysis.gpu import MOST_ELEMENTS
from dotcnn.compiler.analysis.setting import LABELS
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.source import Source
from dotcnn.training.data.loader.batches import Batch, Batches
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.metrics import evaluation
from dotcnn.training.request import request
from dotcnn.training.runtime.devices import using
from dotcnn.training.runtime.errors import explain_error
from dotcnn.training.runtime.memory_errors import is_out_of_memory
from dotcnn.training.runtime.out_of_memory import Situation, out_of_memory

from ..small import SPEC, Looker, trained

pytestmark = pytest.mark.usefixtures("no_report")

CUDA = torch.device("cuda", 0)
FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 …")


@pytest.mark.parametrize(
    "text",
    [
        "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 23.64 GiB",
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "GET was unable to find an engine to execute this computation",
        "NCCL error: unhandled cuda error\nLast error:\nCuda failure 2 'out of memory'",
        "NCCL error: unhandled cuda error\nLast error:\nFailed to CUDA calloc 536870912 bytes",
        "MPS backend out of memory (MPS allocated: 9.05 GB)",
        "[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory",
    ],
)
def test_in_which_words(text: str) -> None:
    assert is_out_of_memory(RuntimeError(text))


def test_what_is_another_error() -> None:
    assert is_out_of_memory(FULL)
    assert is_out_of_memory(MemoryError())
    for text in (
        "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)",
        "CUDA error: device-side assert triggered",
        "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
        "NCCL communicator was aborted on rank 1",
    ):
        assert not is_out_of_memory(RuntimeError(text))
    assert not is_out_of_memory(ValueError("out of memory"))


# ---- which batch is advised --------------------------------------------------------------------


def situation(batch: int, spec: str = SPEC, **more: Any) -> Situation:
    text = spec.replace("batch 256", f"batch {batch}")
    more.setdefault("device", torch.device("cpu"))
    return Situation(request=request(Source("net.cnn", text)), batch=batch, **more)


def numbers(help: str) -> tuple[int, int]:
    words = help.replace("`", " ").replace(",", " ").split()
    return int(words[words.index("batch") + 1]), int(words[words.index("accumulate") + 1])


@pytest.mark.parametrize("batch", [1, 7, 64, 100_000])
def test_a_batch_that_fits_is_smaller(batch: int) -> None:
    """Whatever was asked for; with as many portions as make up for it."""
    found = out_of_memory(situation(batch))
    assert f"{batch:,} images" in found.message
    if batch > 1:
        smaller, portions = numbers(found.help)
        assert 0 < smaller < batch <= smaller * portions


def gpu(monkeypatch: pytest.MonkeyPatch, free: int, reserved: int) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 24 * 2**30))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: reserved)


def test_the_advice_divides_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a step has the same images; what is accumulated already counts."""
    gpu(monkeypatch, free=2**30, reserved=2**30)
    spec = SPEC.replace("conv 4 3x3", "conv 512 3x3").replace("1x8x8", "1x64x64")
    for extra, before in (("", 1), ("accumulate 3\n", 3)):
        text = spec.replace("epochs 3", f"{extra} epochs 3")
        smaller, portions = numbers(out_of_memory(situation(1000, text, device=CUDA)).help)
        assert smaller * portions == 1000 * before
        assert smaller < 1000


def test_images_on_the_gpu_leave_less_for_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are part of what torch has reserved, and stay there."""
    gpu(monkeypatch, free=2**30, reserved=3 * 2**30)
    spec = SPEC.replace("conv 4 3x3", "conv 512 3x3").replace("1x8x8", "1x64x64")

    class Images(torch.Tensor):
        device = CUDA  # type: ignore[assignment]
        nbytes = 2 * 2**30

    data = opened()
    store = data.stores["train"]
    before = numbers(out_of_memory(situation(1024, spec, device=CUDA, data=data)).help)[0]
    object.__setattr__(store, "images", store.images.as_subclass(Images))  # type: ignore[union-attr]
    found = out_of_memory(situation(1024, spec, device=CUDA, data=data))
    assert numbers(found.help)[0] < before
    assert "2.00 GiB of that are images of the data set" in found.notes[-1]
    assert LABELS * len(store) < 2**20


def opened() -> Opened:
    asked = request(Source("net.cnn", SPEC))
    return open_data(asked.plan, asked.base)


def test_maps_that_torch_cannot_index() -> None:
    spec = SPEC.replace("1x8x8", "1x64x64").replace("conv 4 3x3", "conv 512 3x3")
    error = RuntimeError(
        "Expected canUse32BitIndexMath(input) && canUse32BitIndexMath(output) to be true"
    )
    found = explain_error(error, situation(8192, spec, device=CUDA))
    assert found is not None
    assert found.code == "batch-too-large"
    smaller, portions = numbers(found.help.replace("and", ","))
    assert smaller * portions == 8192
    assert smaller * 512 * 32 * 32 <= MOST_ELEMENTS


# ---- where -------------------------------------------------------------------------------------


def fails(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise FULL

    monkeypatch.setattr(place, full)


@pytest.mark.parametrize(
    "place",
    [
        "torch.nn.Module.to",
        "dotcnn.training.optim.ema.copy.deepcopy",
        "dotcnn.training.trainer.setup.make_learner",
        "dotcnn.training.trainer.loop.set_rate",
        "dotcnn.training.trainer.loop.count",
        "dotcnn.training.trainer.finish.evaluate",
    ],
)
def test_the_same_is_said_wherever_it_happens(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails(monkeypatch, place)
    with pytest.raises(SpecError) as raised:
        trained(tmp_path / "run", set={"train.epochs": 1, "train.ema": 0.9})
    (found,) = raised.value.diagnostics
    assert found.code == "out-of-memory"
    assert found.help


def test_the_data_set_stays_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the device has no room for it."""
    budgets: list[int | None] = []

    def open_it(*arguments: Any, budget: int | None = None, **options: Any) -> Opened:
        budgets.append(budget)
        if budget is None:
            raise FULL
        return open_data(*arguments, budget=budget, **options)

    monkeypatch.setattr("dotcnn.training.trainer.train.open_data", open_it)
    looker = Looker()
    trained(tmp_path / "run", set={"train.epochs": 1}, callback=looker)
    assert budgets == [None, 0]
    assert "the data set does not fit into the memory of cpu" in looker.notes[0]


def test_the_last_evaluation_takes_smaller_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives the same, and if one image is too many, the weights are there."""
    whole = evaluation.count
    sizes: list[int] = []
    most = 100

    def count(module: Any, opened: Any, batches: Batches, *others: Any, **options: Any) -> Any:
        sizes.append(batches.batch)
        if batches.batch > most:
            raise FULL
        return whole(module, opened, batches, *others, **options)

    once = {"train.epochs": 1}
    expected = trained(tmp_path / "a", set=once).metrics
    monkeypatch.setattr(evaluation, "count", count)
    looker = Looker()
    found = trained(tmp_path / "b", callback=looker, set=once).metrics
    assert found == pytest.approx(expected, rel=1e-6)  # sums of smaller batches round differently
    assert sizes == [256, 128, 64]
    assert looker.notes[-1] == "out of memory: evaluating with batches of 64 images"

    most = 0
    with pytest.raises(SpecError) as raised:
        trained(tmp_path / "c", set=once)
    (found,) = raised.value.diagnostics
    assert "the training is done" in found.notes[-1]
    command = shlex.split(found.help.partition(": ")[2])
    assert command[:2] == ["cnn", "evaluate"]
    most = 256
    assert cli.main(command[1:]) == 0
    assert json.loads((tmp_path / "c" / "record.json").read_text())["state"] == "stopped"


@pytest.mark.slow
def test_a_trained_network_takes_fewer_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evaluation and prediction, also over views and networks: with the same result. If one image
    is too many, what to do is said."""
    spec = SPEC + "evaluate { tta flip }"
    trained(tmp_path / "run", spec, set={"train.epochs": 1, "train.ensemble": 2})
    images = [numpy.full((8, 8), 3 * value, numpy.uint8) for value in range(40)]

    def results() -> tuple[Any, ...]:
        run = tmp_path / "run"
        outcomes = [
            dotcnn.evaluate(run, part=part, tta=tta, device="cpu")
            for part, tta in (("val", False), ("all", False), ("val", True))
        ]
        predictions = list(dotcnn.predict(run, images, device="cpu"))
        return [outcome.metrics for outcome in outcomes], outcomes[1].comparisons, predictions

    before = results()
    whole = nn.Conv2d.forward
    most = 20

    def forward(self: nn.Conv2d, input: Tensor) -> Tensor:
        if len(input) > most:
            raise FULL
        return whole(self, input)

    monkeypatch.setattr(nn.Conv2d, "forward", forward)
    metrics, comparisons, predictions = results()
    for found, expected in zip(metrics, before[0], strict=True):
        assert found == pytest.approx(expected, rel=1e-5)
    assert [each.text for each in comparisons] == [each.text for each in before[1]]
    for prediction, earlier in zip(predictions, before[2], strict=True):
        assert [g.name for g in prediction.guesses] == [g.name for g in earlier.guesses]
    most = 0
    uses: list[Callable[[Path], Any]] = [
        lambda run: dotcnn.evaluate(run, device="cpu"),
        lambda run: dotcnn.predict(run, images, device="cpu"),
    ]
    for use in uses:
        with pytest.raises(SpecError) as raised:
            use(tmp_path / "run")
        assert raised.value.diagnostics[0].code == "out-of-memory"
    with pytest.raises(SpecError) as raised, using(torch.device("mps")):
        raise FULL
    assert raised.value.diagnostics[0].help == "compute on the CPU: `--device cpu`"


# ---- the advice runs ---------------------------------------------------------------------------


def test_the_advice_is_a_command_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the options that were given, and the same images in a step."""
    from dotcnn.training.trainer.loop import Loop

    whole = Loop.preprocess

    def preprocess(loop: Loop, batch: Batch) -> tuple[Tensor, Tensor]:
        if len(batch.labels) > 150:
            raise FULL
        return whole(loop, batch)

    monkeypatch.setattr(Loop, "preprocess", preprocess)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my net.cnn").write_text(SPEC)
    arguments = ["train", "my net.cnn", "--set", "train.epochs=1", "--set", "train.batch=256"]
    assert cli.main([*arguments, "--input", "1x16x16", "--device", "cpu"]) == 1
    err = " ".join(line.strip() for line in capsys.readouterr().err.splitlines())
    command = shlex.split(err[err.index("cnn train") :].split(" runs/")[0])
    assert command == [
        "cnn", "train", "my net.cnn", "--input", "1x16x16", "--set", "train.epochs=1",
        "--set", "train.batch=128", "--set", "train.accumulate=2",
    ]  # fmt: skip
    assert cli.main([*command[1:], "--device", "cpu"]) == 0


def test_a_spec_in_no_file_has_no_command() -> None:
    assert situation(64).request.command({"train.batch": 32}) is None


def test_an_unknown_error_is_not_explained() -> None:
    assert explain_error(RuntimeError("something else"), situation(64)) is None
