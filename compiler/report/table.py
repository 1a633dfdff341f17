"""The table of `cnn report`, in as many columns as there are.

Not made with rich: for the 500 layers of ResNet-152 it takes longer than everything else that the
command does, and for 100,000 a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ...dsl.render import show as printable
from ..analysis import Analysis
from ..analysis.memory import EXCLUDED
from ..shapes import text
from .figures import area, data_size, exact, pair, plural, short
from .rows import Row, rows
from .style import BOLD, FAINT, GAP, HEAVY, PLAIN, Style, wrapped

_LEAST = {"name": 12, "layer": 10}
"""Columns that are cut off where there is no room, and what of them stays."""

_HEAVY_SHARE = 10
"""A tenth of all parameters or multiply-adds is worth a second look."""


def table(
    analysis: Analysis, *, batch: int = 1, depth: int | None = None, style: Style = PLAIN
) -> str:
    """The whole report: what it is, its layers, its totals."""
    found = rows(analysis, depth)
    main = [row for row in found if not row.aux]
    lines = [*wrapped(title(analysis), style, code=BOLD), ""]
    lines += layer_table(analysis, main, style)
    lines += ["", *_totals(analysis, batch, style)]
    lines += _aux(analysis, [row for row in found if row.aux], style)
    lines += ["", *_conventions(style)]
    return "\n".join(line.rstrip() for line in lines)


def title(analysis: Analysis) -> str:
    network = analysis.network
    file = printable(network.program.main.source.name)
    return f"{network.name} ({file}), input {text(network.input.shape)}"


# ---- layers ----------------------------------------------------------------------------------


class Column(NamedTuple):
    name: str
    cell: Callable[[Row], str]
    right: bool = False


def _columns(params: Callable[[int], str], macs: Callable[[int], str]) -> list[Column]:
    return [
        Column("name", lambda row: row.name),
        Column("layer", lambda row: row.layer),
        Column("output", lambda row: text(row.output)),
        Column("params", lambda row: params(row.params) if row.params else "", True),
        Column("MACs", lambda row: macs(row.macs) if row.macs else "", True),
        Column("sees", lambda row: "all" if row.whole else pair(row.field), True),
    ]


def layer_table(analysis: Analysis, found: Sequence[Row], style: Style) -> list[str]:
    """The lines of a table of layers."""
    columns, cells, widths = _fit(found, style.width)
    heavy = [_heavy(analysis, row) for row in found]
    header = [column.name for column in columns]
    lines = [
        style.paint(_line(columns, header, widths), BOLD),
        style.paint(style.rule * (sum(widths) + len(GAP) * (len(widths) - 1)), FAINT),
    ]
    for row, marked in zip(cells, heavy, strict=True):
        padded = _padded(columns, row, widths)
        for position, column in enumerate(columns):
            if column.name in marked:
                padded[position] = style.paint(padded[position], HEAVY)
        lines.append(GAP.join(padded))
    return lines


def _heavy(analysis: Analysis, row: Row) -> set[str]:
    totals = analysis.totals
    marked = set()
    if row.params * _HEAVY_SHARE >= totals.params > 0:
        marked.add("params")
    if row.macs * _HEAVY_SHARE >= totals.macs > 0:
        marked.add("MACs")
    return marked


def _fit(
    found: Sequence[Row], width: int
) -> tuple[list[Column], list[list[str]], list[int]]:
    """The columns in the fullest form that there is room for."""
    columns, cells, widths, room = [], [], [], 0
    for params, macs in ((exact, exact), (exact, short), (short, short)):
        columns = _columns(params, macs)
        cells = [[column.cell(row) for column in columns] for row in found]
        widths = [
            max(len(column.name), *(len(row[position]) for row in cells))
            for position, column in enumerate(columns)
        ]
        room = width - sum(widths) - len(GAP) * (len(widths) - 1)
        if room >= 0:
            return columns, cells, widths
    for name in ("layer", "name"):
        position = next(i for i, column in enumerate(columns) if column.name == name)
        narrower = max(min(widths[position], _LEAST[name]), widths[position] + min(room, 0))
        room += widths[position] - narrower
        widths[position] = narrower
    # Where even that is too wide, columns go: a name and what it costs are what is left.
    for name in ("layer", "sees", "output", "params"):
        if room >= 0:
            break
        position = next(i for i, column in enumerate(columns) if column.name == name)
        room += widths.pop(position) + len(GAP)
        del columns[position]
        for row in cells:
            del row[position]
    return columns, [[_cut(cell, w) for cell, w in zip(row, widths)] for row in cells], widths


def _cut(cell: str, width: int) -> str:
    """Without its middle: of a name the end is what tells it apart."""
    if len(cell) <= width:
        return cell
    behind = (width - 1) // 2
    return cell[: width - 2 - behind] + ".." + cell[len(cell) - behind :]


def _padded(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        cell.rjust(width) if column.right else cell.ljust(width)
        for column, cell, width in zip(columns, row, widths, strict=True)
    ]


def _line(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int]) -> str:
    return GAP.join(_padded(columns, row, widths))


# ---- totals ----------------------------------------------------------------------------------


def facts(analysis: Analysis, batch: int) -> list[tuple[str, str, str]]:
    """What the totals say: name, figure, remark."""
    network, totals, memory = analysis.network, analysis.totals, analysis.memory
    setting = analysis.setting
    frozen = f"{exact(totals.frozen)} of them frozen" if totals.frozen else ""
    buffers = f"beside them {exact(totals.buffers)} in buffers" if totals.buffers else ""
    found = [
        ("layers", exact(totals.layers), ""),
        ("parameters", exact(totals.params), ", ".join(filter(None, [frozen, buffers]))),
        ("multiply-adds", exact(totals.macs), f"{exact(totals.flops)} FLOPs"),
        ("elementwise", exact(totals.elementwise), "other arithmetic"),
        ("activations", exact(totals.activations), "numbers written by the layers"),
    ]
    seen = before_the_head(analysis)
    if seen is not None and len(network.input.shape) == 3:
        _, height, width = network.input.shape
        remark = f"of {height}x{width}, before the head"
        found.append(("receptive field", area(seen), remark))
    images = plural(batch, "image")
    found += [
        ("memory: weights", data_size(memory.weights), "parameters and buffers"),
        ("memory: forward", data_size(memory.forward.at(batch)), f"at most, for {images}"),
        (
            "memory: training",
            data_size(memory.training.at(batch)),
            f"at most, in a step with {images}, {setting.optimizer}, {setting.precision}",
        ),
    ]
    return found


def before_the_head(analysis: Analysis) -> tuple[int, int] | None:
    """What an output of the last map sees, before places are taken together; None without maps."""
    network = analysis.network
    for node in reversed(network.nodes):
        if not node.aux and node.inputs and not analysis.fields[node.index].whole:
            return analysis.fields[node.index].size
    return None


def _totals(analysis: Analysis, batch: int, style: Style) -> list[str]:
    found = facts(analysis, batch)
    names = max(len(name) for name, _, _ in found)
    # Bytes have a unit behind them: the digits stand below one another all the same.
    figures = max(len(figure) for _, figure, _ in found)
    lines = []
    for name, figure, remark in found:
        start = f"{name.ljust(names)}{GAP}{style.paint(figure.rjust(figures), BOLD)}"
        room = style.width - names - figures - 2 * len(GAP)
        if remark and room < len(remark):
            lines += [start, *wrapped(remark, style, " " * 4)]
        else:
            lines.append(f"{start}{GAP}{style.paint(remark, FAINT)}")
    return lines


def _aux(analysis: Analysis, found: Sequence[Row], style: Style) -> list[str]:
    """Auxiliary heads, which are in none of the totals."""
    network, totals = analysis.network, analysis.totals
    if not network.aux:
        return []
    heads = ", ".join(f"{head.scope.name} (weight {head.weight:g})" for head in network.aux)
    cost = f"{exact(totals.aux_params)} parameters, {exact(totals.aux_macs)} multiply-adds"
    above = f"only in training, and in no figure above but the memory of training: {heads}; {cost}"
    return ["", *wrapped(above, style), "", *layer_table(analysis, found, style)]


def conventions() -> list[str]:
    """What the figures mean, printed with them."""
    return [
        "A multiply-add (MAC) is one product and sum of a convolution or linear layer, for one"
        " image; it is two FLOPs. Biases, normalisation, activations, pooling and sums are"
        " elementwise.",
        "sees: the receptive field, how far along height and width of the input an output depends"
        " on what is there; `all` where places have been taken together.",
        f"Memory leaves out: {EXCLUDED}.",
    ]


def _conventions(style: Style) -> list[str]:
    return [line for text in conventions() for line in wrapped(text, style)]
