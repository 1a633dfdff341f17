"""Reports for programs: JSON, CSV, Markdown. Integers are exact."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from ..analysis import Analysis
from ..analysis.by_output import by_output
from ..network import Node
from ..shapes import text
from .interface import inputs_text, interface
from .part import PartOfNetwork, part_facts, part_rows, part_title, part_totals
from .rows import Row, rows
from .table import Fact, before_the_head, conventions, exact_columns, facts, output_cells
from .wording import Wording

Json = dict[str, Any]


Reported = Analysis | PartOfNetwork
"""A whole network, or a part of one."""


def as_json(analyses: Sequence[Reported]) -> str:
    """JSON: one object for one network, a list for several; one line per layer."""
    reports = [
        _lines(
            part_report(each)
            if isinstance(each, PartOfNetwork)
            else report(each, each.setting.batch)
        )
        for each in analyses
    ]
    return reports[0] if len(reports) == 1 else "[" + ",\n".join(reports) + "]"


def _lines(fields: Json) -> str:
    return "{" + ",\n ".join(f"{json.dumps(k)}: {_value(v)}" for k, v in fields.items()) + "}"


def _value(value: object) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        inside = [_lines(item) if "layers" in item else json.dumps(item) for item in value]
        return "[\n  " + ",\n  ".join(inside) + "]"
    return json.dumps(value)


def report(analysis: Analysis, batch: int = 1) -> Json:
    """The report as data.

    The input is not counted as a layer; auxiliary heads are listed separately, and only the memory
    of training includes them. All figures except memory are for one image.
    """
    network, totals, memory = analysis.network, analysis.totals, analysis.memory
    data: Json = {
        "network": network.name,
        "file": network.program.main.source.name,
        **interface(network),
        "batch": batch,
        "totals": {
            "params": totals.params,
            "trainable": totals.trainable,
            "buffers": totals.buffers,
            "macs": totals.macs,
            "flops": totals.flops,
            "elementwise": totals.elementwise,
            "activations": totals.activations,
            "memory": {
                "params": memory.weights,
                "outputs": batch
                * sum(analysis.output_bytes[node.index] for node in network.nodes if not node.aux),
                "forward_peak": memory.forward.at(batch),
                "training_peak": memory.training.at(batch),
            },
            "receptive_field": list(before_the_head(analysis) or (1, 1)),
            "layers": totals.layers,
            "weight_layers": analysis.weight_layers._asdict(),
        },
        "layers": [layer(analysis, node) for node in network.nodes if node.inputs and not node.aux],
    }
    if analysis.setting.device == "cuda" and analysis.setting.batch_known:
        data["totals"]["memory"]["gpu"] = memory.on_gpu(batch)._asdict()
    if len(network.outputs) > 1:
        data["outputs"] = [
            {**each._asdict(), "node": each.node.name, "output": list(each.node.shape)}
            for each in by_output(network, analysis.costs)
        ]
    if network.aux:
        data["aux"] = [
            {
                "name": head.name,
                "weight": head.weight,
                "layers": [layer(analysis, node) for node in head.own],
            }
            for head in network.aux
        ]
    return data


def part_report(part: PartOfNetwork) -> Json:
    """The report on a part; memory is that of the batch, all other figures are for one image."""
    analysis, totals = part.analysis, part_totals(part)
    network, batch = analysis.network, analysis.setting.batch
    return {
        "network": network.name,
        "file": network.program.main.source.name,
        "part": part.name,
        **interface(network),
        "batch": batch,
        "totals": {
            "params": totals.params,
            "buffers": totals.buffers,
            "macs": totals.macs,
            "flops": 2 * totals.macs,
            "elementwise": totals.elementwise,
            "memory": {"params": totals.weights, "outputs": batch * totals.outputs},
            "layers": totals.layers,
            "weight_layers": totals.weight_layers._asdict(),
        },
        "layers": [layer(analysis, node) for node in part.selection.layers if node.inputs],
    }


def layer(analysis: Analysis, node: Node) -> Json:
    cost, field = analysis.costs[node.index], analysis.fields[node.index]
    return {
        "name": node.name,
        "op": node.op.word,
        "input": [list(shape) for shape in node.input_shapes],
        "output": list(node.shape),
        "params": cost.params,
        "macs": cost.macs,
        "elementwise": cost.elementwise,
        "output_bytes": analysis.output_bytes[node.index],
        "receptive_field": list(field.size),
        "jump": [_number(jump) for jump in field.jump],
        "connections": cost.connections,
        "line": node.span.line,
    }


def _number(value: int | Fraction) -> int | float:
    """An int if the number is whole; after an upsampling, strides are fractions."""
    return value if isinstance(value, int) else float(value)


# ---- CSV -------------------------------------------------------------------------------------

CSV_COLUMNS = (
    "network", "name", "op", "layer", "input", "output", "params", "macs", "elementwise",
    "output_bytes", "receptive_field_height", "receptive_field_width", "jump_height", "jump_width",
    "connections", "line", "aux",
)  # fmt: skip


def as_csv(analyses: Sequence[Reported]) -> str:
    """CSV: one line for each layer, one network after the other."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for each in analyses:
        if isinstance(each, PartOfNetwork):
            analysis, nodes = each.analysis, each.selection.layers
        else:
            analysis, nodes = each, tuple(each.network.nodes)
        wording = Wording(analysis.network)
        for node in nodes:
            if node.inputs:
                writer.writerow(_csv_line(analysis, node, wording))
    return out.getvalue().rstrip("\n")


