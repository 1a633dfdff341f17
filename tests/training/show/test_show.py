"""`cnn show`: numbers, one output worked out, tables, and wrong use."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image

import dotcnn
from commands import run
from dotcnn.training.show.input_images import NoMatrix, matrix_shape, read_matrix

from ..trained import small_run

COURSE = """\
81 2 209 44 71 58
24 56 108 98 12 112
91 0 189 65 79 232
12 0 0 5 1 49
2 32 23 58 8 208
4 23 23 58 8 208"""


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = numpy.arange(40 * 60 * 3, dtype=numpy.uint32).reshape(40, 60, 3) * 7 % 256
    Image.fromarray(pixels.astype(numpy.uint8)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_the_example_of_the_course(capfd: pytest.CaptureFixture[str]) -> None:
    result = run(capfd, "show", "by_hand", "--matrix", COURSE)
    assert result.code == 0
    assert "81*0 + 2*1 + 209*1 + 24*1 + 56*0 + 108*0 + 91*1 + 0*0 + 189*1 = 515" in result.out
    numbers = [line.split() for line in result.out.splitlines() if line.startswith("  ")]
    assert ["515", "374", "491", "524"] in numbers
    words = ("show", "by_hand", "--matrix", COURSE, "--at", "0,1")
    assert run(capfd, *words).out.rstrip().endswith("= 374")
    assert json.loads(run(capfd, *words, "--format", "json").out)["worked"][0]["result"] == 374


def test_a_matrix_of_another_size_is_the_input(capfd: pytest.CaptureFixture[str]) -> None:
    result = run(
        capfd, "show", "by_hand", "--matrix", "1 2 3 4; 5 6 7 8; 9 1 2 3", "--format", "json"
    )
    assert json.loads(result.out)["layers"][-1]["output"] == [1, 1, 2]


def test_one_matrix_for_each_channel(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    spec = tmp_path / "net.cnn"
    spec.write_text("network Net {\n  input 2x2x2\n  pool max 2x2\n}\n")
    result = run(capfd, "show", spec, "--matrix", "1 2; 3 4", "--matrix", "-1 -2; -3 -4")
    assert result.code == 0
    assert "max" in result.out
    assert ["4"] in [line.split() for line in result.out.splitlines()]
    assert ["-1"] in [line.split() for line in result.out.splitlines()]


def test_read_matrix() -> None:
    for text in ("1 2; 3 4", "1,2/3,4", "[[1, 2],\n [3, 4]]", " 1  2 ;3 4; "):
        assert read_matrix(text).tolist() == [[1, 2], [3, 4]]
    for text, why in [
        ("", "empty"), ("1 2; 3", "row 2 has 1"), ("1 x", "`x` is not a number"),
        ("1 inf", "not a finite"), (" ".join(["1"] * 5000), "more than"),
    ]:  # fmt: skip
        with pytest.raises(NoMatrix, match=why):
            read_matrix(text)
    with pytest.raises(NoMatrix, match="differ in size"):
        matrix_shape([torch.zeros(2, 2), torch.zeros(2, 3)])


def test_a_table_of_all_layers(capfd: pytest.CaptureFixture[str], photo: Path) -> None:
    result = run(capfd, "show", "squeezenet1_0", photo, "--input", "3x64x64", "--format", "json")
    data = json.loads(result.out)
    network = dotcnn.compile("squeezenet1_0", input=(3, 64, 64))
    assert [layer["name"] for layer in data["layers"]] == [node.name for node in network.nodes]
    assert all(layer["not_finite"] == 0 for layer in data["layers"])
    relu = next(layer for layer in data["layers"] if layer["name"] == "relu")
    assert relu["least"] == 0
    assert 0 < relu["zeros"] < 1


def test_the_table_says_every_layer_in_full_at_80_columns(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, photo: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    result = run(capfd, "show", "edges", photo)
    assert {"5x5", "sigma=1", "mode=replicate"} <= set(result.out.split())
    assert ".." not in result.out.replace("...", "")
    assert max(map(len, result.out.splitlines())) <= 80
    # Columns are not as wide as a mean that is nearly 0: `-9.028e-5`.
    assert not re.search(r"\d\.\d+e-", result.out)


def test_one_layer(capfd: pytest.CaptureFixture[str], photo: Path) -> None:
    result = run(capfd, "show", "lenet5", photo, "conv2", "--at", "3,1,2", "--format", "json")
    data = json.loads(result.out)
    values, worked = data["values"], data["worked"]
    assert len(worked) == len(values) == 1, "one for each image"
    assert worked[0]["at"] == [3, 1, 2]
    assert worked[0]["result"] == pytest.approx(values[0][3][1][2], rel=1e-4)
    assert len(worked[0]["groups"]) == 6, "one for each channel"


def test_a_spec_from_standard_input(capfd: pytest.CaptureFixture[str], photo: Path) -> None:
    """It can be read once."""
    text = b"network N { input 3x16x16, conv 8 3x3 }"
    assert "conv 8 3x3" in run(capfd, "show", "-", photo, stdin=text).out


def test_what_became_of_the_photo_is_said(
    capfd: pytest.CaptureFixture[str],
    photo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = Path("net.cnn")
    spec.write_text("network Net {\n  input 1x20x20\n  filter [[1, 0, -1]]\n}\n")
    text = " ".join(run(capfd, "show", spec, photo.name).out.split())
    assert "photo.png; 40x60 pixels, resized to 20x30, cropped to 20x20: 1x20x20, pixels" in text
    assert "from 0 to 255, not normalized" in text
    spec.write_text("network Net {\n  input 1x40x60\n  pool max 2x2\n  conv 2\n}\n")
    text = " ".join(run(capfd, "show", spec, photo.name).out.split())
    assert "photo.png; 1x40x60, `normalize mean=0.5 std=0.5` (others:" in text


@pytest.mark.parametrize("layer", ["pool1", "relu1", "fc3", "flatten", "conv1"])
def test_every_layer_can_be_worked_out(
    layer: str, capfd: pytest.CaptureFixture[str], photo: Path
) -> None:
    result = run(capfd, "show", "lenet5", photo, layer)
    assert result.code == 0
    assert " = " in result.out or "copied" in result.out


def test_training_differs_from_evaluation(
    capfd: pytest.CaptureFixture[str], photo: Path, tmp_path: Path
) -> None:
    spec = tmp_path / "net.cnn"
    spec.write_text("network Net {\n  input 3x4x4\n  bn\n  dropout 0.5\n  flatten, fc 2\n}\n")
    evaluation = run(capfd, "show", spec, photo, "dropout", "--at", "0,1,1")
    training = run(capfd, "show", spec, photo, "dropout", "--at", "0,1,1", "--training")
    assert evaluation.code == training.code == 0
    assert evaluation.out != training.out
    assert run(capfd, "show", spec, photo, "bn", "--training").code == 0


def test_images_of_the_data(capfd: pytest.CaptureFixture[str]) -> None:
    result = run(capfd, "show", "lenet5", "--image", "3", "--image", "5", "--format", "json")
    assert result.code == 0
    assert len(json.loads(result.out)["images"]) == 2
    table = run(capfd, "show", small_run(), "--image", "3").out
    # The number that was given, beside that in the whole data; digits are also names of classes.
    assert re.search(r"^val 3 \(#\d+\) \(labeled \d\): \d \([\d.]+ %\), \d \(", table, re.M)
    result = run(capfd, "show", "lenet5", "--image", "100000")
    assert "there is no image 100000: the val part has" in result.err


def test_more_images_than_memory(
    capfd: pytest.CaptureFixture[str], photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused; the kernel would end the process."""
    monkeypatch.setattr("dotcnn.training.show.run.computer_budget", lambda: 25_000)
    result = run(capfd, "show", "lenet5", photo, photo, photo)
    assert result.code == 1
    assert "all maps of 3 images need" in result.err
    assert "give it fewer images" in result.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["by_hand"], "what should the network see?"),
        (["by_hand", "nothing.jpg"], "there is no file nothing.jpg"),
        (["by_hand", "--matrix", "1 2 3"], "does not fit"),
        (["by_hand", "--matrix", "a"], "`a` is not a number"),
        (["by_hand", "--matrix", COURSE, "--at", "9,9"], "there is nothing at 9,9"),
        (["by_hand", "--matrix", COURSE, "--at", "x"], "is not a position"),
        (["by_hand", "--matrix", COURSE, "conv"], "has no layer `conv`"),
        (["lenet5", "--matrix", COURSE, "--input", "1x32x32"], "the input is 1x32x32"),
        (["lenet5", "PHOTO", "--at", "0,0"], "--at needs a layer"),
        (["lenet5", "PHOTO", "input", "--at", "0,0"], "input is not computed"),
        (["lenet5", "--field", "--why"], "--field and --why are two questions"),
        (["lenet5", "PHOTO", "conv1", "conv2"], "name one layer at a time"),
        (["lenet5", "TEXT"], "not an image, but text"),
        (["lenet5", "PHOTO", "--image", "1"], "not several of these"),
        (["vgg16", "PHOTO", "--input", "3x16x16"], "does not fit"),
        (["lenet5", "PHOTO", "--weights", "none.pt"], "none.pt"),
        (["lenet5", "PHOTO", "-o", "sheet.txt"], "ends in .png"),
    ],
)
def test_wrong_use(
    words: list[str], why: str, capfd: pytest.CaptureFixture[str], photo: Path, tmp_path: Path
) -> None:
    text = tmp_path / "notes.md"
    text.write_text("no image\n")
    given = [{"PHOTO": str(photo), "TEXT": str(text)}.get(word, word) for word in words]
    result = run(capfd, "show", *given)
    assert result.code != 0
    assert why in result.err
