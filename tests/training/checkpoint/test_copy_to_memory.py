"""The copies of a GPU's tensors: what waits for what. (No GPU is needed: what stands for one copies
as late as it may.)"""

from __future__ import annotations

import mmap
import multiprocessing
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dotcnn.training.checkpoint import snapshot
from dotcnn.training.checkpoint.copy_to_memory import CudaCopies, Memory, size_of_buffers

from ..small import equal, gone_on, last, trained
from .test_background_writing import Copying

pytestmark = pytest.mark.usefixtures("no_report")


class LateCopies:
    """A GPU that copies nothing until something has to wait for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting: list[tuple[Tensor, Tensor]] = []
        self.memories: list[int] = []
        self.late = 0

    def memory(self, size: int) -> Memory:
        self.memories.append(size)
        return Memory(size)

    def start(
        self, tensors: Sequence[Tensor], buffers: Sequence[Tensor], changing: Collection[Tensor]
    ) -> Callable[[], None]:
        places = {tensor.data_ptr() for tensor in changing}
        sources = [one.clone() if one.data_ptr() in places else one for one in tensors]
        with self.lock:
            self.waiting = list(zip(sources, buffers, strict=True))
        done = threading.Event()

        def wait() -> None:
            done.wait(0.1)
            self.before_change()

        return wait

    def before_change(self) -> None:
        with self.lock:
            self.late += bool(self.waiting)
            for source, buffer in self.waiting:
                buffer.copy_(source)
            self.waiting.clear()


def test_weights_do_not_change_before_they_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever checkpoint a run goes on from, it comes to the same weights."""
    copies = LateCopies()
    monkeypatch.setattr(snapshot, "copies_from", lambda device: copies)
    monkeypatch.setattr(snapshot, "WORTH", 0)
    options: dict[str, Any] = {"train.ema": 0.9, "train.accumulate": 2}
    trained(tmp_path / "whole", set=options)

    copying = Copying(tmp_path / "run", {4, 7}, tmp_path)
    trained(
        tmp_path / "run",
        callback=copying,
        set={**options, "train.checkpoint": "every=1 steps keep=9"},
    )
    assert copies.late > 3
    assert equal(last(tmp_path / "run"), last(tmp_path / "whole"))
    for at in ("4", "7"):
        gone_on(tmp_path / at)
        assert equal(last(tmp_path / at), last(tmp_path / "whole"))
    assert len(copies.memories) <= 8  # two for each run


class Recorded:
    """Stands for `torch.cuda`, and notes what is asked of it."""

    def __init__(self, error: int = 0) -> None:
        self.calls: list[str] = []
        self.error = error
        self.now = Queue("the current stream", self.calls)

    def Stream(self, device: torch.device) -> Queue:  # noqa: N802
        return Queue("the stream of copies", self.calls)

    def Event(self, *, blocking: bool) -> Arrived:  # noqa: N802
        assert blocking  # else the thread that waits for it would take a core
        return Arrived(self.calls)

    def current_stream(self, device: torch.device) -> Queue:
        return self.now

    @contextmanager
    def stream(self, queue: Queue) -> Iterator[None]:
        self.calls.append(f"begin {queue.name}")
        yield
        self.calls.append(f"end {queue.name}")

    @contextmanager
    def device(self, device: torch.device) -> Iterator[None]:
        yield

    def cudart(self) -> Recorded:
        return self

    def cudaHostRegister(self, address: int, size: int, flags: int) -> int:  # noqa: N802
        self.calls.append(f"pin {size}")
        return self.error

    def cudaHostUnregister(self, address: int) -> None:  # noqa: N802
        self.calls.append("unpin")


class Queue:
    def __init__(self, name: str, calls: list[str]) -> None:
        self.name, self.calls = name, calls

    def wait_stream(self, other: Queue) -> None:
        self.calls.append(f"{self.name} waits for {other.name}")

    def wait_event(self, event: Arrived) -> None:
        self.calls.append(f"{self.name} waits for the copies")


class Arrived:
    def __init__(self, calls: list[str]) -> None:
        self.calls = calls

    def record(self, queue: Queue) -> None:
        self.calls.append(f"copied by {queue.name}")

    def synchronize(self) -> None:
        self.calls.append("the thread waits for the copies")


def test_a_stream_of_its_own() -> None:
    cuda = Recorded()
    copies = CudaCopies(torch.device("cuda", 0), cuda)
    memory = copies.memory(4096)
    copies.before_change()
    one = torch.randn(3)
    (buffer,) = memory.buffers([one])
    wait = copies.start([one], [buffer], [])
    copies.before_change()
    copies.before_change()
    wait()
    assert torch.equal(buffer, one)
    del memory
    assert cuda.calls == [
        "pin 4096",
        "the stream of copies waits for the current stream",
        "begin the stream of copies",
        "copied by the stream of copies",
        "end the stream of copies",
        "the current stream waits for the copies",
        "the thread waits for the copies",
        "unpin",
    ]
    assert torch.equal(buffer, one)  # a buffer keeps its memory


def test_memory_that_cannot_be_pinned() -> None:
    cuda = Recorded(error=2)
    memory = CudaCopies(torch.device("cuda", 0), cuda).memory(100)
    del memory
    assert cuda.calls == ["pin 100"]


def test_buffers_are_like_their_tensors() -> None:
    tensors = [
        torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
        torch.tensor(3),
        torch.empty(0, 4),
        torch.randn(3, 5).to(torch.bfloat16),
        torch.tensor([True, False]),
        torch.randn(4, 6)[:, ::2],
    ]
    memory = Memory(size_of_buffers(tensors))
    for tensor, buffer in zip(tensors, memory.buffers(tensors), strict=True):
        assert (buffer.dtype, buffer.shape) == (tensor.dtype, tensor.shape)
        assert buffer.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
        assert buffer.data_ptr() % 64 == 0
        assert torch.equal(buffer.copy_(tensor), tensor)
    assert memory.buffers(tensors)[0].stride() == tensors[0].stride()


def _frees(memory: list[Memory], connection: Any) -> None:
    """In a worker process: its threads and its memory may be where a map was in the other one."""
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    pages = [mmap.mmap(-1, memory[0].size, flags=private) for _ in range(50)]
    memory.clear()  # as the garbage collector does, whenever it likes
    for page in pages:
        page.write(b"a" * len(page))
    connection.send("all pages are there")


@pytest.mark.skipif(sys.platform != "linux", reason="worker processes are not forked")
def test_a_worker_frees_no_memory_of_its_own() -> None:
    """Maps that a fork leaves out are freed by it all the same: at addresses of something else."""
    memory = [Memory(16384)]
    here, there = multiprocessing.Pipe()
    with here, there:
        worker = multiprocessing.get_context("fork").Process(target=_frees, args=(memory, there))
        worker.start()
        worker.join(60)
        assert worker.exitcode == 0
        assert here.recv() == "all pages are there"
