"""`pool mixed`: maximum and mean, mixed by a learned share."""

from __future__ import annotations

from typing import ClassVar

from ...language.kinds import choice
from ...shapes import Shape, axes_of, size
from ..base import Autocast, Kept, TorchText, Weight, constructor, helper
from ..worked import Element, Step, Worked, bracketed, figure, sigmoid
from .windows import INDEX, Adaptive


class Mixed(Adaptive):
    """A learned mixture of maximum and mean (Lee et al., 2016, arXiv:1509.08985).

    a*max + (1 - a)*mean, with a = sigmoid(mix), so that it stays between 0 and 1; it begins at one
    half. Both poolings count, and three operations to mix them.
    """

    autocast: ClassVar[Autocast] = "wide"
    word: ClassVar[str] = "pool mixed"
    example: ClassVar[str] = "pool mixed 2x2"
    arithmetic: ClassVar[str] = (
        "a * max + (1 - a) * mean of each window, with a = sigmoid(mix)\n"
        "output: floor((H + 2*pad - kernel) / stride) + 1, same for W (ceil with `ceil`)\n"
        "parameters: 1, or C with per=channel"
    )

    per: str = choice(
        "one mixture for the `layer`, or one for each `channel`", ["layer", "channel"], "layer"
    )

    slope: ClassVar[str] = "a + (1 - a)/m at the maximum, (1 - a)/m elsewhere; by a: max - mean"

    def _mixtures(self, input_shape: Shape) -> int:
        return input_shape[0] if self.per == "channel" else 1

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        ones = (1,) * axes_of(inputs[0])
        return (Weight("mix", (self._mixtures(inputs[0]), *ones)),)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return 2 * self.reads(output, inputs[0]) + 3 * size(output)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        # The difference of the two, which is the gradient of the mixture, and the sigmoid.
        return Kept(
            inputs=(0,),
            own=size(output),
            fixed=INDEX * size(output),
            once=self._mixtures(inputs[0]),
        )

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        axes = axes_of(output)
        if self.target is not None:
            largest = self.adapted(f"nn.AdaptiveMaxPool{axes}d")
            mean = self.adapted(f"nn.AdaptiveAvgPool{axes}d")
        else:
            largest = self.windowed(f"nn.MaxPool{axes}d")
            mean = self.windowed(f"nn.AvgPool{axes}d")
        channels = (self._mixtures(inputs[0]), 1)
        module = constructor(f"MixedPool{axes}d", largest, mean, channels=channels)
        return TorchText(module, helper=MIXED_POOL[axes])

    def work_out(self, element: Element) -> Worked:
        maximum = self.maximum(element)._replace(name="max")
        mean = self.mean(element)._replace(name="mean")
        own = element.channel if self.per == "channel" else 0
        mix = element.weight("mix", (own, *(0 for _ in element.position)))
        share = sigmoid(mix)
        result = mean.result + share * (maximum.result - mean.result)
        mixed = (
            f"{figure(share)}*{bracketed(maximum.result)} + (1 - {figure(share)})*"
            f"{bracketed(mean.result)}"
        )
        steps = (Step("a", f"sigmoid({figure(mix)})", share), Step("mixed", mixed, result))
        rule = "a*max + (1 - a)*mean of the window, a = sigmoid(mix)"
        note = self.outside(element)
        return Worked(element.at, rule, result, (maximum, mean), steps, note=note)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        mixtures = self._mixtures(inputs[0])
        whom = "each channel" if self.per == "channel" else "the layer"
        return [
            *super().explain(output, *inputs),
            ("each window", "a*max + (1 - a)*mean, a learned, initially 0.5"),
            ("parameters", f"{mixtures:,}: an a for {whom}"),
        ]


MIXED_POOL = {
    axes: helper(f'''\
class MixedPool{axes}d(nn.Module):
    """A learned mixture of maximum and mean (arXiv:1509.08985)."""

    def __init__(self, maximum: nn.Module, mean: nn.Module, channels: int = 1) -> None:
        super().__init__()
        self.maximum = maximum
        self.mean = mean
        self.mix = nn.Parameter(torch.zeros(channels, {ones}))

    def forward(self, x: Tensor) -> Tensor:
        maximum: Tensor = self.maximum(x)
        mean: Tensor = self.mean(x)
        return mean + self.mix.sigmoid() * (maximum - mean)
''')
    for axes, ones in ((1, "1"), (2, "1, 1"), (3, "1, 1, 1"))
}
