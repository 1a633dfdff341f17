"""`spp`, the spatial pyramid: a vector of one size from a map of any size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from ...language.kinds import counts, flag
from ...shapes import LINES, PerAxis, Shape, as_map, axes_of, by, size
from ..base import (
    ANY_AXES,
    EVERYTHING,
    ClassName,
    Kept,
    Kind,
    NoMultiplyAdds,
    TorchText,
    constructor,
    helper,
)
from ..examples import Lines
from ..worked import Element, Worked, unraveled
from .basic import Average, Max
from .windows import INDEX, adaptive_reads, explain_adaptive


class Pyramid(NoMultiplyAdds):
    """Spatial pyramid (He et al., 2014, arXiv:1406.4729): a vector, whatever the size of the map.

    The map is pooled to several grids: `4 2 1` gives 4x4, 2x2 and 1x1.
    """

    word: ClassVar[str] = "spp"
    example: ClassVar[str] = "spp 4 2 1"
    arithmetic: ClassVar[str] = "output: C * (sum of n^2 over the grids) numbers"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "spp": "SpatialPyramidPooling spatial_pyramid_pooling SPPLayer",
    }
    kind: ClassVar[Kind] = "pool"
    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES

    grids: tuple[int, ...] = counts("sizes of the grids")
    avg: bool = flag("average pooling instead of max pooling")

    def output(self, *inputs: Shape) -> Shape:
        input_shape = as_map(inputs[0], self.word)
        return (input_shape[0] * sum(map(size, self._sizes(input_shape))),)

    @property
    def single(self) -> type[Average] | type[Max]:
        """The pooling of one grid."""
        return Average if self.avg else Max

    def _sizes(self, input_shape: Shape) -> list[PerAxis]:
        """The grids: `4x4`, `2x2`, `1x1`."""
        return [(side,) * axes_of(input_shape) for side in self.grids]

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return sum(adaptive_reads(inputs[0], grid) for grid in self._sizes(inputs[0]))

    def window(self, output: Shape, *inputs: Shape) -> Literal["everything"]:
        return EVERYTHING

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        if not self.avg:
            return Kept(inputs=(0,), fixed=INDEX * size(output))
        return Kept() if set(self.grids) == {1} else Kept(inputs=(0,))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        axes = axes_of(inputs[0])
        pool = f"nn.AdaptiveAvgPool{axes}d" if self.avg else f"nn.AdaptiveMaxPool{axes}d"
        module = constructor(f"SpatialPyramidPool{axes}d", ClassName(pool), list(self.grids))
        return TorchText(module, helper=SPATIAL_PYRAMID[axes])

    def work_out(self, element: Element) -> Worked:
        channels, before = element.inputs[0][0], 0
        for grid in self._sizes(element.inputs[0]):
            cells = channels * size(grid)
            if element.channel < before + cells:
                break
            before += cells
        channel, place = unraveled(element.channel - before, (channels, *grid))
        pool = self.single.make(kernel=grid, adaptive=True).on_axes(len(grid))
        cell = pool.work_out(
            Element(
                (channel, *place), (channels, *grid), element.inputs, element.read, element.weight
            )
        )
        lines = zip(LINES[len(grid)], place, strict=True)
        cell_name = ", ".join(f"{line[:-1]} {at}" for line, at in lines)
        where = f"of {cell_name} of the {by(grid)} grid"
        return cell._replace(at=element.at, rule=f"{cell.rule} {where}")

    def examples(self, output: Shape, *inputs: Shape) -> Lines:
        return self.single.make(kernel=(2, 2)).examples(output, *inputs)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        lines = []
        for grid in self._sizes(inputs[0]):
            sides = zip(inputs[0][1:], grid, strict=True)
            windows = dict.fromkeys(explain_adaptive(side, n) for side, n in sides)
            lines.append((by(grid), "; ".join(windows)))
        squares = " + ".join("*".join(map(str, grid)) for grid in self._sizes(inputs[0]))
        return [*lines, ("numbers", f"{inputs[0][0]} channels * ({squares}) = {output[0]:,}")]


SPATIAL_PYRAMID = {
    axes: helper(f'''\
class SpatialPyramidPool{axes}d(nn.Module):
    """Pools a map to grids of several sizes, in one vector (arXiv:1406.4729)."""

    def __init__(
        self,
        pool: type[nn.AdaptiveMaxPool{axes}d] | type[nn.AdaptiveAvgPool{axes}d],
        grids: list[int],
    ) -> None:
        super().__init__()
        self.pools = nn.ModuleList(pool(side) for side in grids)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([pool(x).flatten(1) for pool in self.pools], 1)
''')
    for axes in ANY_AXES
}
