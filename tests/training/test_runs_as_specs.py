"""A run folder in place of a spec: `report`, `explain`, `diff`, `draw`, `emit` and `check` take the
spec that is kept in it, with the options of the run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from commands import Result, run
from dotcnn.compiler.spec_options import Options
from support import ROOT

SPEC = """\
network Net(width=8) {
  input 3x8x8
  conv width 3x3 same, bn, relu
  pool avg global, flatten
  fc classes
}
train { data folder "images", batch 64, epochs 3 }
"""

Capture = pytest.CaptureFixture[str]
COMMANDS = ("report", "explain", "draw", "emit", "check")
FORMATS = {"draw": ("--format", "dot")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run with other values than its spec has by itself. Weights are not needed."""
    (tmp_path / "spec.cnn").write_text(SPEC)
    return write_record(
        tmp_path,
        {
            "network": None,
            "input": [3, 16, 16],
            "classes": 7,
            "set": ["width=12", "train.batch=32", "train.optimizer=adam lr=0.01"],
        },
    )


def write_record(folder: Path, made_with: object, **others: object) -> Path:
    record = {"base": "/data", "made_with": made_with, "state": "done", "result": None, **others}
    (folder / "record.json").write_text(json.dumps(record))
    return folder


def command(capfd: Capture, name: str, *arguments: object) -> Result:
    return run(capfd, name, *arguments, *FORMATS.get(name, ()))


def report(capfd: Capture, *arguments: object) -> Any:
    return json.loads(run(capfd, "report", *arguments, "--format", "json").out)


def test_report(folder: Path, capfd: Capture) -> None:
    found = report(capfd, folder)
    assert found["input"] == [3, 16, 16]
    assert found["batch"] == 32
    assert [layer["output"][0] for layer in found["layers"]] == [12, 12, 12, 12, 12, 7]
    assert found["file"].endswith("spec.cnn")
    printed = " ".join(run(capfd, "report", folder).out.split())
    assert "adam, fp32, cuda (batch, optimizer from `train`)" in printed


def test_options_come_after_those_of_the_run(folder: Path, capfd: Capture) -> None:
    found = report(capfd, folder, "--set", "width=4", "--input", "3x32x32", "--batch", "2")
    assert (found["input"], found["batch"]) == ([3, 32, 32], 2)
    assert found["layers"][0]["output"] == [4, 32, 32]


def test_explain(folder: Path, capfd: Capture) -> None:
    assert "12 filters * 3*3*3 = 324" in run(capfd, "explain", folder, "conv").out
    shown = run(capfd, "explain", folder, "train").out
    assert "  batch 32 " in shown
    assert "  optimizer adam lr=0.01 " in shown
    assert "  batch 16 " in run(capfd, "explain", folder, "train", "--set", "train.batch=16").out


def test_the_others(folder: Path, tmp_path: Path, capfd: Capture) -> None:
    assert "nn.Conv2d(3, 12, 3" in run(capfd, "emit", folder, "--flat").out
    assert "12x16x16" in command(capfd, "draw", folder).out
    other = tmp_path / "net.cnn"
    other.write_text(SPEC)
    found = json.loads(run(capfd, "diff", folder, other, "--format", "json").out)
    assert [change["arguments"] for change in found["changed"]] == [
        ["shape 3x16x16 -> 3x8x8"],
        ["out 12 -> 8"],
        ["out 7 -> 10"],
    ]
    assert run(capfd, "diff", folder, folder).code == 0


def test_check(folder: Path, capfd: Capture) -> None:
    """The network and the sections are checked as the run made them."""
    found = run(capfd, "check", folder).out
    assert "covers only 3x3 of 16x16 pixels" in found
    record = {"network": None, "input": None, "classes": None, "set": ["width=0"]}
    found_wrong = run(capfd, "check", write_record(folder, record))
    assert found_wrong.code == 1
    record["set"] = ["train.batch=0"]
    assert "`batch`" in run(capfd, "check", write_record(folder, record)).out


def test_a_run_is_not_trained_but_resumed(capfd: Capture) -> None:
    found = command(capfd, "train", ROOT / "tests" / "runs" / "0.1.0")
    assert found.code == 2
    assert "is a run: continue it with `--resume" in found.err


def test_a_run_of_an_older_version(capfd: Capture) -> None:
    for name in COMMANDS:
        assert command(capfd, name, ROOT / "tests" / "runs" / "0.1.0").code == 0, name


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_that_is_not_a_run(name: str, tmp_path: Path, capfd: Capture) -> None:
    (tmp_path / "record.json").write_text("[]")
    found = command(capfd, name, tmp_path)
    assert found.code == 1
    assert "is not a run folder: its record.json is damaged" in found.out + found.err
    if name in ("report", "check"):
        return  # they take folders of specs
    (tmp_path / "record.json").unlink()
    found = command(capfd, name, tmp_path)
    assert (found.code, found.out) == (2, "")
    assert "is a folder, but not a run folder; name a run or one file" in found.err


@pytest.mark.parametrize(
    "made_with",
    [
        None,
        {"network": 3, "input": None, "classes": None, "set": []},
        {"network": None, "input": [0, "x"], "classes": None, "set": []},
        {"network": None, "input": None, "classes": 10**9, "set": []},
        {"network": None, "input": None, "classes": None, "set": ["width"]},
        {"network": None, "input": None, "classes": None, "set": ["width=[[["]},
        {"network": "Another", "input": None, "classes": None, "set": []},
        {"network": None, "input": None, "classes": None, "set": ["depth=3"]},
    ],
)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_hostile_record(name: str, made_with: object, folder: Path, capfd: Capture) -> None:
    found = command(capfd, name, write_record(folder, made_with))
    assert found.code == 1
    assert "error[" in found.out + found.err


def test_a_run_without_its_spec(folder: Path, capfd: Capture) -> None:
    (folder / "spec.cnn").unlink()
    for name in COMMANDS:
        found = command(capfd, name, folder)
        assert found.code == 1
        assert "spec.cnn" in found.out + found.err


def test_options_are_written_and_read() -> None:
    options = Options("Net", (3, 8, 8), 7, ("width=3",))
    assert Options.from_json(json.loads(json.dumps(options.to_json()))) == options
