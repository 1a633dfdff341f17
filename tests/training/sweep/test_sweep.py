"""Sweeps as a whole: trials are ordinary runs, what cannot be trained costs nothing, and any number
of processes, some of which are killed, end with as many trials as wanted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("optuna")

from dotcnn import __version__
from dotcnn.cli import main
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.source import Source
from dotcnn.training.checkpoint.kept_checkpoints import older_checkpoints
from dotcnn.training.checkpoint.run_files import read_record
from dotcnn.training.request import Request, request
from dotcnn.training.sweep import study
from dotcnn.training.sweep.prepare_sweep import begin, join
from dotcnn.training.sweep.run_sweep import Runner
from dotcnn.training.sweep.shared_data import SharedData
from dotcnn.training.sweep.sweep_display import SweepDisplay
from dotcnn.training.sweep.sweep_facts import SweepFacts, read_sweep
from dotcnn.training.sweep.sweep_folder import SweepFolder, Trial
from dotcnn.training.trainer.callbacks import Callback

SPEC = """\
network Small(width=8, depth=1) {
  input 1x8x8
  repeat depth { conv width 3x3 same, relu, pool max 2x2 }
  flatten
  fc classes
}

train { data digits, epochs EPOCHS, batch 256, optimizer sgd lr=0.1 }

sweep {
LINES
}
"""


def made(lines: str, epochs: int = 1) -> Request:
    text = SPEC.replace("LINES", lines).replace("EPOCHS", str(epochs))
    return request(Source("small.cnn", text))


def swept(path: Path, lines: str, *, epochs: int = 1, trials: int | None = None) -> SweepFacts:
    data = SharedData()
    sweep = begin(
        made(lines, epochs), __version__,
        output=path, trials=trials, device="cpu", data=data, callback=Callback(),
    )  # fmt: skip
    Runner(sweep, SweepDisplay(), data).run()
    return read_sweep(path)


@pytest.mark.slow
def test_trials_are_ordinary_runs(tmp_path: Path) -> None:
    facts = swept(tmp_path / "s", "lr log 1e-3..1\nwidth in [4, 8]\ntrials 3", epochs=2)
    assert [trial.state for trial in facts.trials] == ["done"] * 3
    assert [trial.number for trial in facts.trials] == [0, 1, 2]
    assert facts.objectives == ("top1",)
    assert facts.best is not None
    assert facts.trials[0].values == {"lr": 0.1, "width": "8"}
    assert facts.trials[0].set == ()
    for trial in facts.trials:
        record = read_record(trial.folder)
        assert sorted(record["made_with"]["set"]) == sorted([*trial.set, "train.checkpoint.keep=1"])
        assert not older_checkpoints(trial.folder)
        assert record["result"]["val"]["top1"] == trial.objectives["top1"]
    last = facts.trials[2]
    assert main(["train", "--resume", str(last.folder), "--set", "train.epochs=3"]) == 0


@pytest.mark.slow
def test_what_cannot_be_trained_costs_nothing(tmp_path: Path) -> None:
    """A grid of six: two have no room for their pooling, two are over the limit."""
    lines = "width in [8, 64]\ndepth in [1, 3, 5]\nsampler grid\nlimit params < 10k, macs < 1M"
    facts = swept(tmp_path / "s", lines)
    assert dict(facts.why_not_trained) == {"over params": 2, "shape error": 2}
    assert {tuple(trial.values.values()) for trial in facts.trials} == {("8", "1"), ("8", "3")}
    assert "4 of 6 proposals were never trained" in facts.saved
    assert not (facts.folder / "trials" / "2").exists()


@pytest.mark.slow
def test_a_spec_over_the_limit_is_no_trial(tmp_path: Path) -> None:
    facts = swept(tmp_path / "s", "width in [2, 3, 64]\ntrials 2\nlimit params < 1000")
    assert sorted(trial.values["width"] for trial in facts.trials) == ["2", "3"]
    assert all(not trial.is_written for trial in facts.trials)


@pytest.mark.slow
def test_two_objectives_make_a_front(tmp_path: Path) -> None:
    facts = swept(tmp_path / "s", "width in [2, 4, 8, 16]\nmetric top1 params\ntrials 4")
    assert facts.best is None
    assert facts.front
    assert all(set(trial.objectives) == {"top1", "params"} for trial in facts.complete)


@pytest.mark.slow
def test_a_trial_that_diverges_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    lines = 'train.optimizer in ["sgd lr=0.1", "sgd lr=900"]\ntrials 2'
    facts = swept(tmp_path / "s", lines, epochs=2)
    by_choice = {trial.values["train.optimizer"]: trial for trial in facts.trials}
    assert by_choice["sgd lr=0.1"].state == "done"
    assert by_choice["sgd lr=900"].state == "diverged"
    assert by_choice["sgd lr=900"].reason


@pytest.mark.slow
def test_pruned_trials_end_early(tmp_path: Path) -> None:
    lines = "lr in [0.1, 0.2, 1e-9, 1e-8]\ntrials 4\nprune after=1 trials=1\nseed 3"
    facts = swept(tmp_path / "s", lines, epochs=4)
    pruned = [trial for trial in facts.trials if trial.state == "pruned"]
    assert pruned
    assert all(trial.epochs < 4 for trial in pruned)
    assert read_record(pruned[0].folder)["state"] == "pruned"


@pytest.mark.slow
def test_the_same_command_goes_on_and_another_spec_is_refused(tmp_path: Path) -> None:
    lines = "width in [2, 4, 8, 16]\ntrials 2"
    first = swept(tmp_path / "s", lines)
    again = swept(tmp_path / "s", lines, trials=3)
    assert [trial.started for trial in again.trials][:2] == [t.started for t in first.trials]
    assert len(again.trials) == 3
    with pytest.raises(SpecError) as error:
        swept(tmp_path / "s", "width in [2, 4]\ntrials 2")
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.code == "another-spec"
    assert "spec.cnn: +width in [2, 4]" in diagnostic.notes


@pytest.mark.slow
def test_a_killed_process_leaves_a_trial_to_the_next(tmp_path: Path) -> None:
    """Its process is killed while a trial runs; another joins, and ends the sweep."""
    spec = tmp_path / "small.cnn"
    spec.write_text(SPEC.replace("LINES", "lr log 1e-3..1\ntrials 3").replace("EPOCHS", "40"))
    folder = tmp_path / "s"
    command = [sys.executable, "-m", "dotcnn", "sweep", str(spec), "-o", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    checkpoint = folder / "trials" / "0" / "last.ckpt"
    for _ in range(600):
        if checkpoint.exists():
            break
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    killed = read_sweep(folder).trials[0]
    assert killed.state in ("killed", "done")
    data = SharedData()
    sweep = join(folder, __version__, trials=None, device="cpu")
    Runner(sweep, SweepDisplay(), data).run()
    facts = read_sweep(folder)
    assert [trial.state for trial in facts.trials] == ["done"] * 3
    assert len({trial.set for trial in facts.trials}) == 3


def test_facts_of_a_damaged_folder(tmp_path: Path) -> None:
    """Another's sweep may hold anything: what is not of the form is left out."""
    with pytest.raises(SpecError):
        read_sweep(tmp_path)
    files = SweepFolder(tmp_path)
    for text in ("", "{}", "[1]", '{"format": 99}', "nonsense"):
        (tmp_path / "sweep.json").write_text(text)
        with pytest.raises(SpecError):
            read_sweep(tmp_path)
    search = {
        "name": "width", "place": "width", "low": 2, "high": 8, "log": False, "step": None,
        "whole": True, "choices": [], "unit": "",
    }  # fmt: skip
    files.write({
        "format": 1, "dotcnn": "0", "study": "s", "network": "N", "trials": 3, "sampler": "tpe",
        "spec": {"file": "a.cnn", "sha256": ""}, "base": "/", "searches": [search],
        "made_with": {"network": None, "input": None, "classes": None, "set": []},
        "objectives": ["top1"], "higher": [True], "prune": None, "limits": {}, "started": "",
    })  # fmt: skip
    files.claim_folder(0).mkdir(parents=True)
    files.write_trial(Trial(0, {"width": 4}, (), state="done", objectives={"top1": 0.5}))
    for number, text in enumerate(("", "{}", '{"number": 0}'), start=1):
        files.claim_folder(number).mkdir()
        (files.claim_folder(number) / "trial.json").write_text(text)
    files.claim_folder(4).mkdir()
    (files.claim_folder(4) / "trial.json").symlink_to("/etc/passwd")
    (tmp_path / "infeasible.jsonl").write_text('{"values": {}}\n{"cut')
    facts = read_sweep(tmp_path)
    assert [trial.number for trial in facts.trials] == [0]
    assert facts.best is not None
    assert facts.not_trained == ()


