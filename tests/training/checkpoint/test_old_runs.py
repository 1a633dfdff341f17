"""Runs of older versions can be resumed: one of each released version is in tests/runs.

When a version is released: train `spec.cnn` of the last folder with it, and keep the run folder
here without its report; `base` and `platform` of its record.json say nothing of the machine. New
layers go into arguments.json.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from commands import run
from dotcnn import __version__
from dotcnn.compiler.ops import REGISTRY
from dotcnn.training.checkpoint.checkpoint import _ADDED
from support import ROOT

pytestmark = pytest.mark.usefixtures("no_report")

RUNS = ROOT / "tests" / "runs"
VERSIONS = sorted(folder.name for folder in RUNS.iterdir())

Capture = pytest.CaptureFixture[str]


@pytest.fixture(params=VERSIONS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(RUNS / request.param, tmp_path / "run"))


def test_this_version_keeps_one() -> None:
    assert __version__ in VERSIONS


def test_it_is_resumed(folder: Path, capfd: Capture) -> None:
    before = (folder / "metrics.jsonl").read_text()
    found = run(capfd, "train", "--resume", folder, "--set", "train.epochs=3", "--device", "cpu")
    assert found.code == 0, found.err
    lines = (folder / "metrics.jsonl").read_text()
    assert lines.startswith(before)
    epochs = [json.loads(line)["epoch"] for line in lines.splitlines()]
    assert [epoch for epoch in epochs if epoch] == [1, 2, 3]  # 0.1.0 has no line for epoch 0


@pytest.mark.parametrize("slot", ["ema", "precision"])
def test_it_is_resumed_where_its_version_lacked_a_directive(
    folder: Path, slot: str, capfd: Capture
) -> None:
    plan = json.loads((folder / "plan.json").read_text())
    said = plan["train"].pop(slot)
    (folder / "plan.json").write_text(json.dumps(plan))
    found = run(capfd, "train", "--resume", folder, "--set", "train.epochs=3", "--device", "cpu")
    if said is None or slot == "precision":
        assert found.code == 0, found.err
    else:  # the spec says it, and the run was begun without
        assert "error[another-spec]" in found.err
        assert f"train: `nothing`, now `{slot} " in found.err


def test_what_only_a_newer_version_knows_is_named(folder: Path, capfd: Capture) -> None:
    plan = json.loads((folder / "plan.json").read_text())
    plan["train"]["sharpness"] = {"is": "sharpness", "rho": 0.05}
    (folder / "plan.json").write_text(json.dumps({**plan, "dotcnn": "9.8.7"}))
    found = run(capfd, "train", "--resume", folder, "--device", "cpu")
    assert found.code == 1
    assert "`train` has `sharpness`" in found.err
    assert f"written by dotcnn 9.8.7, and this is {__version__}" in found.err


def test_it_is_evaluated(folder: Path, capfd: Capture) -> None:
    """With the figures that it wrote itself."""
    found = run(capfd, "evaluate", folder, "--device", "cpu", "--format", "json")
    assert found.code == 0, found.err
    wanted = json.loads((folder / "record.json").read_text())["result"]["val"]
    figures = json.loads(found.out)["metrics"]
    assert figures["top1"] == wanted["top1"]
    assert figures["loss"] == pytest.approx(wanted["loss"], rel=1e-4)


def test_it_predicts(folder: Path, tmp_path: Path, capfd: Capture) -> None:
    Image.new("L", (8, 8), 90).save(tmp_path / "grey.png")
    found = run(capfd, "predict", folder, tmp_path / "grey.png", "--device", "cpu")
    assert found.code == 0, found.err
    assert "%" in found.out


def test_arguments_that_layers_have_got_since_are_known() -> None:
    """Otherwise an older run is said to be of another network. arguments.json has the arguments of
    each layer in the first released version that has it; what a layer gets later is added to
    `_ADDED`, and stays out of the mark while it has its default."""
    before = json.loads((Path(__file__).parent / "arguments.json").read_text("utf-8"))
    now = {word: [*op.fields] for word, op in REGISTRY.items() if word in before}
    for word, names in now.items():
        now[word] = [name for name in names if name not in _ADDED.get(word, ())]
    assert now == before
