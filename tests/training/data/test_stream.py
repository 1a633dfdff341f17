"""Worker processes: the same batches, and no hang when a worker dies."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.data.loader.batches import Batches
from dotcnn.training.data.open import Opened

from .sets import fill, opened

COUNTS = {"a": 60, "b": 60}


def streamed(root: Path, workers: int = 2) -> Opened:
    data = f'folder "{root}"\n  batch 4\n  workers {workers}'
    found = opened(data, opening={"budget": 0})
    assert found.where == "files"
    return found


def workers_of(batches: Batches) -> list[int]:
    stream = batches._stream
    assert stream is not None
    return [worker.pid for worker in stream._loader._iterator._workers]  # type: ignore[union-attr]


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_same_as_in_memory_epoch_after_epoch(tmp_path: Path) -> None:
    fill(tmp_path, COUNTS)
    found = streamed(tmp_path)
    kept = opened(f'folder "{tmp_path}"\n  batch 4')
    batches = found.training()
    for epoch in (0, 1):
        pairs = zip(kept.training()(epoch), batches(epoch), strict=True)
        for first, second in pairs:
            assert torch.equal(first.images, second.images)
            assert torch.equal(first.labels, second.labels)
    reading = workers_of(batches)
    assert len(reading) == 2
    assert 0 < batches.waiting <= 1
    batches.close()
    assert not any(alive(process) for process in reading)


@pytest.mark.parametrize("workers", [0, 2])
def test_nothing_is_drawn_from_what_the_network_learns_with(tmp_path: Path, workers: int) -> None:
    """So that a run that was stopped and went on draws what it would have drawn."""
    fill(tmp_path, {"a": 10, "b": 10})
    before = torch.get_rng_state()
    batches = streamed(tmp_path, workers).training()
    list(batches(0))
    batches.close()
    assert torch.equal(torch.get_rng_state(), before)


def test_an_epoch_that_ends_early(tmp_path: Path) -> None:
    """The next one begins with its own images."""
    fill(tmp_path, COUNTS)
    batches = streamed(tmp_path).training()
    for _ in zip(range(3), batches(0), strict=False):
        pass
    expected = [batch.indices.tolist() for batch in streamed(tmp_path, 0).training()(1)]
    assert [batch.indices.tolist() for batch in batches(1)] == expected
    batches.close()


def test_batches_that_nobody_wants_any_more_end_their_processes(tmp_path: Path) -> None:
    fill(tmp_path, COUNTS)
    batches = streamed(tmp_path).training()
    next(batches(0))
    reading = workers_of(batches)
    del batches
    assert not any(alive(process) for process in reading)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_process_that_is_killed(tmp_path: Path) -> None:
    """As the system does where memory runs out: a message where images are waited for, nowhere
    else, and no hang."""
    fill(tmp_path, COUNTS)
    batches = streamed(tmp_path).training()
    going = batches(0)
    next(going)
    for process in workers_of(batches):
        os.kill(process, signal.SIGKILL)
    for _ in range(100_000):  # time for a signal to arrive
        pass
    with pytest.raises(SpecError) as caught:
        for _ in going:
            pass
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "worker-died"
    assert "workers 2" in diagnostic.help
    batches.close()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_disappears_during_training(tmp_path: Path, workers: int) -> None:
    fill(tmp_path, {"a": 10, "b": 10})
    found = streamed(tmp_path, workers)
    for path in (tmp_path / "a").iterdir():
        path.unlink()
    batches = found.training()
    with pytest.raises(SpecError) as caught:
        list(batches(0))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "bad-file"
    assert str(tmp_path / "a") in diagnostic.message
    batches.close()


def test_an_epoch_without_anything_left(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 10, "b": 10})
    batches = streamed(tmp_path, 1).training()
    assert list(batches(0, 16)) == []
    batches.close()
