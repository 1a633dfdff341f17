"""`compile`: when it is on by itself; torch compiles once, and not again for the last batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dotcnn
from dotcnn.compiler.analysis import analyse
from dotcnn.compiler.language.overrides import read_override
from dotcnn.compiler.plan import plan
from dotcnn.compiler.plan.plan import Train
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.data.loader.batches import Sharing
from dotcnn.training.data.open import open_data
from dotcnn.training.optim import choose_compile as choosing
from dotcnn.training.optim.choose_compile import CompileChoice, choose_compile
from dotcnn.training.runtime.compiled import Compiled
from dotcnn.training.trainer import setup

from ..small import SPEC, Looker, equal, gone_on, last, trained

LARGE = """
network Net {
  input 3x224x224
  repeat 20 { conv 64 3x3 same, relu }
  pool avg global, flatten, fc 10
}
"""


class Compiler:
    """In place of torch.compile: runs modules as they are, and counts shapes like a compiler that
    compiles once for each."""

    def __init__(self, patch: pytest.MonkeyPatch, error: Exception | None = None) -> None:
        self.compiled: list[tuple[int, bool]] = []
        """The batch size, and whether gradients are recorded."""
        self.modes: list[Any] = []
        self.error = error
        patch.setattr(torch, "compile", self)

    def __call__(self, module: nn.Module, *, mode: str, dynamic: bool) -> Any:
        self.modes.append((mode, dynamic))
        known = set()

        def run(images: Tensor) -> Any:
            if self.error is not None:
                raise self.error
            if len(images) not in known:
                known.add(len(images))
                self.compiled.append((len(images), torch.is_grad_enabled()))
            return module(images)

        return run


@pytest.mark.usefixtures("no_report")
def test_it_is_compiled_once_for_training_and_once_for_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last batch of an epoch is smaller, and runs uncompiled; the result is the same."""
    compiler = Compiler(monkeypatch)
    changes = {"train.epochs": 2, "train.ema": 0.9, "train.accumulate": 2}
    compiling = {**changes, "train.compile": "on mode=reduce_overhead"}
    trained(tmp_path / "a", set=compiling)
    assert compiler.compiled == [(256, False), (256, True)], "validation comes first, as epoch 0"
    assert compiler.modes == [("reduce-overhead", False)] * 2
    trained(tmp_path / "b", set=changes)
    assert equal(last(tmp_path / "a"), last(tmp_path / "b"))
    assert len(compiler.modes) == 2


@pytest.mark.usefixtures("no_report")
def test_a_resumed_run_is_compiled_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the choice would now be another one, as on another GPU."""
    compiler = Compiler(monkeypatch)
    chosen = CompileChoice(True, ("compile on: the run is long enough",))
    with monkeypatch.context() as patch:
        patch.setattr(setup, "choose_compile", lambda *_, **__: chosen)
        looker = Looker(stop_after=8)
        trained(tmp_path / "run", callback=looker)
    assert looker.begun is not None
    assert chosen.lines[0] in looker.begun.choices
    before = len(compiler.modes)
    again = Looker()
    gone_on(tmp_path / "run", callback=again)
    assert len(compiler.modes) == 2 * before == 4
    assert again.begun is not None
    assert chosen.lines[0] in again.begun.choices


class Unsupported(Exception):
    """As torch's errors: told by its module."""


Unsupported.__module__ = "torch._dynamo.exc"


@pytest.mark.usefixtures("no_report")
def test_a_network_that_cannot_be_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error if the spec says `compile on`; otherwise the run goes on without."""
    Compiler(monkeypatch, Unsupported("no triton\nand more"))
    with pytest.raises(SpecError, match="cannot compile"):
        trained(tmp_path / "a", set={"train.compile": "on"})
    monkeypatch.setattr(setup, "choose_compile", lambda *_, **__: CompileChoice(True))
    looker = Looker()
    result = trained(tmp_path / "b", callback=looker, set={"train.epochs": 1})
    assert result.reason == "done"
    assert [note for note in looker.notes if "no triton" in note and "more" not in note]


def test_outputs_are_kept_from_being_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """With CUDA graphs, each batch has the memory of the one before."""
    memory = torch.zeros(2, 3)

    def graph(module: nn.Module, **_: object) -> Any:
        return lambda images: (memory.copy_(images), memory)

    monkeypatch.setattr(torch, "compile", graph)
    module = Compiled(nn.Identity(), 2, mode="reduce_overhead")
    first = module(torch.ones(2, 3))
    module(torch.zeros(2, 3))
    assert all(torch.equal(each, torch.ones(2, 3)) for each in first)


def test_parts_of_batches_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a batch is computed in parts, since it does not fit into memory, parts have its role."""
    compiler = Compiler(monkeypatch)
    module = Compiled(nn.Identity(), 10)
    for parts in (1, 3):
        module.parts = parts
        for images in (torch.ones(10, 3), torch.ones(7, 3)):
            for part in images.tensor_split(parts):
                module(part)
    assert [size for size, _ in compiler.compiled] == [10, 4]


@pytest.mark.parametrize("world", [1, 2, 3])
@pytest.mark.parametrize("batch", [64, 100, 1000, 1300, 5000])
def test_most_batches_have_the_size_for_which_it_is_compiled(batch: int, world: int) -> None:
    spec = f"{SPEC}".replace("batch 256", f"batch {batch}")
    opened = open_data(plan(dotcnn.compile(spec)), Path.cwd())
    for rank in range(world):
        for batches in (
            opened.training(seed=0, sharing=Sharing(rank, world)),
            opened.evaluation("val", sharing=Sharing(rank, world)),
        ):
            sizes = [len(found.labels) for found in batches()]
            assert all(size == batches.full for size in sizes[:-2])
            assert sizes[0] == batches.full


# ---- whether it is on ----------------------------------------------------------------------------


def chosen(
    monkeypatch: pytest.MonkeyPatch,
    *changes: str,
    images: float = 10**8,
    device: str = "cuda",
    major: int = 8,
    world: int = 1,
    triton: bool = True,
) -> CompileChoice:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (major, 0))
    monkeypatch.setattr(choosing, "find_spec", lambda name: name if triton else None)
    network = dotcnn.compile(LARGE)
    overrides: list[Any] = [read_override(f"train.{change}")[1] for change in changes]
    train: Train = plan(network, overrides, needs_data=False).train
    totals = analyse(network).totals
    return choose_compile(train, torch.device(device), totals, images=images, world=world)


def test_a_long_run_on_a_gpu_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    found = chosen(monkeypatch)
    assert found.on
    assert "long enough (compiling takes about" in found.lines[0]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"images": 10_000}, "the run is too short"),
        ({"world": 2}, "several processes"),
        ({"triton": False}, "Triton is not installed"),
        ({"major": 6}, "does not support this GPU"),
    ],
)
def test_why_it_is_not(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], why: str) -> None:
    found = chosen(monkeypatch, **options)
    assert not found.on
    assert why in found.lines[0]


def test_the_spec_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """And on a CPU nothing is compiled, or said, unless it does."""
    assert chosen(monkeypatch, "compile=off") == CompileChoice(False)
    assert chosen(monkeypatch, "compile=on", images=1).on
    assert chosen(monkeypatch, "compile=on mode=max_autotune", device="cpu").on
    assert chosen(monkeypatch, device="cpu") == CompileChoice(False)
    for change in ("deterministic=on", "recompute=blocks"):
        found = chosen(monkeypatch, change)
        assert not found.on
        assert change.partition("=")[0] in found.lines[0]
