"""The table of `cnn report`: layers, totals, and what the figures mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...dsl.render import show as printable
from ..analysis import Analysis
from ..shapes import text
from .figures import area, data_size, exact, pair, plural, short
from .grid import Column, grid
from .rows import Row, rows
from .style import BOLD, FAINT, GAP, HEAVY, PLAIN, Style, wrapped

_HEAVY_SHARE = 10
"""Layers with a tenth of all parameters or multiply-adds are highlighted."""


def table(
    analysis: Analysis, *, batch: int = 1, depth: int | None = None, style: Style = PLAIN
) -> str:
    """The whole report: title, layers, totals."""
    table_rows = rows(analysis, depth)
    main = [row for row in table_rows if not row.aux]
    lines = [*wrapped(title(analysis), style, code=BOLD), ""]
    lines += layer_table(analysis, main, style)
    lines += ["", *_totals(analysis, batch, style)]
    lines += _aux(analysis, [row for row in table_rows if row.aux], style)
    lines += ["", *_conventions(analysis, style)]
    return "\n".join(line.rstrip() for line in lines)


def title(analysis: Analysis) -> str:
    network = analysis.network
    file = printable(network.program.main.source.name)
    return f"{network.name} ({file}), input {text(network.input.shape)}"


# ---- layers ----------------------------------------------------------------------------------


def layer_table(analysis: Analysis, table_rows: Sequence[Row], style: Style) -> list[str]:
    """The lines of a table of layers."""
    totals = analysis.totals

    def heavy(row: Row, column: str) -> str:
        part, whole = {"params": (row.params, totals.params), "MACs": (row.macs, totals.macs)}.get(
            column, (0, 0)
        )
        return HEAVY if part * _HEAVY_SHARE >= whole > 0 else ""

    variants = [
        _columns(params, macs) for params, macs in ((exact, exact), (exact, short), (short, short))
    ]
    return grid(variants, table_rows, style, heavy)


def _columns(params: Callable[[int], str], macs: Callable[[int], str]) -> list[Column[Row]]:
    return [
        Column("name", lambda row: row.name, yields=2, least=12, optional=False),
        Column("layer", lambda row: row.layer, yields=1, least=10),
        Column("output", lambda row: text(row.output), yields=3, least=9),
        Column("params", lambda row: params(row.params) if row.params else "", True, yields=5),
        Column("MACs", lambda row: macs(row.macs) if row.macs else "", True),
        Column("sees", lambda row: "all" if row.whole else pair(row.field), True, yields=4),
    ]


# ---- totals ----------------------------------------------------------------------------------


def facts(analysis: Analysis, batch: int) -> list[tuple[str, str, str]]:
    """The totals: name, figure, remark."""
    network, totals, memory = analysis.network, analysis.totals, analysis.memory
    setting = analysis.setting
    frozen = f"{exact(totals.frozen)} of them frozen" if totals.frozen else ""
    buffers = f"plus {exact(totals.buffers)} in buffers" if totals.buffers else ""
    entries = [
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
        entries.append(("receptive field", area(seen), remark))
    images = plural(batch, "image")
    entries += [
        ("memory: weights", data_size(memory.weights), "parameters and buffers"),
        ("memory: forward", data_size(memory.forward.at(batch)), f"at most, for {images}"),
        (
            "memory: training",
            data_size(memory.training.at(batch)),
            f"at most, in a step with {images}, {setting.described}",
        ),
    ]
    if setting.device == "cuda" and setting.batch_known:  # nobody trains with the default of 1
        usage = memory.on_gpu(batch)
        remark = (
            f"with {data_size(usage.outside)} for CUDA itself; torch reserves up to"
            f" {data_size(usage.wanted)}"
        )
        entries.append(("memory: GPU", data_size(usage.needed), remark))
    return entries


def before_the_head(analysis: Analysis) -> tuple[int, int] | None:
    """The receptive field on the last map, before positions are combined; None without maps."""
    network = analysis.network
    for node in reversed(network.nodes):
        if not node.aux and node.inputs and not analysis.fields[node.index].whole:
            return analysis.fields[node.index].size
    return None


def _totals(analysis: Analysis, batch: int, style: Style) -> list[str]:
    entries = facts(analysis, batch)
    names = max(len(name) for name, _, _ in entries)
    # Bytes are followed by a unit: align the digits all the same.
    figures = max(len(figure) for _, figure, _ in entries)
    lines = []
    for name, figure, remark in entries:
        start = f"{name.ljust(names)}{GAP}{style.paint(figure.rjust(figures), BOLD)}"
        room = style.width - names - figures - 2 * len(GAP)
        if remark and room < len(remark):
            lines += [start, *wrapped(remark, style, " " * 4)]
        else:
            lines.append(f"{start}{GAP}{style.paint(remark, FAINT)}")
    return lines


def _aux(analysis: Analysis, table_rows: Sequence[Row], style: Style) -> list[str]:
    """The line on auxiliary heads, which the totals do not include."""
    network, totals = analysis.network, analysis.totals
    if not network.aux:
        return []
    heads = ", ".join(f"{head.scope.name} (weight {head.weight:g})" for head in network.aux)
    cost = f"{exact(totals.aux_params)} parameters, {exact(totals.aux_macs)} multiply-adds"
    above = (
        f"only in training; of the figures above, only training memory includes them: "
        f"{heads}; {cost}"
    )
    return ["", *wrapped(above, style), "", *layer_table(analysis, table_rows, style)]


def conventions(analysis: Analysis) -> list[str]:
    """The explanation of the figures, printed below them."""
    return [
        "A multiply-add (MAC) is one product and sum of a convolution or linear layer, for one"
        " image; it is two FLOPs. Biases, normalization, activations, pooling and sums are"
        " elementwise.",
        "sees: the receptive field, how many pixels of the input's height and width an output "
        "depends"
        " on; `all` where all positions have been pooled together.",
        f"Memory leaves out: {analysis.memory.excluded}.",
    ]


def _conventions(analysis: Analysis, style: Style) -> list[str]:
    return [line for text in conventions(analysis) for line in wrapped(text, style)]
