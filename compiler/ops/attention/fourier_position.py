"""What tells places apart, added to a map: fourier_position, a learned mixture of waves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from ...language.kinds import count, number
from ...language.signature import ArgumentError
from ...shapes import AXES, Shape, as_map, axes_of, size
from ..base import ANY_AXES, Autocast, Kept, Kind, Op, TorchText, Weight, constructor, helper
from ..worked import Element, Step, Worked, figure


class FourierPosition(Op):
    """Adds what tells places apart: a learned mixture of waves along height and width (XCiT).

    The waves span the whole map, whatever its size, so the network keeps working for other sizes.
    """

    autocast: ClassVar[Autocast] = "follow"  # what is added has the precision of a convolution
    kind: ClassVar[Kind] = "attention"
    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES
    word: ClassVar[str] = "fourier_position"
    gradient: ClassVar[str] = "dx = dy; dW = sum of dy * waves; db = sum of dy"
    example: ClassVar[str] = "fourier_position 32"
    arithmetic: ClassVar[str] = (
        "x + W * waves + b, waves: sines and cosines of row and column\n"
        "parameters: 2 * waves * C + C\n"
        "multiply-adds: 2 * waves * C * H * W"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "fourier_position": "PositionalEncodingFourier(hidden_dim>waves) PositionalEncoding "
        "PositionEmbeddingSine positional_encoding",
    }

    waves: int = count("sines and cosines along each axis: an even number", 32, example="32")
    temperature: float = number(
        "how much longer the longest wave is than the shortest", 10000.0, minimum=1
    )

    def check(self) -> None:
        if self.waves % 2:
            raise ArgumentError(
                f"{self.waves} waves are not half sines, half cosines", "write an even number"
            )

    def output(self, *inputs: Shape) -> Shape:
        return as_map(inputs[0], self.word)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        channels, axes = inputs[0][0], axes_of(inputs[0])
        return (
            Weight("projection.weight", (channels, axes * self.waves, *(1,) * axes)),
            Weight("projection.bias", (channels,)),
        )

    def macs(self, output: Shape, *inputs: Shape) -> int:
        return axes_of(output) * self.waves * size(output)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """Additions of the bias and of the input, and the sines and cosines."""
        return 2 * size(output) + axes_of(output) * self.waves * size(output[1:])

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(once=axes_of(output) * self.waves * size(output[1:]))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        axes, temperature = axes_of(output), (self.temperature, 10000.0)
        name = "FourierPosition" + {1: "1d", 2: "", 3: "3d"}[axes]
        module = constructor(name, output[0], self.waves, temperature=temperature)
        return TorchText(module, helper=FOURIER_POSITION[axes])

    def work_out(self, element: Element) -> Worked:
        own, axes = element.here(), len(element.position)
        total = 0.0
        for wave in range(axes * self.waves):
            # First those of the first axis.
            axis, index = divmod(wave, self.waves)
            at, side = element.position[axis], element.output[1 + axis]
            angle = (at + 1) / (side + 1e-6) * 2 * math.pi
            angle /= self.temperature ** (2 * (index // 2) / self.waves)
            value = math.cos(angle) if index % 2 else math.sin(angle)
            total += value * element.weight(
                "projection.weight", (element.channel, wave, *(0,) * axes)
            )
        total += element.weight("projection.bias", (element.channel,))
        step = Step("with position", f"{figure(own.value)} + {figure(total)}", own.value + total)
        if total < 0:
            step = step._replace(text=f"{figure(own.value)} - {figure(-total)}")
        return element.computed("x + the projected waves of its place", "sum", own, step)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        channels = output[0]
        names = AXES[axes_of(output)]
        axes, weights = len(names), len(names) * self.waves * channels
        return [
            ("waves", " and ".join(f"{self.waves} along the {name}" for name in names)),
            (
                "parameters",
                f"{channels}*{axes}*{self.waves} + {channels} = {weights + channels:,}",
            ),
            (
                "multiply-adds",
                f"{'*'.join(map(str, output))} * {axes}*{self.waves} = {self.macs(output):,}",
            ),
        ]


_ROWS = """\
        rows, columns = (self.along(side, x) for side in x.shape[2:])
        rows = rows.unsqueeze(2).expand(-1, -1, x.shape[3])
        columns = columns.unsqueeze(1).expand(-1, x.shape[2], -1)"""
_SLICES = """\
        slices, rows, columns = (self.along(side, x) for side in x.shape[2:])
        slices = slices[:, :, None, None].expand(-1, *x.shape[2:])
        rows = rows[:, None, :, None].expand(-1, *x.shape[2:])
        columns = columns[:, None, None, :].expand(-1, *x.shape[2:])"""
_BY_AXES = (
    (1, "1d", "", "the length", "steps", "        steps = self.along(x.shape[2], x)"),
    (2, "", "2 * ", "height and width", "rows, columns", _ROWS),
    (3, "3d", "3 * ", "depth, height and width", "slices, rows, columns", _SLICES),
)
FOURIER_POSITION = {
    axes: helper(f'''\
class FourierPosition{suffix}(nn.Module):
    """Adds a learned mixture of waves along {along}."""

    def __init__(self, channels: int, waves: int, temperature: float = 10000.0) -> None:
        super().__init__()
        self.waves = waves
        self.temperature = temperature
        self.projection = nn.Conv{axes}d({times}waves, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
{waves}
        waves: Tensor = self.projection(torch.cat([{each}]).unsqueeze(0))
        return x + waves

    def along(self, side: int, x: Tensor) -> Tensor:
        """Sines and cosines in turn, of the places along an axis."""
        places = torch.arange(1, side + 1, device=x.device, dtype=torch.float32)
        angles = places / (side + 1e-6) * (2 * torch.pi)
        pairs = torch.arange(0, self.waves, 2, device=x.device) / self.waves
        angles = angles / self.temperature ** pairs.unsqueeze(1)
        waves = torch.stack([angles.sin(), angles.cos()], 1).flatten(0, 1)
        return waves.to(self.projection.weight.dtype)
''')
    for axes, suffix, times, along, each, waves in _BY_AXES
}
