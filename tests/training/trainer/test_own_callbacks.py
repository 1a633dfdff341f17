"""Callbacks of the user that raise exceptions, and callbacks from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import dotcnn
from dotcnn.compiler.extend.load_plugin import load_file
from dotcnn.training.trainer.callback_files import callbacks_of, must_have_callbacks
from dotcnn.training.trainer.callbacks import EpochRecord, RunEnd, RunStart, Step

from ...commands import run as command
from ..small import SPEC, equal, gone_on, last, trained


class Failing(dotcnn.Callback):
    """Raises in one method."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.called: list[str] = []

    def fail(self, where: str) -> None:
        self.called.append(where)
        if where == self.where:
            raise ValueError("no more")

    def started(self, start: RunStart) -> None:
        self.fail("started")

    def step(self, step: Step) -> None:
        self.fail(f"step {step.steps}")

    def epoch(self, record: EpochRecord) -> str | None:
        self.fail(f"epoch {record.epoch}")
        return None

    def finished(self, end: RunEnd) -> None:
        self.fail("finished")


@pytest.fixture(autouse=True)
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes longer than what is trained here."""
    monkeypatch.setattr("dotcnn.training.page.write.write_report", lambda folder, *_: folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("whole") / "run", quiet=True).folder


@pytest.mark.parametrize("where", ["step 8", pytest.param("epoch 1", marks=pytest.mark.slow)])
def test_the_run_is_saved_and_resumed(where: str, tmp_path: Path, whole: Path) -> None:
    failing, other = Failing(where), Failing("")
    with pytest.raises(dotcnn.SpecError) as raised:
        trained(tmp_path / "run", callback=[failing, other], quiet=True)
    (found,) = raised.value.diagnostics
    method = where.partition(" ")[0]
    assert found.message == f"`Failing.{method}` raised ValueError: no more"
    assert found.span is not None
    assert found.span.text == 'raise ValueError("no more")'
    assert found.span.source.path == Path(__file__)
    assert "--resume" in found.help
    assert failing.called[-1] == where  # it is not called again
    assert other.called[-1] == "finished"
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert (record["state"], record["why"]) == ("stopped", found.message)
    gone_on(tmp_path / "run", quiet=True)
    assert equal(last(tmp_path / "run"), last(whole))


def test_before_training_nothing_is_trained(tmp_path: Path) -> None:
    with pytest.raises(dotcnn.SpecError, match=r"Failing\.started"):
        trained(tmp_path / "run", callback=Failing("started"), quiet=True)
    assert not (tmp_path / "run" / "last.ckpt").exists()


@pytest.mark.parametrize("where", [pytest.param("epoch 1", marks=pytest.mark.slow), "finished"])
def test_after_training_the_run_is_complete(where: str, tmp_path: Path) -> None:
    with pytest.raises(dotcnn.SpecError, match="the run is complete"):
        trained(tmp_path / "run", callback=Failing(where), quiet=True, set={"train.epochs": 1})
    assert json.loads((tmp_path / "run" / "record.json").read_text())["state"] == "done"


def test_only_a_text_ends_training(tmp_path: Path) -> None:
    class Yes(dotcnn.Callback):
        def epoch(self, record: EpochRecord) -> Any:
            return record.epoch == 1

    with pytest.raises(dotcnn.SpecError, match="it returned True") as raised:
        trained(tmp_path / "run", callback=Yes(), quiet=True)
    (found,) = raised.value.diagnostics
    assert found.span is not None
    assert found.span.text.startswith("def epoch")


# ---- files ---------------------------------------------------------------------------------------

FILE = """
import dotcnn

class Stop(dotcnn.Callback):
    def epoch(self, record):
        return "after the first"

class _Base(dotcnn.Callback):
    def __init__(self, needs):
        pass
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A plug-in stays loaded as long as its process: each needs a name of its own."""
    return tmp_path / f"callbacks_{abs(hash(tmp_path))}.py"


def test_a_file_on_the_command_line(
    tmp_path: Path, file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file.write_text(FILE)
    (tmp_path / "net.cnn").write_text(SPEC)
    run = command(capfd, "train", tmp_path / "net.cnn", "-o", tmp_path / "run", "--callback", file)
    assert run.code == 0, run.err
    assert "callback stop (after the first): 1 epoch" in run.err


def test_the_file_may_list_its_callbacks(file: Path) -> None:
    file.write_text(f"{FILE}\ncallbacks = [_Base(1), Stop()]")
    assert [type(one).__name__ for one in callbacks_of(load_file(file))] == ["_Base", "Stop"]


@pytest.mark.parametrize(
    ("text", "message", "marked"),
    [
        (FILE.replace("_Base", "Base"), "cannot be made", "class Base(dotcnn.Callback):"),
        (f"{FILE}\ncallbacks = [Stop]", "is not a `dotcnn.Callback`", "callbacks = [Stop]"),
        (f"{FILE}\ncallbacks = []", "there is no callback", None),
        ("x = 1", "declares nothing", None),
        ("import dotcnn\n1 / 0", "cannot be loaded", "1 / 0"),
    ],
)
def test_what_is_wrong_is_said(file: Path, text: str, message: str, marked: str | None) -> None:
    file.write_text(text)
    with pytest.raises(dotcnn.SpecError) as raised:
        must_have_callbacks([load_file(file).name])
    (found,) = raised.value.diagnostics
    assert message in found.message
    assert (found.span.text if found.span else None) == marked
