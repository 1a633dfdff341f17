"""Checkpoints are written while training goes on, also within an epoch."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from concurrent.futures import Executor, Future, wait
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.checkpoint import snapshot
from dotcnn.training.checkpoint import writer as keeper
from dotcnn.training.checkpoint.checkpoint import about_weights, read_checkpoint, write_checkpoint
from dotcnn.training.checkpoint.snapshot import Snapshots
from dotcnn.training.trainer.callbacks import Step

from ..small import Looker, equal, gone_on, last, trained

pytestmark = pytest.mark.usefixtures("no_report")

BY_STEPS = {"train.checkpoint": "every=2 steps", "train.ema": 0.9}


@pytest.fixture(autouse=True)
def writes_by_main_thread(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads that put a checkpoint into its place."""
    names: list[str] = []
    replace = os.replace

    def noted(source: Path, target: Path) -> None:
        if str(target).endswith(".ckpt"):
            names.append(threading.current_thread().name)
        replace(source, target)

    monkeypatch.setattr(os, "replace", noted)
    return names


class Copying(Looker):
    """Copies the run after some steps, as it is on the disk: what a power cut would leave."""

    def __init__(self, folder: Path, steps: set[int], copies: Path) -> None:
        super().__init__()
        self.folder, self.at, self.copies = folder, steps, copies

    def step(self, step: Step) -> None:
        super().step(step)
        if len(self.steps) in self.at:
            shutil.copytree(self.folder, self.copies / str(len(self.steps)))


def test_within_an_epoch_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes_by_main_thread: list[str]
) -> None:
    """From whatever checkpoint training goes on, it comes to the same weights."""
    monkeypatch.setattr(keeper, "WRITING", 1)
    trained(tmp_path / "whole", set={"train.ema": 0.9})
    copying = Copying(tmp_path / "run", {3, 5, 9}, tmp_path)
    trained(tmp_path / "run", callback=copying, set=BY_STEPS)
    assert equal(last(tmp_path / "run"), last(tmp_path / "whole"))
    assert not any(name == "MainThread" for name in writes_by_main_thread)
    places = []
    for copy in ("3", "5", "9"):
        state = read_checkpoint(tmp_path / copy / "last.ckpt")
        places.append((state["position"]["steps"], state["position"]["position"]))
        gone_on(tmp_path / copy)
        assert equal(last(tmp_path / copy), last(tmp_path / "whole"))
        lines = (tmp_path / copy / "metrics.jsonl").read_text().splitlines()
        assert [json.loads(line)["epoch"] for line in lines] == [0, 1, 2, 3]
    assert places == [(2, 512), (4, 1024), (8, 512)]


def test_by_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(keeper, "WRITING", 1)
    monkeypatch.setattr(keeper, "time", SimpleNamespace(perf_counter=lambda: clock.now))

    class Slow(Copying):
        def step(self, step: Step) -> None:
            super().step(step)
            clock.now += 200

    slow = Slow(tmp_path / "run", {5, 11}, tmp_path)
    trained(tmp_path / "run", callback=slow, set={"train.checkpoint": "every=10min"})
    positions = [read_checkpoint(tmp_path / at / "last.ckpt")["position"] for at in ("5", "11")]
    assert [(each["epoch"], each["steps"]) for each in positions] == [(0, 4), (1, 10)]


