"""`cnn sweep --best`: a trial of a sweep as a spec."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import run
from dotcnn.training.sweep.sweep_facts import read_sweep

from .made_up import sweep_folder

Capture = pytest.CaptureFixture[str]
SPEC = """\
import "part.cnn"

network Digits(width=16) {  # a comment
  input 1x8x8
  part width
  flatten
  fc classes
}

train {
  data npz "digits.npz"   # another
}

sweep { width in [8, 16] }
"""


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = sweep_folder(tmp_path / "runs" / "net-sweep", 12)
    (folder / "spec.cnn").write_text(SPEC, encoding="utf-8")
    for place in (folder, tmp_path):
        (place / "part.cnn").write_text("block part(n) { conv n 3x3 same, bn, relu }\n")
    return folder


def expected(width: object) -> str:
    return SPEC.replace("width=16", f"width={width}").partition("\nsweep")[0]


def test_writes_the_best_one(sweep: Path, capfd: Capture) -> None:
    best = read_sweep(sweep).best
    assert best is not None
    text = expected(best.values["width"])
    assert run(capfd, "sweep", "--best", sweep).out == text
    written = run(capfd, "sweep", "--best", "-o", "best.cnn")
    assert written.code == 0
    assert f"wrote best.cnn: trial {best.number}, " in written.err
    assert "its data, digits.npz, is looked for beside it" in written.err
    assert Path("best.cnn").read_text(encoding="utf-8") == text
    again = run(capfd, "sweep", "net.cnn", "--best", "-o", "best.cnn")
    assert (again.code, "exists already" in again.err) == (2, True)


def test_writes_any_trial_and_keeps_the_sweep(sweep: Path, capfd: Capture) -> None:
    trial = read_sweep(sweep).trials[4]
    assert trial.state == "pruned"
    width = trial.values["width"]
    assert run(capfd, "sweep", "--best", sweep, "--trial", 4).out == expected(width)
    kept = run(capfd, "sweep", "--best", sweep, "--trial", 4, "--keep-sweep").out
    assert kept == SPEC.replace("width=16", f"width={width}")


def test_of_two_objectives_the_front_is_listed(tmp_path: Path, capfd: Capture) -> None:
    folder = sweep_folder(tmp_path / "two", 12, "top1", "params")
    (folder / "spec.cnn").write_text(SPEC.replace('import "part.cnn"', ""), encoding="utf-8")
    facts = read_sweep(folder)
    listed = run(capfd, "sweep", "--best", folder)
    assert listed.code == 0
    assert len(listed.out.splitlines()) == 1 + len(facts.front)
    assert "choose one with --trial N" in listed.err
    wrong = run(capfd, "sweep", "--best", folder, "-o", tmp_path / "best.cnn")
    assert wrong.code == 1
    assert "compares by top1 and params" in wrong.err


def test_mistakes(sweep: Path, tmp_path: Path, capfd: Capture) -> None:
    assert "numbered from 0 to 11" in run(capfd, "sweep", "--best", sweep, "--trial", 12).err
    assert run(capfd, "sweep", "--trial", 3).code == 2
    assert run(capfd, "sweep", "--best", sweep, "--set", "width=3").code == 2
    assert "there is no sweep of other" in run(capfd, "sweep", "other", "--best").err
    assert "is not the folder of a sweep" in run(capfd, "sweep", "--best", tmp_path).err
    (tmp_path / "elsewhere").mkdir()
    lost = run(capfd, "sweep", "--best", sweep, "-o", tmp_path / "elsewhere" / "best.cnn")
    assert lost.code == 1
    assert "would not find what it imports" in lost.err
    assert not (tmp_path / "elsewhere" / "best.cnn").exists()
    sweep_folder(tmp_path / "runs" / "other-sweep", 2)
    assert "which sweep? there are" in run(capfd, "sweep", "--best").err


def test_no_trial_has_ended(sweep: Path, capfd: Capture) -> None:
    for number in range(12):
        (sweep / "claims" / str(number) / "trial.json").unlink()
    result = run(capfd, "sweep", "--best", sweep)
    assert (result.code, result.out) == (1, "")
    assert "no trial of" in result.err
