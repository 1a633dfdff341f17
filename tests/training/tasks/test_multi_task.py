"""Networks with several outputs: each has labels, a loss and metrics of its own; a label that is
missing counts for nothing."""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from dotcnn import SpecError, evaluate, export, predict
from dotcnn.compiler.plan.loss import Bce, CrossEntropy
from dotcnn.compiler.plan.number_loss import GaussianNll, Mae
from dotcnn.dsl.source import Source
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.request import request
from dotcnn.training.tasks.answer import Answer, Scale
from dotcnn.training.tasks.known_tasks import several_tasks
from dotcnn.training.tasks.multi_task import MultiTask

from ..small import trained

NAN = math.nan

SPEC = """
network Squares {{
  input 1x12x12
  conv 8 3x3 same, bn, relu
  pool avg 4x4
  features: flatten
  output row: fc 1
  output shade {{ from features, fc {shades} }}
}}
train {{
  epochs {epochs}
  batch 16
  optimizer adamw lr=1e-2
  loss row mae weight=2
  {more}
}}
{sections}
"""


def spec(epochs: int = 1, more: str = "", shades: int = 2, sections: str = "") -> str:
    return SPEC.format(epochs=epochs, more=more, shades=shades, sections=sections)


def squares(count: int = 96) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
    """Images of a square, the row of its corner in odd units, and whether it is bright."""
    random = numpy.random.default_rng(0)
    rows, bright = random.integers(0, 8, count), random.integers(0, 2, count)
    images = random.integers(0, 40, (count, 12, 12)).astype(numpy.uint8)
    for image, row, shade in zip(images, rows, bright, strict=True):
        image[row : row + 4, 4:8] = 230 if shade else 120
    return images, {"row": rows * 10.0 + 1000, "shade": bright}


def two(complete: bool = True) -> MultiTask:
    """A number with the mean 5 and the deviation 2, and one class of three."""
    answers = [
        Answer("n", "regression", ("n",), Scale((5.0,), (2.0,)), complete=complete),
        Answer("c", "classification", ("a", "b", "d"), complete=complete),
    ]
    losses = [Mae.make(output="n", weight=0.5), CrossEntropy.make(output="c")]
    return several_tasks(answers, losses)


OUTPUTS = torch.tensor([[1.0, 2.0, 0.0, 0.0], [3.0, 0.0, 1.0, 0.0], [-1.0, 0.0, 0.0, 4.0]])


# ---- rows of outputs and labels ----------------------------------------------------------------


def test_the_loss_is_the_weighted_sum() -> None:
    labels = torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]])
    wanted = 0.5 * (1 + 2 + 3) / 3 + F.cross_entropy(OUTPUTS[:, 1:], torch.tensor([0, 1, 0]))
    assert float(two().loss(Mae.make(), None)(OUTPUTS, labels)) == pytest.approx(float(wanted))
    separate = (OUTPUTS[:, :1], OUTPUTS[:, 1:])
    assert float(two().loss(Mae.make(), None)(separate, labels)) == pytest.approx(float(wanted))


def test_missing_labels_count_for_nothing() -> None:
    """The loss of an output is a mean over all images, to which those without a label add 0: so
    the mean over halves of a batch is that over the batch."""
    labels = torch.tensor([[NAN, 0.0], [1.0, NAN], [2.0, NAN]])
    outputs = OUTPUTS.clone().requires_grad_()
    loss = two(complete=False).loss(Mae.make(), None)(outputs, labels)
    of_class = F.cross_entropy(OUTPUTS[:1, 1:], torch.tensor([0]), reduction="sum") / 3
    assert float(loss.detach()) == pytest.approx(0.5 * (2 + 3) / 3 + float(of_class))
    (gradient,) = torch.autograd.grad(loss, outputs)
    assert gradient.isfinite().all()
    assert gradient[0, 0] == 0
    assert (gradient[1:, 1:] == 0).all()
    nothing = two(complete=False).loss(Mae.make(), None)(outputs, torch.full((3, 2), NAN))
    assert float(nothing.detach()) == 0


def test_metrics_are_those_of_each_output() -> None:
    task = two(complete=False)
    tally = task.tally(Mae.make(), torch.device("cpu"))
    tally.add(OUTPUTS[:2], torch.tensor([[NAN, 0.0], [1.0, 0.0]]))
    tally.add(OUTPUTS[2:], torch.tensor([[2.0, NAN]]))
    metrics = tally.metrics()
    assert metrics["n.mae"] == pytest.approx(2.0 * (2 + 3) / 2)
    assert metrics["c.top1"] == 0.5
    assert set(metrics) <= set(task.metrics)
    other = task.tally(Mae.make(), torch.device("cpu"))
    other.add_counts(tally)
    assert other.metrics() == metrics
    assert not tally.constant


