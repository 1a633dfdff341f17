"""`cnn augment` where labels are masks: each is shown below its image, moved with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dotcnn.dsl.source import Source
from dotcnn.training.augment.sheet import sheet
from dotcnn.training.augment.sheet_png import sheet_png
from dotcnn.training.data.open import open_data
from dotcnn.training.request import request

from ..mask_sets import SIZE, spec, write_set


@pytest.mark.parametrize("augment", ["flip horizontal p=1", "crop 16x16\nresize 24x32", "cutmix"])
def test_masks_are_below_their_images(tmp_path: Path, augment: str) -> None:
    write_set(tmp_path)
    text = spec(f'data folder "{tmp_path}"') + f"augment {{\n{augment}\n}}\n"
    made = request(Source("net.cnn", text), here=tmp_path)
    shown = sheet(open_data(made.plan, made.base), images=3, epochs=2)
    assert shown.names == ("0.png", "1.png", "10.png")
    original, together, alone = shown.groups
    assert [row.label for row in original.rows] == ["original", "masks"]
    assert [row.label for row in together.rows] == ["epoch 1", "masks", "epoch 2", "masks"]
    assert "masks" in [row.label for row in alone.rows]
    assert all(each.shape == (3, *SIZE) for each in together.rows[1].images)
    if augment.startswith("flip"):
        moved = torch.stack(together.rows[0].images).flip(-1)
        assert torch.equal(moved, torch.stack(original.rows[0].images))
        masks = torch.stack(together.rows[1].images).flip(-1).int()
        # The outlines are at the right and lower edges.
        off = (masks - torch.stack(original.rows[1].images).int()).abs().sum(1) > 30
        assert off.float().mean() < 0.1
    assert sheet_png(shown)[:4] == b"\x89PNG"
