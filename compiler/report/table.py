"""The table of `cnn report`: layers, totals, and what the figures mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ...dsl.printable import show as printable
from ..analysis import Analysis
from ..network import Node
from ..shapes import AXES, POINTS, PerAxis, axes_of, named, size, text
from .figures import SharedUnit, area, data_size, exact, pair, plural, short
from .grid import Column, Texts, fits, grid
from .interface import inputs_text, sample_word
from .rows import Row, rows
from .short_names import shortened
from .style import BOLD, FAINT, GAP, HEAVY, PLAIN, Style, wrapped

if TYPE_CHECKING:
    from ..analysis.weight_layers import WeightLayers

_HEAVY_SHARE = 10
"""Layers with a tenth of all parameters, multiply-adds or memory of outputs are highlighted."""
_LETTERS = (6, 5, 4, 3)
"""Of the words of shortened names, as there is room."""
_CUT = 4
"""Rather than names still further, the longest layers are cut by as many characters."""


def table(
    analysis: Analysis, *, batch: int = 1, depth: int | None = None, style: Style = PLAIN
) -> str:
    """The whole report: title, layers, totals."""
    table_rows = rows(analysis, depth)
    main = [row for row in table_rows if not row.aux]
    lines = [*wrapped(title(analysis), style, code=BOLD), ""]
    lines += layer_table(analysis, main, style)
    lines += ["", *fact_lines(facts(analysis, batch), style)]
    lines += _outputs(analysis, style)
    lines += _aux(analysis, [row for row in table_rows if row.aux], style)
    lines += ["", *_conventions(analysis, style)]
    return "\n".join(line.rstrip() for line in lines)


def title(analysis: Analysis) -> str:
    network = analysis.network
    file = printable(network.program.main.source.name)
    return f"{network.name} ({file}), {inputs_text(network)}"


# ---- layers ----------------------------------------------------------------------------------


def layer_table(analysis: Analysis, table_rows: Sequence[Row], style: Style) -> list[str]:
    """The lines of a table of layers."""
    totals = analysis.totals
    unit = memory_unit(analysis)
    outputs = sum(analysis.output_bytes)

    def heavy(row: Row, column: str) -> str:
        part, whole = {
            "params": (row.params, totals.params),
            "MACs": (row.macs, totals.macs),
            unit.name: (row.memory, outputs),
        }.get(column, (0, 0))
        return HEAVY if part * _HEAVY_SHARE >= whole > 0 else ""

    texts: Texts[Row] = {}
    columns, short = _columns_for(unit, table_rows, style.width, texts)
    lines = grid([columns], table_rows, style, heavy, texts)
    example = next((pair for pair in short.items() if pair[0] != pair[1]), None)
    if example is not None:
        full, shown = example
        lines += ["", *wrapped(f"Names are shortened: {shown} is {full}.", style)]
    return lines


def memory_unit(analysis: Analysis) -> SharedUnit:
    """The unit of the column of memory: the same in all tables of a network."""
    return SharedUnit(max(analysis.output_bytes))


SHARED = "shared"
"""Instead of a number of parameters: they belong to another layer."""

_Names = Mapping[str, str]


def _columns_for(
    unit: SharedUnit, table_rows: Sequence[Row], width: int, texts: Texts[Row]
) -> tuple[Sequence[Column[Row]], _Names]:
    """The columns that there is room for, and what names are shortened to. Figures are shortened
    first, then names; then the memory is left out. Their cells are added to `texts`.
    """
    variant: tuple[Sequence[Column[Row]], _Names] = (), {}
    for variant in _variants(unit, [row.name for row in table_rows]):
        columns, short = variant
        room = width + _CUT if any(a != b for a, b in short.items()) else width
        if fits(columns, table_rows, room, texts):
            break
    return variant


def _variants(
    unit: SharedUnit, names: Sequence[str]
) -> Iterator[tuple[Sequence[Column[Row]], _Names]]:
    numbers = (exact, exact), (exact, short), (short, short)
    yield from ((_columns(each, unit), {}) for each in numbers)
    names_of = [shortened(names, letters) for letters in _LETTERS]
    yield from ((_columns(numbers[-1], unit, each), each) for each in names_of)
    yield from ((_columns(each), {}) for each in numbers)
    yield _columns(numbers[-1], names=names_of[-1]), names_of[-1]


def _columns(
    numbers: tuple[Callable[[int], str], Callable[[int], str]],
    unit: SharedUnit | None = None,
    names: _Names | None = None,
) -> Sequence[Column[Row]]:
    """The columns with parameters and multiply-adds written as these functions write them; with the
    memory of outputs, if its unit is given.
    """

    def cell(figure: Callable[[int], str], number: int) -> str:
        return figure(number) if number else ""

    params, macs = numbers

    def name(row: Row) -> str:
        return (names or {}).get(row.name, row.name)

    memory = (
        ()
        if unit is None
        else (Column[Row](unit.name, lambda row: cell(unit.text, row.memory), True),)
    )
    return (
        Column("name", name, yields=2, least=12, optional=False),
        Column("layer", lambda row: row.layer, yields=1, least=10, from_end=True),
        Column("output", lambda row: text(row.output), yields=3, least=9),
        *memory,
        Column(
            "params", lambda row: SHARED if row.shared else cell(params, row.params), True, yields=5
        ),
        Column("MACs", lambda row: cell(macs, row.macs), True),
        Column("sees", lambda row: "all" if row.whole else pair(row.field), True, yields=4),
    )


def exact_columns(
    analysis: Analysis, table_rows: Sequence[Row]
) -> tuple[list[str], list[list[str]]]:
    """The names of all columns, and the cells of each row, where nothing has to be shortened; from
    the fourth column on, they are figures.
    """
    columns = _columns((exact, exact), memory_unit(analysis))
    cells = [[column.cell(row) for column in columns] for row in table_rows]
    return [column.name for column in columns], cells


# ---- totals ----------------------------------------------------------------------------------


Fact = tuple[str, str, str]
"""A line of the totals: name, figure, remark."""

ELEMENTWISE = "operations for bias, norm, relu, pool, sums"


def facts(analysis: Analysis, batch: int) -> list[Fact]:
    """The totals."""
    network, totals, memory = analysis.network, analysis.totals, analysis.memory
    setting = analysis.setting
    frozen = f"{exact(totals.frozen)} of them frozen" if totals.frozen else ""
    buffers = f"plus {exact(totals.buffers)} in buffers, not trained" if totals.buffers else ""
    entries = [
        ("layers", exact(totals.layers), ""),
        weight_layers_fact(analysis.weight_layers),
        ("parameters", exact(totals.params), ", ".join(filter(None, [frozen, buffers]))),
        ("multiply-adds", exact(totals.macs), f"{exact(totals.flops)} FLOPs"),
        ("elementwise", exact(totals.elementwise), ELEMENTWISE),
        ("activations", exact(totals.activations), _activations(analysis)),
    ]
    for given, local in locals_by_input(analysis):
        whole = area(given.shape[1:])
        where = f"up to {local.name}, then all" if maps_see_all(analysis) else "before the head"
        seen = area(analysis.fields[local.index].size)
        several = len({node.shape[1:] for node in network.inputs}) > 1
        name = f" of `{given.name}`" if several else ""
        entries.append(("receptive field", seen, f"of {whole}{name}, {where}"))
    images = plural(batch, sample_word(network))
    entries += [
        ("memory: weights", data_size(memory.weights), "parameters and buffers"),
        ("memory: outputs", *_memory_of_outputs(analysis, batch)),
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


def weight_layers_fact(counted: WeightLayers) -> Fact:
    on_path, in_all = counted
    also = f"; {exact(in_all)} in all" if in_all != on_path else ""
    return "weight layers", exact(on_path), f"conv and fc on the longest path{also}"


def _activations(analysis: Analysis) -> str:
    """What the number of activations means; courses multiply it by four bytes."""
    memory = data_size(4 * analysis.totals.activations)
    in_place = any(node.op.inplace for node in analysis.network.nodes)
    but = " if none is overwritten" if in_place else ""
    return f"numbers written by the layers, {memory} in fp32{but}"


def _memory_of_outputs(analysis: Analysis, batch: int) -> tuple[str, str]:
    """The memory of the outputs of all layers, and how soon half of it is reached."""
    network, each = analysis.network, analysis.output_bytes
    main = [node for node in network.nodes if node.inputs and not node.aux]
    total = sum(each[node.index] for node in main)
    remark = f"of all layers, for {plural(batch, sample_word(network))}"
    so_far = 0
    for number, node in enumerate(main, 1):
        so_far += each[node.index]
        if 2 * so_far >= total > 0:
            first = f"{number:,}, up to" if number > 1 else "layer,"
            remark += f"; half of it in the first {first} {node.name}"
            break
    return data_size(total * batch), remark


def before_the_head(analysis: Analysis) -> PerAxis | None:
    """The receptive field on the last map, before positions are combined; None without maps."""
    node = last_local(analysis)
    return analysis.fields[node.index].size if node is not None else None


def last_local(analysis: Analysis) -> Node | None:
    """The last layer whose outputs do not see the whole input."""
    for node in reversed(analysis.network.nodes):
        if not node.aux and node.inputs and not analysis.fields[node.index].whole:
            return node
    return None


def locals_by_input(analysis: Analysis) -> list[tuple[Node, Node]]:
    """For each input that has positions, the last layer after it whose outputs do not see all of
    it; inputs of one size count as one."""
    network = analysis.network
    if len({node.shape[1:] for node in network.inputs}) == 1:
        local = last_local(analysis)
        has_positions = axes_of(network.input.shape) > 0
        return [(network.input, local)] if local is not None and has_positions else []
    found: dict[int, tuple[Node, Node]] = {}
    first: list[Node] = []
    """The input that each node reads, as its receptive field does: the first of several."""
    for node in network.nodes:
        first.append(first[node.inputs[0].index] if node.inputs else node)
        given, whole = first[-1], analysis.fields[node.index].whole
        if node.inputs and not node.aux and not whole and axes_of(given.shape):
            found[given.index] = given, node
    return [found[node.index] for node in network.inputs if node.index in found]


def maps_see_all(analysis: Analysis) -> bool:
    """Whether there are maps that see the whole input, as after the gates of a MobileNetV3."""
    return any(
        not node.aux
        and size(node.shape[1:]) > 1
        and node.inputs
        and analysis.fields[node.index].whole
        for node in analysis.network.nodes
    )


def fact_lines(entries: Sequence[Fact], style: Style) -> list[str]:
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


def output_cells(analysis: Analysis) -> tuple[list[str], list[list[str]]]:
    """The columns of the table of outputs, and its cells; from the third column on, figures. None
    for a network of one output, whose totals are those of the network.
    """
    from ..analysis.by_output import by_output

    head = ["output", "shape", "layers", "params", "MACs", "own params", "own MACs"]
    if len(analysis.network.outputs) < 2:
        return head, []
    return head, [
        [
            each.name,
            text(each.node.shape),
            exact(each.layers),
            exact(each.params),
            exact(each.macs),
            exact(each.own_params),
            exact(each.own_macs),
        ]
        for each in by_output(analysis.network, analysis.costs)
    ]


def _outputs(analysis: Analysis, style: Style) -> list[str]:
    """The table of outputs: what each is computed from, and what no other output needs."""
    head, cells = output_cells(analysis)
    if not cells:
        return []

    def column(number: int) -> Column[list[str]]:
        return Column(head[number], lambda row: row[number], number > 1, yields=max(0, number - 1))

    return ["", *grid([[column(number) for number in range(len(head))]], cells, style)]


def _aux(analysis: Analysis, table_rows: Sequence[Row], style: Style) -> list[str]:
    """The line on auxiliary heads, which the totals do not include."""
    network, totals = analysis.network, analysis.totals
    if not network.aux:
        return []
    heads = ", ".join(f"{head.name} (weight {head.weight:g})" for head in network.aux)
    cost = f"{exact(totals.aux_params)} parameters, {exact(totals.aux_macs)} multiply-adds"
    above = (
        f"only in training; of the figures above, only training memory includes them: "
        f"{heads}; {cost}"
    )
    return ["", *wrapped(above, style), "", *layer_table(analysis, table_rows, style)]


def conventions(analysis: Analysis, *, of_a_table: bool = True) -> list[str]:
    """The explanation of the figures, printed below them; with that of the table's own words."""
    unit, word = memory_unit(analysis).name, sample_word(analysis.network)
    buffers = [
        "Buffers are numbers that a network keeps and does not train: running means and variances"
        " of norms, fixed filters."
    ]
    weight_layers = [
        "Weight layers are counted as in the names VGG-16 and ResNet-50: convolutions and fully"
        " connected layers on the longest path from input to output, which is neither a shortcut"
        " nor inside a gate."
    ]
    outputs = [
        "The figures of an output are those of all layers that it is computed from; its own are of"
        " layers that no other output needs."
    ]
    shared = [
        "shared: the parameters belong to another layer and are counted there; `cnn explain` names"
        " it."
    ]
    shared = shared if any(node.shared for node in analysis.network.nodes) else []
    columns = [
        f"{unit}: the memory of a layer's output, for one {word}; none where it overwrites its"
        " input, or is a view of it.",
        *shared,
        f"sees: the receptive field, how many {_points(analysis)} an output"
        " depends on; `all` where all positions have been pooled together.",
    ]
    return [
        *(weight_layers if of_a_table else []),
        "A multiply-add (MAC) is one product and sum of a convolution or linear layer, for one"
        f" {word}; it is two FLOPs. Biases, normalization, activations, pooling and sums are"
        " elementwise.",
        *(buffers if analysis.totals.buffers else []),
        *(outputs if of_a_table and len(analysis.network.outputs) > 1 else []),
        *(columns if of_a_table else []),
        f"Memory leaves out: {analysis.memory.excluded}.",
    ]


def _points(analysis: Analysis) -> str:
    """`pixels of the input's height and width`."""
    if len({axes_of(node.shape) for node in analysis.network.inputs}) > 1:
        return "positions of an input"
    axes = axes_of(analysis.network.input.shape) or 2
    return f"{POINTS[axes]} of the input's {named(AXES[axes])}"


def _conventions(analysis: Analysis, style: Style) -> list[str]:
    return [line for text in conventions(analysis) for line in wrapped(text, style)]
