"""Losses of networks that predict numbers, or answer with an image: `loss huber delta=0.5`,
`loss l1 ssim=0.2`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ..language.kinds import number
from ..language.problems import Problem
from .directive import Context, taken_out
from .loss import IMAGES, Loss, maps_of


class NumberLoss(Loss):
    """Base of the losses of numbers, which are standardized by the training set: with the mean 0
    and the deviation 1."""

    tasks: ClassVar[tuple[str, ...]] = ("regression",)
    outputs_of_each: ClassVar[int] = 1
    """How many outputs the network has for each number."""


def _ssim() -> Any:
    return number(
        "for images: how much of the SSIM loss is added, which sees structure, not single pixels",
        None, minimum=0, above=True, maximum=1000, keyword_only=True,
    )  # fmt: skip


class PixelLoss(NumberLoss):
    """Base of losses that compare images pixel by pixel, and numbers as well."""

    tasks = ("regression", IMAGES)

    ssim: float | None = _ssim()

    def problems(self, context: Context) -> Iterator[Problem]:
        yield from super().problems(context)
        place = self.place("ssim")
        if self.ssim is None or place is None or context.network is None:
            return
        if self.output in maps_of(context):
            return
        message = "only images have an SSIM, and the network answers with numbers"
        yield Problem("conflict", message, place, help="take `ssim` out", edits=taken_out(place))


class Mse(PixelLoss):
    """Mean squared error of numbers, or of the pixels of images."""

    word = "loss mse"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "loss mse": "mseloss mean_squared_error meansquarederror l2loss mselossflat squared_error"
    }


class Mae(PixelLoss):
    """Mean absolute error, which outliers do not dominate.

    Of images, it is the usual one: networks reach a higher PSNR with it than with the squared error
    (Lim et al., arXiv:1707.02921).
    """

    word = "loss mae"
    synonyms = ("loss l1",)
    elsewhere: ClassVar[Mapping[str, str]] = {
        "loss mae": "l1loss mean_absolute_error meanabsoluteerror l1lossflat absolute_error"
    }


class Huber(NumberLoss):
    """Squared error of small deviations, absolute error of large ones (Huber, 1964)."""

    word = "loss huber"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "loss huber": "huberloss huber_loss smoothl1loss smooth_l1 smooth_l1_loss"
    }

    delta: float = number(
        "the error from which on it is absolute, in standard deviations of the numbers", 1.0,
        minimum=0, above=True, elsewhere="beta",
    )  # fmt: skip


class GaussianNll(NumberLoss):
    """A mean and a variance for each number, by the likelihood of a normal distribution: the
    network has two outputs for each number.
    """

    word = "loss gaussian_nll"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "loss gaussian_nll": "gaussiannllloss gaussian_nll_loss heteroscedastic"
    }
    outputs_of_each = 2


# ---- for images ------------------------------------------------------------------------------


class Charbonnier(Loss):
    """A smooth absolute error of pixels, sqrt(error^2 + eps^2) (Lai et al., arXiv:1704.03915)."""

    word = "loss charbonnier"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "loss charbonnier": "charbonnierloss charbonnier_loss l1_charbonnier_loss"
    }
    tasks = (IMAGES,)
    weighted = False
    compares = "images"

    eps: float = number("below this error, it is smooth; white is 1", 1e-3, minimum=0, above=True)
    ssim: float | None = _ssim()


class Ssim(Loss):
    """One minus the structural similarity of two images (Wang et al., 2004)."""

    word = "loss ssim"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "loss ssim": "ssimloss ssim_loss dssim structural_similarity"
    }
    tasks = (IMAGES,)
    weighted = False
    compares = "images"
