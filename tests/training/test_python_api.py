"""The Python API: arrays, Pillow images, runs, errors."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, ClassVar

import numpy
import pytest
import torch
from PIL import Image

import dotcnn
from dotcnn.training.trainer.result import Result

SPEC = """
network Net {
  input 3x8x8
  conv 4 3x3 stride=2 same, bn, relu
  flatten
  fc classes
}
train {
  epochs 2
  batch 16
  optimizer adam lr=0.01
}
"""


def images(count: int = 60) -> tuple[Any, Any]:
    """uint8, N x H x W x C, of three classes by their brightness."""
    random = numpy.random.default_rng(0)
    labels = numpy.arange(count) % 3
    pixels = random.integers(0, 60, (count, 8, 8, 3)) + 90 * labels[:, None, None, None]
    return pixels.astype(numpy.uint8), labels


def trained(folder: Path, data: object, **options: Any) -> Result:
    return dotcnn.train(SPEC, data=data, output=folder, device="cpu", quiet=True, **options)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("api") / "run", images(), epochs=20).folder


# ---- data --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "convert",
    [
        lambda x, y: (x, y),
        lambda x, y: (torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(y)),
        lambda x, y: (x.astype(numpy.float32) / 255, y.tolist()),
        lambda x, y: (x.tolist(), y),
    ],
    ids=["numpy", "torch", "fractions", "lists"],
)
def test_arrays_of_any_kind(tmp_path: Path, convert: Any) -> None:
    """The same images, the same training."""
    ours = trained(tmp_path / "ours", convert(*images()))
    theirs = trained(tmp_path / "theirs", images())
    assert ours.classes == ("0", "1", "2")
    assert ours.metrics == theirs.metrics


def test_parts_are_given_by_name(tmp_path: Path) -> None:
    x, y = images()
    result = trained(tmp_path / "run", {"train": (x[:40], y[:40]), "val": (x[40:], y[40:])})
    assert result.outcome is not None
    assert len(result.outcome.labels) == 20


def test_a_run_of_arrays_is_resumed_and_evaluated_with_them(run: Path, tmp_path: Path) -> None:
    x, y = images()
    outcome = dotcnn.evaluate(run, data=(x, y), part="all", device="cpu")
    assert len(outcome.labels) == 60
    assert outcome.metrics["top1"] > 0.9
    with pytest.raises(dotcnn.SpecError, match="arrays that a program passed"):
        dotcnn.evaluate(run, device="cpu")
    first = trained(tmp_path / "run", (x, y))
    again = dotcnn.train(resume=first.folder, data=(x, y), epochs=3, device="cpu", quiet=True)
    assert again.epochs == 3


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (images()[0], "there are images and no labels"),
        ((images()[0], images()[1][:-1]), "60 images and 59 labels"),
        ((images()[0] - 500.0, images()[1]), "pixels range from 0 to 255"),
        ((images()[0], numpy.full(60, numpy.nan)), "labels must be whole numbers"),
        ({"val": images()}, "`train`"),
        (3, "not int"),
        ((object(), object()), "arrays"),
    ],
)
def test_invalid_data_is_an_error_with_help(tmp_path: Path, data: object, expected: str) -> None:
    with pytest.raises(dotcnn.SpecError) as raised:
        trained(tmp_path / "run", data)
    assert expected in str(raised.value)
    assert "data=(images, labels)" in str(raised.value)


# ---- runs --------------------------------------------------------------------------------------


def test_images_of_any_kind_are_predicted_alike(run: Path, tmp_path: Path) -> None:
    pixels = images()[0][2]
    picture = Image.fromarray(pixels)
    file = tmp_path / "image.png"
    picture.save(file)
    data = io.BytesIO()
    picture.save(data, "PNG")
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)
    kinds = [file, str(file), data.getvalue(), picture, pixels, tensor, pixels / 255]
    found = dotcnn.predict(run, kinds, device="cpu")
    assert [each.reason for each in found] == [""] * len(kinds)
    for each in found:  # the last digits depend on the place in a batch
        assert [guess.name for guess in each.guesses] == ["2", "1", "0"]
        probabilities = [guess.probability for guess in each.guesses]
        expected = [guess.probability for guess in found[0].guesses]
        assert probabilities == pytest.approx(expected, rel=1e-5)
    assert found[0].guesses[0].name == "2"
    (alone,) = dotcnn.predict(run, picture, device="cpu")
    assert alone.guesses[0].probability == pytest.approx(found[0].guesses[0].probability)
    assert len(dotcnn.predict(run, images()[0][:5], device="cpu")) == 5
    (grey,) = dotcnn.predict(run, pixels[..., 0], device="cpu")
    assert not grey.reason


def test_an_array_that_is_not_an_image_has_a_reason(run: Path) -> None:
    (found,) = dotcnn.predict(run, numpy.zeros((8, 8, 7), numpy.uint8), device="cpu")
    assert "channels" in found.reason
    (found,) = dotcnn.predict(run, [numpy.full((8, 8, 3), -2.0)], device="cpu")
    assert "pixels range from 0 to 255" in found.reason


def test_a_run_can_be_given_in_place_of_a_spec(run: Path, tmp_path: Path) -> None:
    """Its network, its best weights, in evaluation mode."""
    network = dotcnn.compile(run)
    assert network.output.shape == (3,)
    assert "class Net" in dotcnn.emit(run)
    assert dotcnn.report(str(run))["totals"]["params"] > 0
    module = dotcnn.load(run)
    assert not module.training
    outcome = dotcnn.evaluate(run, data=images(), part="train", device="cpu")
    assert outcome.metrics["top1"] > 0.9
    assert dotcnn.export(run, tmp_path / "net.safetensors")
    again = dotcnn.load(dotcnn.compile(run), weights=tmp_path / "net.safetensors").eval()
    batch = torch.rand(2, 3, 8, 8)
    assert torch.equal(again(batch), module(batch))
    with pytest.raises(TypeError, match="`classes`"):
        dotcnn.load(run, classes=4)


def test_a_folder_that_is_not_a_run_is_an_error(tmp_path: Path) -> None:
    for use in (dotcnn.load, dotcnn.compile, dotcnn.evaluate):
        with pytest.raises(dotcnn.SpecError, match="is not a run folder"):
            use(tmp_path)


# ---- what is shown -----------------------------------------------------------------------------


def test_training_shows_its_progress(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a script and a notebook: lines on standard error."""
    dotcnn.train(SPEC, data=images(), output=tmp_path / "run", device="cpu")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "epoch 2/2" in shown.err
    assert "done: 2 epochs" in shown.err


