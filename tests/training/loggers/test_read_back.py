"""What each tool has of a run: all of it, once, also of one that was killed and goes on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import dotcnn
from dotcnn.training.trainer.callbacks import EpochRecord, Step

from ..small import NETWORK, Looker, gone_on, trained
from .read_back import Logged, expected, of_csv, of_mlflow, of_tensorboard, of_wandb

TRAIN = """
train {{
  data digits
  epochs 5
  batch 256
  optimizer adamw lr=5e-3
  checkpoint 2
  log {}
}}
"""
STEPS = 6
"""Of an epoch."""


def read_with(*tools: str) -> pytest.MarkDecorator:
    """The readers of tools. TensorBoard's is quick, and stands for all in the quick tests."""
    known: dict[str, Callable[[Path], Logged]] = {
        "csv": of_csv, "tensorboard": of_tensorboard, "mlflow": of_mlflow, "wandb": of_wandb,
    }  # fmt: skip
    cases = [
        pytest.param(tool, known[tool], marks=() if tool == "tensorboard" else pytest.mark.slow)
        for tool in tools
    ]
    return pytest.mark.parametrize(("tool", "read"), cases)


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of SQLAlchemy, in MLflow
ALL = ("csv", "tensorboard", "mlflow", "wandb")


def spec(tool: str) -> str:
    return NETWORK + TRAIN.format(tool)


def _no_report(folder: Path, *_: object) -> Path:
    (folder / "report.html").write_text("a report")
    return folder / "report.html"


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody is logged in, and no server is named. (A report takes longer than what is trained.)"""
    monkeypatch.setattr("dotcnn.training.page.write.write_report", _no_report)
    for name in ("MLFLOW_TRACKING_URI", "WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def same(found: Logged, run: Path, tool: str) -> None:
    """All epochs are there, once, with the values of metrics.jsonl."""
    for name, curve in expected(run).items():
        if tool == "tensorboard":  # in single precision
            assert [step for step, _ in found.epochs[name]] == [step for step, _ in curve]
            values = [value for _, value in found.epochs[name]]
            assert values == pytest.approx([value for _, value in curve], rel=1e-6)
        else:
            assert found.epochs[name] == curve, name


@read_with(*ALL)
def test_everything_is_there(tool: str, read: Callable[[Path], Logged], tmp_path: Path) -> None:
    pytest.importorskip(tool)
    result = trained(tmp_path / "run", spec(tool), quiet=True)
    found = read(result.folder)
    same(found, result.folder, tool)
    if tool == "csv":
        return
    assert [step for step, _ in found.steps["loss"]] == list(range(1, 5 * STEPS + 1))
    assert found.hyperparameters["train.optimizer"] == "adamw"
    assert float(found.hyperparameters["train.optimizer.lr"]) == 5e-3
    assert float(found.hyperparameters["train.batch"]) == 256
    assert "train.log" not in found.hyperparameters
    assert "conv 4 3x3 stride=2" in found.spec
    assert found.state == "finished"
    assert found.graph
    assert result.outcome is not None
    wrong = int((result.outcome.answers.argmax(1) != result.outcome.labels).sum())
    mistakes = [image for name, image in found.images.items() if name.startswith("mistakes")]
    assert len(mistakes) == min(24, wrong) > 0
    assert all(image.size == (8, 8) for image in mistakes)
    (matrix,) = [i for name, i in found.images.items() if name.startswith("confusion_matrix")]
    assert matrix.width > 100


class Copy(dotcnn.Callback):
    """Copies the run folder after a step: what a run that is killed there leaves."""

    def __init__(self, step: int, to: Path) -> None:
        self.at, self.to = step, to

    def step(self, step: Step) -> None:
        if step.steps == self.at:
            shutil.copytree(Path(self.to.parent / "run"), self.to)


@read_with("csv", "tensorboard")
def test_a_killed_run_goes_on(
    tool: str, read: Callable[[Path], Logged], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in epoch 4; the checkpoint is that of epoch 2, so that epoch 3 is repeated."""
    monkeypatch.setattr("dotcnn.training.checkpoint.writer.WRITING", 1)
    monkeypatch.setattr("dotcnn.training.checkpoint.writer.SECONDS", 0.0)
    monkeypatch.setattr("dotcnn.training.loggers.step_points.SECONDS", 0.0)
    changes = {"train.checkpoint": "2 metric=train_loss", "train.optimizer": "sgd lr=1e-9"}
    copy = Copy(3 * STEPS + 2, tmp_path / "killed")
    whole = trained(tmp_path / "run", spec(tool), set=changes, callback=copy, quiet=True).folder
    before = read(tmp_path / "killed")
    assert [epoch for epoch, _ in before.epochs["train/loss"]] == [1, 2, 3]
    gone_on(tmp_path / "killed", quiet=True)
    found = read(tmp_path / "killed")
    same(found, tmp_path / "killed", tool)
    assert found.epochs["train/loss"] == read(whole).epochs["train/loss"]
    if tool != "csv":
        assert found.steps["loss"] == read(whole).steps["loss"]


