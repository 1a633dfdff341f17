"""Data that several processes open: each decodes a share, and all have the same images.

Threads stand for the processes of a machine here; two real ones are in
`runtime/test_distributed.py`.
"""

from __future__ import annotations

import gc
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy
import pytest
import torch

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.data import open as opening
from dotcnn.training.data.images import check_files, image_store, pixel_statistics
from dotcnn.training.data.loader import shared_memory, store
from dotcnn.training.data.loader.image_source import Arrays, Contents, Files
from dotcnn.training.data.loader.memory_budget import place
from dotcnn.training.data.loader.packed_strings import Strings
from dotcnn.training.data.loader.store import InMemory
from dotcnn.training.data.opened import Opened
from dotcnn.training.data.sources.read import contents as read_contents
from dotcnn.training.runtime.memory_errors import is_out_of_memory
from dotcnn.training.runtime.process_group import Processes

from .sets import fill, opened

T = TypeVar("T")
WORLD = 3
FILES = {"a": 25, "b": 25}


class Together(Processes):
    """One of several threads that stand for processes."""

    def __init__(self, rank: int, values: list[Any], barrier: threading.Barrier) -> None:
        super().__init__(rank, WORLD)
        self.values = values
        self.barrier = barrier

    def gathered(self, value: Any) -> list[Any]:
        self.values[self.rank] = value
        self.barrier.wait(timeout=60)
        values = list(self.values)
        self.barrier.wait(timeout=60)
        return values


def in_each(work: Callable[[Processes], T]) -> list[T]:
    """What each of the processes returns."""
    values, barrier = [None] * WORLD, threading.Barrier(WORLD)
    with ThreadPoolExecutor(WORLD) as pool:
        return list(pool.map(lambda rank: work(Together(rank, values, barrier)), range(WORLD)))


def opened_by_all(root: Path, **options: Any) -> list[Opened]:
    return in_each(
        lambda processes: opened(
            f'folder "{root}" bad=9%', opening={"processes": processes, "threads": 1, **options}
        )
    )


def spoiled(root: Path) -> Path:
    """Files, two of which are bad."""
    fill(root, FILES)
    (root / "a" / "007.png").write_bytes(b"")
    (root / "b" / "013.png").write_text("no picture")
    return root


def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> Counter[str]:
    """How often a function is called with each file."""
    seen: Counter[str] = Counter()
    before = getattr(module, name)

    def counting(path: str, *others: Any) -> Any:
        seen[path] += 1
        return before(path, *others)

    monkeypatch.setattr(module, name, counting)
    return seen


@pytest.mark.skipif(not hasattr(shared_memory.os, "memfd_create"), reason="only on Linux")
def test_images_are_decoded_once_into_memory_that_all_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = opened(f'folder "{spoiled(tmp_path)}" bad=9%')
    decoded = counted(monkeypatch, store, "decode")
    found = opened_by_all(tmp_path)
    assert set(decoded.values()) == {1}
    assert len(decoded) == 50
    for each in found:
        assert each.dataset == alone.dataset
        assert each.preparation == alone.preparation
        for part in ("train", "val"):
            ours, theirs = each.stores[part], alone.stores[part]
            assert isinstance(ours, InMemory)
            assert isinstance(theirs, InMemory)
            assert torch.equal(ours.images, theirs.images)
            assert torch.equal(ours.labels, theirs.labels)
    first, second = found[0].stores["val"], found[1].stores["val"]
    assert isinstance(first, InMemory)
    assert isinstance(second, InMemory)
    assert first.images.data_ptr() != second.images.data_ptr()
    first.images[0] = 77
    assert second.images[0].eq(77).all()


