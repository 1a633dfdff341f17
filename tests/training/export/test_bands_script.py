"""Images of several bands and of 16 bits, from training to exported scripts: all answer alike."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image

import dotcnn
from dotcnn import cli
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.data.images.preprocessing import Preparation
from dotcnn.training.data.images.resize import Fit
from dotcnn.training.export.script import inference_script

from ..data.test_bands import png, tiff
from ..small import trained


def prepared(text: str, file: Path) -> numpy.ndarray:
    script: dict[str, object] = {"__name__": "script", "__file__": "script.py"}
    exec(compile(text, "script.py", "exec"), script)
    load, prepare = script["load"], script["prepare"]
    assert callable(load)
    assert callable(prepare)
    return prepare(load(str(file)))  # type: ignore[no-any-return]


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize(
    ("bands", "channels", "dtype", "depth"),
    [
        (4, 4, "u2", 16), (13, 13, "u2", 16), (5, 5, "f4", 32), (5, 5, "u1", 8), (3, 1, "u2", 16),
        (1, 3, "u2", 16), (4, 3, "png", 16), (3, 3, "png", 16), (1, 1, "png", 16),
    ],
)  # fmt: skip
def test_scripts_prepare_bands_as_training_does(
    tmp_path: Path, bands: int, channels: int, dtype: str, depth: int, mode: str
) -> None:
    random = numpy.random.default_rng(0)
    if dtype == "f4":
        pixels = random.normal(0, 3, (23, 31, bands)).astype("f4")
    else:
        most = 255 if dtype == "u1" else 65535
        kind = "u1" if dtype == "u1" else "u2"
        pixels = random.integers(0, most, (23, 31, bands), endpoint=True).astype(kind)
    file = tmp_path / f"image.{'png' if dtype == 'png' else 'tif'}"
    file.write_bytes(
        png(pixels) if dtype == "png" else tiff(pixels[..., 0] if bands == 1 else pixels)
    )
    fit = Fit(17, mode, (16, 20))
    preparation = Preparation(
        channels, fit, 1 / 255, (0.4,) * channels, (0.3,) * channels, depth=depth
    )
    text = inference_script("net.onnx", preparation, ("a", "b"), multi_label=False, predicts=False)
    wanted = preparation.prepare(preparation.image(str(file))[None])[0].numpy()
    largest = max(1.0, float(numpy.abs(wanted).max()))
    numpy.testing.assert_allclose(prepared(text, file), wanted, rtol=0, atol=2e-5 * largest)


@pytest.mark.slow
def test_predict_evaluate_and_the_script_agree_on_masks_of_bands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime")
    random = numpy.random.default_rng(0)
    for part, count in (("train", 8), ("val", 3)):
        for number in range(count):
            pixels = random.normal(3000, 300, (24, 32, 4))
            mask = numpy.zeros((24, 32), numpy.uint8)
            top, left = random.integers(0, 12, 2)
            mask[top : top + 10, left : left + 10] = 1
            pixels[..., 3] += 9000.0 * mask
            for kind, data in (("images", tiff(pixels.astype("u2"))), ("masks", None)):
                folder = tmp_path / "data" / part / kind
                folder.mkdir(parents=True, exist_ok=True)
                if data is not None:
                    (folder / f"{number}.tif").write_bytes(data)
                else:
                    Image.fromarray(mask).save(folder / f"{number}.png")
    trained(
        tmp_path / "run",
        "network Net { input 4x24x32, conv 8 3x3 same, bn, relu, conv 8 3x3 same, bn, relu,"
        " conv classes 1x1 }\naugment { flip both, rotate 10, noise 0.01 }\n"
        f'train {{ data folder "{tmp_path / "data"}", epochs 12, batch 4,'
        " optimizer adamw lr=2e-2 }",
    )
    images = sorted((tmp_path / "data" / "val" / "images").iterdir())
    masks = tmp_path / "masks"
    assert cli.main(["predict", str(tmp_path / "run"), *map(str, images), "-o", str(masks)]) == 0
    found = [numpy.array(Image.open(masks / f"{image.stem}.png")) for image in images]
    truth = [
        numpy.array(Image.open(image.parent.parent / "masks" / f"{image.stem}.png"))
        for image in images
    ]
    capsys.readouterr()
    assert cli.main(["evaluate", str(tmp_path / "run"), "--format", "json"]) == 0
    right = numpy.mean([(one == other).mean() for one, other in zip(found, truth, strict=True)])
    assert right > 0.9
    assert f'"pixels": {right:.6f}'[:16] in capsys.readouterr().out
    page = (tmp_path / "run" / "report.html").read_text()
    assert "bands 1, 2 and 3 of 4 are shown as red, green and blue" in page
    model = tmp_path / "net.onnx"
    assert cli.main(["export", str(tmp_path / "run"), "-o", str(model), "--script"]) == 0
    copies = [tmp_path / image.name for image in images]
    for copy, image in zip(copies, images, strict=True):
        copy.write_bytes(image.read_bytes())
    script = [sys.executable, str(tmp_path / "net_predict.py"), *map(str, copies)]
    subprocess.run(script, check=True, capture_output=True, env={**os.environ})
    for copy, mask in zip(copies, found, strict=True):
        own = numpy.array(Image.open(copy.with_name(f"{copy.stem}_mask.png")))
        assert (own == mask).mean() > 0.999
    with pytest.raises(SpecError, match="takes images of 8 bits"):
        dotcnn.export(tmp_path / "run", tmp_path / "whole.onnx", whole=True)
    assert torch.is_tensor(dotcnn.predict(tmp_path / "run", str(images[0]))[0].mask)
