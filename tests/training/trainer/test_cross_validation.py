"""`data … folds=3`: a network for each fold, as if each were trained alone, and all together."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy
import pytest
import torch
from PIL import Image

import dotcnn
from dotcnn import SpecError
from dotcnn.cli import main
from dotcnn.training.data.images import image_store
from dotcnn.training.inference.trained_model import open_run

from ..small import NETWORK, SPEC, Looker, equal, gone_on, last, trained

FOLDS = {"train.epochs": 1, "train.data.folds": 3}


def result_in(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "record.json").read_text())["result"]
    return found


@pytest.mark.slow
def test_each_fold_is_as_if_it_were_trained_alone(tmp_path: Path) -> None:
    looker = Looker()
    run = trained(tmp_path / "run", set=FOLDS, callback=looker)
    each = []
    for number in (1, 2, 3):
        alone = trained(tmp_path / f"{number}", set={**FOLDS, "train.data.fold": number})
        assert equal(last(tmp_path / "run" / str(number)), last(alone.folder))
        each.append(dict(alone.metrics))
    found = result_in(run.folder)
    assert found["members"] == each
    top1 = [one["top1"] for one in each]
    assert found["folds"]["mean"]["top1"] == pytest.approx(mean(top1))
    assert found["folds"]["deviation"]["top1"] == pytest.approx(stdev(top1))
    assert run.outcome is not None
    assert len(run.outcome.labels) == 1797
    assert run.outcome.labels.bincount().tolist() == [
        178, 182, 177, 183, 181, 182, 181, 179, 174, 180
    ]  # fmt: skip
    assert run.metrics["top1"] == pytest.approx(mean(top1), abs=2e-3)
    assert any(line.startswith("deviation") for line in looker.notes)
    page = (run.folder / "report.html").read_text()
    assert "Metrics by fold" in page
    assert "deviation" in page


@pytest.mark.slow
def test_it_is_evaluated_out_of_fold_and_answers_as_an_ensemble(tmp_path: Path) -> None:
    """Its own images by the network that was not trained on each, others by all."""
    run = trained(tmp_path / "run", set=FOLDS)
    again = dotcnn.evaluate(run.folder, device="cpu")
    assert run.outcome is not None
    assert again.metrics == pytest.approx(run.metrics, abs=1e-6)
    assert torch.allclose(again.answers, run.outcome.answers, atol=1e-6)
    other = dotcnn.evaluate(run.folder, data="digits val=50%", device="cpu")
    assert other.comparisons[0].what == "ensemble of 3"
    (answer,) = dotcnn.predict(run.folder, numpy.zeros((8, 8), numpy.uint8), device="cpu")
    assert len(answer.guesses) == 5
    with pytest.raises(SpecError, match="no part `train` of a cross-validation"):
        dotcnn.evaluate(run.folder, part="train", device="cpu")


@pytest.mark.slow
@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize("stop_after", [2, 8])
def test_it_is_resumed(tmp_path: Path, stop_after: int) -> None:
    """Stopped in the first network, or in the second; or killed before any record of a network."""
    whole = trained(tmp_path / "whole", set=FOLDS)
    stopped = trained(tmp_path / "run", set=FOLDS, callback=Looker(stop_after=stop_after))
    assert stopped.interrupted
    looker = Looker()
    assert gone_on(tmp_path / "run", callback=looker).metrics == whole.metrics
    assert ("fold 1 of 3 is trained already" in looker.notes) == (stop_after == 8)
    for member in ("1", "2", "3"):
        assert equal(last(tmp_path / "run" / member), last(tmp_path / "whole" / member))


@pytest.mark.usefixtures("no_report")
def test_files_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With random crops, which depend on the place of an image; one file is bad."""
    random = numpy.random.default_rng(0)
    rows = ["image,label,patient,part"]
    for number in range(24):
        size = (10 + number % 3, 12, 3)
        pixels = random.integers(0, 255, size).astype(numpy.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        part = "test" if number > 20 else "train"
        rows.append(f"{number}.png,{'ab'[number % 2]},p{number // 2},{part}")
    (tmp_path / "3.png").write_bytes(b"no image")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    spec = (
        NETWORK.replace("1x8x8", "3x8x8").replace("classes", "2")
        + f'train {{ data table "{tmp_path}/labels.csv" folds=3 group=patient bad=10%'
        + ", epochs 1, batch 8, workers 0 }\naugment { crop }"
    )
    alone = trained(tmp_path / "alone", spec, set={"train.data.fold": 2})
    read: list[str] = []
    real = image_store.whole_in_memory

    def counted(files: Any, *others: Any, **more: Any) -> Any:
        read.extend(files.paths)
        return real(files, *others, **more)

    monkeypatch.setattr(image_store, "whole_in_memory", counted)
    run = trained(tmp_path / "run", spec)
    assert len(read) == len({*read}) == 21
    assert equal(last(run.folder / "2"), last(alone.folder))
    assert run.outcome is not None
    assert (len(run.outcome.labels), run.test is not None) == (20, True)


KINDS = {
    "numbers": ("fc 2", "loss gaussian_nll", lambda y: numpy.stack([y * 100.0 + 7, y], 1)[:, :1]),
    "tags": ("fc 2", "", lambda y: numpy.stack([y > 0, y < 2], 1)),
    "outputs": (
        "features: relu\n  output a: fc 1\n  output b { from features, fc 3 }",
        "loss a mse\n  loss b cross_entropy",
        lambda y: {"a": y * 10.0 + 3, "b": y},
    ),
}


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_labels(tmp_path: Path, kind: str) -> None:
    """Folds have their own means and scales; together, answers have the units of the data."""
    head, loss, labels = KINDS[kind]
    random = numpy.random.default_rng(0)
    classes = numpy.arange(60) % 3
    images = random.integers(0, 60, (60, 8, 8)) + 60 * classes[:, None, None]
    spec = NETWORK.replace("fc classes", head) + f"train {{\n  epochs 2\n  batch 16\n  {loss}\n}}"
    data = (images.astype(numpy.uint8), labels(classes))
    run = dotcnn.train(
        spec, data=data, output=tmp_path / "run", device="cpu",
        set={"train.data.folds": 3}, callback=Looker(),
    )  # fmt: skip
    assert run.outcome is not None
    assert len(run.outcome.answers) == 60
    found = result_in(run.folder)["folds"]["mean"]
    for name, value in run.metrics.items():
        if name.rpartition(".")[2] in ("mae", "top1", "exact"):  # means over folds of one size
            assert value == pytest.approx(found[name], rel=1e-4)
    model = open_run(run.folder, dotcnn.__version__, device=torch.device("cpu"))
    assert model.preparation is not None
    first = open_run(run.folder / "1", dotcnn.__version__, device=torch.device("cpu"))
    second = open_run(run.folder / "2", dotcnn.__version__, device=torch.device("cpu"))
    some = torch.from_numpy(images[:5, None].astype(numpy.uint8))
    assert first.task is not None
    assert second.task is not None
    assert second.preparation is not None
    with torch.inference_mode():
        outputs = model.modules[1].eval()(model.preparation.prepare(some))
        own = second.module(second.preparation.prepare(some))
        assert torch.allclose(
            first.task.answers(first.task.packed(outputs)),
            second.task.answers(second.task.packed(own)),
            atol=1e-3,
        )


def test_what_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "net.cnn"
    spec.write_text(SPEC.replace("data digits", "data digits folds=3\n  ensemble 2"))
    assert main(["check", str(spec)]) == 1
    assert "an ensemble of each is not trained" in capsys.readouterr().out
    spec.write_text(SPEC.replace("data digits", "data digits\n  folds 3"))
    assert main(["check", str(spec)]) == 1
    assert "write it with the data: `data … folds=5`" in capsys.readouterr().out
    spec.write_text(SPEC.replace("data digits", "data digits folds=3"))
    assert main(["train", str(spec), "--fold", "4", "-o", str(tmp_path / "run")]) == 1
    assert "there is no fold 4 of 3" in capsys.readouterr().err
    assert main(["train", "--resume", str(tmp_path), "--fold", "2"]) == 2
