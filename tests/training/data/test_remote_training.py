"""Training on tar files elsewhere: the same weights as from a disk, whatever goes wrong."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

import dotcnn
from dotcnn import SpecError
from dotcnn.benchmarks.scaling.fault_server import FaultServer, Request, serving
from dotcnn.cli import main
from dotcnn.training.data.images import image_store

from ..small import equal, last
from .test_shards import SPEC, classes, packed

END = "flatten\n  fc classes"
COUNT = 12


@pytest.fixture(autouse=True)
def _stays_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOTCNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DOTCNN_PATIENCE", "20")
    monkeypatch.setattr(image_store, "place", lambda *args: "files")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FaultServer]:
    for place in range(2):
        packed(tmp_path / f"set/train-000{place}.tar", classes(COUNT * place, COUNT))
    with serving(tmp_path / "set") as server:
        yield server


def trained(root: Path, data: str, name: str, workers: int = 0, **more: object) -> Path:
    text = SPEC.format(data=data, end=END, more="seed 3").replace("workers 0", f"workers {workers}")
    spec = root / f"{name}.cnn"
    spec.write_text(text)
    dotcnn.train(spec, output=root / name, device="cpu", quiet=True, **more)  # type: ignore[arg-type]
    return root / name


def elsewhere(server: FaultServer) -> str:
    return f'"{server.url}/train-{{0000..0001}}.tar" val=25%'


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_the_same_weights_as_from_a_disk(tmp_path: Path, server: FaultServer, workers: int) -> None:
    chance = random.Random(1)

    def fault(request: Request) -> str | None:
        return chance.choice(["503", "cut", "short"]) if chance.random() < 0.3 else None

    local = trained(tmp_path, '"set" val=25%', "local")
    server.fault = fault
    remote = trained(tmp_path, f"{elsewhere(server)}", "remote", workers)
    assert equal(last(local), last(remote))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["jpeg", "raw"])
def test_a_pack(
    tmp_path: Path, server: FaultServer, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["pack", f'shards "{tmp_path / "set"}" val=25%', "--as", kind, "--workers", "1"]
    assert main([*command, "-o", str(server.folder / "pack")]) == 0
    local = trained(tmp_path, '"set/pack"', "local")
    wrong = {"pack/train-00000.tar"}

    def fault(request: Request) -> str | None:
        return "wrong" if request.path in wrong and not wrong.remove(request.path) else None

    server.fault = fault
    remote = trained(tmp_path, f'"{server.url}/pack"', "remote")
    assert server.faults["wrong"] == 1
    assert equal(last(local), last(remote))
    server.fault = lambda request: "wrong" if request.path.endswith(".tar") else None
    monkeypatch.setenv("DOTCNN_CACHE", str(tmp_path / "empty"))
    with pytest.raises(SpecError, match="checksum"):
        trained(tmp_path, f'"{server.url}/pack"', "wrong")


@pytest.mark.slow
def test_a_run_whose_source_goes_away_is_saved(
    tmp_path: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(tmp_path, elsewhere(server), "whole")
    server.requests.clear()
    monkeypatch.setenv("DOTCNN_CACHE", str(tmp_path / "empty"))
    monkeypatch.setenv("DOTCNN_PATIENCE", "0.2")
    monkeypatch.setenv("DOTCNN_CACHE_SIZE", "1")

    class Away(dotcnn.Callback):
        def step(self, step: object) -> None:
            server.fault = lambda request: "503"

    monkeypatch.setattr(
        "dotcnn.training.data.remote.remote_blocks.Blocks._at_hand", lambda self, file, number: None
    )
    with pytest.raises(SpecError, match="has not answered") as caught:
        trained(tmp_path, elsewhere(server), "away", callback=Away())
    assert "all steps until then are saved" in str(caught.value)
    assert "cnn train --resume" in str(caught.value)
    server.fault = lambda request: None
    dotcnn.train(resume=tmp_path / "away", device="cpu", quiet=True)
    assert equal(last(whole), last(tmp_path / "away"))