def test_quiet_is_quiet_and_logs_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(tmp_path / "quiet", images(), set={"train.log": "csv"})
    assert capsys.readouterr().err == ""
    assert (tmp_path / "quiet" / "metrics.csv").exists()


def test_callbacks_of_the_caller_are_told_beside_the_display(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Epochs(dotcnn.Callback):
        seen: ClassVar[list[int]] = []

        def epoch(self, record: Any) -> None:
            self.seen.append(record.epoch)

    trained(tmp_path / "quiet", images(), callback=Epochs())
    assert Epochs.seen == [1, 2]
    assert capsys.readouterr().err == ""
    both = [Epochs(), Epochs()]
    dotcnn.train(SPEC, data=images(), output=tmp_path / "run", device="cpu", callback=both)
    assert Epochs.seen == [1, 2, 1, 1, 2, 2]
    assert "epoch 2/2" in capsys.readouterr().err


@pytest.mark.parametrize("callback", [dotcnn.Callback, print, 3, ["x"]])
def test_what_is_not_a_callback_is_refused(callback: Any) -> None:
    with pytest.raises(TypeError, match="a callback is"):
        dotcnn.train(SPEC, data=images(), callback=callback)


def test_errors_are_public_and_say_what_the_command_line_says() -> None:
    with pytest.raises(dotcnn.SpecError) as raised:
        dotcnn.compile("network Small { input 3x8x8, cnov 8 }")
    assert "error[" in str(raised.value)
    assert "did you mean `conv`?" in str(raised.value)
    assert "SpecError" in dir(dotcnn)
