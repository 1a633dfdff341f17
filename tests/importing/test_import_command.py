"""`cnn import`: where the spec goes, what it may replace, exit codes and messages."""

from __future__ import annotations

from pathlib import Path

import pytest

import dotcnn
from commands import run

Capture = pytest.CaptureFixture[str]
CFG = "[net]\nheight=8\nwidth=8\nchannels=3\n[convolutional]\nfilters=4\nactivation=relu\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("small.cfg").write_text(CFG)
    return tmp_path


def test_writes_a_spec(capfd: Capture) -> None:
    result = run(capfd, "import", "small.cfg", "-o", "small.cnn")
    assert result == (0, "", "small.cnn: 3 layers in 4 lines, proved to be the same network\n")
    assert dotcnn.compile(Path("small.cnn")).output.shape == (4, 8, 8)
    assert run(capfd, "fmt", "--check", "small.cnn").code == 0
    text = Path("small.cnn").read_text()
    assert text.startswith("# From small.cfg (Darknet), imported by dotcnn, without weights.")
    assert run(capfd, "import", "small.cfg") == (0, text, "")


def test_replaces_only_what_it_wrote(capfd: Capture) -> None:
    Path("mine.cnn").write_text("network Mine { input 3x8x8, conv 4 }\n")
    result = run(capfd, "import", "small.cfg", "-o", "mine.cnn")
    assert result.code == 2
    assert "mine.cnn exists already" in result.err
    assert run(capfd, "import", "small.cfg", "-o", "mine.cnn", "--force").code == 0
    assert run(capfd, "import", "small.cfg", "-o", "mine.cnn").code == 0


def test_wrong_use(capfd: Capture) -> None:
    assert "Caffe (.prototxt, .pbtxt), Darknet (.cfg)" in run(capfd, "import", "net.tflite").err
    assert run(capfd, "import", "small.cfg", "-o", "net.py").code == 2
    assert "there is no file none.cfg" in run(capfd, "import", "none.cfg").err


def test_another_size_of_input(capfd: Capture) -> None:
    assert "input 3x16x16" in run(capfd, "import", "small.cfg", "--input", "3x16x16").out


def test_what_cannot_be_said(capfd: Capture) -> None:
    Path("yolo.cfg").write_text(CFG + "[yolo]\n")
    result = run(capfd, "import", "yolo.cfg", "-o", "yolo.cnn")
    assert result.code == 1
    assert "--> yolo.cfg:8:1" in result.err
    assert "--partial" in result.err
    assert not Path("yolo.cnn").exists()
    assert run(capfd, "import", "yolo.cfg", "--partial", "-o", "yolo.cnn").code == 0
    assert "it ends before what cannot be said" in Path("yolo.cnn").read_text()
