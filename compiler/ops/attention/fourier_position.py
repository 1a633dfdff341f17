"""What tells places apart, added to a map: fourier_position, a learned mixture of waves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from ...language.kinds import count, number
from ...language.signature import ArgumentError
from ...shapes import Shape, as_map, size
from ..base import Autocast, Kept, Kind, Op, TorchText, Weight, constructor, helper
from ..worked import Element, Step, Worked, figure


class FourierPosition(Op):
    """Adds what tells places apart: a learned mixture of waves along height and width (XCiT).

    The waves span the whole map, whatever its size, so the network keeps working for other sizes.
    """

    autocast: ClassVar[Autocast] = "follow"  # what is added has the precision of a convolution
    kind: ClassVar[Kind] = "attention"
    word: ClassVar[str] = "fourier_position"
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
        channels = inputs[0][0]
        return (
            Weight("projection.weight", (channels, 2 * self.waves, 1, 1)),
            Weight("projection.bias", (channels,)),
        )

    def macs(self, output: Shape, *inputs: Shape) -> int:
        return 2 * self.waves * size(output)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """The bias and the sum, and the waves."""
        return 2 * size(output) + 2 * self.waves * output[1] * output[2]

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(once=2 * self.waves * output[1] * output[2])

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        module = constructor(
            "FourierPosition", output[0], self.waves, temperature=(self.temperature, 10000.0)
        )
        return TorchText(module, helper=FOURIER_POSITION)

    def work_out(self, element: Element) -> Worked:
        _, height, width = element.output
        own = element.term(element.channel, element.row, element.column)
        total = 0.0
        for wave in range(2 * self.waves):
            # First those of the row, then those of the column.
            at, side = element.row, height
            if wave >= self.waves:
                at, side = element.column, width
            index = wave % self.waves
            angle = (at + 1) / (side + 1e-6) * 2 * math.pi
            angle /= self.temperature ** (2 * (index // 2) / self.waves)
            value = math.cos(angle) if index % 2 else math.sin(angle)
            total += value * element.weight("projection.weight", (element.channel, wave, 0, 0))
        total += element.weight("projection.bias", (element.channel,))
        step = Step("with position", f"{figure(own.value)} + {figure(total)}", own.value + total)
        if total < 0:
            step = step._replace(text=f"{figure(own.value)} - {figure(-total)}")
        return element.computed("x + the projected waves of its place", "sum", own, step)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        channels = output[0]
        weights = 2 * self.waves * channels
        return [
            ("waves", f"{self.waves} along the height and {self.waves} along the width"),
            ("parameters", f"{channels}*2*{self.waves} + {channels} = {weights + channels:,}"),
            (
                "multiply-adds",
                f"{'*'.join(map(str, output))} * 2*{self.waves} = {self.macs(output):,}",
            ),
        ]


FOURIER_POSITION = helper('''\
class FourierPosition(nn.Module):
    """Adds a learned mixture of waves along height and width."""

    def __init__(self, channels: int, waves: int, temperature: float = 10000.0) -> None:
        super().__init__()
        self.waves = waves
        self.temperature = temperature
        self.projection = nn.Conv2d(2 * waves, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = (self.along(side, x) for side in x.shape[2:])
        rows = rows.unsqueeze(2).expand(-1, -1, x.shape[3])
        columns = columns.unsqueeze(1).expand(-1, x.shape[2], -1)
        waves: Tensor = self.projection(torch.cat([rows, columns]).unsqueeze(0))
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
