"""`checkpoint keep=2`: a damaged checkpoint is noticed, and the one before it is taken."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zipfile import ZipFile

import pytest

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.checkpoint import kept_checkpoints
from dotcnn.training.checkpoint import writer as checkpoint_writer
from dotcnn.training.checkpoint.checkpoint import read_checkpoint, read_newest
from dotcnn.training.checkpoint.kept_checkpoints import checkpoints
from dotcnn.training.trainer.callbacks import Step

from ..small import Looker, equal, gone_on, last, trained

pytestmark = pytest.mark.usefixtures("no_report")


@pytest.fixture(autouse=True)
def every_checkpoint_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_writer, "WRITING", 1)


def names(folder: Path) -> list[str]:
    return [path.name for path in checkpoints(folder)]


def one_byte_changed(path: Path) -> None:
    """One of the contents, not of what fills the room between them."""
    data = bytearray(path.read_bytes())
    with ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda member: member.file_size)
        data[data.index(archive.read(largest)) + largest.file_size // 2] ^= 1
    path.write_bytes(data)


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 2 // 3)


def empty(path: Path) -> None:
    os.truncate(path, 0)


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (one_byte_changed, "do not match their checksum"),
        (cut_short, "truncated"),
        (empty, "empty"),
        (Path.unlink, "last.ckpt is missing"),
    ],
)
def test_the_one_before_is_taken(tmp_path: Path, harm: Callable[[Path], None], why: str) -> None:
    trained(tmp_path / "whole")
    folder = tmp_path / "run"
    trained(folder, callback=Looker(stop_after=14), set={"train.checkpoint": "every=4 steps"})
    assert names(folder) == ["last.ckpt", "step-12.ckpt"]
    harm(folder / "last.ckpt")
    looker = Looker()
    gone_on(folder, callback=looker)
    (note,) = [note for note in looker.notes if "the one before it" in note]
    assert why in note
    assert note.endswith("training goes on from step-12.ckpt, the one before it")
    assert equal(last(folder), last(tmp_path / "whole"))
    assert names(folder) == ["last.ckpt", "step-16.ckpt"]  # what was damaged is not kept


def test_all_are_damaged(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    trained(folder, callback=Looker(stop_after=9), set={"train.checkpoint": "every=4 steps"})
    for path in checkpoints(folder):
        one_byte_changed(path)
    with pytest.raises(SpecError, match=r"last\.ckpt cannot be used: it is damaged"):
        gone_on(folder)


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        ("", ["last.ckpt", "step-16.ckpt"]),
        (" keep=1", ["last.ckpt"]),
        (" keep=4", ["last.ckpt", "step-16.ckpt", "step-12.ckpt", "step-8.ckpt"]),
    ],
)
def test_keep(tmp_path: Path, keep: str, kept: list[str]) -> None:
    trained(tmp_path / "run", set={"train.checkpoint": f"every=4 steps{keep}"})
    assert names(tmp_path / "run") == kept
    for path in checkpoints(tmp_path / "run"):
        number = path.stem.removeprefix("step-")
        steps = read_checkpoint(path)["position"]["steps"]
        assert steps == (18 if number == "last" else int(number))


def test_from_an_older_one_on(tmp_path: Path) -> None:
    """Checkpoints of steps that are made once more are replaced."""
    folder = tmp_path / "run"
    trained(folder, set={"train.checkpoint": "every=4 steps keep=6"})
    (folder / "step-8.ckpt").replace(folder / "last.ckpt")
    gone_on(folder, set={"train.epochs": 2})
    assert names(folder) == ["last.ckpt", "step-8.ckpt", "step-6.ckpt", "step-4.ckpt"]


def test_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file then has no second name, and for a moment there is no last checkpoint."""

    def refused(*paths: Path) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refused)
    replace = os.replace
    steps: list[int] = []

    def noted(source: Path, target: Path) -> None:
        replace(source, target)
        if str(target).endswith(".ckpt"):
            found = read_newest(tmp_path / "run")
            assert found is not None
            steps.append(found.state["position"]["steps"])

    monkeypatch.setattr(os, "replace", noted)
    trained(tmp_path / "run", set={"train.checkpoint": "every=4 steps", "train.epochs": 2})
    assert names(tmp_path / "run") == ["last.ckpt", "step-8.ckpt"]
    assert steps == sorted(steps)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has room for two checkpoints, one of them half written: the older one goes."""
    folder, fsync = tmp_path / "run", os.fsync

    def small_disk(handle: int) -> None:
        on_disk = {(each.stat().st_ino, each.suffix) for each in folder.glob("*step-*.ckpt")}
        if threading.current_thread().name.startswith("checkpoint") and len(on_disk) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(handle)

    free: dict[str, Any] = {"f_bavail": 1000, "f_frsize": 1}
    monkeypatch.setattr(kept_checkpoints.os, "statvfs", lambda path: SimpleNamespace(**free))
    monkeypatch.setattr(os, "fsync", small_disk)
    looker = Looker()
    trained(folder, callback=looker, set={"train.checkpoint": "every=4 steps keep=3"})
    (note,) = [note for note in looker.notes if "disk is full" in note]
    assert note.startswith("the disk is full: removed step-")
    assert not [note for note in looker.notes if "cannot write" in note]
    assert names(folder) == ["last.ckpt"]
    assert read_checkpoint(folder / "last.ckpt")["position"]["steps"] == 18


def test_a_resumed_run_does_not_need_the_file(tmp_path: Path) -> None:
    """Nothing that changes is part of the file any more, which can be removed from the disk."""
    trained(tmp_path / "run", callback=Looker(stop_after=9), set={"train.ema": 0.9})
    mapped: list[str] = []

    class Looking(Looker):
        def step(self, step: Step) -> None:
            maps = Path("/proc/self/maps")
            if maps.exists():
                mapped.extend(
                    line for line in maps.read_text().splitlines() if f"{tmp_path}" in line
                )

    gone_on(tmp_path / "run", callback=Looking())
    assert mapped == []
