"""kill -9 at any moment: the run is resumed and ends with bit-identical weights."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from dotcnn.training.checkpoint.checkpoint import read_checkpoint, read_newest

from ..starting import Trainer

SPEC = """
network Net {
  input 1x8x8
  conv 6 3x3 same, bn, relu
  pool max 2x2
  flatten
  dropout 0.2
  fc classes
}
train {
  data digits
  epochs 4
  batch 256
  accumulate 2
  optimizer adamw lr=5e-3
  ema 0.9
  deterministic on
}
"""


@pytest.fixture(scope="module")
def undisturbed(trainer: Trainer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert trainer(SPEC, folder) == 0
    return folder


def must_be_equal(folder: Path, other: Path) -> None:
    """Compares weights, averages, optimizer state, random states and running metrics."""
    one, two = (read_checkpoint(each / "last.ckpt") for each in (folder, other))
    for state in (one, two):
        state["position"].pop("seconds")
        state.pop("best")  # it may have waited in one of them, and is in its file now
    assert flat(one).keys() == flat(two).keys()
    for key, value in flat(one).items():
        assert same(value, flat(two)[key]), key
    best, other_best = (load_file(each / "best.safetensors") for each in (folder, other))
    assert best.keys() == other_best.keys()
    assert all(torch.equal(best[key], other_best[key]) for key in best)
    assert measured(folder) == measured(other)
    record = json.loads((folder / "record.json").read_text())
    assert record["state"] == "done"
    assert record["result"]["val"] == result(other)["val"]
    assert [path.name for path in folder.iterdir() if path.name.endswith(".partial")] == []


def flat(value: Any, name: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)  # type: ignore[assignment]
    else:
        return {name: value}
    return {k: v for key, part in parts for k, v in flat(part, f"{name}/{key}").items()}


def same(one: Any, two: Any) -> bool:
    return torch.equal(one, two) if isinstance(one, torch.Tensor) else bool(one == two)


def measured(folder: Path) -> list[Any]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    kept = ("epoch", "steps", "lr", "train", "val", "best")
    return [[line[name] for name in kept] for line in lines]


def result(folder: Path) -> Any:
    return json.loads((folder / "record.json").read_text())["result"]


def calls_of(folder: Path) -> int:
    return int(folder.with_suffix(".calls").read_text())


def goes_on(trainer: Trainer, folder: Path, spec: str = SPEC, **job: Any) -> None:
    """Resumes the run, unless nothing had been written yet."""
    resume = (folder / "plan.json").exists()
    if not resume and folder.exists():
        for file in folder.iterdir():
            file.unlink()
    code = trainer(spec, folder, resume=resume, **job)
    errors = folder.with_suffix(".error")
    assert code == 0, errors.read_text() if errors.exists() else code


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.35, 0.6, 0.95])
def test_killed_during_a_write(
    trainer: Trainer, undisturbed: Path, tmp_path: Path, share: float
) -> None:
    """Half of the new file is there; the old file is still intact."""
    folder = tmp_path / "run"
    assert trainer(SPEC, folder, die_at=round(share * calls_of(undisturbed))) == -9
    if share > 0.5:
        assert read_checkpoint(folder / "last.ckpt")["position"]["epoch"] > 0
    goes_on(trainer, folder)
    must_be_equal(folder, undisturbed)


RARELY = 1e-9
"""The share of the time for writing with which only the first epoch and the last are written."""


@pytest.mark.slow
def test_killed_before_waiting_weights_are_written(
    trainer: Trainer, undisturbed: Path, tmp_path: Path
) -> None:
    """Epochs that are shorter than writing takes are learned once more; the best weights, which
    waited, are not lost."""
    whole = tmp_path / "whole"
    assert trainer(SPEC, whole, writing=RARELY) == 0
    must_be_equal(whole, undisturbed)
    calls = calls_of(whole)
    assert calls < calls_of(undisturbed)
    kept = []
    for call in range(calls - 16, calls + 1):
        folder = tmp_path / f"run{call}"
        assert trainer(SPEC, folder, writing=RARELY, die_at=call) == -9
        kept.append(read_checkpoint(folder / "last.ckpt")["position"]["epoch"])
        goes_on(trainer, folder, writing=RARELY)
        must_be_equal(folder, undisturbed)
    assert set(kept) == {1, 4}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("writing", [1, 0.1, RARELY])
def test_killed_at_any_moment(
    trainer: Trainer, undisturbed: Path, tmp_path: Path, seed: int, writing: float
) -> None:
    """Up to three times one after the other: by the clock, or in the middle of a write."""
    folder, draw = tmp_path / "run", random.Random(seed)
    for _ in range(draw.randint(1, 3)):
        resume = (folder / "plan.json").exists()
        if not resume and folder.exists():
            for file in folder.iterdir():
                file.unlink()
        if draw.random() < 0.5:
            when: dict[str, float] = {"die_after": draw.uniform(0.05, 1.5)}
        else:
            when = {"die_at": draw.randint(1, calls_of(undisturbed))}
        trainer(SPEC, folder, resume=resume, writing=writing, **when)
    goes_on(trainer, folder)
    must_be_equal(folder, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("frozen", [False, True])
def test_killed_at_every_write(
    trainer: Trainer, undisturbed: Path, tmp_path: Path, frozen: bool
) -> None:
    """Also of what is frozen, which is written once."""
    spec = SPEC
    if frozen:
        spec += f'transfer {{ from "{undisturbed}", freeze until bn }}\n'
    whole, short = tmp_path / "whole", {"train.epochs": 2}
    assert trainer(spec, whole, set=short) == 0
    for call in range(1, calls_of(whole) + 1):
        folder = tmp_path / f"run{call}"
        assert trainer(spec, folder, set=short, die_at=call) == -9
        goes_on(trainer, folder, spec, set=short)
        must_be_equal(folder, whole)


OFTEN: dict[str, Any] = {"set": {"train.checkpoint": "every=1 steps"}, "again": True}


@pytest.fixture(scope="module")
def often(trainer: Trainer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("often") / "run"
    assert trainer(SPEC, folder, **OFTEN) == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(50))
def test_killed_while_another_thread_writes(
    trainer: Trainer, often: Path, tmp_path: Path, seed: int
) -> None:
    """With a checkpoint after every step, which training does not wait for."""
    folder, draw = tmp_path / "run", random.Random(1000 + seed)
    for _ in range(draw.randint(1, 3)):
        if draw.random() < 0.3:
            when: dict[str, float] = {"die_after": draw.uniform(0.05, 1.0)}
        else:
            when = {"die_at": draw.randint(1, calls_of(often))}
        trainer(SPEC, folder, writing=0.999, **OFTEN, **when)
    error = folder.with_suffix(".error")
    assert trainer(SPEC, folder, **OFTEN) == 0, error.read_text()
    must_be_equal(folder, often)


LARGE = """
network Large {
  input 1x8x8
  flatten
  fc 2000, relu
  fc 2000, relu
  fc classes
}
train {
  data digits
  epochs 1000
  batch 256
  optimizer adamw
  checkpoint every=1 steps
}
"""
"""A checkpoint has 50 MB: at most times, one is being written."""


@pytest.mark.slow
def test_killed_while_a_large_file_is_written(trainer: Trainer, tmp_path: Path) -> None:
    """30 times, one after the other: there is always a whole checkpoint to go on from."""
    folder, draw, steps, partial = tmp_path / "run", random.Random(0), 0, 0
    for _ in range(30):
        job = {"again": True, "die_writing": True, "die_after": draw.uniform(0, 0.3)}
        assert trainer(LARGE, folder, **job) == -9, folder.with_suffix(".error").read_text()
        partial += (folder / ".last.ckpt.partial").exists()
        found = read_newest(folder)
        if found is None:  # it was killed before its first step
            assert steps == 0
            continue
        assert found.path.name == "last.ckpt"
        assert found.note == ""
        assert found.state["position"]["steps"] >= steps
        steps = found.state["position"]["steps"]
        assert len([*folder.glob("*.ckpt")]) <= 3
    assert steps > 0
    assert partial > 0