def test_by_the_clock_while_memory_is_made_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint that is due in the second step is written as soon as there is memory for it."""
    monkeypatch.setattr(snapshot, "WORTH", 1)
    ready, memory, prepare = threading.Event(), Snapshots._memory, Snapshots.prepare
    preparing: list[Future[object]] = []

    def late(self: Snapshots, needed: int) -> object:
        if threading.current_thread() is not threading.main_thread():
            ready.wait(60)
        return memory(self, needed)

    def noted(self: Snapshots, state: object, thread: Executor) -> None:
        prepare(self, state, thread)
        assert self._preparing is not None
        preparing.append(self._preparing)

    monkeypatch.setattr(Snapshots, "_memory", late)
    monkeypatch.setattr(Snapshots, "prepare", noted)

    class Waits(Copying):
        def step(self, step: Step) -> None:
            super().step(step)
            if len(self.steps) == 3:
                ready.set()
                wait(preparing, 60)

    clock = Clock()
    monkeypatch.setattr(keeper, "WRITING", 1)
    monkeypatch.setattr(keeper, "time", SimpleNamespace(perf_counter=lambda: clock.tick()))
    waits = Waits(tmp_path / "run", {6}, tmp_path)
    options = {"train.checkpoint": "every=10min", "train.epochs": 1, "train.batch": 128}
    trained(tmp_path / "run", callback=waits, set=options)
    assert 3 < read_checkpoint(tmp_path / "6" / "last.ckpt")["position"]["steps"] <= 6


class Clock:
    now = 1000.0

    def tick(self) -> float:
        """An hour later each time."""
        self.now += 3600
        return self.now


def test_the_state_is_that_of_its_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However late it is written. What is written meanwhile is at most two states."""
    go_on, begun = threading.Event(), threading.Event()
    steps: list[int] = []

    def late(path: Path, state: dict[str, object], *others: object) -> None:
        begun.set()
        go_on.wait(60)
        steps.append(state["position"]["steps"])  # type: ignore[index]
        write_checkpoint(path, state)

    monkeypatch.setattr("dotcnn.training.checkpoint.checkpoint_files.write_checkpoint", late)

    class Holding(Looker):
        def step(self, step: Step) -> None:
            super().step(step)
            if len(self.steps) == 12:
                assert begun.is_set()
                go_on.set()

    trained(tmp_path / "run", callback=Holding(), set={"train.checkpoint": "every=1 steps"})
    assert steps[:2] == [1, 2]
    assert steps[-1] == 18
    assert steps == sorted(steps)
    trained(tmp_path / "whole")
    assert equal(last(tmp_path / "run"), last(tmp_path / "whole"))


def test_without_memory_for_copies_training_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes_by_main_thread: list[str]
) -> None:
    monkeypatch.setattr(snapshot, "free_memory", lambda: 1000)
    looker = Looker()
    trained(tmp_path / "run", callback=looker, set=BY_STEPS)
    assert [note for note in looker.notes if "no memory to copy" in note] != []
    assert {*writes_by_main_thread} == {"MainThread"}
    trained(tmp_path / "whole", set={"train.ema": 0.9})
    assert equal(last(tmp_path / "run"), last(tmp_path / "whole"))


def test_a_full_disk_is_told_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last good checkpoint stays, and the best weights are written later."""
    full = False
    fsync = os.fsync

    def checked(handle: int) -> None:
        if full and threading.current_thread() is not threading.main_thread():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(handle)

    class Filling(Looker):
        def step(self, step: Step) -> None:
            nonlocal full
            super().step(step)
            if len(self.steps) == 3:
                kept.append(read_checkpoint(tmp_path / "run" / "last.ckpt")["position"]["steps"])
            full = 3 <= len(self.steps) < 16
            if len(self.steps) == 16:
                kept.append(read_checkpoint(tmp_path / "run" / "last.ckpt")["position"]["steps"])

    kept: list[int] = []
    monkeypatch.setattr(keeper, "WRITING", 1)
    monkeypatch.setattr(os, "fsync", checked)
    looker = Filling()
    result = trained(tmp_path / "run", callback=looker, set=BY_STEPS)
    assert kept == [2, 2]
    assert len([note for note in looker.notes if "No space left" in note]) == 1
    assert "writing works again" in looker.notes
    assert result.trouble == ""
    assert about_weights(tmp_path / "run" / "best.safetensors")["epoch"] == str(result.best_epoch)
    assert read_checkpoint(tmp_path / "run" / "last.ckpt")["position"]["steps"] == 18


def test_copies_share_what_is_shared_and_keep_their_layout() -> None:
    weight = torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last)
    snapshots = Snapshots(torch.device("cpu"))
    first = snapshots.take({"a": weight, "b": [weight, weight[:2]], "c": "text"})
    assert first is not None
    before = weight.clone()
    weight.zero_()
    copies = first.state
    assert torch.equal(copies["a"], before)
    assert copies["b"][0] is copies["a"]
    assert copies["a"].stride() == before.stride()
    assert copies["b"][1].data_ptr() != copies["a"].data_ptr()
    assert [each.untyped_storage().nbytes() for each in copies["b"]] == [1200, 600]
    snapshots.release(first)
    again = snapshots.take({"a": weight, "b": [weight, weight[:2]]})
    assert again is not None
    assert again.memory is first.memory


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("every=0.5s", "0.5s is not from 1s to 1000h"),
        ("every=10min steps", "10min is a time, not a number of steps"),
        ("every=0", "a whole number"),
        ("every=10 min", "min"),
    ],
)
def test_mistakes(tmp_path: Path, words: str, message: str) -> None:
    with pytest.raises(SpecError) as raised:
        trained(tmp_path / "run", set={"train.checkpoint": words})
    found = raised.value.diagnostics[0]
    assert message in found.message + found.label
