"""`spp`, the spatial pyramid: a vector of one size from a map of any size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from ...language.kinds import counts, flag
from ...shapes import Shape, as_map, size
from ..base import EVERYTHING, ClassName, Kept, Kind, NoMultiplyAdds, TorchText, constructor, helper
from ..examples import Lines
from ..worked import Element, Worked, unravelled
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

    grids: tuple[int, ...] = counts("sizes of the grids")
    avg: bool = flag("average pooling instead of max pooling")

    def output(self, *inputs: Shape) -> Shape:
        return (as_map(inputs[0], self.word)[0] * self._cells(),)

    @property
    def single(self) -> type[Average] | type[Max]:
        """The pooling of one grid."""
        return Average if self.avg else Max

    def _cells(self) -> int:
        return sum(side * side for side in self.grids)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return sum(adaptive_reads(inputs[0], (side, side)) for side in self.grids)

    def window(self, output: Shape, *inputs: Shape) -> Literal["everything"]:
        return EVERYTHING

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        if not self.avg:
            return Kept(inputs=(0,), fixed=INDEX * size(output))
        return Kept() if set(self.grids) == {1} else Kept(inputs=(0,))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        pool = "nn.AdaptiveAvgPool2d" if self.avg else "nn.AdaptiveMaxPool2d"
        module = constructor("SpatialPyramidPool2d", ClassName(pool), list(self.grids))
        return TorchText(module, helper=SPATIAL_PYRAMID)

    def work_out(self, element: Element) -> Worked:
        channels, before = element.inputs[0][0], 0
        for side in self.grids:
            cells = channels * side * side
            if element.channel < before + cells:
                break
            before += cells
        place = unravelled(element.channel - before, (channels, side, side))
        pool = self.single.make(kernel=(side, side), adaptive=True)
        grid = (channels, side, side)
        cell = pool.work_out(Element(place, grid, element.inputs, element.read, element.weight))
        where = f"of row {place[1]}, column {place[2]} of the {side}x{side} grid"
        return cell._replace(at=element.at, rule=f"{cell.rule} {where}")

    def examples(self, output: Shape, *inputs: Shape) -> Lines:
        return self.single.make(kernel=(2, 2)).examples(output, *inputs)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        _, height, width = inputs[0]
        lines = []
        for side in self.grids:
            rows, columns = explain_adaptive(height, side), explain_adaptive(width, side)
            lines.append((f"{side}x{side}", rows if rows == columns else f"{rows}; {columns}"))
        squares = " + ".join(f"{side}*{side}" for side in self.grids)
        return [*lines, ("numbers", f"{inputs[0][0]} channels * ({squares}) = {output[0]:,}")]


SPATIAL_PYRAMID = helper('''\
class SpatialPyramidPool2d(nn.Module):
    """Pools a map to grids of several sizes, in one vector (arXiv:1406.4729)."""

    def __init__(
        self,
        pool: type[nn.AdaptiveMaxPool2d] | type[nn.AdaptiveAvgPool2d],
        grids: list[int],
    ) -> None:
        super().__init__()
        self.pools = nn.ModuleList(pool(side) for side in grids)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([pool(x).flatten(1) for pool in self.pools], 1)
''')
