"""`cnn evaluate` and `dotcnn.evaluate` where labels are masks: what is printed,
views, ensembles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import dotcnn
from dotcnn import SpecError, cli
from dotcnn.compiler.plan.evaluate import Tta
from dotcnn.dsl.source import Source
from dotcnn.training.inference.evaluate import assess, data_of
from dotcnn.training.inference.trained_model import open_run
from dotcnn.training.request import request

from ..mask_sets import mask_run, spec


def test_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", str(mask_run())]) == 0
    text = capsys.readouterr().out
    assert "in percent of the pixels of the true class" in text
    assert "100.0" in text or "99." in text
    assert "iou" in text
    assert "images for validation" in text


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", str(mask_run()), "--part", "all", "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["images"] == 16
    assert data["metrics"]["miou"] == pytest.approx(
        sum(each["iou"] for each in data["per_class"].values()) / 3
    )
    assert sum(map(sum, data["confusion"])) == 16 * 24 * 32


def test_all_parts_together_are_their_counts() -> None:
    model = open_run(mask_run(), "", device=torch.device("cpu"))
    data = data_of(model)
    each = [assess(model, data, part) for part in ("train", "val")]
    whole = assess(model, data, "all")
    assert torch.equal(whole.confusion, each[0].confusion + each[1].confusion)
    assert torch.equal(whole.answers, torch.cat([one.answers for one in each]))


def test_mirrored_views_are_averaged_and_compared() -> None:
    model = open_run(mask_run(), "", device=torch.device("cpu"))
    data = data_of(model)
    base, views = assess(model, data), assess(model, data, tta=Tta.make(flip=True))
    assert views.metrics["miou"] == pytest.approx(base.metrics["miou"], abs=0.15)
    (comparison,) = views.comparisons
    assert ": miou " in comparison.text
    assert comparison.base == base.metrics


@pytest.mark.parametrize("tta", ["crops=5", "flip shift=2"])
def test_views_of_a_part_of_the_image_are_refused(tta: str) -> None:
    with pytest.raises(SpecError, match="every pixel is answered"):
        request(Source("net.cnn", spec("data digits", classes="3") + f"evaluate {{ tta {tta} }}"))


@pytest.mark.slow
def test_an_ensemble_answers_with_averaged_pixels(tmp_path: Path) -> None:
    text = (mask_run() / "spec.cnn").read_text().replace("epochs 6", "epochs 1\n  ensemble 2")
    result = dotcnn.train(text, output=tmp_path / "run", device="cpu", quiet=True)
    assert result.outcome is not None
    assert result.outcome.comparisons[0].metric == "miou"
    outcome = dotcnn.evaluate(tmp_path / "run", device="cpu")
    assert outcome.metrics["miou"] == pytest.approx(result.metrics["miou"], abs=1e-6)
    (one,) = dotcnn.predict(tmp_path / "run", torch.zeros(3, 48, 64, dtype=torch.uint8))
    assert one.mask is not None
    assert one.mask.shape == (48, 64)
