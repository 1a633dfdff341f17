"""`cnn show` of networks for series, volumes and vectors, and of several inputs."""

from __future__ import annotations

import json
import math
import struct
import wave
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image

from commands import run
from dotcnn.training.show.pictures.series_picture import curve

SERIES = """\
network Series {
  input 2x6
  conv 3 3 same
  pool max 2
  pool avg global, flatten, fc 2
}
"""
VOLUME = """\
network Volume {
  input 1x4x6x6
  conv 2 3x3x3 same
  pool max 2
  pool avg global, flatten, fc 2
}
"""
TWO = """\
network Two {
  input wave 1x8
  input image 1x4x4
  from wave
  a: conv 2 3 same
  pool avg global
  heard: flatten
  from image
  b: conv 2 3x3 same
  pool avg global
  seen: flatten
  both: concat heard seen
  output kind: fc 3
  from both
  output place: fc 2
}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("series", SERIES), ("volume", VOLUME), ("two", TWO)):
        (tmp_path / f"{name}.cnn").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def data_of(capfd: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    result = run(capfd, "show", *words, "--format", "json")
    assert result.code == 0, result.err
    found: dict[str, object] = json.loads(result.out)
    return found


def test_a_series_is_shown_as_numbers(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    values = numpy.arange(12, dtype=numpy.float32).reshape(2, 6) / 7
    numpy.save(folder / "s.npy", values)
    data = data_of(capfd, "series.cnn", "s.npy", "conv", "--at", "1,2")
    (worked,) = data["worked"]  # type: ignore[misc]
    outputs = torch.tensor(data["values"])
    assert outputs.shape == (1, 3, 6)
    assert worked["result"] == pytest.approx(float(outputs[0, 1, 2]), rel=1e-5)  # type: ignore[index]
    text = run(capfd, "show", "series.cnn", "s.npy", "conv", "--at", "1,2").out
    assert "at 1, 2 (channel, step): sum of value*weight over a window of 3" in text
    assert "numbers as they are" in text
    rows = "; ".join(" ".join(map(str, row)) for row in values.tolist())
    typed = data_of(capfd, "series.cnn", "--matrix", rows, "conv")
    assert torch.allclose(torch.tensor(typed["values"]), outputs)


def test_channels_may_come_last_and_several_series_in_a_file(
    capfd: pytest.CaptureFixture[str], folder: Path
) -> None:
    values = numpy.random.default_rng(0).normal(size=(3, 6, 2))
    numpy.savez(folder / "s.npz", x=values)
    data = data_of(capfd, "series.cnn", "s.npz", "input")
    assert data["images"] == ["s.npz#0", "s.npz#1", "s.npz#2"]
    assert torch.allclose(
        torch.tensor(data["values"]), torch.tensor(values).float().transpose(1, 2)
    )


def test_sound_is_cut_or_followed_by_silence(
    capfd: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "net.cnn").write_text("network Net {\n  input 1x6\n  conv 1 3 same\n}\n")
    for name, wide, code, scale in (("a", 2, "<h", 2**15), ("b", 1, "<B", 2**7)):
        with wave.open(f"{name}.wav", "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(wide)
            file.setframerate(8000)
            zero = 128 if wide == 1 else 0
            numbers = [zero + each for each in (10, 30, -20, -40, 0, 2)]
            file.writeframes(b"".join(struct.pack(code, each) for each in numbers))
        data = data_of(capfd, "net.cnn", f"{name}.wav", "input")
        wanted = [20 / scale, -30 / scale, 1 / scale, 0, 0, 0]
        assert data["values"] == [[pytest.approx(wanted)]]
    text = run(capfd, "show", "net.cnn", "a.wav").out
    assert "3 samples at 8,000 Hz, then 3 of silence" in text


def test_frames_of_a_clip_and_of_a_folder(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "frames").mkdir()
    frames = [Image.new("L", (6, 6), 20 * number) for number in range(8)]
    for number, frame in enumerate(frames):
        frame.save(folder / "frames" / f"{number}.png")
    frames[0].save(folder / "clip.gif", save_all=True, append_images=frames[1:])
    for given in ("frames", "clip.gif"):
        data = data_of(capfd, "volume.cnn", given, "input")
        values = torch.tensor(data["values"])
        assert values.shape == (1, 1, 4, 6, 6)
        # Every second frame, from the second on: pixels from -1 to 1.
        wanted = [(20 * number / 255 - 0.5) / 0.5 for number in (1, 3, 5, 7)]
        assert values[0, 0, :, 0, 0].tolist() == pytest.approx(wanted, abs=1e-2)
    result = run(capfd, "show", "volume.cnn", "frames/1.png")
    assert result.code == 1
    assert "it has 1 frame, and the input `input` takes 4" in result.err


def test_a_position_of_a_volume(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    numpy.save(folder / "v.npy", numpy.arange(144.0).reshape(4, 6, 6) / 100)
    for at in ("1,2,3", "0,1,2,3"):
        data = data_of(capfd, "volume.cnn", "v.npy", "conv", "--at", at)
        (worked,) = data["worked"]  # type: ignore[misc]
        wanted = torch.tensor(data["values"])[0, 0, 1, 2, 3]
        assert worked["at"] == [0, 1, 2, 3]  # type: ignore[index]
        assert worked["result"] == pytest.approx(float(wanted), rel=1e-4)  # type: ignore[index]
    result = run(capfd, "show", "volume.cnn", "v.npy", "conv", "--at", "9,9,9")
    assert "write slice,row,column or channel,slice,row,column, from 0,0,0,0 to 1,3,5,5" in (
        result.err
    )


def test_several_inputs_by_order_and_by_name(
    capfd: pytest.CaptureFixture[str], folder: Path
) -> None:
    numpy.save(folder / "w.npy", numpy.arange(8.0))
    Image.new("L", (4, 4), 255).save(folder / "i.png")
    for words in (("w.npy", "i.png"), ("image=i.png", "wave=w.npy")):
        data = data_of(capfd, "two.cnn", *words)
        layers = {each["name"]: each for each in data["layers"]}  # type: ignore[attr-defined]
        assert layers["wave"]["greatest"] == 7
        assert layers["image"]["mean"] == 1
        assert data["images"] == ["w.npy + i.png"]
    text = run(capfd, "show", "two.cnn", "w.npy", "i.png", "kind").out
    assert "wave: w.npy; numbers as they are" in text
    assert "image: i.png; 1x4x4, `normalize mean=0.5 std=0.5`" in text
    numbers = ("--matrix", "0 1 2 3 4 5 6 7", "--matrix", "1 1 1 1; 1 1 1 1; 1 1 1 1; 1 1 1 1")
    typed = data_of(capfd, "two.cnn", *numbers, "kind")
    named = data_of(capfd, "two.cnn", "w.npy", "i.png", "kind")
    assert typed["values"] == named["values"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["series.cnn"], "Name a series (.npy, .npz, .wav)"),
        (["two.cnn"], "Name a file for each input (wave, image)"),
        (["two.cnn", "one.npy"], "name a file for each, in this order, or `wave=FILE image=FILE`"),
        (["two.cnn", "--matrix", "1 2"], "the input `wave` is 1x8, not 1x2"),
        (["series.cnn", "one.npy"], "its array is 1x3, and the input is 2x6: channels x length"),
        (["series.cnn", "photo.png"], "it is not a series of 2x6 for `input`: a .npy or .npz file"),
        (["series.cnn", "--noise", "--why"], "--why needs a trained network"),
        (["series.cnn", "--dream", "conv"], "--dream works on images, and the input of Series"),
        (["volume.cnn", "--noise", "--why"], "--why works on images and series, and the input"),
        (["series.cnn", "--field"], "--field works on images, and the input of Series is 2x6"),
        (["volume.cnn", "--noise", "--field"], "`cnn report volume.cnn` shows it for each layer"),
        (["two.cnn", "--noise", "--field"], "--field works on one image, and Two has several"),
        (["two.cnn", "--gradients"], "Two has several outputs (kind, place)"),
    ],
)
def test_what_cannot_be_shown(
    capfd: pytest.CaptureFixture[str], folder: Path, words: list[str], said: str
) -> None:
    numpy.save(folder / "one.npy", numpy.zeros((1, 3)))
    Image.new("L", (4, 4)).save(folder / "photo.png")
    result = run(capfd, "show", *words)
    assert result.code in (1, 2)
    assert said in " ".join(result.err.split())


def test_sheets_have_curves_and_slices(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    for name in ("series", "volume", "two"):
        result = run(capfd, "show", f"{name}.cnn", "--noise", "-o", f"{name}.png")
        assert result.code == 0, result.err
        with Image.open(folder / f"{name}.png") as picture:
            assert picture.size[0] == 1280


def test_gradients_of_a_series(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    result = run(capfd, "show", "series.cnn", "--gradients")
    assert result.code == 0, result.err
    assert "images of noise" in result.out


def test_a_curve_goes_from_low_to_high() -> None:
    picture = curve(torch.tensor([0.0, 1.0, 2.0, math.nan]), (0.0, 2.0), 40, 20)
    ink = (picture.permute(1, 2, 0) == torch.tensor([54, 112, 184])).all(2)
    rows, columns = ink.nonzero(as_tuple=True)
    assert rows[columns.argmin()] == 19
    assert rows.min() == 0
    magenta = (picture.permute(1, 2, 0) == torch.tensor([255, 0, 255])).all(2)
    assert magenta.any(0).nonzero().flatten().tolist()[0] > 25
