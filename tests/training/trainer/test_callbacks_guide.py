"""docs/guide/callbacks.md: its examples run, and do what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dotcnn
from dotcnn.training.trainer.callbacks import EpochRecord, RunEnd, RunStart, Step

from ...commands import run as command
from ..small import SPEC

PAGE = Path(__file__).parents[3] / "docs" / "guide" / "callbacks.md"


def example(name: str) -> str:
    found = re.search(rf"^```python\n(# {name}\n.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert found, name
    return found[1]


def trained_with(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """What `cnn train --callback` prints. (The name is changed: another test may load one of this
    name, and a report takes longer than what is trained.)"""
    file = tmp_path / f"guide_{name}"
    file.write_text(example(name).replace("minutes=10", "minutes=0"))
    (tmp_path / "net.cnn").write_text(SPEC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dotcnn.training.page.write.write_report", lambda folder, *_: folder)
        result = command(
            capfd, "train", tmp_path / "net.cnn", "-o", tmp_path / "run", "--callback", file
        )
    assert result.code == 0, result.err
    return result.out + result.err


def test_print_at_a_new_best(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    printed = trained_with("best.py", tmp_path, capfd)
    assert re.search(r"^epoch \d is the best so far: \d+\.\d%$", printed, re.M)


def test_stop_after_minutes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "callback stop (after 0 minutes): 1 epoch" in trained_with("minutes.py", tmp_path, capfd)


def test_write_to_a_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    trained_with("losses.py", tmp_path, capfd)
    lines = (tmp_path / "run" / "losses.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]


def test_all_events_and_fields_are_listed() -> None:
    text = PAGE.read_text()
    methods = [name for name in vars(dotcnn.Callback) if not name.startswith("_")]
    for name in methods:
        assert name == "is_callback" or f"| `{name}(" in text, name
    for kind in (RunStart, Step, EpochRecord, RunEnd):
        (row,) = re.findall(rf"^\| `{kind.__name__}` \| (.*) \|$", text, re.M)
        named = set(re.findall(r"\w+", row))
        assert set(kind._fields) <= named, kind
