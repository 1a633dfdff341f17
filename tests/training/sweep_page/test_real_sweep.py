"""A sweep that is trained: its page, and its best trial as a spec that gives the same run."""

from __future__ import annotations

from pathlib import Path

import pytest

import dotcnn
from commands import run
from dotcnn.training.checkpoint.run_files import read_plan
from dotcnn.training.sweep.sweep_facts import read_sweep

from ..small import equal, last

SPEC = """\
network Net(width=2) {  # small
  input 1x8x8
  conv width 3x3 stride=2 same, bn, relu
  flatten
  fc classes
}
train { data digits, epochs 1, batch 256, deterministic on }

sweep {
  lr log 1e-3..1e-1
  width in [2, 4]
  trials 4
  limit params < 900
}
"""


@pytest.mark.slow
def test_best_of_a_sweep_gives_the_same_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    monkeypatch.chdir(tmp_path)
    Path("net.cnn").write_text(SPEC, encoding="utf-8")
    swept = run(capfd, "sweep", "net.cnn", "--device", "cpu")
    assert swept.code == 0, swept.err
    assert "report: runs/net-sweep/report.html" in swept.err
    facts = read_sweep(Path("runs/net-sweep"))
    page = facts.report.read_text(encoding="utf-8")
    assert all(f'href="trials/{number}/report.html"' in page for number in range(4))
    trial = facts.trials[-1]
    written = run(capfd, "sweep", "--best", "--trial", trial.number, "-o", "best.cnn")
    assert written.code == 0, written.err
    text = Path("best.cnn").read_text(encoding="utf-8")
    assert "# small" in text
    assert "optimizer adamw lr=" in text
    dotcnn.train("best.cnn", output="again", device="cpu", quiet=True)
    assert read_plan(Path("again")) == read_plan(trial.folder)
    assert equal(last(Path("again")), last(trial.folder))
