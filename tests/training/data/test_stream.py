"""Worker processes: the same batches, and no hang when a worker dies."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.data.loader import memory_budget, worker_processes
from dotcnn.training.data.loader.batches import Batches, Sharing
from dotcnn.training.data.opened import Opened

from .sets import fill, opened

COUNTS = {"a": 60, "b": 60}


def streamed(root: Path, workers: int = 2) -> Opened:
    data = f'folder "{root}"\n  batch 4\n  workers {workers}'
    found = opened(data, opening={"budget": 0})
    assert found.where == "files"
    return found


@pytest.mark.filterwarnings("ignore:This DataLoader")  # has more workers than there are cores
def test_the_cores_are_shared_by_the_processes_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by those on other machines."""
    fill(tmp_path, COUNTS)
    monkeypatch.setattr("dotcnn.training.data.opened.cores", lambda: 8)
    found = opened(f'folder "{tmp_path}"\n  batch 32', opening={"budget": 0})
    stream = replace(found, sharing_cores=2).training(sharing=Sharing(rank=3, world=16))._stream
    assert stream is not None
    assert stream._loader.num_workers == 4


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


def test_images_read_ahead_take_a_bounded_number_of_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the batch and the number of workers; a batch larger than that comes in pieces."""
    fill(tmp_path, COUNTS)
    budget = 5 * worker_processes.AHEAD * 2 * 3 * 8 * 8
    monkeypatch.setattr(memory_budget, "MOST_SHARED", budget)
    data = f'folder "{tmp_path}"\n  batch 48\n  workers 2'
    found, kept = opened(data, opening={"budget": 0}), opened(data)
    batches = found.training()
    pairs = zip(kept.training()(0), batches(0), strict=True)
    assert all(torch.equal(first.images, second.images) for first, second in pairs)
    stream = batches._stream
    assert stream is not None
    assert stream._piece == 5
    batches.close()


@given(st.integers(0, 64), st.integers(1, 2**22), st.integers(0, 2**32))
def test_a_piece_is_as_large_as_the_budget_allows(
    workers: int, bytes_of_image: int, budget: int
) -> None:
    size = worker_processes.piece_size(bytes_of_image, workers, budget)
    ahead = worker_processes.AHEAD * max(1, workers) * bytes_of_image
    assert size == 1 or size * ahead <= budget
    assert (size + 1) * ahead > budget


def test_processes_of_a_machine_divide_its_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may have very little of it."""
    monkeypatch.setattr(memory_budget, "computer_budget", lambda: 2**50)
    monkeypatch.setattr(memory_budget, "free_shared_memory", lambda: 2**50)
    assert memory_budget.shared_budget(8) == memory_budget.MOST_SHARED
    monkeypatch.setattr(memory_budget, "free_shared_memory", lambda: 64 * 2**20)
    assert 8 * 2 * memory_budget.shared_budget(8) <= 32 * 2**20
