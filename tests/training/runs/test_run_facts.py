"""What is known of a run, also of one that is damaged, killed or running."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dotcnn.training.checkpoint.run_lock import hold_lock
from dotcnn.training.runs.find_runs import find_runs, read_run

from .conftest import Made


def test_facts(made: Made) -> None:
    run = read_run(made("net", top1=0.75))
    assert (run.name, run.state, run.kind, run.network) == ("net", "done", "run", "Net")
    assert (run.metric, run.best, run.metrics["top1"]) == ("top1", 0.75, 0.75)
    assert (run.epochs, run.epochs_planned, run.seed) == (2, 2, 0)
    assert run.parameters == run.trainable == 4 * 9 + 2 * 4 + 64 * 10 + 10
    assert run.macs == 16 * 4 * 9 + 640
    assert run.started is not None
    assert run.spec is not None
    assert "network Net" in run.spec


def test_torch_is_not_imported() -> None:
    code = (
        "import sys; import dotcnn.training.commands.runs, dotcnn.training.runs.run_data,"
        " dotcnn.training.runs.run_filter, dotcnn.training.runs.run_watch,"
        " dotcnn.training.runs.remove_runs; print('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("False\n", "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "record.json is damaged"),
        ("[1, 2", "line 1 is not JSON"),
        ("[]", "it is not the record of a run"),
        ('{"state": 3}', "is missing, or not of the expected type"),
        ("[" * 100_000, "nested"),
    ],
)
def test_a_damaged_record_is_told(made: Made, text: str, says: str) -> None:
    folder = made("net")
    (folder / "record.json").write_text(text)
    (run,) = find_runs(folder.parent)
    assert run.state == "damaged"
    assert says in run.trouble


def test_values_of_a_wrong_type_are_left_out(made: Made) -> None:
    wrong = {"device": 3, "seed": "x", "started": [], "macs": -1, "metric": {}}
    run = read_run(made("net", **wrong, network=None, parameters="many"))
    assert (run.state, run.device, run.seed, run.started, run.macs) == (
        "done",
        "",
        None,
        None,
        None,
    )
    assert (run.metric, run.network, run.parameters) == ("top1", "", None)


def test_broken_plan_spec_and_notes_are_no_trouble(made: Made) -> None:
    folder = made("net")
    for name in ("plan.json", "spec.cnn", "notes.json", "metrics.jsonl"):
        (folder / name).write_bytes(b"\xff\x00{")
    run = read_run(folder)
    assert (run.plan, run.spec, run.tags, run.note) == (None, None, (), "")
    assert run.epoch_lines() == []


@pytest.mark.skipif(os.name == "nt", reason="there are no such locks")
def test_a_run_without_its_lock_was_killed(made: Made) -> None:
    folder = made("net", state="running", result=None)
    run = read_run(folder)
    assert (run.state, run.epochs) == ("killed", 2)  # from metrics.jsonl
    assert run.best is not None
    with hold_lock(folder):
        run = read_run(folder)
        assert (run.state, run.holder) == ("running", "this very process")
    (folder / ".lock").touch()  # so leaves it who finds no locks: then it cannot be known
    assert read_run(folder).state == "running"


def test_a_folder_without_a_record_ended_before_training(made: Made) -> None:
    folder = made("net")
    (folder / "record.json").unlink()
    run = read_run(folder)
    assert (run.state, run.trouble) == ("killed", "ended before training began")


def test_members_belong_to_their_run(made: Made) -> None:
    made("vote", state="running", result=None)
    made("vote/1")
    made("vote/2", state="interrupted", started="2099-01-01T00:00:00+00:00")
    made("group/net-10")
    made("group/net-9")
    (Path("runs") / "link").symlink_to("vote")
    runs = {run.name: run for run in find_runs(Path("runs"))}
    assert list(runs) == ["group/net-9", "group/net-10", "vote"]
    assert [member.name for member in runs["vote"].members] == ["vote/1", "vote/2"]
    assert (runs["vote"].kind, runs["vote"].state) == ("ensemble", "interrupted")


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    assert read_run(tmp_path / "nothing").state == "damaged"
    assert find_runs(tmp_path) == []
    with pytest.raises(OSError, match="nothing"):
        find_runs(tmp_path / "nothing")
