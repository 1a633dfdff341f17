"""Progressive resizing: the size of each epoch, the images, and networks that take other sizes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import dotcnn
from dotcnn.compiler.plan import plan
from dotcnn.compiler.plan.augment.resizing import Resize
from dotcnn.compiler.plan.plan import TrainPlan
from dotcnn.training.augment.progressive import progressive
from dotcnn.training.data.loader.batches import Batch
from dotcnn.training.runtime.import_torchvision import torchvision
from dotcnn.training.trainer.loop import Loop

from ..small import Looker, equal, gone_on, last, trained
from .done import noisy

SPEC = """
network Net {
  input 1x16x16
  conv 4 3x3 same, bn, relu, conv 4 3x3 same, relu
  pool avg global, flatten, fc classes
}
train { data digits, batch 512, epochs 3 }
augment { flip horizontal, resize 8..16 by=epoch step=4 }
"""


def resize(start: int, side: int, step: int) -> Resize:
    directive = Resize.make(side=side, start=start, by="epoch", step=step)
    directive.check()
    return directive


@pytest.mark.parametrize(
    ("epochs", "sides"),
    [
        (1, [192]), (2, [128, 192]), (3, [128, 160, 192]), (4, [128, 128, 160, 192]),
        (9, [128] * 3 + [160] * 3 + [192] * 3),
    ],
)  # fmt: skip
def test_sides_grow_in_equal_parts_to_that_of_the_input(epochs: int, sides: list[int]) -> None:
    assert resize(128, 192, 32).sides(epochs) == sides


def planned(text: str) -> TrainPlan:
    return plan(dotcnn.compile(text), needs_data=False)


def test_images_are_those_of_torchvision() -> None:
    v2 = torchvision("transforms.v2.functional")
    changed = progressive(planned(SPEC))
    assert changed is not None
    images = noisy(3, size=(16, 16)).float()
    for epoch, side in enumerate((8, 12)):
        expected = v2.resize(images, [side, side], antialias=True)
        torch.testing.assert_close(changed(images, epoch), expected)
    assert changed(images, 2) is images


def test_a_plan_keeps_the_range() -> None:
    saved = planned(SPEC)
    assert str(saved.augment[1]) == "resize 8..16 by=epoch mode=bilinear step=4"
    assert TrainPlan.from_json(saved.to_json()) == saved
    again = SPEC.replace("resize 8..16 by=epoch step=4", str(saved.augment[1]))
    assert planned(again) == saved


@pytest.mark.slow
@pytest.mark.usefixtures("no_report")
def test_a_run_sees_small_images_first_and_can_be_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    preprocess = Loop.preprocess

    def watched(loop: Loop, batch: Batch) -> tuple[Tensor, Tensor]:
        images, labels = preprocess(loop, batch)
        seen.append((loop.position.epoch, images.shape[-1]))
        return images, labels

    monkeypatch.setattr(Loop, "preprocess", watched)
    trained(tmp_path / "whole", SPEC)
    assert list(dict.fromkeys(seen)) == [(0, 8), (1, 12), (2, 16)]
    trained(tmp_path / "parts", SPEC, callback=Looker(stop_after=4))
    gone_on(tmp_path / "parts")
    assert equal(last(tmp_path / "whole"), last(tmp_path / "parts"))


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("by=epoch step=4", "", "argument"),
        ("8..16 by=epoch step=4", "16 by=epoch", "argument"),
        ("8..16 by=epoch step=4", "8..16 by=epoch", "argument"),
        ("8..16", "4..12", "unfit-input"),
        ("pool avg global, flatten", "flatten", "unfit-input"),
        ("pool avg global", "pool max 16x16", "unfit-input"),
        ("step=4", "step=4, rotate 10", "conflict"),
    ],
)
def test_mistakes(before: str, after: str, code: str) -> None:
    assert before in SPEC
    found = dotcnn.check(SPEC.replace(before, after))
    assert [each.code for each in found if each.severity == "error"] == [code]
