"""`cnn export --script` of networks with several inputs: the script reads a file for each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image

import dotcnn
from dotcnn import SpecError
from dotcnn.training.export.formats import script_name

pytestmark = pytest.mark.usefixtures("no_report")

SPEC = """
network Two {{
  input image 3x16x16
  input depth 1x16x16
  from image
  one: conv 4 3x3 stride=2 pad=1
  from depth
  other: conv 4 3x3 stride=2 pad=1
  add one other
  {end}
}}
train {{ epochs 1, batch 8, optimizer adam lr=0.05 }}
evaluate {{ {evaluate} }}
"""
CLASS = "pool avg global, flatten, fc 3"
OUTPUTS = """pool avg global
  pool: flatten
  output kind: fc 3
  output age { from pool, fc 2 }"""


def arrays(count: int = 12) -> tuple[dict[str, Any], Any]:
    random = numpy.random.default_rng(0)
    image = random.integers(0, 256, (count, 16, 16, 3)).astype("u1")
    depth = random.integers(0, 99, (count, 16, 16)).astype("u1")
    return {"image": image, "depth": depth}, numpy.arange(count) % 3


def files(folder: Path) -> list[dict[str, str]]:
    """Of any size; with transparency, and colors for the gray input."""
    random = numpy.random.default_rng(1)
    samples = []
    for number, (mode, own) in enumerate([("RGB", "L"), ("RGBA", "RGB"), ("L", "RGBA")]):
        sample = {}
        for name, kind in (("image", mode), ("depth", own)):
            channels = {"L": 1, "RGB": 3, "RGBA": 4}[kind]
            pixels = random.integers(0, 256, (40, 31, channels)).astype("u1").squeeze()
            sample[name] = str(folder / f"{name}{number}.png")
            Image.fromarray(pixels, kind).save(sample[name])
        samples.append(sample)
    return samples


def scripted(script: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(script), *words], capture_output=True, text=True)


def exported(folder: Path, end: str, labels: Any, evaluate: str, **options: Any) -> Path:
    text = SPEC.format(end=end, evaluate=evaluate)
    data = (arrays()[0], labels)
    dotcnn.train(text, data=data, output=folder / "run", device="cpu", quiet=True)
    dotcnn.export(folder / "run", folder / "net.onnx", script=True, **options)
    return folder / script_name(Path("net.onnx"))


@pytest.mark.parametrize(
    ("evaluate", "predict"),
    [("resize 20", False), pytest.param("resize 16x16 mode=bicubic", True, marks=pytest.mark.slow)],
)
def test_it_answers_as_predict_does(tmp_path: Path, evaluate: str, predict: bool) -> None:
    script = exported(tmp_path, CLASS, arrays()[1], evaluate, predict=predict)
    samples = files(tmp_path)
    words = [f"{name}={path}" for sample in samples for name, path in sample.items()]
    told = scripted(script, *words)
    assert told.returncode == 0, told.stderr
    expected = dotcnn.predict(tmp_path / "run", samples, device="cpu")
    lines = told.stdout.splitlines()
    for place, (sample, prediction) in enumerate(zip(samples, expected, strict=True)):
        own = lines[4 * place : 4 * place + 4]
        assert own[0] == f"{sample['image']}, {sample['depth']}"
        shares = {name: float(share.rstrip("%")) / 100 for share, name in map(str.split, own[1:])}
        for guess in prediction.guesses:
            assert shares[guess.name] == pytest.approx(guess.probability, abs=2e-6)
    bad = scripted(script, f"image={samples[0]['image']}")
    assert "each sample needs a file for each input: image, depth" in bad.stderr
    assert "image=FILE depth=FILE" in scripted(script, "a.png").stderr
    assert "image=i.png depth=d.png ..." in scripted(script).stderr
    small = tmp_path / "small.png"
    Image.new("L", (5, 5)).save(small)
    bad = scripted(script, f"image={samples[0]['image']}", f"depth={small}")
    assert "its inputs differ in size" in bad.stderr
    assert bad.returncode == 1


@pytest.mark.slow
def test_several_outputs(tmp_path: Path) -> None:
    kinds = arrays()[1]
    labels = {"kind": kinds, "age": numpy.stack([kinds + 0.5, 9.5 - kinds], 1)}
    script = exported(tmp_path, OUTPUTS, labels, "resize 16")
    (sample, *_) = files(tmp_path)
    told = scripted(script, *(f"{name}={path}" for name, path in sample.items()))
    assert told.returncode == 0, told.stderr
    (expected,) = dotcnn.predict(tmp_path / "run", [sample], device="cpu")
    lines = [line.split() for line in told.stdout.splitlines()[1:]]
    assert lines[0] == ["kind"]
    assert lines[4] == ["age"]
    found = [float(number) for number, _ in lines[5:]]
    assert found == pytest.approx([one.value for one in expected.outputs["age"].numbers], rel=1e-4)


@pytest.mark.slow
def test_what_it_does_not_read_is_refused(tmp_path: Path) -> None:
    text = SPEC.format(end="upsample 2\n  conv 2 1x1", evaluate="resize 16")
    masks = (arrays()[0]["depth"] > 40).astype(int)
    dotcnn.train(text, data=(arrays()[0], masks), output=tmp_path / "run", device="cpu", quiet=True)
    with pytest.raises(SpecError, match="here they are masks or images"):
        dotcnn.export(tmp_path / "run", tmp_path / "net.onnx", script=True)
