"""`data shards` at addresses: ranges, faults, the cache, and the same weights as from a disk."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dotcnn import SpecError
from dotcnn.benchmarks.scaling.fault_server import FaultServer, serving
from dotcnn.training.commands.common import add_cache, use_cache
from dotcnn.training.data.images.checked_files import cache_folder
from dotcnn.training.data.remote.address import below, host_of, parent, secret_in, shown
from dotcnn.training.data.remote.block_cache import BLOCK, BlockCache
from dotcnn.training.data.remote.notes import shown_by
from dotcnn.training.data.remote.object_store import ObjectStore
from dotcnn.training.data.remote.remote_blocks import RemoteFile, Wanted, blocks
from dotcnn.training.data.remote.remote_settings import bytes_in, cache_size
from dotcnn.training.data.remote.remote_shards import opened, tar_files

SIZE = 3 * BLOCK + 1000
DATA = random.Random(0).randbytes(SIZE)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOTCNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DOTCNN_PATIENCE", "20")
    return tmp_path / "cache" / "remote"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FaultServer]:
    (tmp_path / "web").mkdir()
    (tmp_path / "web/a.tar").write_bytes(DATA)
    with serving(tmp_path / "web") as server:
        yield server


@pytest.fixture
def file(server: FaultServer) -> RemoteFile:
    return opened(f"{server.url}/a.tar")


def first(times: int, fault: str) -> object:
    return lambda request: fault if request.number <= times + 1 else None  # 1 opened the file


# ---- ranges and faults -------------------------------------------------------------------------


def test_only_the_blocks_that_are_wanted_are_fetched(server: FaultServer, file: RemoteFile) -> None:
    assert file.size == SIZE
    assert blocks().read(file, BLOCK + 5, BLOCK + 50) == DATA[BLOCK + 5 : BLOCK + 50]
    assert server.sent["a.tar"] == BLOCK + 1
    assert blocks().read(file, BLOCK - 5, BLOCK + 50) == DATA[BLOCK - 5 : BLOCK + 50]
    assert blocks().read(file, SIZE - 5, SIZE + 50) == DATA[-5:]
    assert [(each.start, each.stop) for each in server.requests[1:]] == [
        (BLOCK, 2 * BLOCK), (0, BLOCK), (3 * BLOCK, SIZE),
    ]  # fmt: skip


def test_what_is_wanted_soon_is_fetched_together(server: FaultServer, file: RemoteFile) -> None:
    blocks().ahead([Wanted(file, 3 * BLOCK, SIZE), Wanted(file, 0, 10), Wanted(file, BLOCK, SIZE)])
    assert blocks().read(file, 0, SIZE) == DATA
    assert len(server.requests) == 2
    assert server.sent["a.tar"] == SIZE + 1


@pytest.mark.parametrize("fault", ["503", "429", "cut", "short", "reset"])
def test_what_passes_is_tried_again(server: FaultServer, file: RemoteFile, fault: str) -> None:
    server.fault = lambda request: fault if request.number == 2 else None
    assert blocks().read(file, 10, SIZE) == DATA[10:]
    assert server.faults[fault] == 1
    if fault in ("cut", "short"):  # what had arrived is not fetched again
        assert server.requests[-1].start > BLOCK


def test_a_server_that_ignores_ranges(server: FaultServer, file: RemoteFile) -> None:
    said: list[str] = []
    server.fault = lambda request: "whole"
    with shown_by(said.append):
        assert blocks().read(file, 10, 20) == DATA[10:20]
        assert blocks().read(file, 0, SIZE) == DATA
    assert len(server.requests) == 2
    assert "ignores ranges" in said[0]


@pytest.mark.parametrize(
    ("fault", "said"),
    [("404", "does not have it: 404"), ("403", "access is refused: 403")],
)
def test_what_is_final(server: FaultServer, file: RemoteFile, fault: str, said: str) -> None:
    server.fault = lambda request: fault
    with pytest.raises(SpecError, match=said):
        blocks().read(file, 0, 10)
    assert len(server.requests) == 2


def test_a_file_that_changes(server: FaultServer, file: RemoteFile) -> None:
    (server.folder / "a.tar").write_bytes(DATA[::-1])
    with pytest.raises(SpecError, match=r"a\.tar has changed since it was opened"):
        blocks().read(file, 0, 10)


def test_a_source_that_is_gone(
    server: FaultServer, file: RemoteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOTCNN_PATIENCE", "0.3")
    said: list[str] = []
    server.close()
    with shown_by(said.append), pytest.raises(SpecError, match="has not answered for"):
        blocks().read(file, 0, 10)
    assert "trying again" in said[0]


def test_nothing_secret_is_shown() -> None:
    url = "https://me:word@host/set/a.tar?X-Amz-Signature=abc"
    assert shown(url) == "https://host/set/a.tar"
    assert host_of(url) == "host"
    assert secret_in(url)
    assert secret_in("https://host/a.tar?sig=abc")
    assert not secret_in("s3://bucket/a@b.tar")
    assert below("https://host/set?x=1", "a.tar") == "https://host/set/a.tar?x=1"
    assert parent("s3://bucket/set/a.tar") == "s3://bucket/set"


def test_sizes() -> None:
    assert bytes_in("50GB") == 50 * 10**9
    assert bytes_in("1.5 MiB") == 3 * 2**19
    assert bytes_in("1000") == 1000
    assert bytes_in("much") is None


# ---- the cache ---------------------------------------------------------------------------------


def test_the_cache_is_bounded_and_the_oldest_go_first(cache: Path) -> None:
    kept = BlockCache(cache, 20 * BLOCK)
    data = memoryview(bytes(BLOCK))
    for number in range(50):
        assert kept.store("key", number, data)
        os.utime(cache / "key" / str(number), (number, number))
    left = sorted(int(file.name) for file in (cache / "key").iterdir())
    assert len(left) <= 22
    assert left[-10:] == [*range(40, 50)]
    kept.close()


def test_a_command_names_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOTCNN_CACHE_SIZE", "1")
    parser = argparse.ArgumentParser()
    add_cache(parser)
    use_cache(parser.parse_args(["--cache", str(tmp_path / "other"), "--cache-size", "50GB"]))
    assert cache_folder() == tmp_path / "other"
    assert cache_size() == 50 * 10**9
    with pytest.raises(SystemExit):
        parser.parse_args(["--cache-size", "much"])


def test_what_is_damaged_or_unfinished_is_never_read(server: FaultServer, cache: Path) -> None:
    file = opened(f"{server.url}/a.tar")
    blocks().read(file, 0, SIZE)
    for number, damage in enumerate([b"", b"short", bytes(BLOCK + 4)]):
        (cache / file.key / str(number)).write_bytes(damage)
    (cache / file.key / "3.1-1.part").write_bytes(b"unfinished")
    assert blocks().read(file, 0, SIZE) == DATA


def test_a_full_disk_costs_requests_only(
    server: FaultServer, file: RemoteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(BlockCache, "_room", lambda self: 0)
    with shown_by(said.append):
        assert blocks().read(file, 0, SIZE) == DATA
        assert blocks().read(file, 0, SIZE) == DATA
    assert "keeps nothing more" in said[0]


def _read_all(url: str, done: object) -> None:
    file = opened(url)
    for number in range(4):
        assert (
            blocks().read(file, number * BLOCK, number * BLOCK + 100)
            == DATA[number * BLOCK : number * BLOCK + 100]
        )


def test_processes_share_a_cache(server: FaultServer, file: RemoteFile) -> None:
    """A fork while threads of the parent fetch is survived, too."""
    blocks().read(file, SIZE - 10, SIZE)
    server.delay = 0.05
    context = multiprocessing.get_context("fork")
    url = f"{server.url}/a.tar"
    others = [context.Process(target=_read_all, args=(url, None)) for _ in range(3)]
    for each in others:
        each.start()
    for each in others:
        each.join(20)
        assert each.exitcode == 0
    asked = [each.start for each in server.requests if each.stop - each.start > 1]
    assert sorted(asked) == [0, BLOCK, 2 * BLOCK, 3 * BLOCK]


def _read_for_ever(url: str) -> None:
    file = opened(url)
    while True:
        assert blocks().read(file, 0, SIZE) == DATA
        blocks().forget(file, 0, SIZE)


def test_a_killed_process_leaves_nothing_that_is_read(
    server: FaultServer, file: RemoteFile, cache: Path
) -> None:
    context = multiprocessing.get_context("fork")
    for round in range(3):
        process = context.Process(target=_read_for_ever, args=(f"{server.url}/a.tar",))
        process.start()
        assert process.pid is not None
        time.sleep(0.1 + 0.03 * round)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert blocks().read(file, 0, SIZE) == DATA
        blocks().forget(file, 0, SIZE)


# ---- stores ------------------------------------------------------------------------------------


def test_packages_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    usual = builtins.__import__

    def without(name: str, *rest: object, **named: object) -> object:
        if name.partition(".")[0] in ("s3fs", "gcsfs", "botocore"):
            raise ImportError(name)
        return usual(name, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SpecError, match=r"read with s3fs.*\n.*dotcnn\[remote\]"):
        ObjectStore().files("s3://bucket/set")
    with pytest.raises(SpecError, match="xyz:// is not known"):
        ObjectStore().files("xyz://bucket/set")


def test_a_store_of_fsspec(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.pipe("/set/train-0.tar", DATA)
    try:
        (file,) = tar_files(["memory://set"])
        assert file.size == SIZE
        assert blocks().read(file, 10, BLOCK + 10) == DATA[10 : BLOCK + 10]
        memory.pipe("/set/train-0.tar", DATA[:10])
        with pytest.raises(SpecError, match="has changed"):
            blocks().read(file, 3 * BLOCK, SIZE)
    finally:
        memory.rm("/set", recursive=True)


def test_a_store_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Azure's client does: without an account, and with a wrong key."""
    fsspec = pytest.importorskip("fsspec")

    class RefusedError(Exception):
        status_code = 403

    class Store(fsspec.AbstractFileSystem):  # type: ignore[misc,name-defined]
        account = ""

        def __init__(self, **options: object) -> None:
            super().__init__(**options)
            if not self.account:
                raise ValueError("Must provide an account")

        def info(self, path: str, **_: object) -> dict[str, object]:
            raise RefusedError("Failed to authenticate. RequestId: 1")

    fsspec.register_implementation("refusing", Store, clobber=True)
    with pytest.raises(SpecError, match="it cannot be opened: Must provide an account"):
        tar_files(["refusing://set/1.tar"])
    monkeypatch.setattr(Store, "account", "me")
    with pytest.raises(SpecError, match=r"refused: Failed to authenticate\n") as caught:
        tar_files(["refusing://set/1.tar"])
    assert "are the credentials right" in str(caught.value)


def test_an_empty_folder_of_the_cache_may_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process deletes it between two calls."""
    cache = BlockCache(tmp_path / "cache", 10**9)
    usual, left = os.makedirs, 3

    def makedirs(path: str, **options: bool) -> None:
        nonlocal left
        usual(path, **options)
        left -= 1
        if left >= 0:
            os.rmdir(path)

    monkeypatch.setattr(os, "makedirs", makedirs)
    assert cache.store("key", 0, memoryview(b"block"))
    assert cache.load("key", 0, 5) == b"block"
    cache.close()