@pytest.mark.skipif(not hasattr(shared_memory.os, "memfd_create"), reason="only on Linux")
@pytest.mark.parametrize("input", ["3x8x8", "3x6x6"])
def test_arrays_are_read_once_into_memory_that_all_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, input: str
) -> None:
    """By one process of the machine; none of the others has a copy of its own."""
    pixels = numpy.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=numpy.uint8)
    labels = numpy.arange(40) % 3
    numpy.savez(tmp_path / "set.npz", x_train=pixels, y_train=labels)
    data = f'npz "{tmp_path / "set.npz"}"'
    alone = opened(data, input=input)
    read: list[int] = []

    def contents(*given: Any, **options: Any) -> Any:
        read.append(1)
        return read_contents(*given, **options)

    monkeypatch.setattr(opening, "contents", contents)
    found = in_each(lambda processes: opened(data, input=input, opening={"processes": processes}))
    assert len(read) == 1
    for part in ("train", "val"):
        expected = alone.stores[part]
        assert isinstance(expected, InMemory)
        for each in found:
            store = each.stores[part]
            assert isinstance(store, InMemory)
            assert torch.equal(store.images, expected.images)
            assert torch.equal(store.labels, expected.labels)
            assert each.name(part, 3) == alone.name(part, 3)
            assert isinstance(store.source, Arrays)
            assert store.source.images.is_meta
        found[0].stores[part].images[0] = 77  # type: ignore[union-attr]
        assert found[1].stores[part].images[0].eq(77).all()  # type: ignore[union-attr]


def test_arrays_without_shared_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then each process reads them; if the memory is too small for them, all end."""
    numpy.savez(tmp_path / "set.npz", x_train=numpy.zeros((40, 8, 8, 3)), y_train=[0, 1] * 20)
    data = f'npz "{tmp_path / "set.npz"}"'
    create = shared_memory._create
    monkeypatch.setattr(shared_memory, "_create", lambda size: None)
    found = in_each(lambda processes: opened(data, opening={"processes": processes}))
    images = [each.stores["train"].images for each in found]  # type: ignore[union-attr]
    assert len({image.data_ptr() for image in images}) == WORLD
    monkeypatch.setattr(shared_memory, "_create", lambda size: create(size) if size == 1 else None)

    def ends(processes: Processes) -> bool:
        with pytest.raises(MemoryError, match="shared memory"):
            opened(data, opening={"processes": processes})
        return True

    assert in_each(ends) == [True] * WORLD


def test_files_are_checked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one process finds, all of them leave out; pixels are measured on a share of files."""
    root = spoiled(tmp_path / "set")
    alone = opened(f'folder "{root}" bad=9%', opening={"budget": 0})
    monkeypatch.setenv("DOTCNN_CACHE", str(tmp_path / "other"))
    checked = counted(monkeypatch, check_files, "_reason")
    read = counted(monkeypatch, store, "decode")
    found = opened_by_all(root, budget=0)
    assert set(checked.values()) == {1}
    assert len(checked) == 50
    assert set(read.values()) == {1}
    for each in found:
        assert each.where == "files"
        assert each.dataset == alone.dataset
        assert each.preparation == alone.preparation
    checked.clear()
    opened_by_all(root, budget=0)
    assert not checked, "all of them are remembered"


def test_without_shared_memory_each_has_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For which there must be room: for the copies of all processes of this machine."""
    fill(tmp_path, FILES)
    monkeypatch.setattr(shared_memory, "_create", lambda size: None)
    size = 50 * 3 * 8 * 8
    for budget, where in ((WORLD * size, "device"), (WORLD * size - 1, "files")):
        found = opened_by_all(tmp_path, budget=budget)
        assert {each.where for each in found} == {where}
    monkeypatch.undo()
    assert {each.where for each in opened_by_all(tmp_path, budget=size)} == {"device"}


def test_a_process_that_cannot_see_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one on another machine: then none of them uses it."""
    fill(tmp_path, FILES)
    mapped = shared_memory._mapped
    turns = iter([False, True, True])
    monkeypatch.setattr(
        shared_memory, "_mapped", lambda *given: mapped(*given) if next(turns) else None
    )
    one, two, three = opened_by_all(tmp_path)
    images = [each.stores["train"].images for each in (one, two, three)]  # type: ignore[union-attr]
    images[0][0] = 77
    assert not images[1][0].eq(77).all()


