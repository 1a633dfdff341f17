"""`cnn report --part`: the layers and the totals of a part of a network."""

from __future__ import annotations

from typing import NamedTuple

from ..analysis import Analysis
from ..analysis.weight_bytes import weight_bytes
from ..analysis.weight_layers import WeightLayers, weight_layers_of
from .figures import data_size, exact, plural, share
from .interface import sample_word
from .rows import Row, rows, rows_of
from .select import Selection, part_name
from .style import BOLD, Style, wrapped
from .table import (
    ELEMENTWISE,
    Fact,
    fact_lines,
    layer_table,
    title,
    weight_layers_fact,
)


class PartOfNetwork(NamedTuple):
    """What `--part` selects in one network."""

    analysis: Analysis
    selection: Selection
    wanted: str
    """As written: a name, its beginning or end, a line."""

    @property
    def name(self) -> str:
        part = self.selection.part
        return (part_name(part) if part is not None else "") or self.wanted


class PartTotals(NamedTuple):
    """The totals of some layers, for one image; memory in bytes."""

    layers: int
    weight_layers: WeightLayers
    params: int
    buffers: int
    macs: int
    elementwise: int
    weights: int
    outputs: int


def part_totals(part: PartOfNetwork) -> PartTotals:
    analysis, nodes = part.analysis, part.selection.layers
    costs = [analysis.costs[node.index] for node in nodes]
    return PartTotals(
        layers=sum(bool(node.inputs) for node in nodes),
        weight_layers=weight_layers_of(nodes),
        params=sum(cost.params for cost in costs),
        buffers=sum(cost.buffers for cost in costs),
        macs=sum(cost.macs for cost in costs),
        elementwise=sum(cost.elementwise for cost in costs),
        weights=sum(map(weight_bytes, nodes)),
        outputs=sum(analysis.output_bytes[node.index] for node in nodes),
    )


def part_text(part: PartOfNetwork, depth: int | None, style: Style) -> str:
    """The table of the part's layers, and its totals."""
    lines = [
        *wrapped(part_title(part), style, code=BOLD),
        "",
        *layer_table(part.analysis, part_rows(part, depth), style),
        "",
        *fact_lines(part_facts(part), style),
    ]
    return "\n".join(line.rstrip() for line in lines)


def part_title(part: PartOfNetwork) -> str:
    return f"{part.name} of {title(part.analysis)}"


def part_rows(part: PartOfNetwork, depth: int | None) -> list[Row]:
    """As the report of the whole network has them, unless one row is more than the part."""
    inside = {node.index for node in part.selection.layers}
    found = [
        row for row in rows(part.analysis, depth) if all(node.index in inside for node in row.nodes)
    ]
    if sum(len(row.nodes) for row in found) == len(inside):
        return found
    return rows_of(part.analysis, part.selection.layers)


def part_facts(part: PartOfNetwork) -> list[Fact]:
    analysis, of = part.analysis, part_totals(part)
    network, batch = analysis.totals, analysis.setting.batch
    in_totals = not any(node.aux for node in part.selection.layers)
    memory = analysis.memory

    def share_of(figure: int, total: int) -> str:
        if not in_totals:
            return "only in training"
        return f"{share(figure, total)} of the network's" if total else ""

    buffers = f", plus {exact(of.buffers)} in buffers" if of.buffers else ""
    return [
        ("layers", exact(of.layers), ""),
        weight_layers_fact(of.weight_layers),
        ("parameters", exact(of.params), f"{share_of(of.params, network.params)}{buffers}"),
        ("multiply-adds", exact(of.macs), share_of(of.macs, network.macs)),
        ("elementwise", exact(of.elementwise), ELEMENTWISE),
        ("memory: weights", data_size(of.weights), share_of(of.weights, memory.weights)),
        (
            "memory: outputs",
            data_size(of.outputs * batch),
            f"{share_of(of.outputs, sum(analysis.output_bytes))},"
            f" for {plural(batch, sample_word(analysis.network))}",
        ),
    ]
