"""A run that has learned to answer with images: training, the report, predictions of images of any
size, evaluation with views, export."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy
import pytest
import torch
from PIL import Image

import dotcnn
from dotcnn import cli
from dotcnn.training.saved_request import read_record

from ..mask_sets import save
from ..small import trained

SPEC = """
let scale = {scale}
network Restore {{
  input 1x16x16
  {body}
}}
train {{
  data npz "{data}"
  {train}
  epochs 4
  batch 16
  optimizer adam lr=1e-2
}}
evaluate {{ tta flip }}
"""
DENOISER = "residual { conv 8 3x3 same, relu, conv 1 3x3 same }"
LARGER = "conv 8 3x3 same, relu, conv scale*scale 3x3 same, pixel_shuffle scale"
CODER = (
    "conv 4 3x3 stride=2 same, relu, flatten, fc 16, fc 256, relu, reshape 4x8x8,"
    " deconv 1 4x4 stride=2 pad=1, sigmoid"
)

_KEPT: list[TemporaryDirectory[str]] = []


def waves(count: int, side: int) -> numpy.ndarray:
    random = numpy.random.default_rng(3)
    y, x = numpy.mgrid[0:side, 0:side]
    return numpy.stack(
        [
            (128 + 100 * numpy.sin(x * a + y * b)).round().astype(numpy.uint8)
            for a, b in random.uniform(0.05, 0.5, (count, 2))
        ]
    )


@cache
def run_of(body: str, train: str, scale: int = 1) -> Path:
    _KEPT.append(TemporaryDirectory())
    root = Path(_KEPT[-1].name)
    numpy.savez(root / "waves.npz", x_train=waves(96, 16 * scale)[..., None])
    spec = SPEC.format(body=body, train=train, scale=scale, data=root / "waves.npz")
    trained(root / "run", spec)
    return root / "run"


def denoiser() -> Path:
    return run_of(DENOISER, "degrade noise 40")


def test_a_denoiser_is_better_than_its_input_and_says_so() -> None:
    result = read_record(denoiser())["result"]
    comparison, views = result["comparisons"]
    assert comparison["against"] == "the input itself"
    assert 15 < comparison["base"]["psnr"] < 18
    assert result["val"]["psnr"] > comparison["base"]["psnr"] + 0.5
    assert "dB more than the input itself" in comparison["text"]
    assert views["what"].startswith("tta")
    page = (denoiser() / "report.html").read_text(encoding="utf-8")
    assert "Images: input, answer and target" in page
    assert "PSNR of the answers" in page


def test_evaluate_gives_the_metrics_of_the_record(capfd: pytest.CaptureFixture[str]) -> None:
    record = read_record(denoiser())["result"]
    outcome = dotcnn.evaluate(denoiser(), device="cpu")
    assert outcome.metrics["psnr"] == pytest.approx(record["val"]["psnr"], abs=1e-3)
    assert len(outcome.answers) == 19
    assert cli.main(["evaluate", str(denoiser()), "--tta", "--device", "cpu"]) == 0
    text = capfd.readouterr().out
    assert "dB" in text
    assert "gray" in text


def test_images_of_any_size_are_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    clean = waves(1, 70)[0][:, :53].astype(float)
    noisy = clean + numpy.random.default_rng(0).normal(0, 40, clean.shape)
    save(tmp_path / "photos" / "deep" / "a.png", noisy.clip(0, 255).round().astype(numpy.uint8))
    save(tmp_path / "photos" / "small.png", waves(1, 9)[0])
    run = str(denoiser())
    assert cli.main(["predict", run, "photos", "-o", "restored", "--device", "cpu"]) == 0
    out, err = capfd.readouterr()
    assert "wrote 2 images into restored" in err
    assert "53 x 70" in out
    with Image.open("restored/deep/a.png") as picture:
        assert (picture.mode, picture.size) == ("L", (53, 70))
        answer = numpy.array(picture).astype(float)
    before, after = (((each - clean) ** 2).mean() for each in (noisy.clip(0, 255), answer))
    assert after < 0.8 * before
    with Image.open("restored/small.png") as picture:
        assert picture.size == (9, 9)
    # Its own files may be written again, those of others not.
    assert cli.main(["predict", run, "photos", "-o", "restored", "--device", "cpu"]) == 0
    assert cli.main(["predict", run, "photos", "-o", "photos", "--device", "cpu"]) == 2
    assert cli.main(["predict", run, "photos", "--overlay", "-o", "x", "--device", "cpu"]) == 2
    capfd.readouterr()
    assert cli.main(["predict", run, "photos", "--format", "json", "--device", "cpu"]) == 0
    entry = json.loads(capfd.readouterr().out)["images"][0]
    assert (entry["width"], entry["height"]) == (53, 70)


def test_tiles_leave_no_seams() -> None:
    """A network that sees 5x5 pixels gives the same for a whole image, but at its border."""
    image = torch.tensor(waves(1, 80)[0])
    (tiled,) = dotcnn.predict(denoiser(), [image.numpy()], device="cpu")
    assert tiled.picture is not None
    with torch.inference_mode():
        whole = dotcnn.load(str(denoiser())).eval()(image[None, None] / 255)[0]
    errors = (tiled.picture - whole.mul(255)).abs()[:, 8:-8, 8:-8]
    assert float(errors.mean()) < 2


def test_super_resolution_answers_with_larger_images() -> None:
    run = run_of(LARGER, "degrade downscale 2", 2)
    result = read_record(run)["result"]
    assert result["comparisons"][0]["base"]["psnr"] > 20
    (one,) = dotcnn.predict(run, [waves(1, 30)[0]], device="cpu")
    assert one.picture is not None
    assert one.picture.shape == (1, 60, 60)


def test_an_autoencoder_ends_in_a_sigmoid_and_learns_the_images_themselves() -> None:
    run = run_of(CODER, "loss mse")
    record = read_record(run)
    assert [each["what"] for each in record["result"]["comparisons"]] == ["tta flip"]
    images = waves(3, 16)
    answers = dotcnn.predict(run, list(images), device="cpu")
    errors = [
        numpy.abs(one.picture[0].numpy().astype(float) - image).mean()  # type: ignore[index]
        for one, image in zip(answers, images, strict=True)
    ]
    assert max(errors) < 100
    assert (run / "report.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["denoiser", "coder"])
def test_exported_networks_say_what_they_answer(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import onnx
    import onnxruntime

    run = denoiser() if kind == "denoiser" else run_of(CODER, "loss mse")
    file = tmp_path / "net.onnx"
    assert cli.main(["export", str(run), "-o", str(file), "--predict"]) == 0
    notes = {one.key: one.value for one in onnx.load(file).metadata_props}
    assert "from 0 to 1" in notes["dotcnn.output"]
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    image = waves(1, 16)[0]
    (output,) = session.run(None, {"images": image[None, None].astype(numpy.float32) / 255})
    (expected,) = dotcnn.predict(run, [image], device="cpu")
    assert expected.picture is not None
    found = (output[0].clip(0, 1) * 255).round().astype(int)
    assert numpy.abs(found - expected.picture.numpy()).max() <= 1


@pytest.mark.slow
def test_a_script_restores_photographs_as_predict_does(tmp_path: Path) -> None:
    import subprocess
    import sys

    file = tmp_path / "net.onnx"
    assert cli.main(["export", str(denoiser()), "-o", str(file), "--script"]) == 0
    image = waves(1, 40)[0][:, :23]
    save(tmp_path / "a.png", image)
    (script,) = tmp_path.glob("*.py")
    done = subprocess.run([sys.executable, script, tmp_path / "a.png"], capture_output=True)
    assert done.returncode == 0, done.stderr
    (expected,) = dotcnn.predict(denoiser(), [image], device="cpu")
    assert expected.picture is not None
    with Image.open(tmp_path / "a_restored.png") as picture:
        found = numpy.array(picture).astype(int)
    assert numpy.abs(found - expected.picture[0].numpy()).max() <= 1


def test_the_sheet_of_augmentation_shows_images(tmp_path: Path) -> None:
    numpy.savez(tmp_path / "waves.npz", x_train=waves(24, 16)[..., None])
    spec = SPEC.format(
        body=DENOISER, train="degrade noise 40", scale=1, data=tmp_path / "waves.npz"
    )
    (tmp_path / "net.cnn").write_text(f"{spec}augment {{ flip horizontal, rotate 10 }}")
    words = ["augment", str(tmp_path / "net.cnn"), "-o", str(tmp_path / "sheet.png")]
    assert cli.main(words) == 0
    assert (tmp_path / "sheet.png").exists()
