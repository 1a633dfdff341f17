"""How images are made worse, so that a network learns to restore them: `degrade noise 25`.

Each line is a step, in the order written. What the network is to answer is the image as it was
before. In training, each image is made worse in another way in every epoch; in evaluation always in
the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ..language.kinds import Range, between, choice, whole
from ..language.problems import Problem
from ..language.signature import ArgumentError
from ..language.values import exact, interval
from ..shapes import text
from .directive import Context, Directive

LEVELS = 255
"""The value of white."""


class Degradation(Directive):
    """A step that makes the input worse than the target."""

    section = "train"
    several = True
    elsewhere: ClassVar[Mapping[str, str]] = {
        "degrade": "degradation corrupt corruption corruptions noising",
    }

    def needs_one_input(self) -> str:
        return "the image that is to be answered is its only input"

    def problems(self, context: Context) -> Iterator[Problem]:
        if context.network is None or self.span is None:
            return
        shape = context.network.output.shape
        if len(shape) == 3 and len(context.shape) == 3:
            return
        yield Problem(
            "unfit-output",
            f"`degrade` is for networks that answer with an image, and this one ends in"
            f" {text(shape)}",
            self.span,
            help="end the network in a convolution with the channels of the image; to make training"
            " images harder to classify, write the step into `augment`",
        )


class DegradeNoise(Degradation):
    """Add Gaussian noise to each pixel."""

    word = "degrade noise"
    elsewhere: ClassVar[Mapping[str, str]] = {"degrade noise 25": "awgn"}

    deviation: Range = between(
        "standard deviation in levels of 255, as in papers on denoising", 0, LEVELS, example="25",
        elsewhere="sigma std stddev",
    )  # fmt: skip

    def check(self) -> None:
        if self.deviation[1] <= 1:
            levels = interval((self.deviation[0] * LEVELS, self.deviation[1] * LEVELS))
            raise ArgumentError(
                f"noise of {interval(self.deviation)} cannot be seen: white is {LEVELS}",
                f"write `degrade noise {levels}`" if self.deviation[1] else "write a larger number",
            )


class DegradeBlur(Degradation):
    """Blur with a Gaussian kernel."""

    word = "degrade blur"

    sigma: Range = between(
        "standard deviation of the kernel, in pixels", 0, 100, example="1.5", elsewhere="std"
    )


class DegradeDownscale(Degradation):
    """Make the image smaller.

    A network whose output is larger than its input gets it as it is then; otherwise it is enlarged
    again, so that only the details are lost.
    """

    word = "degrade downscale"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "degrade downscale 2": "superresolution super_resolution downsample",
    }

    factor: int = whole(
        "how many pixels become one along each side", minimum=2, maximum=64, example="2",
        elsewhere="scale",
    )  # fmt: skip
    mode: str = choice(
        "interpolation, antialiased", ("bicubic", "bilinear", "nearest"), "bicubic",
        keyword_only=True,
    )  # fmt: skip

    def problems(self, context: Context) -> Iterator[Problem]:
        found = list(super().problems(context))
        yield from found
        if found or context.network is None or self.span is None:
            return
        before, after = context.shape, context.network.output.shape
        enlarges = after[1] / before[1]
        if enlarges not in (1, self.factor) and not _others(self, context):
            place = self.place("factor")
            assert place is not None
            yield Problem(
                "unfit-output",
                f"the network enlarges images {exact(enlarges)} times, from {text(before)} to"
                f" {text(after)}, and images become {self.factor} times smaller",
                place,
                help=f"write `degrade downscale {exact(enlarges)}`, or let the network enlarge by"
                f" {self.factor}: `pixel_shuffle {self.factor}` or `upsample {self.factor}`",
            )


def _others(step: Degradation, context: Context) -> bool:
    return sum(isinstance(each, DegradeDownscale) for each in context.all(Degradation)) > 1


def _quality(doc: str) -> Any:
    return between(doc, 1, 100, example="40", elsewhere="q")


class DegradeJpeg(Degradation):
    """Compress as a JPEG file, which leaves blocks and ringing."""

    word = "degrade jpeg"

    quality: Range = _quality("quality of the file, from 1 to 100")


class DegradeGray(Degradation):
    """Remove colors: the network learns to find them."""

    word = "degrade gray"
    elsewhere: ClassVar[Mapping[str, str]] = {"degrade gray": "colorization colorize"}
    synonyms = ("degrade grey",)
