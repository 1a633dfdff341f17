"""`cnn train net.cnn -o runs/x --resume`: starts a run, goes on with it, or has nothing to do."""

from __future__ import annotations

from pathlib import Path

import pytest

import dotcnn
from dotcnn import cli
from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.training.checkpoint.run_lock import lock_run
from dotcnn.training.runtime.process_group import ALONE
from dotcnn.training.trainer import loop
from dotcnn.training.trainer.result import Result

from ..small import SPEC, Looker, equal, last, trained

pytestmark = pytest.mark.usefixtures("no_report")


def again(folder: Path, spec: str = SPEC, **options: object) -> Result:
    """What a cluster runs whenever it starts the job."""
    return dotcnn.train(spec, output=folder, resume=True, device="cpu", **options)  # type: ignore[arg-type]


def refused(folder: Path, spec: str = SPEC) -> Diagnostic:
    with pytest.raises(SpecError) as raised:
        again(folder, spec)
    return raised.value.diagnostics[0]


def test_the_same_call_starts_and_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "x"
    looker = Looker(stop_after=7)
    assert again(folder, callback=looker).interrupted
    assert any("nothing to resume" in note for note in looker.notes)
    assert not (folder / ".lock").exists()
    looker = Looker()
    assert again(folder, callback=looker).epochs == 3
    assert looker.begun is not None
    assert looker.begun.resumed == (2, 256)
    trained(tmp_path / "whole")
    assert equal(last(folder), last(tmp_path / "whole"))
    looker = Looker()
    assert again(folder, callback=looker).metrics == again(folder).metrics
    assert not looker.steps


def test_a_run_without_a_checkpoint_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with another spec: nothing was trained. What is left of it is overwritten."""
    with monkeypatch.context() as patch:
        patch.setattr(loop, "set_rate", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            again(tmp_path)
    assert {"plan.json", "spec.cnn"} <= {path.name for path in tmp_path.iterdir()}
    assert again(tmp_path, SPEC.replace("conv 4", "conv 5")).epochs == 3
    assert "conv 5" in (tmp_path / "spec.cnn").read_text()


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert refused(tmp_path).code == "run-exists"
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_mistake_leaves_no_folder(tmp_path: Path) -> None:
    assert refused(tmp_path / "x", SPEC.replace("digits", 'npz "none.npz"')).code
    assert not (tmp_path / "x").exists()


def test_the_run_of_another_spec_is_refused(tmp_path: Path) -> None:
    trained(tmp_path / "run", set={"train.epochs": 1})
    found = refused(tmp_path / "run", SPEC.replace("adamw lr=5e-3", "adamw lr=5e-3, loss focal"))
    assert found.code == "another-spec"
    assert any("focal" in note for note in found.notes)
    found = refused(tmp_path / "run", SPEC.replace("conv 4", "conv 5"))
    assert "conv.weight: 4x1x3x3, now 5x1x3x3" in found.notes


def test_two_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    with lock_run(folder, ALONE):
        found = refused(folder)
    assert found.code == "run-in-use"
    assert "is being trained by" in found.message


# ---- on the command line -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["net.cnn", "-o", "x", "--resume"],
        ["--resume", "net.cnn", "-o", "x"],
        ["--resume", "-o", "x", "net.cnn"],
        ["-o", "x", "--resume", "x", "net.cnn"],
    ],
)
def test_the_flag_anywhere(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.cnn").write_text(SPEC.replace("epochs 3", "epochs 1"))
    command = ["train", *arguments, "--device", "cpu"]
    if arguments[-2:] == ["x", "net.cnn"]:  # a run that must be there
        Path("x").mkdir()
    assert cli.main(command) == 0
    capsys.readouterr()
    before = {path.name: path.stat().st_mtime_ns for path in Path("x").iterdir()}
    assert cli.main(command) == 0
    assert "x is finished: 1 epoch." in capsys.readouterr().err
    assert {path.name: path.stat().st_mtime_ns for path in Path("x").iterdir()} == before


def test_without_a_folder_it_is_that_of_the_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.cnn").write_text(SPEC.replace("epochs 3", "epochs 1"))
    assert cli.main(["train", "--resume", "net.cnn", "--device", "cpu"]) == 0
    assert cli.main(["train", "net.cnn", "--resume"]) == 0
    assert cli.main(["train", "runs/net", "--resume", "--set", "train.epochs=2"]) == 0
    assert [path.name for path in Path("runs").iterdir()] == ["net"]
    capsys.readouterr()
    assert cli.main(["train", "net.cnn", "--resume"]) == 0  # it has trained for longer than that
    assert "runs/net is finished: 2 epochs" in capsys.readouterr().err
