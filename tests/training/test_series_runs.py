"""Runs on series: trained, resumed to the bit, evaluated, predicted, exported, and their page."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

import dotcnn
from dotcnn import cli

from .small import Looker, equal, gone_on, last, trained

SPEC = """
network Net {{
  input 2x24
  conv 4 5 stride=2 same, bn, relu
  pool avg global, flatten
  fc classes
}}
train {{
  data npz "{data}"
  epochs 2
  batch 16
  optimizer adam lr=0.01
}}
evaluate {{ pad nearest at=both }}
"""


def series(count: int = 48, length: int = 30) -> tuple[Any, Any]:
    """Waves, slow or fast, on an offset of their own."""
    random = numpy.random.default_rng(0)
    labels = numpy.arange(count) % 2
    steps = numpy.arange(length)
    waves = numpy.sin(
        steps * numpy.where(labels, 1.3, 0.4)[:, None] + random.uniform(0, 6, (count, 1))
    )
    both = numpy.stack([waves + 3, 50 * waves - 100], 1) + random.normal(0, 0.1, (count, 2, length))
    return both.astype(numpy.float32), labels


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("series")
    x, y = series()
    numpy.savez(folder / "set.npz", x_train=x, y_train=y, x_test=x[:20, :, :22], y_test=y[:20])
    trained(folder / "run", SPEC.format(data=folder / "set.npz"), quiet=True)
    return folder / "run"


def test_it_continues_to_the_bit(run: Path, tmp_path: Path) -> None:
    """With random crops, which depend on the epoch and the series alone."""
    spec = SPEC.format(data=run.parent / "set.npz")
    stopped = trained(tmp_path / "run", spec, callback=Looker(stop_after=4))
    assert stopped.interrupted
    gone_on(tmp_path / "run", quiet=True)
    assert equal(last(tmp_path / "run"), last(run))


def test_it_is_called_a_series(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "validation series" in page
    text = re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL)
    assert re.findall(r"\bimages?\b", text) == []
    assert cli.main(["evaluate", str(run), "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "20 series for validation" in printed
    assert re.findall(r"\bimages?\b", printed) == []


def test_predictions_are_those_of_the_evaluation(run: Path, tmp_path: Path) -> None:
    x, _ = series()
    outcome = dotcnn.evaluate(run, device="cpu")
    expected = [dict(zip(("0", "1"), row, strict=True)) for row in outcome.answers.tolist()]
    numpy.savetxt(tmp_path / "one.csv", x[0, :, :22].T, delimiter=",", header="a,b", comments="")
    given = [*dotcnn.predict(run, x[:3, :, :22], device="cpu")]
    given += dotcnn.predict(run, str(tmp_path / "one.csv"), device="cpu")
    for prediction, answer in zip(given, [*expected[:3], expected[0]], strict=True):
        for guess in prediction.guesses:
            assert guess.probability == pytest.approx(answer[guess.name], abs=1e-4)
    bad = dotcnn.predict(run, [numpy.full((2, 30), numpy.nan), "no.npy", x[0, :1]], device="cpu")
    assert [each.reason.partition(",")[0] for each in bad] == [
        "step 0 of channel 0 is NaN", "does not exist",
        "samples of 1x30 do not fit an input of 2x24",
    ]  # fmt: skip


@pytest.mark.slow
def test_the_exported_script(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    x, _ = series()
    dotcnn.export(run, tmp_path / "net.onnx", script=True)
    numpy.save(tmp_path / "one.npy", x[5, :, :20])
    script = [sys.executable, str(tmp_path / "net_predict.py"), str(tmp_path / "one.npy")]
    printed = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    (prediction,) = dotcnn.predict(run, x[5, :, :20], device="cpu")
    shares = {name: float(share) / 100 for share, name in re.findall(r"([\d.]+)%  (\S+)", printed)}
    assert shares == pytest.approx({g.name: g.probability for g in prediction.guesses}, abs=1e-5)


def test_arrays_and_numbers(tmp_path: Path) -> None:
    """Any program's arrays; labels that are numbers, and several classes."""
    x, y = series()
    spec = SPEC.format(data="none").replace('data npz "none"\n', "")
    for labels, task in ((y + 0.5, "regression"), (numpy.eye(2)[y] + [[0, 1]] > 0, "multi_label")):
        result = dotcnn.train(
            spec, data=(torch.from_numpy(x), labels), output=tmp_path / task, device="cpu",
            quiet=True, set={"train.epochs": 1},
        )  # fmt: skip
        assert result.outcome is not None
        wanted = {"regression": "mae", "multi_label": "map"}[task]
        assert wanted in result.outcome.metrics


def test_weights_of_series_bring_their_normalization(run: Path, tmp_path: Path) -> None:
    """And not that of images, which have a size and pixels."""
    x, y = series()
    numpy.savez(tmp_path / "set.npz", x=10 * x, y=y)
    spec = SPEC.format(data=tmp_path / "set.npz") + f'transfer {{ from "{run}" }}\n'
    trained(tmp_path / "run", spec, set={"train.epochs": 1}, quiet=True)
    first, second = (
        json.loads((folder / "record.json").read_text())["preparation"]
        for folder in (run, tmp_path / "run")
    )
    assert (second["mean"], second["std"]) == (first["mean"], first["std"])