def test_labels_are_mixed_as_shares() -> None:
    labels = torch.tensor([[0.5, 2.0], [NAN, 0.0], [1.0, NAN]])
    mixable = two().mixable(labels)
    assert mixable[0].tolist() == [0.5, 0, 0, 1]
    assert mixable[1].tolist()[1:] == [1, 0, 0]
    assert mixable[1, 0].isnan()
    assert mixable[2, 1:].isnan().all()
    mixed = (mixable[:1] + mixable[1:2]) / 2
    loss = two(complete=False).loss(Mae.make(), None)(OUTPUTS[:1], mixed)
    soft = torch.tensor([[0.5, 0.0, 0.5]])
    assert float(loss) == pytest.approx(float(F.cross_entropy(OUTPUTS[:1, 1:], soft)))


def test_answers_and_outputs() -> None:
    task = two()
    answers = task.answers(OUTPUTS)
    assert answers[:, 0].tolist() == [7, 11, 3]
    assert torch.allclose(answers[:, 1:], OUTPUTS[:, 1:].softmax(1))
    assert torch.allclose(task.answers(task.outputs(answers)), answers, atol=1e-6)
    both = torch.stack([OUTPUTS, OUTPUTS])
    assert torch.allclose(task.answers(task.averaged(both)), answers, atol=1e-6)


def test_a_likelihood_has_two_outputs_for_each_number() -> None:
    answers = [
        Answer("at", "regression", ("x", "y"), Scale((0.0, 1.0), (1.0, 2.0))),
        Answer("tags", "multi_label", ("p", "q")),
    ]
    task = several_tasks(answers, [GaussianNll.make(output="at"), Bce.make(output="tags")])
    assert [one.answer.outputs for one in task.each] == [4, 2]
    outputs = torch.tensor([[1.0, 2.0, 0.0, 0.0, 3.0, -3.0]])
    assert task.answers(outputs)[0, :2].tolist() == [1, 5]
    assert task.answers(outputs)[0, 2:].tolist() == pytest.approx([0.9526, 0.0474], abs=1e-4)


# ---- a whole run -------------------------------------------------------------------------------


def test_both_are_learned(tmp_path: Path) -> None:
    images, labels = squares()
    labels["row"][5] = NAN
    result = trained(tmp_path / "run", spec(10), data=(images, labels))
    assert result.metrics["row.mae"] < 12
    assert result.metrics["shade.top1"] > 0.8
    assert result.outcome is not None
    assert {name: len(own.labels) for name, own in result.outcome.outputs.items()} == {
        "row": len(result.outcome.labels),
        "shade": len(result.outcome.labels),
    }
    again = evaluate(tmp_path / "run", data=(images, labels))
    assert again.metrics == pytest.approx(result.metrics, rel=1e-4)
    (prediction,) = predict(tmp_path / "run", images[0])
    assert prediction.outputs["row"].numbers[0].value == pytest.approx(labels["row"][0], abs=30)
    assert prediction.outputs["shade"].guesses[0].name == str(labels["shade"][0])
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert {each["rule"] for each in record["result"]["verdict"]} <= {"improves", "overfits"}
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Predicted and true numbers: row" in page
    assert "Confusion matrix: shade" in page


def test_a_metric_of_one_output_decides(tmp_path: Path) -> None:
    more = "checkpoint metric=shade.top1\n  early_stop 5 metric=row.mae\n  metrics row.r2 loss"
    result = trained(tmp_path / "run", spec(2, more), data=squares(48))
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert "val_shade.top1" in json.dumps(json.loads(lines[-1])) or "shade.top1" in lines[-1]
    assert set(result.metrics) >= {"loss", "row.r2", "shade.top1"}


def test_mixed_images(tmp_path: Path) -> None:
    images, labels = squares(48)
    labels["row"][2] = NAN
    mixed = spec(1, sections="augment { mixup, cutmix }")
    assert math.isfinite(trained(tmp_path / "run", mixed, data=(images, labels)).metrics["loss"])


def test_weights_of_classes_are_those_of_each_output(tmp_path: Path) -> None:
    images, labels = squares(48)
    result = trained(tmp_path / "run", spec(1, "weights balanced"), data=(images, labels))
    assert math.isfinite(result.metrics["loss"])
    with pytest.raises(SpecError, match="3 weights for 2 classes"):
        trained(tmp_path / "other", spec(1, "weights [1, 2, 3]"), data=(images, labels))


