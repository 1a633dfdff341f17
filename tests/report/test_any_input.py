"""What reports, explanations and messages say of series, volumes, several inputs and shared
weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import run

MIXED = """\
network Mixed {
  input wave 1x64
  input image 3x16x16
  from wave
  conv 4 3 same, relu
  conv 4 5 same, pool avg global
  heard: flatten
  from image
  conv 4 3x3 same, pool avg global
  seen: flatten
  both: concat heard seen
  fc 2
}
"""
SIAMESE = """\
block tower { conv 4 3x3, relu, pool avg global, flatten }

network Net(side=8) {
  input left (1, side, side)
  input right (1, side, side)
  from left
  one: tower
  from right
  other: share one
  concat one other
  fc 1
}
"""


def said(capfd: pytest.CaptureFixture[str], *words: str) -> str:
    result = run(capfd, *words)
    return " ".join((result.out + result.err).split())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mixed.cnn").write_text(MIXED)
    (tmp_path / "siamese.cnn").write_text(SIAMESE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_input_has_a_receptive_field(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    report = said(capfd, "report", "mixed.cnn")
    assert "receptive field 7 of 64 of `wave`, before the head" in report
    assert "receptive field 3x3 of 16x16 of `image`, before the head" in report
    assert "how many positions of an input an output depends on" in report
    whole = said(capfd, "explain", "mixed.cnn")
    assert "receptive field: 7 of 64 (wave), 3x3 of 16x16 (image)" in whole
    merged = said(capfd, "explain", "mixed.cnn", "both")
    assert "all of the inputs, the union of 70 (heard), 18x18 (seen)" in merged


def test_shared_weights_are_marked(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    rows = run(capfd, "report", "siamese.cnn").out.splitlines()
    (row,) = [row.split() for row in rows if row.startswith("other.one.conv")]
    assert "shared" in row
    assert any(row.startswith("shared: the parameters belong to another") for row in rows)
    assert "shared" in said(capfd, "report", "siamese.cnn", "--depth", "1")
    explained = said(capfd, "explain", "siamese.cnn", "other")
    assert "parameters those of one.conv, counted there (shared)" in explained


def test_axes_alike_are_explained_once(capfd: pytest.CaptureFixture[str]) -> None:
    result = run(capfd, "explain", "r3d_18", "layer2.0.conv1").out
    assert "receptive field, height, width  23 + (3 - 1)*2 = 27" in result
    assert "receptive field, depth          11 + (3 - 1)*1 = 13" in result
    assert "receptive field  32, as before" in run(capfd, "explain", "unet3d", "crop1").out


def test_what_an_input_is(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    assert "An input of the network: channels x length." in said(
        capfd, "explain", "mixed.cnn", "wave"
    )
    assert "channels x length of a series (`input 1x16000`)" in said(capfd, "help", "input")


def test_one_size_for_several_inputs_is_one_mistake(
    capfd: pytest.CaptureFixture[str], folder: Path
) -> None:
    result = run(capfd, "report", "siamese.cnn", "--input", "1x9x9")
    assert result.code == 1
    assert result.err.count("error[") == 1
    assert "error[second-input]" in result.err


@pytest.mark.parametrize("like", ["m5", "c3d", "dcgan", "siamese"])
def test_a_copy_of_any_network_is_well(
    capfd: pytest.CaptureFixture[str], folder: Path, like: str
) -> None:
    """`cnn train` trains networks for images, so others get no sections."""
    assert run(capfd, "new", "copy", "--like", like).code == 0
    result = run(capfd, "check", "copy.cnn")
    assert (result.code, result.err) == (0, "")


def test_blocks_of_a_network_with_errors_are_not_called_unused(
    capfd: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "two.cnn").write_text(
        "block up(width) { deconv width 4x4 stride=2 pad=1, relu }\n\n"
        "network First { input 8x4x4, up 8, conv }\n\n"
        "network Second { input 3x8x8, conv 4 3x3 }\n"
    )
    assert "unused" not in said(capfd, "check", "two.cnn")


def test_cover_counts_steps_of_a_series(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    assert "sees 20 steps, convolutions of 3 like conv1" in said(
        capfd, "show", "mixed.cnn", "--cover", "20"
    )
