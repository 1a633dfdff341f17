"""Training on tar files elsewhere: the same weights as from a disk, whatever goes wrong."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import dotcnn
from dotcnn import SpecError
from dotcnn.benchmarks.scaling.fault_server import FaultServer, Request, serving
from dotcnn.cli import main
from dotcnn.training.checkpoint.checkpoint import read_checkpoint
from dotcnn.training.data.images import image_store
from dotcnn.training.runtime.distributed import free_port

from ..small import equal, last
from ..starting import Trainer
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


def trained(
    root: Path, data: str, name: str, workers: int = 0, spec: str = "", **more: object
) -> Path:
    text = SPEC.format(data=data, end=END, more=f"seed 3\n{spec}").replace(
        "workers 0", f"workers {workers}"
    )
    path = root / f"{name}.cnn"
    path.write_text(text)
    dotcnn.train(path, output=root / name, device="cpu", quiet=True, **more)  # type: ignore[arg-type]
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


@pytest.mark.slow
def test_a_source_that_goes_away_from_several_processes(
    tmp_path: Path, server: FaultServer, trainer: Trainer
) -> None:
    """Only one of them may notice: all end with the same step, and say why once. It goes away while
    the network is validated, and then within a step."""
    spec, error = tmp_path / "net.cnn", tmp_path / "error.txt"
    packed(tmp_path / "set/val-0000.tar", classes(0, 4))
    data = f'"{server.url}/train-{{0000..0001}}.tar" val="{server.url}/val-0000.tar"'
    text = SPEC.format(data=data, end=END, more="seed 3, accumulate 2")
    spec.write_text(text)

    def code(run: str) -> int:
        error.unlink(missing_ok=True)
        command = ("train", spec, "-o", tmp_path / run, "--resume", "--device", "cpu")
        job = {"world": 2, "port": free_port(), "on_disk": True}
        environment = {"DOTCNN_CACHE_SIZE": "1", "DOTCNN_PATIENCE": "0.3"}
        return trainer.command(*command, error=error, environment=environment, **job)

    def ended_after() -> int:
        """The steps that were saved, after a run that ended since the source is away."""
        assert code("away") == 1
        said = error.read_text()
        assert said.count("error[") == 1
        assert "error[source-gone]" in said
        assert "all steps until then are saved" in said
        return int(read_checkpoint(tmp_path / "away/last.ckpt")["position"]["steps"])

    assert code("whole") == 0
    metrics, left = tmp_path / "away/metrics.jsonl", 10

    def after_an_epoch(request: Request) -> str | None:
        validated = metrics.exists() and metrics.read_text()  # before the first step
        return "503" if validated and "val" in request.path else None

    def after_some_images(request: Request) -> str | None:
        nonlocal left
        left -= len(metrics.read_text().splitlines()) == 2
        return "503" if left < 0 else None

    server.fault = after_an_epoch
    assert ended_after() == 3
    server.fault = after_some_images
    assert 3 <= ended_after() <= 5
    server.fault = lambda request: None
    assert code("away") == 0, error.read_text()
    assert equal(last(tmp_path / "whole"), last(tmp_path / "away"))


class Ended(dotcnn.Callback):
    """The source goes away at a step, or falls silent; then the run is asked to end."""

    def __init__(self, server: FaultServer, at: int, fault: str) -> None:
        self.server, self.at, self.fault, self.steps = server, at, fault, 0

    def step(self, step: object) -> None:
        self.steps += 1
        if self.steps == self.at:
            self.server.fault = lambda request: self.fault
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()


@pytest.mark.skipif(os.name == "nt", reason="there are no such signals")
@pytest.mark.parametrize(
    ("workers", "fault", "accumulate"),
    [
        (0, "503", 2),
        pytest.param(0, "silent", 1, marks=pytest.mark.slow),
        pytest.param(2, "503", 1, marks=pytest.mark.slow),
        pytest.param(2, "silent", 1, marks=pytest.mark.slow),
    ],
)
def test_a_signal_does_not_wait_for_the_source(
    tmp_path: Path,
    server: FaultServer,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
    fault: str,
    accumulate: int,
) -> None:
    more = f"accumulate {accumulate}"
    monkeypatch.setenv("DOTCNN_CACHE_SIZE", "1")
    whole = trained(tmp_path, elsewhere(server), "whole", workers, spec=more)
    monkeypatch.setenv("DOTCNN_PATIENCE", "600")
    monkeypatch.setattr(
        "dotcnn.training.data.remote.remote_blocks.Blocks._at_hand", lambda self, file, number: None
    )
    began = time.monotonic()
    ended = Ended(server, 2, fault)
    trained(tmp_path, elsewhere(server), "away", workers, spec=more, callback=ended)
    assert time.monotonic() - began < 60
    assert read_checkpoint(tmp_path / "away/last.ckpt")["position"]["steps"] == ended.steps
    server.fault = lambda request: None
    dotcnn.train(resume=tmp_path / "away", device="cpu", quiet=True)
    assert equal(last(whole), last(tmp_path / "away"))


def test_waiting_before_training_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Classes are counted before there is a display; five minutes would pass without a word."""
    monkeypatch.setenv("DOTCNN_PATIENCE", "0.2")
    nobody = f"http://127.0.0.1:{free_port()}"
    spec = tmp_path / "net.cnn"
    spec.write_text(SPEC.format(data=f'"{nobody}/set"', end=END, more=""))
    assert main(["train", str(spec), "-o", str(tmp_path / "run")]) == 1
    waits, error = capfd.readouterr().err.split("\n", 1)
    assert "connection refused; trying again for up to" in waits
    assert error.startswith("error[source-gone]")
