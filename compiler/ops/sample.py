"""Drawing from a distribution that a network computes: `sample`, in the middle of a variational
autoencoder.
"""

from __future__ import annotations

from typing import ClassVar

from ..shapes import Shape, ShapeError, size, text
from .base import ANY_AXES, Autocast, Kept, Kind, NoMultiplyAdds, TorchText, constructor, helper
from .worked import Element, Group, Step, Worked, bracketed, exp, figure

SAMPLE = helper('''\
class Sample(nn.Module):
    """Draws from normal distributions: the first half of the channels are means, the second
    logarithms of variances (arXiv:1312.6114). In evaluation, it returns the means."""

    def forward(self, x: Tensor) -> Tensor:
        mean, log_variance = x.chunk(2, 1)
        if not self.training:
            return mean
        return mean + torch.randn_like(mean) * torch.exp(log_variance / 2)
''')


class Sample(NoMultiplyAdds):
    """Draws from normal distributions in training; in evaluation, returns their means.

    The first half of the channels are the means, the second half the logarithms of the variances
    (Kingma and Welling, 2013, arXiv:1312.6114).
    """

    word: ClassVar[str] = "sample"
    gradient: ClassVar[str] = "dmean = dy; dlog_variance = dy * noise * exp(log_variance / 2) / 2"
    example: ClassVar[str] = "sample"
    arithmetic: ClassVar[str] = (
        "output: half of the channels; mean + noise * exp(log_variance / 2), in evaluation the mean"
    )
    kind: ClassVar[Kind] = "shape"
    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES
    autocast: ClassVar[Autocast] = "fp32"

    def output(self, *inputs: Shape) -> Shape:
        channels, *sides = inputs[0]
        if channels % 2:
            raise ShapeError(
                f"`sample` reads as many means as logarithms of variances, and its input is"
                f" {text(inputs[0])}",
                f"make it {channels + 1} channels for {(channels + 1) // 2} numbers to draw",
            )
        return channels // 2, *sides

    @property
    def shares_storage_in_evaluation(self) -> bool:
        return True  # the means are a part of its input

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """None in evaluation."""
        return 0

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        """The noise, and the standard deviations."""
        return Kept(own=2 * size(output))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(constructor("Sample"), helper=SAMPLE)

    def work_out(self, element: Element) -> Worked:
        if not element.training:
            return element.copied(element.channel, element.position)._replace(
                rule="in evaluation, the mean"
            )
        mean = element.here()
        log_variance = element.here(element.output[0] + element.channel)
        deviation = exp(log_variance.value / 2)
        result = mean.value if element.actual is None else element.actual
        noise = (result - mean.value) / deviation
        steps = (
            Step("deviation", f"exp({bracketed(log_variance.value)}/2)", deviation),
            Step("drawn", f"{figure(mean.value)} + {bracketed(noise)}*{figure(deviation)}", result),
        )
        group = Group("mean, log variance", (mean, log_variance), "random", result)
        return Worked(
            element.at, "mean + noise * exp(log_variance/2)", result, (group,), steps,
            note="the noise is drawn anew each time; in evaluation, the mean is returned",
        )  # fmt: skip

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        half = output[0]
        return [
            ("means", f"channels 0 to {half - 1} of {inputs[0][0]}"),
            ("log variances", f"channels {half} to {2 * half - 1}"),
            ("drawn", f"{size(output):,} numbers for each image, in training only"),
        ]