def test_all_agree_where_images_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The free memory changes while they look."""
    fill(tmp_path, FILES)
    answers = iter(["device", "files", "device"])
    monkeypatch.setattr(image_store, "place", lambda *given: next(answers))
    assert {each.where for each in opened_by_all(tmp_path)} == {"files"}


@pytest.mark.parametrize("where", ["contents", "unusable", "measured"])
def test_an_error_in_one_process_is_raised_in_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """None of them waits for the others for ever."""
    fill(tmp_path, FILES)
    module, name = {
        "contents": (opening, "contents"),
        "unusable": (image_store, "unusable"),
        "measured": (pixel_statistics, "counted"),
    }[where]
    before, lock, failed = getattr(module, name), threading.Lock(), []

    def failing(*given: Any, **options: Any) -> Any:
        with lock:
            first = not failed
            failed.append(first)
        if first:
            raise MemoryError("no room")
        return before(*given, **options)

    monkeypatch.setattr(module, name, failing)

    def ends(processes: Processes) -> str:
        with pytest.raises((SpecError, MemoryError)) as caught:
            opened(f'folder "{tmp_path}"', opening={"processes": processes, "budget": 0})
        return str(caught.value)

    messages = in_each(ends)
    assert len(messages) == WORLD
    assert sum("MemoryError: no room" in message for message in messages) == WORLD - 1


def test_a_failure_keeps_nothing_in_memory() -> None:
    """What did not fit is computed again in smaller parts, for which there must be room."""

    def fail(tensor: Any) -> None:
        assert tensor is not None
        raise torch.OutOfMemoryError("CUDA out of memory")

    def alive_after(processes: Processes) -> bool:
        tensor = torch.ones(3)
        alive = weakref.ref(tensor)
        work = [partial(fail, tensor)]
        del tensor
        with suppress(torch.OutOfMemoryError):
            processes.together(work.pop())
        return alive() is not None

    gc.disable()
    try:
        assert in_each(alive_after) == [False] * WORLD
    finally:
        gc.enable()


def test_all_run_out_of_memory_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the images fit into one GPU and not into another, no process goes on alone."""
    fill(tmp_path, FILES)
    turns, lock = iter([True, *[False] * 100]), threading.Lock()

    before = InMemory.__init__

    def made(*given: Any) -> None:
        with lock:
            fails = next(turns)
        if fails:
            raise torch.OutOfMemoryError("CUDA out of memory")
        before(*given)

    monkeypatch.setattr(InMemory, "__init__", made)

    def ends(processes: Processes) -> bool:
        with pytest.raises((torch.OutOfMemoryError, MemoryError)) as caught:
            opened(f'folder "{tmp_path}"', opening={"processes": processes})
        return is_out_of_memory(caught.value)

    assert in_each(ends) == [True] * WORLD


def test_one_process_of_a_machine_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others read what is there then."""
    order: list[int] = []

    def read(rank: int) -> Any:
        order.append(rank)
        return Contents("set", (), {"train": Files("", Strings([]), torch.zeros(0))}, "here")

    in_each(lambda p: opening._read_by_each(lambda: read(p.rank), p, only_names=False))
    assert order[0] == 0
    assert sorted(order) == [0, 1, 2]


def test_copies_of_all_processes_must_fit() -> None:
    """Also if images end on a GPU: they are decoded in main memory."""
    gpu = torch.device("cuda")
    assert place(100, gpu, True, 8, 800) == "device"
    assert place(100, gpu, True, 8, 799) == "files"
    assert place(100, gpu, False, 8, 799) == "device"  # arrays are in memory anyway
