"""Signals of schedulers and terminals: whenever they come, the run is saved and goes on from there
to the same weights."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy
import pytest

from dotcnn.training.runtime.interrupts import SIGNALS
from dotcnn.training.trainer import train
from dotcnn.training.trainer.callbacks import Step

from ..small import SPEC, Looker, equal, gone_on, last, trained

pytestmark = [
    pytest.mark.usefixtures("no_report"),
    pytest.mark.skipif(os.name == "nt", reason="there are no such signals"),
]

SMALL_BATCHES = SPEC.replace("batch 256", "batch 256, early_stop 9")


class Signalling(Looker):
    """Sends a signal at a moment, once."""

    def __init__(self, name: str, moment: Callable[[Signalling], bool]) -> None:
        super().__init__()
        self.name, self.moment, self.sent = name, moment, False
        self.part, self.batch = "", 0

    def reading(self, what: str, done: int, total: int | None) -> None:
        self.part = "reading"
        self.maybe()

    def step(self, step: Step) -> None:
        super().step(step)
        self.part = "step"
        self.maybe()

    def evaluating(self, part: str, batch: int, batches: int) -> None:
        self.part, self.batch = part, batch
        self.maybe()

    def maybe(self) -> None:
        if not self.sent and self.moment(self):
            self.sent = True
            os.kill(os.getpid(), getattr(signal, self.name))


@pytest.mark.parametrize("name", SIGNALS)
def test_every_signal_saves_and_ends(tmp_path: Path, name: str) -> None:
    before = signal.getsignal(getattr(signal, name))
    if before is signal.SIG_IGN:
        pytest.skip("it is ignored here on purpose")
    looker = Signalling(name, lambda it: len(it.steps) == 4)
    assert trained(tmp_path / "run", callback=looker).interrupted
    assert len(looker.steps) == 4
    assert signal.getsignal(getattr(signal, name)) is before


@pytest.fixture
def several_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation in several batches."""
    monkeypatch.setattr("dotcnn.training.trainer.job.evaluation_batch", lambda *_: 64)


def state_of(folder: Path) -> str:
    return str(json.loads((folder / "record.json").read_text())["state"])


@pytest.mark.usefixtures("several_batches")
@pytest.mark.parametrize("steps", [12, 18])
def test_validation_is_given_up(tmp_path: Path, steps: int) -> None:
    """It may take longer than a scheduler waits. Resuming the run repeats it."""
    looker = Signalling("SIGTERM", lambda it: len(it.steps) == steps and it.part == "val")
    result = trained(tmp_path / "run", SMALL_BATCHES, callback=looker)
    assert result.interrupted
    assert (looker.part, looker.batch) == ("val", 1)
    assert result.epochs == steps // 6 - 1
    looker = Signalling("SIGTERM", lambda it: it.part == "val")  # with no batch left before it
    assert gone_on(tmp_path / "run", callback=looker).interrupted
    assert not looker.steps
    whole = trained(tmp_path / "whole", SMALL_BATCHES)
    again = gone_on(tmp_path / "run")
    assert again.metrics == whole.metrics
    assert equal(last(tmp_path / "run"), last(tmp_path / "whole"))
    lines = [
        (each / "metrics.jsonl").read_text().splitlines()
        for each in (tmp_path / "run", tmp_path / "whole")
    ]
    metrics = [
        [(json.loads(line)["train"], json.loads(line)["val"]) for line in each] for each in lines
    ]
    assert metrics[0] == metrics[1]


@pytest.mark.usefixtures("several_batches")
def test_the_evaluation_at_the_end_is_given_up(tmp_path: Path) -> None:
    looker = Signalling("SIGTERM", lambda it: len(it.epochs) == 3 and it.part == "val")
    looker.moment = lambda it: len(it.epochs) == 3 and it.part == "val"
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "run", callback=looker)
    assert state_of(tmp_path / "run") == "interrupted"
    assert any("what was interrupted is its evaluation" in note for note in looker.notes)
    assert gone_on(tmp_path / "run").reason == "done"
    assert state_of(tmp_path / "run") == "done"


def test_nothing_is_left_if_it_comes_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While data is read. The same command starts the run later."""
    with monkeypatch.context() as patch:
        patch.setattr(train, "open_data", lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


# ---- whole programs ----------------------------------------------------------------------------

READING = """
network Net {
  input 1x8x8
  conv 4 3x3, relu, pool avg global, flatten
  fc classes
}
train {
  data folder "images" val=20%
  epochs 1000
  batch 8
  workers 2
}
evaluate { resize 8 }
"""


@pytest.fixture
def images(tmp_path: Path) -> None:
    from PIL import Image

    random = numpy.random.default_rng(0)
    for number in range(60):
        path = tmp_path / "images" / f"class{number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 255, (64, 64), dtype=numpy.uint8)
        Image.fromarray(pixels).save(path)
    (tmp_path / "net.cnn").write_text(READING)


def processes_of(group: int) -> list[str]:
    """The processes of a group that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            text = (entry / "stat").read_text()
        except OSError:
            continue
        name, _, rest = text.rpartition(")")
        fields = rest.split()
        if entry.name.isdigit() and fields[0] != "Z" and int(fields[2]) == group:
            found.append(name)
    return found


def wait_for_epochs(folder: Path, process: subprocess.Popen[bytes], terminal: int = 0) -> None:
    """Waits until some more epochs are trained."""
    metrics, end = folder / "runs" / "net" / "metrics.jsonl", time.monotonic() + 60

    def size() -> int:
        return metrics.stat().st_size if metrics.exists() else 0

    before = size()
    while size() < before + 1000:
        assert process.poll() is None
        assert time.monotonic() < end
        with suppress(BlockingIOError):
            if terminal:
                os.read(terminal, 65536)
        time.sleep(0.05)


COMMAND = [sys.executable, "-m", "dotcnn", "train", "net.cnn", "--resume", "--device", "cpu"]


@pytest.mark.slow
@pytest.mark.usefixtures("images")
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1", "SIGHUP", "SIGINT"])
@pytest.mark.parametrize("devices", [[], ["--devices", "2"]])
def test_a_signal_to_all_processes_of_a_job(tmp_path: Path, name: str, devices: list[str]) -> None:
    """As schedulers send it: also to the workers that read images."""
    for _ in range(2):
        process = subprocess.Popen(
            [*COMMAND, *devices], cwd=tmp_path, stderr=subprocess.PIPE, start_new_session=True
        )
        wait_for_epochs(tmp_path, process)
        os.killpg(process.pid, getattr(signal, name))
        _, said = process.communicate(timeout=40)
        assert process.returncode == 130, said.decode()
        assert b"to continue: cnn train --resume runs/net" in said
        assert processes_of(process.pid) == []
        assert state_of(tmp_path / "runs" / "net") == "interrupted"
    assert b"resumed  at epoch" in said


@pytest.mark.slow
@pytest.mark.usefixtures("images")
def test_a_closed_terminal(tmp_path: Path) -> None:
    """It takes the place with it to which progress is written."""
    main, terminal = os.openpty()
    script = "import os, fcntl, termios, sys; fcntl.ioctl(2, termios.TIOCSCTTY, 0); "
    script += "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    process = subprocess.Popen(
        [sys.executable, "-c", script, *COMMAND[1:]],
        cwd=tmp_path, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    os.set_blocking(main, False)
    wait_for_epochs(tmp_path, process, main)
    os.close(main)
    assert process.wait(40) == 130
    assert state_of(tmp_path / "runs" / "net") == "interrupted"
    assert processes_of(process.pid) == []