def _csv_line(analysis: Analysis, node: Node, wording: Wording) -> list[object]:
    fields = layer(analysis, node)
    return [
        analysis.network.name,
        fields["name"],
        fields["op"],
        wording.layer(node),
        " ".join(text(shape) for shape in node.input_shapes),
        text(node.shape),
        fields["params"],
        fields["macs"],
        fields["elementwise"],
        fields["output_bytes"],
        *fields["receptive_field"],
        *fields["jump"],
        fields["connections"],
        fields["line"],
        int(node.aux),
    ]


# ---- Markdown --------------------------------------------------------------------------------


def as_markdown(analyses: Sequence[Reported], depth: int | None = None) -> str:
    return "\n\n".join(
        _markdown_part(each, depth)
        if isinstance(each, PartOfNetwork)
        else _markdown(each, each.setting.batch, depth)
        for each in analyses
    )


def _markdown(analysis: Analysis, batch: int, depth: int | None) -> str:
    network, table_rows = analysis.network, rows(analysis, depth)
    lines = [
        f"## {_escape(network.name)}",
        "",
        f"{_code(network.program.main.source.name)}, {inputs_text(network)}",
        "",
        *_layers(analysis, [row for row in table_rows if not row.aux]),
        "",
        *_totals(facts(analysis, batch)),
    ]
    head, cells = output_cells(analysis)
    if cells:
        lines += ["", *_markdown_table(head, cells, right=2)]
    if network.aux:
        lines += ["", "Only in training:", ""]
        lines += _layers(analysis, [row for row in table_rows if row.aux])
    lines += ["", *conventions(analysis)]
    return "\n".join(lines)


def _markdown_part(part: PartOfNetwork, depth: int | None) -> str:
    lines = [
        f"## {_escape(part_title(part))}",
        "",
        *_layers(part.analysis, part_rows(part, depth)),
        "",
        *_totals(part_facts(part)),
    ]
    return "\n".join(lines)


def _totals(entries: Sequence[Fact]) -> list[str]:
    return _markdown_table(["total", "", ""], [list(fact) for fact in entries])


def _layers(analysis: Analysis, table_rows: Sequence[Row]) -> list[str]:
    head, cells = exact_columns(analysis, table_rows)
    body = [[_code(name), _code(layer), *rest] for name, layer, *rest in cells]
    return _markdown_table(head, body, right=3)


def _markdown_table(
    header: Sequence[str], body: Sequence[Sequence[str]], right: int | None = None
) -> list[str]:
    """A Markdown table; columns from `right` on are numbers."""
    marks = ["--:" if right is not None and i >= right else "---" for i in range(len(header))]
    return [f"| {' | '.join(row)} |" for row in (header, marks, *body)]


def _escape(text: str) -> str:
    """Escapes Markdown, and HTML inside it."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>()#+-.!|~&$" else c for c in text)


def _code(text: str) -> str:
    """Text as code.

    Characters that would end a cell or a line are replaced first: in a table, a bar ends a cell
    even inside backticks.
    """
    plain = " ".join(text.replace("`", "'").replace("|", "\\|").split())
    return f"`{plain}`" if plain else ""
