"""A logger that fails warns once, and training goes on; what it needs is said before."""

from __future__ import annotations

from pathlib import Path

import pytest

import dotcnn
from dotcnn.compiler.plan.log import Log
from dotcnn.training.loggers.logger import Logger
from dotcnn.training.loggers.tensorboard_logger import TensorBoardLogger
from dotcnn.training.loggers.wandb_logger import WandbLogger
from dotcnn.training.trainer.callbacks import EpochRecord
from dotcnn.training.trainer.combined import Combined

from ..display.events import finished, whole_run
from ..small import Looker


class Failing(Logger):
    """Fails in one epoch."""

    tool = "Tool"

    def __init__(self) -> None:
        self.epochs: list[int] = []
        self.closed = False

    def epoch(self, record: EpochRecord) -> None:
        self.epochs.append(record.epoch)
        if record.epoch == 2:
            raise RuntimeError("the server is gone\nand more")

    def close(self) -> None:
        self.closed = True
        raise RuntimeError("still gone")


def test_it_warns_once(tmp_path: Path) -> None:
    looker, failing = Looker(), Failing()
    whole_run(Combined([looker, failing]), tmp_path)
    assert failing.epochs == [1, 2]
    assert [record.epoch for record in looker.epochs] == [1, 2, 3]
    (said,) = [line for line in looker.notes if "Tool" in line]
    assert said == "Tool: RuntimeError: the server is gone; logging stops here"
    assert looker.closed
    assert failing.closed


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """A run folder may be of somebody else."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "tensorboard").symlink_to(tmp_path / "elsewhere")
    looker = Looker()
    whole_run(Combined([looker, TensorBoardLogger()]), tmp_path / "run")
    assert not [*(tmp_path / "elsewhere").iterdir()]
    assert [line for line in looker.notes if "is a link" in line]


def test_the_end_of_an_ensemble_is_not_that_of_its_network(tmp_path: Path) -> None:
    """It is told after its networks, about a folder that no logger knows."""
    log = TensorBoardLogger()
    whole_run(log, tmp_path)
    log.finished(finished(tmp_path.parent))


@pytest.mark.parametrize("tool", ["tensorboard", "mlflow", "wandb"])
def test_what_is_missing_is_said_before(
    tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dotcnn.training.loggers.logger.find_spec", lambda name: None)
    with pytest.raises(dotcnn.SpecError, match=rf'pip install "dotcnn\[{tool}\]"'):
        dotcnn.train("digits", set={"train.log": tool}, output=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_wandb_is_online_only_with_an_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dotcnn.training.loggers.logger.find_spec", lambda name: name)
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    log = Log.make(to=("wandb",))
    assert WandbLogger(log)._mode == "offline"
    with pytest.raises(dotcnn.SpecError, match="wandb login"):
        WandbLogger(log.replace(mode="online"))
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password x")
    assert WandbLogger(log)._mode == "online"
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert WandbLogger(log)._mode == "offline"
    assert WandbLogger(log.replace(mode="online"))._mode == "online"
