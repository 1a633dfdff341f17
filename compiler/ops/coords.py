"""The layer `coords`: the position of each pixel as further channels (CoordConv)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from ..language.kinds import flag
from ..shapes import AXES, Shape, as_map, axes_of, size
from .base import ANY_AXES, Kept, Kind, NoMultiplyAdds, Op, TorchText, helper
from .worked import Element, Worked, figure


class Coords(NoMultiplyAdds, Op):
    """Adds the position along each axis as channels (CoordConv, 2018, arXiv:1807.03247).

    A convolution answers alike everywhere; with these channels, it can tell places apart.
    """

    kind: ClassVar[Kind] = "shape"
    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES
    word: ClassVar[str] = "coords"
    gradient: ClassVar[str] = "dx = dy of the first C channels"
    example: ClassVar[str] = "coords"
    arithmetic: ClassVar[str] = (
        "output: C + 2 channels (with `radius`, C + 3), H, W\n"
        "channel C: the row, (2*i - (H - 1))/(H - 1), from -1 to 1; channel C + 1: the column\n"
        "radius: the distance to the center, sqrt(row^2 + column^2) of the two"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "coords": "AddCoords CoordConv CoordConv2d coord_conv add_coords AddCoordinates",
        "coords radius": "CoordConvR",
    }

    radius: bool = flag("add the distance to the center, too")

    def added(self, axes: int) -> int:
        """The number of channels that it adds."""
        return axes + self.radius

    def output(self, *inputs: Shape) -> Shape:
        channels, *sides = as_map(inputs[0], self.word)
        return channels + self.added(len(sides)), *sides

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """One for each position that is computed; the input is copied."""
        return self.added(axes_of(output)) * size(output[1:])

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept()

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        call = "add_coords({0}, radius=True)" if self.radius else "add_coords({0})"
        return TorchText(call=call, helper=ADD_COORDS)

    def work_out(self, element: Element) -> Worked:
        axis = element.channel - element.inputs[0][0]
        if axis < 0:
            return element.copied(element.channel, element.position)
        pairs = zip(element.position, element.output[1:], strict=True)
        places = [(2 * at - (side - 1)) / max(side - 1, 1) for at, side in pairs]
        if axis == len(places):
            squares = " + ".join(f"{figure(place)}^2" for place in places)
            return element.constant(math.hypot(*places), f"sqrt({squares})")
        name = AXES[len(places)][axis]
        return element.constant(places[axis], f"position along the {name}, from -1 to 1")

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        names = AXES[axes_of(output)]
        radius = " + 1" if self.radius else ""
        return [
            ("channels", f"{inputs[0][0]} + {len(names)}{radius} = {output[0]}"),
            *((f"channel {inputs[0][0] + n}", f"along the {name}, from -1 to 1")
              for n, name in enumerate(names)),
            *([(f"channel {output[0] - 1}", "the distance to the center")] if self.radius else []),
        ]  # fmt: skip


ADD_COORDS = helper('''\
def add_coords(x: Tensor, radius: bool = False) -> Tensor:
    """Adds channels: the position along each axis, from -1 to 1."""
    places = []
    for side in x.shape[2:]:
        steps = 2 * torch.arange(side, device=x.device) - (side - 1)
        places.append(steps / max(side - 1, 1))
    grid = torch.stack(torch.meshgrid(places, indexing="ij"))
    if radius:
        grid = torch.cat([grid, grid.square().sum(0, keepdim=True).sqrt()])
    return torch.cat([x, grid.to(x.dtype).expand(len(x), *grid.shape)], 1)
''')
