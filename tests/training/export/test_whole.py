"""`cnn export --whole`: photographs go in, and what `cnn predict` says comes out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import dotcnn
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.data.images.decode import decode
from dotcnn.training.data.images.preprocessing import Preparation
from dotcnn.training.data.images.resize import Fit
from dotcnn.training.export.whole import IR, before
from dotcnn.training.inference.whole_image import WholeImages, classes_of
from dotcnn.training.tasks.known_tasks import task_of
from dotcnn.training.tasks.regression import Scale

ENDS = {
    "classification": "pool avg 4x4, flatten, fc 3",
    "multi_label": "pool avg 4x4, flatten, fc 3, sigmoid",
    "regression": "pool avg 4x4, flatten, fc 3",
    "segmentation": "conv 3 1x1",
}
CLASSES = ("ant", "bee", "cow")
SCALE = Scale((5.0, -100.0, 0.25), (2.0, 40.0, 0.01))


def smooth(height: int, width: int, seed: int, channels: int = 3) -> numpy.ndarray:
    """An image like a photograph: smooth, with edges and some noise."""
    random = numpy.random.default_rng(seed)
    rows, columns = numpy.indices((height, width)) / [[[height]], [[width]]]
    waves = [numpy.sin(6 * rows * (i + 1) + 4 * columns + seed) for i in range(channels)]
    image = 128 + 80 * numpy.stack(waves, -1) + random.normal(0, 10, (height, width, channels))
    image[height // 3 : height // 2] += 40
    return image.clip(0, 255).astype(numpy.uint8)


def prepared(fit: Fit, channels: int = 3, order: str = "rgb") -> Preparation:
    mean, std = (0.4, 0.45, 0.5)[:channels], (0.2, 0.25, 0.3)[:channels]
    return Preparation(channels, fit, 1 / 255, mean, std, order)


def spec_and_weights(folder: Path, task: str, preparation: Preparation) -> tuple[str, Path]:
    """A network, and weights that record what it answers, as a run has them."""
    height, width = preparation.size
    shape = f"{preparation.channels}x{height}x{width}"
    spec = f"network Net {{ input {shape}\n conv 6 3x3 same, relu, {ENDS[task]} }}"
    module = dotcnn.load(spec)
    generator = torch.Generator().manual_seed(1)
    for parameter in module.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
    about = {
        "task": task,
        "classes": json.dumps(CLASSES),
        "preparation": preparation.to_json(),
        **({key: json.dumps(value) for key, value in SCALE._asdict().items()}),
    }
    save_file(module.state_dict(), folder / "net.safetensors", about)
    return spec, folder / "net.safetensors"


def predicted(
    spec: str, weights: Path, task: str, preparation: Preparation, photograph: Path
) -> numpy.ndarray:
    """What `cnn predict` answers for a file."""
    module = dotcnn.load(spec, weights=weights).eval()
    what = task_of(task, CLASSES, SCALE)
    with torch.inference_mode():
        if what.dense:
            pixels = decode(photograph, preparation.channels)
            whole = WholeImages((module,), preparation, what, torch.device("cpu"))
            outputs = whole.outputs(pixels[None])
            return classes_of(outputs[0], (pixels.shape[1], pixels.shape[2])).numpy()
        images = preparation.prepare(preparation.image(photograph)[None])
        return what.answers(module(images)).numpy()[0]


@pytest.mark.slow
@pytest.mark.parametrize("task", ENDS)
@pytest.mark.parametrize("channels", [3, 1])
def test_a_photograph_gets_the_answer_of_cnn_predict(
    task: str, channels: int, tmp_path: Path
) -> None:
    dense = task == "segmentation"
    fit = Fit((24, 20), "bilinear", (24, 20)) if dense else Fit(28, "bilinear", (24, 20))
    preparation = prepared(fit, channels)
    spec, weights = spec_and_weights(tmp_path, task, preparation)
    dotcnn.export(spec, tmp_path / "net.onnx", weights=weights, whole=True)
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    for number, (height, width) in enumerate([(61, 97), (90, 41), (48, 48), (9, 13)]):
        pixels = smooth(height, width, number)
        if number == 2:  # a gray photograph, as three equal channels
            pixels = pixels[..., :1].repeat(3, -1)
        Image.fromarray(pixels).save(tmp_path / "photo.png")
        expected = predicted(spec, weights, task, preparation, tmp_path / "photo.png")
        answers = session.run(None, {"images": pixels[None]})
        if dense:
            assert answers[0].shape == (1, height, width)
            assert (answers[0][0] == expected).mean() > 0.99
            continue
        scale = numpy.array(SCALE.deviations) if task == "regression" else 1.0
        assert numpy.abs((answers[0][0] - expected) / scale).max() < 0.02
        if task == "classification":
            assert answers[1][0] == expected.argmax()
    both = session.run(None, {"images": numpy.stack([smooth(40, 50, 1), smooth(40, 50, 2)])})
    assert len(both[0]) == 2


@pytest.mark.slow
def test_the_file_says_what_goes_in_and_what_comes_out(tmp_path: Path) -> None:
    preparation = prepared(Fit((24, 20), "bilinear", (24, 20)))
    spec, weights = spec_and_weights(tmp_path, "segmentation", preparation)
    dotcnn.export(spec, tmp_path / "net.onnx", weights=weights, whole=True)
    about = {each.key: each.value for each in onnx.load(tmp_path / "net.onnx").metadata_props}
    assert about["dotcnn.images"].startswith("uint8, images x height x width x 3, RGB")
    assert about["dotcnn.output"] == "mask"
    assert json.loads(about["classes"]) == list(CLASSES)
    assert len(json.loads(about["dotcnn.palette"])) == len(CLASSES)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("resize", [26, (33, 29), (24, 20), 96])
def test_pixels_are_resized_as_in_evaluation(mode: str, resize: int | tuple[int, int]) -> None:
    """To within one level of 255, in few places: also where photographs are enlarged, shrunk to a
    whole fraction, and long."""
    preparation = prepared(Fit(resize, mode, (24, 20)), order="bgr")
    model = before(preparation, 18, IR, ("pixels", "prepared"))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for number, (height, width) in enumerate([(61, 40), (96, 80), (24, 20), (20, 200), (7, 9)]):
        photograph = smooth(height, width, number)
        found, values = session.run(None, {"images": photograph[None]})
        image = torch.from_numpy(photograph).permute(2, 0, 1)
        expected = preparation.fit(image).numpy()
        levels = numpy.abs(found[0].astype(int) - expected)
        assert levels.max() <= 1
        assert (levels > 0).mean() < 0.1
        wanted = preparation.prepare(torch.from_numpy(found)).numpy()
        numpy.testing.assert_allclose(values, wanted, rtol=0, atol=1e-6)


def test_gray_is_that_of_files() -> None:
    preparation = prepared(Fit((24, 20), "bilinear", (24, 20)), 1)
    session = onnxruntime.InferenceSession(
        before(preparation, 18, IR, ("pixels",)).SerializeToString()
    )
    photograph = numpy.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=numpy.uint8)
    (found,) = session.run(None, {"images": photograph[None]})
    assert (found[0, 0] == numpy.asarray(Image.fromarray(photograph).convert("L"))).all()


def test_what_cannot_be_in_a_graph_is_refused(tmp_path: Path) -> None:
    """Images that are answered in tiles, weights that do not say what pixels become, and options
    that contradict it."""
    tiled = prepared(Fit(40, "bilinear", (24, 20)))
    spec, weights = spec_and_weights(tmp_path, "segmentation", tiled)
    with pytest.raises(SpecError, match="tiles") as error:
        dotcnn.export(spec, tmp_path / "net.onnx", weights=weights, whole=True)
    assert "resize 24x20" in (error.value.diagnostics[0].help or "")
    with pytest.raises(SpecError, match="not record the classes"):
        dotcnn.export(spec, tmp_path / "net.onnx", whole=True)
    for ending, options in (("pt2", {}), ("onnx", {"predict": True}), ("onnx", {"batch": 1})):
        with pytest.raises(ValueError, match="--whole"):
            dotcnn.export(spec, tmp_path / f"net.{ending}", weights=weights, whole=True, **options)  # type: ignore[arg-type]
    series = "network Net { input 1x40, flatten, fc 3 }"
    with pytest.raises(SpecError, match="take one image"):
        dotcnn.export(series, tmp_path / "net.onnx", whole=True)
    assert not list(tmp_path.glob("net.onnx"))
