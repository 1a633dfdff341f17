"""The colors of classes, and masks over their images, in pictures and on the page of a run."""

from __future__ import annotations

import pytest
import torch

from dotcnn.compiler.plan.data import UNLABELLED
from dotcnn.training.masks.class_colors import class_colors
from dotcnn.training.masks.mask_overlay import WRONG, errors_overlay, mask_overlay
from dotcnn.training.page.mask_answers import chosen

from ..mask_sets import mask_run


def test_colors_are_stable_and_differ() -> None:
    few, many = (class_colors([str(n) for n in range(count)]) for count in (5, 255))
    assert torch.equal(few, many[:5])
    assert len({tuple(color) for color in many.tolist()}) == 255
    apart = (many[:20, None].int() - many[None, :20].int()).abs().sum(2)
    assert int(apart[~torch.eye(20, dtype=torch.bool)].min()) > 50


def test_the_background_is_gray_and_not_painted() -> None:
    red, green, blue = class_colors(["background", "cat"])[0].tolist()
    assert max(red, green, blue) - min(red, green, blue) < 20
    image = torch.full((3, 4, 6), 100, dtype=torch.uint8)
    mask = torch.zeros(4, 6, dtype=torch.uint8)
    mask[:, 3:], mask[0] = 1, UNLABELLED
    picture = mask_overlay(image, mask, ["background", "cat"])
    assert (picture[:, 1:, :2] == 125).all()  # gray
    assert picture[:, 3, 5].unique().numel() > 1  # painted


def test_wrong_pixels_are_orange_and_right_ones_gray() -> None:
    image = torch.full((1, 4, 4), 100, dtype=torch.uint8)
    mask = torch.tensor([[0, 1], [UNLABELLED, 1]], dtype=torch.uint8).repeat(2, 2)
    picture = errors_overlay(image, mask, torch.zeros(4, 4, dtype=torch.uint8)).int()
    off = (picture - torch.tensor(WRONG).view(3, 1, 1)).abs().sum(0)
    assert bool((off[mask == 1] < 60).all())
    assert bool((off[mask == 0] > 150).all())


@pytest.mark.parametrize("count", [0, 1, 7, 30])
def test_of_few_images_each_is_shown_once(count: int) -> None:
    quality = torch.arange(count).float()
    quality[3:4] = float("nan")  # an image without any label
    (_, worst), (_, best) = chosen(quality)
    assert len({*worst, *best}) == len(worst) + len(best) == min(10, max(0, count - (count > 3)))
    assert worst == sorted(worst)
    assert best == sorted(best, reverse=True)


def test_the_page_shows_masks_and_answers() -> None:
    text = (mask_run() / "report.html").read_text()
    assert text.count('class="quad"') == 4  # validation images, each once
    assert "Masks: right and wrong" in text
    assert "mean IoU" in text
    assert "percentages of the pixels of the true class" in text
    assert "Grad-CAM" not in text