DIE = """
import os, signal, time
import dotcnn

class Die(dotcnn.Callback):
    def step(self, step):
        if step.steps == {}:
            time.sleep(1)  # W&B writes its file from another process, which ends with this one
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
@read_with("mlflow", "wandb")
def test_a_process_that_is_killed(
    tool: str, read: Callable[[Path], Logged], tmp_path: Path
) -> None:
    """At most the epoch in which it was killed is lost; and nothing is there twice."""
    pytest.importorskip(tool)
    (tmp_path / "net.cnn").write_text(spec(tool))
    (tmp_path / "die.py").write_text(DIE.format(3 * STEPS + 2))
    command = [sys.executable, "-m", "dotcnn", "train", "net.cnn", "-o", "run"]
    # W&B's process of this one, which other tests have started, is not that of the other.
    environment = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    ended = subprocess.run(
        [*command, "--callback", "die.py"],
        cwd=tmp_path,
        env=environment,
        check=False,
        capture_output=True,
    )
    assert ended.returncode == -9, ended.stderr
    before = read(tmp_path / "run")
    assert [epoch for epoch, _ in before.epochs["train/loss"]] == [1, 2, 3]
    gone_on(tmp_path / "run", quiet=True)
    found = read(tmp_path / "run")
    same(found, tmp_path / "run", tool)
    assert [step for step, _ in found.steps["loss"]] == list(range(1, 5 * STEPS + 1))
    assert (found.state, found.runs) == ("finished", 1)


@pytest.mark.slow
@read_with("tensorboard", "mlflow", "wandb")
def test_a_run_that_is_interrupted_within_an_epoch(
    tool: str, read: Callable[[Path], Logged], tmp_path: Path
) -> None:
    pytest.importorskip(tool)
    stopped = trained(tmp_path / "run", spec(tool), callback=Looker(STEPS + 3), quiet=True)
    assert stopped.interrupted
    before = read(tmp_path / "run")
    assert [step for step, _ in before.steps["loss"]] == list(range(1, STEPS + 4))
    assert before.state == ("" if tool == "tensorboard" else "interrupted")
    gone_on(tmp_path / "run", quiet=True)
    found = read(tmp_path / "run")
    same(found, tmp_path / "run", tool)
    assert [step for step, _ in found.steps["loss"]] == list(range(1, 5 * STEPS + 1))


class Stop(dotcnn.Callback):
    def __init__(self, why: str) -> None:
        self.why = why

    def epoch(self, record: EpochRecord) -> str | None:
        return self.why


class Break(dotcnn.Callback):
    def epoch(self, record: EpochRecord) -> str | None:
        raise ValueError("broken")


@pytest.mark.slow
@read_with("tensorboard", "mlflow", "wandb")
def test_states(tool: str, read: Callable[[Path], Logged], tmp_path: Path) -> None:
    pytest.importorskip(tool)
    with pytest.raises(dotcnn.SpecError):
        trained(tmp_path / "run", spec(tool), callback=Break(), quiet=True)
    assert read(tmp_path / "run").state == ("" if tool == "tensorboard" else "failed")
    gone_on(tmp_path / "run", callback=Stop("pruned: too slow"), quiet=True)
    state = read(tmp_path / "run").state
    assert state == ("finished" if tool == "tensorboard" else "pruned")
    gone_on(tmp_path / "run", quiet=True)
    assert read(tmp_path / "run").state == "finished"


@pytest.mark.slow
@read_with("tensorboard", "mlflow", "wandb")
def test_networks_of_an_ensemble_are_runs_of_a_group(
    tool: str, read: Callable[[Path], Logged], tmp_path: Path
) -> None:
    pytest.importorskip(tool)
    ensemble = {"train.ensemble": 2, "train.epochs": 1}
    run = trained(tmp_path / "both", spec(tool), set=ensemble, quiet=True).folder
    for number in ("1", "2"):
        if tool == "mlflow":
            found = of_mlflow(run / number, f"sqlite:///{run.absolute()}/mlflow/mlflow.db")
        else:
            found = read(run / number)
        same(found, run / number, tool)
        assert found.group == ("" if tool == "tensorboard" else "both")
        assert found.state == "finished"


@pytest.mark.slow
def test_a_store_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By MLFLOW_TRACKING_URI, or relative to the folder of the spec; several runs are in it."""
    pytest.importorskip("mlflow")
    (tmp_path / "net.cnn").write_text(
        spec('mlflow uri="sqlite:///all.db" experiment="digits"').replace("epochs 5", "epochs 1")
    )
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        dotcnn.train("net.cnn", output=tmp_path / name, device="cpu", quiet=True)
    address = f"sqlite:///{tmp_path}/all.db"
    for name in ("a", "b"):
        found = of_mlflow(tmp_path / name, address)
        same(found, tmp_path / name, "mlflow")
        assert found.runs == 2
        assert not (tmp_path / name / "mlflow").exists()
        assert json.loads((tmp_path / name / "mlflow.json").read_text())["uri"] == address
    assert not (tmp_path / "mlruns" / "models").exists()
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"]
