"""Figures in the boxes of a drawing: `cnn draw --figures params,macs,memory,field`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...analysis import Analysis
from ...analysis.cost import writing
from ..figures import data_size, pair, short
from .picture import Box

FIGURES = {
    "params": "parameters",
    "macs": "multiply-adds",
    "memory": "memory of the outputs, for one image in fp32",
    "field": "receptive field",
}
"""Each figure, and what it says."""
_IN_A_LINE = 2


def add_figures(analysis: Analysis, boxes: Iterable[Box], names: Sequence[str]) -> None:
    """Writes figures into boxes; for a box that stands for several, those of the first."""
    for box in boxes:
        if not box.nodes or not box.nodes[0].inputs:
            continue
        said = [
            text for name in FIGURES if name in names and (text := _figure(analysis, box, name))
        ]
        for start in range(0, len(said), _IN_A_LINE):
            box.figures.append(" · ".join(said[start : start + _IN_A_LINE]))


def _figure(analysis: Analysis, box: Box, name: str) -> str:
    costs = [analysis.costs[node.index] for node in box.nodes]
    if name == "params":
        params = sum(cost.params for cost in costs)
        return f"{short(params)} params" if params else ""
    if name == "macs":
        macs = sum(cost.macs for cost in costs)
        return f"{short(macs)} MACs" if macs else ""
    if name == "memory":
        sizes = [analysis.costs[node.index].activations for node in writing(box.nodes)]
        several = "s" if sum(map(bool, sizes)) > 1 else ""
        return f"output{several} {data_size(4 * sum(sizes))}" if any(sizes) else ""
    field = analysis.fields[box.nodes[-1].index]
    return "sees all" if field.whole else f"sees {pair(field.size)}"