@pytest.mark.parametrize(
    ("text", "labels", "message"),
    [
        (spec(shades=3), {}, "`shade` has 2 classes in arrays, and the output ends in 3"),
        (spec(more="loss shade mse"), {"shade": numpy.array(["a", "b"] * 24)}, "they are text"),
        (spec(), {"row": None}, "there are no labels for `row`"),
        (spec(), {"row": numpy.zeros(3)}, "48 images and 3 labels"),
    ],
)
def test_labels_that_do_not_fit(
    text: str, labels: dict[str, Any], message: str, tmp_path: Path
) -> None:
    images, given = squares(48)
    given = {name: each for name, each in {**given, **labels}.items() if each is not None}
    with pytest.raises(SpecError, match=message):
        trained(tmp_path / "run", text, data=(images, given))


def test_one_array_is_not_enough(tmp_path: Path) -> None:
    images, labels = squares(32)
    with pytest.raises(SpecError, match="2 outputs, and there are no labels for `row`"):
        trained(tmp_path / "run", spec(), data=(images, labels["row"]))


def test_averaged_answers_have_no_likelihood(tmp_path: Path) -> None:
    """Those of views and of an ensemble are compared by the other metrics."""
    images, labels = squares(48)
    text = spec(1, "ensemble 2", sections="evaluate { tta flip }").replace("fc 1", "fc 2")
    result = trained(tmp_path / "run", text.replace("mae", "gaussian_nll"), data=(images, labels))
    assert result.outcome is not None
    views = result.outcome.comparisons[-1]
    assert "row.loss" not in views.metrics
    assert math.isfinite(views.metrics[views.metric])
    assert views.metric != "loss"


@pytest.mark.slow
def test_exported_answers(tmp_path: Path) -> None:
    """With `--predict`, probabilities and numbers in their units leave the file."""
    images, labels = squares(48)
    result = trained(tmp_path / "run", spec(1), data=(images, labels))
    export(tmp_path / "run", tmp_path / "net.onnx", predict=True)
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"))
    preparation = result.preparation
    inputs = preparation.prepare(torch.from_numpy(images[:1, None]))
    row, shade = session.run(None, {session.get_inputs()[0].name: inputs.numpy()})
    (prediction,) = predict(tmp_path / "run", images[0])
    assert float(row[0, 0]) == pytest.approx(prediction.outputs["row"].numbers[0].value, rel=1e-5)
    assert float(shade.max()) == pytest.approx(
        prediction.outputs["shade"].guesses[0].probability, abs=1e-5
    )
    known = session.get_modelmeta().custom_metadata_map
    assert [each["output"] for each in json.loads(known["dotcnn.answers"])] == ["row", "shade"]


@pytest.mark.slow
@pytest.mark.parametrize("predicts", [False, True])
def test_the_script_prints_the_answer_of_each_output(tmp_path: Path, predicts: bool) -> None:
    images, labels = squares(48)
    trained(tmp_path / "run", spec(1), data=(images, labels))
    export(tmp_path / "run", tmp_path / "net.onnx", predict=predicts, script=True)
    Image.fromarray(images[0]).save(tmp_path / "a.png")
    command = [sys.executable, str(tmp_path / "net_predict.py"), str(tmp_path / "a.png")]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    (prediction,) = predict(tmp_path / "run", str(tmp_path / "a.png"))
    assert lines[1].strip() == "row"
    assert float(lines[2].split()[0]) == pytest.approx(
        prediction.outputs["row"].numbers[0].value, rel=1e-5
    )
    assert lines[3].strip() == "shade"
    guess = prediction.outputs["shade"].guesses[0]
    share, name = lines[4].split()
    assert name == guess.name
    assert float(share.rstrip("%")) / 100 == pytest.approx(guess.probability, abs=2e-6)


@pytest.mark.slow
def test_a_whole_graph_answers_for_each_output(tmp_path: Path) -> None:
    """It is checked against the module when it is written."""
    images, labels = squares(48)
    trained(tmp_path / "run", spec(1), data=(images, labels))
    export(tmp_path / "run", tmp_path / "net.onnx", whole=True)
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"))
    names = [each.name for each in session.get_outputs()]
    assert names == ["row.numbers", "shade.probabilities", "shade.class"]
    known = session.get_modelmeta().custom_metadata_map
    assert known["dotcnn.output"] == ", ".join(names)
    photograph = images[:1, :, :, None].repeat(3, 3)
    row, shares, _ = session.run(None, {"images": photograph})
    (prediction,) = predict(tmp_path / "run", images[0])
    assert float(row[0, 0]) == pytest.approx(prediction.outputs["row"].numbers[0].value, rel=1e-4)
    assert float(shares.max()) == pytest.approx(
        prediction.outputs["shade"].guesses[0].probability, abs=1e-4
    )


