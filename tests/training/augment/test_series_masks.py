"""The labels of steps and voxels move along with their series and scans."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dotcnn.compiler.plan.data import UNLABELLED

from .test_series import LENGTH, noisy, numbered, series


def moved(directives: str, samples: Tensor, masks: Tensor, input: str) -> tuple[Tensor, Tensor]:
    augment = series(directives, input)
    indices = torch.arange(len(samples))
    changed, labels = augment(samples, masks, indices, 3)
    assert labels.dtype == torch.uint8
    assert len(labels) == len(changed) == len(samples) - augment.guests
    return changed, labels


@pytest.mark.parametrize("directives", [
    "shift -50%..50%", "shift 50% fill=zero", "shift 50% fill=reflect", "shift 50% fill=nearest",
    "stretch 0.5..2", "crop scale=30%..100%", "flip time",
    "flip time, shift 20% fill=nearest, stretch 0.8..1.2",
])  # fmt: skip
def test_labels_of_steps_move_along(directives: str) -> None:
    """Of series that say where each step is from: the label of a step is that of where it is from,
    or there is none."""
    samples = numbered(16)
    masks = torch.arange(1, LENGTH + 1, dtype=torch.uint8).expand(16, -1)
    changed, labels = moved(directives, samples, masks, f"2x{LENGTH}")
    known = labels != UNLABELLED
    # Interpolation is off by at most half a step; two in a row, by at most one.
    assert float((changed[:, 0] - labels).abs()[known].max()) <= 1.01
    outside = "fill" in directives or "stretch" in directives
    assert bool(known.all()) is not outside
    assert not torch.equal(labels, masks[: len(labels)])


def test_cutmix_pastes_labels_with_their_steps() -> None:
    masks = torch.randint(0, 9, (16, LENGTH), dtype=torch.uint8)
    samples = masks.float().unsqueeze(1).expand(-1, 2, -1)
    changed, labels = moved("cutmix", samples, masks, f"2x{LENGTH}")
    assert torch.equal(changed[:, 0], labels.float())
    assert not torch.equal(labels, masks[:-1])


@pytest.mark.parametrize("directives", ["noise 10%", "scale 0.5..2", "flip sign", "mask time=20%"])
def test_labels_stay_where_steps_stay(directives: str) -> None:
    masks = torch.randint(0, 3, (8, LENGTH), dtype=torch.uint8)
    changed, labels = moved(directives, noisy(), masks, f"2x{LENGTH}")
    assert torch.equal(labels, masks)
    assert not torch.equal(changed, noisy())


def test_labels_of_voxels_are_flipped_along() -> None:
    scans = torch.arange(8 * 60.0).view(8, 1, 3, 4, 5) % 60
    masks = scans[:, 0].to(torch.uint8)
    for axis in ("all", "horizontal", "vertical", "slices"):
        changed, labels = moved(f"flip {axis}", scans, masks, "1x3x4x5")
        assert torch.equal(changed[:, 0].to(torch.uint8), labels)
        assert not torch.equal(labels, masks)


def test_rows_of_classes_are_no_masks() -> None:
    """Shares of as many classes as there are steps are not moved."""
    augment = series("shift 50%", f"2x{LENGTH}")
    rows = torch.rand(8, LENGTH)
    _, labels = augment(numbered(), rows, torch.arange(8), 0)
    assert torch.equal(labels, rows)
