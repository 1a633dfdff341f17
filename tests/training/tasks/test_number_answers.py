"""A run that learned numbers answers in their units, wherever it is used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image

import dotcnn
from dotcnn import cli
from dotcnn.training.display.number_format import amount, amount_of
from dotcnn.training.metrics.comparison import Comparison, of_ensemble
from dotcnn.training.optim.number_losses import number_loss

from ..small import trained
from .test_regression import SPEC, squares

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose data is a file: two numbers, of very different sizes."""
    folder = tmp_path_factory.mktemp("numbers")
    images, numbers = squares(48)
    numbers[0, 1] = numpy.nan
    numpy.savez(folder / "set.npz", images=images, labels=numbers)
    data = f'data npz "{folder}/set.npz"'
    spec = SPEC.format(outputs="4", epochs=2, loss=f"{data}\n  loss gaussian_nll")
    trained(folder / "run", f"{spec}evaluate {{ tta flip }}")
    return folder / "run"


def test_predict_gives_numbers_in_their_units(run: Path, capsys: Capture) -> None:
    images, _ = squares(48)
    outcome = dotcnn.evaluate(run, part="all", device="cpu")
    predictions = dotcnn.predict(run, list(images), device="cpu")
    assert [each.name for each in predictions[0].numbers] == ["y0", "y1"]
    assert not predictions[0].guesses
    values = torch.tensor([[each.value for each in one.numbers] for one in predictions])
    assert torch.equal(values.sort(0).values, outcome.answers.sort(0).values)
    assert 900 < float(values[:, 0].mean()) < 1100
    capsys.readouterr()
    file = str(run.parent / "set.npz")
    assert cli.main(["predict", str(run), file, "--device", "cpu", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["task"] == "regression"
    assert told["numbers"] == ["y0", "y1"]
    value = told["images"][3]["predictions"][0]["value"]
    assert value == pytest.approx(predictions[3].numbers[0].value)
    assert cli.main(["predict", str(run), file, "--device", "cpu"]) == 0
    text = capsys.readouterr().out
    assert text.split()[:3] == ["image", "y0", "y1"]
    assert f"{value:,.1f}" in text
    assert "%" not in text


def test_labels_of_an_outcome_are_in_their_units(run: Path) -> None:
    outcome = dotcnn.evaluate(run, part="all", device="cpu")
    _, numbers = squares(48)
    numpy.testing.assert_allclose(
        numpy.sort(outcome.labels[:, 0]), numpy.sort(numbers[:, 0]), rtol=1e-5
    )
    assert int(outcome.labels.isnan().sum()) == 1


def test_other_data_is_measured_by_the_scale_of_training(run: Path) -> None:
    images, numbers = squares(48)
    plain = dotcnn.evaluate(run, data=(images, numbers), part="all", device="cpu")
    moved = dotcnn.evaluate(run, data=(images, 3 * numbers + 5000), part="all", device="cpu")
    assert torch.equal(plain.answers.sort(0).values, moved.answers.sort(0).values)
    assert moved.per_class["y0"]["mae"] == pytest.approx(7000, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("predict", [True, False])
def test_exported_scripts_give_the_numbers_of_predict(
    run: Path, tmp_path: Path, capsys: Capture, predict: bool
) -> None:
    import onnx

    image = squares(48)[0][7]
    Image.fromarray(image).save(tmp_path / "seven.png")
    words = ["--predict"] if predict else []
    file = tmp_path / "net.onnx"
    assert cli.main(["export", str(run), "-o", str(file), "--script", *words]) == 0
    notes = {each.key: each.value for each in onnx.load(file).metadata_props}
    assert notes["task"] == "regression"
    assert json.loads(notes["dotcnn.numbers"]) == json.loads(notes["classes"]) == ["y0", "y1"]
    assert json.loads(notes["means"])[0] > 900
    assert len(json.loads(notes["deviations"])) == 2
    space: dict[str, Any] = {"__name__": "script", "__file__": str(tmp_path / "net.py")}
    script = next(tmp_path.glob("*.py"))
    exec(compile(script.read_text(), str(script), "exec"), space)
    session = space["onnxruntime"].InferenceSession(str(file))
    numbers = space["measure"](session, str(tmp_path / "seven.png"))
    (prediction,) = dotcnn.predict(run, image, device="cpu")
    expected = [each.value for each in prediction.numbers]
    numpy.testing.assert_allclose(numbers, expected, rtol=1e-5)


def test_evaluate_has_no_percent_for_numbers(run: Path, capsys: Capture) -> None:
    capsys.readouterr()
    assert cli.main(["evaluate", str(run), "--device", "cpu", "--tta"]) == 0
    text = capsys.readouterr().out
    assert "number" in text
    assert "class" not in text
    assert "nan" not in text
    assert "points" not in text
    assert cli.main(["evaluate", str(run), "--device", "cpu", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["numbers"] == list(told["per_number"]) == ["y0", "y1"]


def test_show_says_numbers_and_probe_refuses_them(
    run: Path, tmp_path: Path, capsys: Capture
) -> None:
    capsys.readouterr()
    table = tmp_path / "table.csv"
    assert cli.main(["features", str(run), "-o", str(table), "--device", "cpu"]) == 0
    label = table.read_text().splitlines()[1].split(",")[2]
    assert 900 < float(label.split("|")[0]) < 1100
    assert cli.main(["probe", str(run), "shift", "--device", "cpu"]) == 1
    assert "predicts numbers (y0, y1)" in capsys.readouterr().err
    Image.fromarray(squares(1)[0][0]).save(tmp_path / "one.png")
    assert cli.main(["show", str(run), str(tmp_path / "one.png"), "--device", "cpu"]) == 0
    shown = capsys.readouterr().out
    assert "y0 1,0" in shown
    assert "class" not in shown


def test_the_page_draws_numbers(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert 'id="numbers"' in page
    assert 'id="worst"' in page
    assert "true y0" in page
    assert "Metrics per number" in page
    assert "<h3>R2</h3>" in page
    assert "instead of" in page
    assert "confident" not in page


def test_averaged_answers_have_no_likelihood() -> None:
    from dotcnn.compiler.plan.number_loss import GaussianNll

    assert bool(number_loss(GaussianNll())(torch.zeros(3, 2), torch.zeros(3, 2)).isnan())


def test_errors_are_compared_where_less_is_better() -> None:
    worse = Comparison("tta flip", "one view", 50, {"mae": 4.0, "loss": 0.2},
                       {"mae": 3.2, "loss": 0.1}, "mae")  # fmt: skip
    assert worse.text == (
        "tta flip: mae 4.000, 25.0 % more than one view (3.200); loss 0.2000 instead of 0.1000."
        " It makes predictions worse: leave it out"
    )
    better = worse._replace(metrics={"mae": 2.8, "loss": float("nan")})
    assert better.text == "tta flip: mae 2.800, 12.5 % less than one view (3.200)"
    members = [{"mae": 3.0, "loss": 0.3}, {"mae": 2.0, "loss": 0.4}]
    assert "network 2" in of_ensemble(50, {"mae": 1.9, "loss": 0.3}, members, "mae").against


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.3821, "3.382"),
        (51204.4, "51,204"),
        (0.0123, "0.01230"),
        (0.0, "0.000"),
        (2e9, "2.000e+09"),
    ],
)
def test_amounts(value: float, text: str) -> None:
    assert amount(value) == text


@pytest.mark.parametrize(
    ("value", "deviation", "text"),
    [(1035.44, 22.0, "1,035.4"), (0.4591, 0.228, "0.459"), (81234.6, 9000.0, "81,235")],
)
def test_a_number_has_the_decimals_that_its_deviation_needs(
    value: float, deviation: float, text: str
) -> None:
    assert amount_of(value, deviation) == text
