"""`evaluate { composite 4 3 2 }`: which bands are shown as red, green and blue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image

import dotcnn
from commands import run
from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.compiler.plan import plan
from dotcnn.compiler.plan.plan import TrainPlan
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.program import load_program
from dotcnn.dsl.source import Source
from dotcnn.training.augment.sheet import sheet
from dotcnn.training.data.images.visible import shown_by, visible, visible_note
from dotcnn.training.data.open import open_data
from dotcnn.training.data.sources.arrays_given import ArrayData
from dotcnn.training.request import request

SPEC = "network N {{ input {input}\n conv 2 1 }}\nevaluate {{ {composite} }}\n{more}"
BANDS = torch.arange(5, dtype=torch.uint8)[:, None, None].expand(-1, 4, 4) * 50


def planned(composite: str, input: str = "5x4x4") -> TrainPlan:
    text = SPEC.format(input=input, composite=composite, more="")
    return plan(elaborate(load_program(Source("n.cnn", text))), [], needs_data=False)


@pytest.mark.parametrize(
    ("composite", "shown", "said"),
    [
        ("composite 4 3 2", [150, 100, 50], "bands 4, 3 and 2 of 5 are shown as red, green and"),
        ("composite 5", [200], "band 5 of 5 is shown"),
        ("composite off", [0, 50, 100], "bands 1, 2 and 3 of 5 are shown as red, green and blue"),
        ("", [0, 50, 100], "bands 1, 2 and 3 of 5 are shown as red, green and blue"),
    ],
)
def test_bands_are_chosen(composite: str, shown: list[int], said: str) -> None:
    with shown_by(planned(composite)):
        assert visible(BANDS)[:, 0, 0].tolist() == shown
        assert visible(BANDS[:3]).shape[0] == 3, "other images stay as they are"
        assert visible_note(5, 8).startswith(said)
    assert visible(BANDS)[:, 0, 0].tolist() == [0, 50, 100]


@pytest.mark.parametrize(
    ("composite", "input", "said"),
    [
        ("composite 6 3 2", "5x4x4", "there is no band 6: images have 5 bands"),
        ("composite 1 2", "5x4x4", "there are 2 bands, and a picture shows one in gray, or three"),
        ("composite 0 1 2", "5x4x4", "0 is not the number of a band, from 1"),
        ("composite 1", "5x4x4x4", "only images have bands"),
    ],
)
def test_mistakes(composite: str, input: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        planned(composite, input)


def scenes() -> tuple[Any, Any]:
    """Green in band 4 alone; the mask is the left half."""
    images = numpy.zeros((8, 8, 8, 5), "u1")
    images[..., 3] = 200
    masks = numpy.zeros((8, 8, 8), "u1")
    masks[:, :, :4] = 1
    return images, masks


TRAIN = "train { epochs 1, batch 4 }\naugment { flip horizontal }"


def test_sheets_show_them() -> None:
    text = SPEC.format(input="5x8x8", composite="composite 1 4 2", more=TRAIN)
    given = ArrayData.of(scenes())
    opened = open_data(request(Source("n.cnn", text), data=given).plan, Path(), arrays=given)
    shown = sheet(opened, 2, 1)
    assert shown.groups[0].rows[0].images[0][:, 0, 0].tolist() == [0, 200, 0]


def test_pages_and_overlays_show_them(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = SPEC.format(input="5x8x8", composite="composite 1 4 2", more=TRAIN)
    images, masks = scenes()
    numpy.savez(tmp_path / "set.npz", x=images, y=masks)
    result = dotcnn.train(
        text, data=str(tmp_path / "set.npz"), output=tmp_path / "run", device="cpu", quiet=True
    )
    assert result.report is not None
    said = "bands 1, 4 and 2 of 5 are shown as red, green and blue"
    assert said in result.report.read_text(encoding="utf-8")
    overlays = []
    for composite in ("composite 1 4 2", "composite off"):
        found = run(
            capfd, "predict", tmp_path / "run", tmp_path / "set.npz", "-o", tmp_path / composite,
            "--overlay", "--device", "cpu", "--set", f"evaluate.{composite.replace(' ', '=', 1)}",
        )  # fmt: skip
        assert found.code == 0, found.err
        with Image.open(next((tmp_path / composite).rglob("*_overlay.png"))) as picture:
            overlays.append(numpy.asarray(picture.convert("RGB")).astype(int))
    assert (overlays[0] - overlays[1]).mean() > 10, "overlays are colored over shades of gray"