def test_signs_of_life_of_another_machine(tmp_path: Path) -> None:
    """Where locks do not reach: a trial of another machine is its own for a minute."""
    files = SweepFolder(tmp_path)
    files.claim_folder(0).mkdir(parents=True)
    files.write_trial(Trial(0, {}, (), host="elsewhere", process=1))
    files.show_life(0)
    assert files.is_held(0)
    with files.claim(0) as own:
        assert not own
    os.utime(files.claim_folder(0) / "alive", (time.time() - 100,) * 2)
    assert not files.is_held(0)
    with files.claim(0) as own:
        assert own
        with files.claim(0) as twice:
            assert not twice


def test_links_lead_out_of_no_sweep(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "s" / "claims").mkdir(parents=True)
    (tmp_path / "s" / "claims" / "0").symlink_to(tmp_path / "outside")
    with pytest.raises(SpecError), SweepFolder(tmp_path / "s").claim(0):
        pass
    assert not any((tmp_path / "outside").iterdir())


def test_without_optuna_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study, "find_spec", lambda name: None)
    with pytest.raises(SpecError) as error:
        swept(tmp_path / "s", "width in [2, 4]")
    assert error.value.diagnostics[0].help == 'pip install "dotcnn[sweep]"'


@pytest.mark.slow
def test_reading_needs_neither_torch_nor_optuna() -> None:
    code = (
        "import sys; from dotcnn.training.sweep import sweep_facts;"
        " assert not {'torch', 'optuna'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_wrong_use(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["sweep"]) == 2
    assert main(["sweep", "--join", str(tmp_path), "--set", "a=1"]) == 2
    assert main(["sweep", "--join", str(tmp_path)]) == 1
    assert main(["sweep", "digits", "-o", str(tmp_path / "s")]) == 1
    assert "does not say what is searched" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


@pytest.mark.slow
def test_results_as_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A sweep whose trials are all there is listed, and trains nothing."""
    spec = tmp_path / "small.cnn"
    spec.write_text(SPEC.replace("LINES", "width in [4, 8]\ntrials 1").replace("EPOCHS", "1"))
    command = ["sweep", str(spec), "-o", str(tmp_path / "s"), "--format", "json"]
    assert main(command) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["best"] == 0
    assert data["trials"][0]["values"] == {"width": "8"}
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out) == data
