"""PSNR, SSIM and the losses of images follow their definitions."""

from __future__ import annotations

import numpy
import pytest
import torch

from dotcnn.compiler.plan.number_loss import Charbonnier, Mae, Mse, Ssim
from dotcnn.training.optim.image_losses import image_loss
from dotcnn.training.optim.ssim import ssim
from dotcnn.training.tasks.image_to_image import ImageToImage

COLORS = ("red", "green", "blue")


def example() -> tuple[torch.Tensor, torch.Tensor]:
    """Two similar pictures, 2 x 3 x 24 x 30, uint8."""
    y, x = numpy.mgrid[0:24, 0:30]
    one, other = [], []
    for c in range(3):
        one.append(128 + 90 * numpy.sin(x / 3 + c) * numpy.cos(y / (4 + c)))
        wave = 90 * numpy.sin(x / 3 + c + 0.4) * numpy.cos(y / (4 + c))
        other.append(128 + wave + ((x * 7 + y * 13 + c * 5) % 11 - 5) * 3)
    images = [
        torch.tensor(numpy.clip(numpy.stack(each), 0, 255).round().astype(numpy.uint8))
        for each in (one, other)
    ]
    return torch.stack([images[0], images[1]]), torch.stack([images[1], images[1]])


def ssim_by_hand(one: numpy.ndarray, other: numpy.ndarray) -> float:
    """Window by window, as in section III of the paper."""
    at = numpy.arange(11) - 5
    line = numpy.exp(-(at**2) / (2 * 1.5**2))
    weights = numpy.outer(line, line) / line.sum() ** 2
    values = []
    for channel in range(len(one)):
        for top in range(one.shape[1] - 10):
            for left in range(one.shape[2] - 10):
                a = one[channel, top : top + 11, left : left + 11]
                b = other[channel, top : top + 11, left : left + 11]
                ma, mb = (weights * a).sum(), (weights * b).sum()
                va, vb = (weights * (a - ma) ** 2).sum(), (weights * (b - mb) ** 2).sum()
                both = (weights * (a - ma) * (b - mb)).sum()
                values.append(
                    (2 * ma * mb + 1e-4)
                    * (2 * both + 9e-4)
                    / ((ma**2 + mb**2 + 1e-4) * (va + vb + 9e-4))
                )
    return float(numpy.mean(values))


def test_ssim_follows_the_paper() -> None:
    one, other = (each.double() / 255 for each in example())
    found = ssim(one, other)
    assert float(found[0]) == pytest.approx(ssim_by_hand(one[0].numpy(), other[0].numpy()))
    assert float(found[1]) == 1


def test_images_that_are_smaller_than_the_window_have_an_ssim() -> None:
    one = torch.rand(1, 1, 8, 5)
    assert float(ssim(one, one)[0]) == pytest.approx(1)
    assert float(ssim(one, 1 - one)[0]) < 0.5


def test_metrics_are_those_of_8_bits() -> None:
    images, targets = example()
    task = ImageToImage(COLORS)
    tally = task.tally(Mae(), torch.device("cpu"))
    tally.add(images[:1] / 255 + 0.001, targets[:1])
    tally.add(images[1:] / 255, targets[1:])
    metrics = tally.metrics()
    error = (images[0].double() - targets[0].double()) / 255
    psnr = float(10 * (1 / (error**2).mean()).log10())
    assert metrics["psnr"] == pytest.approx((psnr + 100) / 2, rel=1e-5)
    assert metrics["mae"] == pytest.approx(float(error.abs().mean()) / 2, rel=1e-5)
    assert [*tally.per_class()] == [*COLORS]
    assert task.quality(images / 255, targets).tolist() == pytest.approx([psnr, 100], rel=1e-5)
    # What is more than white is white.
    assert float(task.quality(torch.full((1, 3, 4, 4), 7.0), torch.full((1, 3, 4, 4), 255))) == 100


def test_losses_follow_their_formulas() -> None:
    images, targets = (each.double() / 255 for each in example())
    error = images - targets
    values = {
        Mse(): (error**2).mean(),
        Mae(): error.abs().mean(),
        Charbonnier(eps=0.01): (error**2 + 1e-4).sqrt().mean(),
        Ssim(): 1 - ssim(images, targets).mean(),
        Mae(ssim=0.5): error.abs().mean() + 0.5 * (1 - ssim(images, targets).mean()),
    }
    for loss, value in values.items():
        found = image_loss(loss)(images, targets)
        assert float(found) == pytest.approx(float(value), rel=1e-5)


def test_outputs_are_normalized_like_the_input() -> None:
    means, deviations = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
    task = ImageToImage(COLORS, means, deviations)
    pixels = torch.arange(3 * 16, dtype=torch.uint8).view(1, 3, 4, 4)
    prepared = (pixels / 255 - torch.tensor(means).view(3, 1, 1)) / torch.tensor(deviations).view(
        3, 1, 1
    )
    assert torch.equal(task.answers(prepared), pixels)
    assert float(task.loss(Mse(), None)(prepared, pixels)) < 1e-12
    assert torch.equal(task.answers(task.outputs(pixels)), pixels)
    squashed = ImageToImage(COLORS, means, deviations, ends_in="sigmoid")
    assert torch.equal(squashed.answers((pixels / 255).logit(eps=1e-6)), pixels)
