"""Occlusion and integrated gradients, against a loop by hand, their axioms, and Captum."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from dotcnn.training.inference.gradcam import last_map, signed_gradcam
from dotcnn.training.show.why.class_scores import ClassScores
from dotcnn.training.show.why.integrated_gradients import integrated_gradients
from dotcnn.training.show.why.occlusion import occlusion, patch_size, positions

from .looking import image, subject

BODY = "conv 6 3x3, relu, pool max 2x2, conv 8 3x3, relu, pool avg global, flatten, fc 4"


@pytest.fixture(scope="module")
def scores() -> tuple[ClassScores, Tensor]:
    looked = subject(BODY)
    pixels = image(looked).input
    return ClassScores(looked, pixels), pixels


def test_occlusion_is_the_mean_fall_over_all_patches_that_cover_a_pixel(
    scores: tuple[ClassScores, Tensor],
) -> None:
    score, pixels = scores
    fill = torch.tensor([0.1, 0.5, 0.9])
    found = occlusion(score, pixels, fill, [2, 0], (5, 4), (3, 4), batch=7)
    by_hand = torch.zeros(2, 16, 16)
    count = torch.zeros(16, 16)
    with torch.no_grad():
        whole = score(pixels[None])[0]
        for top in (0, 3, 6, 9, 11):
            for left in (0, 4, 8, 12):
                hidden = pixels.clone()
                hidden[:, top : top + 5, left : left + 4] = fill[:, None, None]
                fall = (whole - score(hidden[None])[0])[[2, 0]]
                by_hand[:, top : top + 5, left : left + 4] += fall[:, None, None]
                count[top : top + 5, left : left + 4] += 1
    torch.testing.assert_close(found, by_hand / count)


@pytest.mark.parametrize("side", [1, 2, 5, 8, 28, 224, 299])
def test_patches_cover_every_pixel(side: int) -> None:
    size, step = patch_size(side)
    starts = positions(side, size, step)
    assert starts[0] == 0
    assert starts[-1] + size == side
    assert all(later - start <= size for start, later in pairwise(starts))


def test_integrated_gradients_sum_to_the_change_of_the_score(
    scores: tuple[ClassScores, Tensor],
) -> None:
    """Completeness. More steps are taken until it holds to a fiftieth."""
    score, pixels = scores
    plain = torch.full_like(pixels, 0.5)
    found = integrated_gradients(score, pixels, plain, [0, 1, 2, 3])
    with torch.no_grad():
        change = (score(pixels[None]) - score(plain[None]))[0]
    torch.testing.assert_close(found.change, change)
    sums = found.values.sum((1, 2, 3))
    least = change.abs().clamp(min=float(change.abs().max()) / 10)
    assert bool(((sums - change).abs() <= 0.02 * least).all())


def test_of_a_linear_score_they_are_exact_after_one_step() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(12, 2)

    def score(images: Tensor) -> Tensor:
        answer: Tensor = layer(images.flatten(1))
        return answer

    pixels, plain = torch.rand(3, 2, 2), torch.rand(3, 2, 2)
    found = integrated_gradients(score, pixels, plain, [1], steps=1)
    wanted = layer.weight.detach()[1].view(3, 2, 2) * (pixels - plain)
    torch.testing.assert_close(found.values[0], wanted)
    assert found.steps == 1


def test_three_times_as_many_steps_are_those_of_a_fresh_start(
    scores: tuple[ClassScores, Tensor],
) -> None:
    """The steps before are used again, and none twice."""
    score, pixels = scores
    plain = torch.zeros_like(pixels)
    once = integrated_gradients(score, pixels, plain, [1], steps=9, most_steps=9)

    def never_close(images: Tensor) -> Tensor:
        # Without gradients, at both ends, another score: the sum never equals its change.
        scores = score(images)
        return scores if torch.is_grad_enabled() else scores * images.flatten(1).mean(1)[:, None]

    refined = integrated_gradients(never_close, pixels, plain, [1], steps=3, most_steps=9)
    assert refined.steps == 9
    torch.testing.assert_close(refined.values, once.values)


# ---- against Captum, where it is installed -----------------------------------------------------


def test_they_agree_with_captum(scores: tuple[ClassScores, Tensor]) -> None:
    attr = pytest.importorskip("captum.attr")
    score, pixels = scores
    plain = torch.full_like(pixels, 0.5)
    ours = integrated_gradients(score, pixels, plain, [3], steps=81, most_steps=81)
    theirs = attr.IntegratedGradients(score).attribute(
        pixels[None], plain[None], target=3, n_steps=81, method="riemann_middle"
    )
    torch.testing.assert_close(ours.values, theirs.detach().float(), atol=1e-6, rtol=1e-4)

    fill = torch.full((3,), 0.5)
    hidden = occlusion(score, pixels, fill, [3], (4, 4), (2, 2))
    theirs = attr.Occlusion(score).attribute(
        pixels[None], (3, 4, 4), (3, 2, 2), baselines=0.5, target=3
    )
    torch.testing.assert_close(hidden[0], theirs[0, 0].float(), atol=1e-6, rtol=1e-4)

    looked = score.subject
    node = last_map(looked.network)
    assert node is not None
    (ours_of_maps,) = signed_gradcam(looked.layers, node, pixels[None], [score.of_class(3)])
    maps = looked.module.get_submodule(node.name)
    theirs = attr.LayerGradCam(looked.module, maps).attribute(pixels[None], target=3)
    torch.testing.assert_close(ours_of_maps, theirs[:, 0].detach(), atol=1e-6, rtol=1e-4)