# ---- tables and archives -----------------------------------------------------------------------

TABLE = """
network N {{
  input 1x12x12
  pool avg 3x3
  f: flatten
  output {first}: fc {width}
  output kind {{ from f, fc 2 }}
  output tags {{ from f, fc 2 }}
}}
train {{ data table "labels.csv" {arguments}
  {more}
}}
"""


def table(
    root: Path,
    rows: list[list[str]],
    *,
    first: str = "at",
    width: int = 2,
    arguments: str = "",
    more: str = "",
) -> Opened:
    for row in rows[1:]:
        Image.fromarray(numpy.zeros((12, 12), numpy.uint8)).save(root / row[0])
    with open(root / "labels.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    text = TABLE.format(first=first, width=width, arguments=arguments, more=more)
    made = request(Source("net.cnn", text), base=root, here=root)
    return open_data(made.plan, made.base)


HEADER = ["file", "at_x", "at_y", "kind", "tags"]
ROWS = [
    ["0.png", "1.5", "2", "cat", "old|big"],
    ["1.png", "", "", "dog", "old"],
    ["2.png", "2.5", "", "", ""],
    ["3.png", "3", "4", "cat", "big"],
    ["4.png", "", "", "", ""],
]


def test_a_column_for_each_output(tmp_path: Path) -> None:
    """`at_x` and `at_y` belong to `at`. An empty cell is a missing label; one of several classes,
    none of them."""
    opened = table(tmp_path, [HEADER, *ROWS], arguments="val=25%")
    kinds = [(each.output, each.task, each.classes) for each in opened.dataset.answers]
    assert kinds == [
        ("at", "regression", ("at_x", "at_y")),
        ("kind", "classification", ("cat", "dog")),
        ("tags", "multi_label", ("big", "old")),
    ]
    assert [each.complete for each in opened.dataset.answers] == [False, False, True]
    labels = torch.cat([store.labels for store in opened.stores.values()])
    assert labels.shape == (5, 5)
    assert int(labels.isnan().sum()) == 2 + 2 + 3


def test_columns_in_the_order_of_outputs(tmp_path: Path) -> None:
    opened = table(
        tmp_path, [HEADER, *ROWS[:4]], first="across", width=1, arguments="label=(at_x, kind, tags)"
    )
    assert opened.dataset.answers[0].classes == ("at_x",)


@pytest.mark.parametrize(
    ("first", "arguments", "message"),
    [
        ("place", "", "has no column `place` for the output of this name"),
        ("at", "label=(at_x, kind)", "there are 2 columns of labels, and the network has 3"),
        ("at", "label=(at_x, kind, tog)", "`tog`"),
    ],
)
def test_columns_that_are_not_there(
    first: str, arguments: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(SpecError, match=message):
        table(tmp_path, [HEADER, *ROWS[:4]], first=first, arguments=arguments)


def test_a_wrong_number_is_named_with_its_row(tmp_path: Path) -> None:
    rows = [*ROWS[:4], ["5.png", "x", "1", "cat", "big"]]
    opened = table(tmp_path, [HEADER, *rows], arguments="bad=50%", more="loss at mse")
    (bad,) = opened.dataset.bad
    assert bad.name == "row 6 of labels.csv"
    assert bad.reason == "`x` in `at_x` is not a number"


def test_arrays_of_an_archive(tmp_path: Path) -> None:
    images, labels = squares(32)
    file = tmp_path / "data.npz"
    numpy.savez(file, x_train=images, row_train=labels["row"], y_shade_train=labels["shade"])
    text = spec(more='data npz "data.npz"')
    made = request(Source("net.cnn", text), base=tmp_path, here=tmp_path)
    opened = open_data(made.plan, made.base)
    assert [each.output for each in opened.dataset.answers] == ["row", "shade"]
    assert opened.stores["train"].labels.shape[1] == 2
    numpy.savez(file, x_train=images, row_train=labels["row"])
    with pytest.raises(SpecError, match="no labels for the output `shade`: an array `shade_train`"):
        open_data(made.plan, made.base)


def test_other_data_has_one_label(tmp_path: Path) -> None:
    made = request(Source("net.cnn", spec(more="data digits")), base=tmp_path, here=tmp_path)
    with pytest.raises(SpecError, match="has one label for each image, and the network has 2"):
        open_data(made.plan, made.base)


# ---- metrics that decide -----------------------------------------------------------------------


@pytest.mark.parametrize("line", ["checkpoint metric=top1", "early_stop 3 metric=mae"])
def test_metrics_that_are_not_measured(line: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"(?s)is not measured.*`row.mae`"):
        trained(tmp_path / "run", spec(more=line), data=squares(32))
