"""`cnn export --script`: the script classifies photographs exactly as `cnn predict` does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy
import onnx
import pytest
import torch
from PIL import Image

import dotcnn
from dotcnn import cli
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.data.images.preprocessing import Preparation
from dotcnn.training.data.images.resize import Fit
from dotcnn.training.export.script import inference_script

pytestmark = pytest.mark.usefixtures("no_report")

SPEC = """
network Net {{
  input {input}
  conv 4 3x3 stride=2, relu
  pool avg global, flatten
  fc classes
}}
train {{
  data npz "{folder}/set.npz"
  epochs 1
  optimizer adam lr=0.1
}}
evaluate {{ {evaluate} }}
"""


def photographs(folder: Path) -> list[Path]:
    """Of every kind, of odd sizes: what is in them is smooth, with some noise."""
    numbers = numpy.random.default_rng(0)
    folder.mkdir()
    found = []

    def save(name: str, mode: str, width: int, height: int, **options: object) -> None:
        rows, columns = numpy.indices((height, width)) / [[[height]], [[width]]]
        channels = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
        waves = [numpy.sin(5 * rows * (i + 1) + 3 * columns) for i in range(channels)]
        pixels = (
            128 + 90 * numpy.stack(waves, -1) + numbers.normal(0, 12, (height, width, channels))
        )
        pixels = pixels.clip(0, 255).astype(numpy.uint8).squeeze()
        Image.fromarray(pixels, mode).save(folder / name, **options)
        found.append(folder / name)

    turned = Image.Exif()
    turned[0x0112] = 6
    save("plain.jpg", "RGB", 101, 67)
    save("turned.jpg", "RGB", 67, 101, exif=turned)
    save("grey.png", "L", 35, 50)
    save("alpha.png", "RGBA", 63, 41)
    save("grey_alpha.png", "LA", 33, 40)
    save("print.jpg", "CMYK", 90, 71)
    save("tiny.png", "RGB", 5, 9)
    save("long.png", "RGB", 400, 21)
    with Image.open(folder / "plain.jpg") as image:
        image.quantize(40).save(folder / "palette.png")
        image.convert("L").quantize(9).save(folder / "clear.gif", transparency=3)
        image.save(folder / "square.webp", lossless=True)
    deep = numbers.integers(0, 65536, (45, 37), dtype=numpy.uint16)
    Image.fromarray(deep).save(folder / "deep.png")
    return [
        *found,
        *(folder / name for name in ("palette.png", "clear.gif", "square.webp", "deep.png")),
    ]


Capture = pytest.CaptureFixture[str]


def predicted(run: Path, files: list[Path], capsys: Capture) -> list[list[float]]:
    capsys.readouterr()
    assert cli.main(["predict", str(run), *map(str, files), "--format", "json", "-n", "9"]) == 0
    found = json.loads(capsys.readouterr().out)
    return [
        [guess["probability"] for guess in sorted(image["predictions"], key=lambda g: g["class"])]
        for image in found["images"]
    ]


def scripted(script: Path, files: list[Path]) -> list[list[float]]:
    told = subprocess.run(
        [sys.executable, str(script), *map(str, files)], capture_output=True, text=True, check=True
    )
    images: list[dict[str, float]] = []
    for line in told.stdout.splitlines():
        if line.startswith("  "):
            share, name = line.split()
            images[-1][name] = float(share.rstrip("%")) / 100
        else:
            images.append({})
    return [[image[name] for name in sorted(image)] for image in images]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    numbers = numpy.random.default_rng(0)
    images = numbers.integers(0, 256, (12, 24, 20, 3), dtype=numpy.uint8)
    numpy.savez(tmp_path / "set.npz", x_train=images, y_train=numpy.arange(12) % 3)
    return tmp_path


@pytest.mark.parametrize("predict", [pytest.param(False, marks=pytest.mark.slow), True])
@pytest.mark.parametrize(
    ("input", "evaluate"),
    [
        ("3x24x20", "resize 28, crop 24x20"),
        ("1x24x20", "resize 31x29 mode=bicubic"),
        ("3x24x20", "resize 25 mode=nearest, normalize caffe"),
    ],
)
def test_it_says_what_cnn_predict_says(
    folder: Path, input: str, evaluate: str, predict: bool, capsys: Capture
) -> None:
    text = SPEC.format(input=input, folder=folder, evaluate=evaluate)
    dotcnn.train(text, output=folder / "run", device="cpu")
    arguments = ["export", str(folder / "run"), "-o", str(folder / "net.onnx"), "--script"]
    assert cli.main([*arguments, *(["--predict"] if predict else [])]) == 0
    files = photographs(folder / "photographs")
    expected, found = (
        predicted(folder / "run", files, capsys),
        scripted(folder / "net_predict.py", files),
    )
    assert len(found) == len(files)
    assert numpy.abs(numpy.array(found) - expected).max() < 1e-5


def test_what_is_not_an_image_is_named_and_the_others_are_classified(folder: Path) -> None:
    text = SPEC.format(input="3x24x20", folder=folder, evaluate="resize 28, crop 24x20")
    dotcnn.train(text, output=folder / "run", device="cpu", quiet=True)
    dotcnn.export(folder / "run", folder / "net.onnx", script=True)
    (folder / "text.jpg").write_text("not an image")
    Image.new("RGB", (30, 30)).save(folder / "black.png")
    files = [str(folder / name) for name in ("text.jpg", "absent.png", "black.png")]
    command = [sys.executable, str(folder / "net_predict.py"), *files]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert told.stdout.startswith(files[2])
    assert [line.partition(": ")[0] for line in told.stderr.splitlines()] == files[:2]


def test_the_metadata_determine_the_preprocessing(folder: Path) -> None:
    text = SPEC.format(input="3x24x20", folder=folder, evaluate="resize 28, crop 24x20")
    dotcnn.train(text, output=folder / "run", device="cpu")
    assert cli.main(["export", str(folder / "run"), "-o", str(folder / "net.onnx")]) == 0
    metadata = {one.key: one.value for one in onnx.load(folder / "net.onnx").metadata_props}
    known = json.loads(metadata["dotcnn.preprocessing"])
    assert (known["resize"], known["crop"], known["antialias"]) == (28, [24, 20], True)
    assert "to bytes after each axis" in known["resize_rounding"]
    assert metadata["dotcnn.output"] == "logits"
    assert not (folder / "net_predict.py").exists()


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("channels", [1, 3, 4, 5])
def test_pixels_are_prepared_to_the_last_bit(mode: str, channels: int) -> None:
    fit = Fit(29, mode, (27, 23))
    preparation = Preparation(channels, fit, 1 / 255, (0.4,) * channels, (0.3,) * channels)
    text = inference_script("net.onnx", preparation, ("a", "b"), multi_label=False, predicts=False)
    script: dict[str, object] = {"__name__": "script", "__file__": "script.py"}
    exec(compile(text, "script.py", "exec"), script)
    prepare = script["prepare"]
    assert callable(prepare)
    numbers = numpy.random.default_rng(0)
    for size in ((61, 40), (29, 33), (12, 31), (500, 333), (27, 200)):
        pixels = numbers.integers(0, 256, (*size, channels), dtype=numpy.uint8)
        image = preparation.fit(torch.from_numpy(pixels).permute(2, 0, 1))
        expected = preparation.prepare(image[None])[0].numpy()
        numpy.testing.assert_allclose(prepare(pixels), expected, rtol=0, atol=1e-6)


def test_weights_that_do_not_say_what_pixels_become(tmp_path: Path) -> None:
    weights = tmp_path / "net.pt"
    spec = "network Net { input 3x8x8, flatten, fc 2 }"
    torch.save(dotcnn.load(spec).state_dict(), weights)
    with pytest.raises(SpecError, match="does not record the classes"):
        dotcnn.export(spec, tmp_path / "net.onnx", weights=weights, script=True)
    assert list(tmp_path.iterdir()) == [weights]


def test_predict_appends_what_the_loss_implies(tmp_path: Path) -> None:
    for loss, activation in (("cross_entropy", torch.softmax), ("bce", None)):
        spec = f"network Net {{ input 3x8x8, flatten, fc 2 }}\ntrain {{ loss {loss} }}"
        weights = dotcnn.load(spec).state_dict()
        dotcnn.export(spec, tmp_path / f"{loss}.pt2", weights=weights, predict=True)
        exported = torch.export.load(tmp_path / f"{loss}.pt2").module()
        module = dotcnn.load(spec).eval()
        module.load_state_dict(weights)
        images = torch.randn(2, 3, 8, 8)
        logits = module(images)
        expected = activation(logits, 1) if activation else logits.sigmoid()
        torch.testing.assert_close(exported(images), expected)


def test_names_stay_text() -> None:
    """Of files and classes: whatever they hold is not run."""
    names = ('a"\nb', "c'\\", '"""', "{x}", "größe", "\u2028")
    fit = Fit(8, "bilinear", (8, 8))
    preparation = Preparation(3, fit, 1 / 255, (0.4,) * 3, (0.3,) * 3)
    text = inference_script(
        'x"""\\\n{1}.onnx', preparation, names, multi_label=True, predicts=False
    )
    script: dict[str, object] = {"__name__": "script", "__file__": "script.py"}
    exec(compile(text, "script.py", "exec"), script)
    assert script["CLASSES"] == list(names)
