"""The output of `cnn diff`, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from ..analysis import Analysis
from ..network import Network, Node
from ..shapes import text
from .diff import Changed, Difference
from .figures import area, change, data_size, exact, plural, short, signed
from .grid import Column, grid
from .interface import input_shapes, interface, output_shapes
from .rows import Row, rows_of_parts
from .structure import Part, Structure
from .style import ADDED, BOLD, CHANGED, FAINT, PLAIN, REMOVED, Style, wrapped
from .table import before_the_head, maps_see_all, title
from .wording import Wording, argument_changes

_EXAMPLES = 3
_MOST_CHANGED = 5
_LEAST_CHANGE = Fraction(1, 100)
"""Of all parameters or multiply-adds: smaller changes are not among the largest."""

Figure = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class _Line:
    """A line for a layer or part that was added, removed or changed."""

    sign: str
    name: str
    layer: str
    output: str
    params: int
    macs: int
    place: tuple[int, int]
    """Its position in the new network."""


_COLORS = {"+": ADDED, "-": REMOVED, "~": CHANGED}


def diff_text(diff: Difference, *, batch: int = 1, style: Style = PLAIN) -> str:
    before, after = diff.before, diff.after
    lines = [
        *wrapped(f"- {title(before)}", style, code=REMOVED),
        *wrapped(f"+ {title(after)}", style, code=ADDED),
        "",
    ]
    rows = _lines(diff)
    if rows:
        variants = [_columns(exact, exact), _columns(exact, short), _columns(short, short)]
        lines += grid(variants, rows, style, lambda row, column: _COLORS[row.sign])
    elif diff.same:
        lines += wrapped("The same layers, connected in the same way.", style, code=BOLD)
    else:
        lines += wrapped("The same layers; their inputs differ.", style, code=BOLD)
    for remark in _remarks(diff):
        lines += ["", *wrapped(remark, style, code="")]
    lines += _table_of_most_changed(diff, style)
    lines += ["", *_totals(diff, batch, style)]
    return "\n".join(line.rstrip() for line in lines)


def _columns(params: Figure, macs: Figure) -> list[Column[_Line]]:
    def difference(number: int, figure: Figure) -> str:
        return ("+" if number > 0 else "") + figure(number) if number else ""

    return [
        Column("", lambda row: row.sign),
        Column("name", lambda row: row.name, yields=2, least=12, optional=False),
        Column("layer", lambda row: row.layer, yields=1, least=20, wraps=True, optional=False),
        Column("output", lambda row: row.output, yields=3, least=12, wraps=True),
        Column("params", lambda row: difference(row.params, params), True, yields=4),
        Column("MACs", lambda row: difference(row.macs, macs), True, yields=5),
    ]


# ---- layers ----------------------------------------------------------------------------------


def _lines(diff: Difference) -> list[_Line]:
    """Lines in the order of the new network; removed layers at their old position."""
    positions = _positions(diff)
    lines = [
        _added_or_removed("-", row, (positions[row.nodes[0].index], 2))
        for row in _rows(diff.before, diff.removed)
    ]
    lines += [
        _added_or_removed("+", row, (row.nodes[0].index, 1))
        for row in _rows(diff.after, diff.added)
    ]
    was, now = Wording(diff.before.network), Wording(diff.after.network)
    lines += [_changed(diff, each, was, now) for each in diff.changed]
    return sorted(lines, key=lambda line: line.place)


def _positions(diff: Difference) -> list[int]:
    """From the index of an old layer to the index of its predecessor in the new network."""
    position = 0
    positions = []
    for index in range(len(diff.before.network.nodes)):
        position = diff.partner.get(index, position)
        positions.append(position)
    return positions


def _rows(analysis: Analysis, parts: Sequence[Part]) -> list[Row]:
    return rows_of_parts(analysis, Structure(analysis.network), parts) if parts else []


def _added_or_removed(sign: str, row: Row, place: tuple[int, int]) -> _Line:
    factor = -1 if sign == "-" else 1
    output = text(row.output)
    return _Line(sign, row.name, row.layer, output, factor * row.params, factor * row.macs, place)


def _changed(diff: Difference, each: Changed, was: Wording, now: Wording) -> _Line:
    old, new = each.before, each.after
    changes_text = []
    if old.op.word != new.op.word:
        changes_text.append(f"{was.layer(old)} -> {now.layer(new)}")
    elif changes := argument_changes(old.op, new.op):
        changes_text.append(f"{new.op.word}: {', '.join(changes)}")
    if each.rewired:
        changes_text.append(f"from {_sources(old)} -> {_sources(new)}")
    output = text(new.shape)
    if old.shape != new.shape:
        output = f"{text(old.shape)} -> {output}"
    before, after = diff.before.costs[old.index], diff.after.costs[new.index]
    return _Line(
        "~",
        new.name,
        "; ".join(changes_text),
        output,
        after.params - before.params,
        after.macs - before.macs,
        (new.index, 1),
    )


def _sources(node: Node) -> str:
    return " and ".join(source.name for source in node.inputs)


# ---- what changed most -----------------------------------------------------------------------


class _Change(NamedTuple):
    """A layer or part whose figures differ: parameters and multiply-adds before and after."""

    before: str
    """Its name; "" if it was added."""
    after: str
    layer: str
    params: tuple[int, int]
    macs: tuple[int, int]

    @property
    def name(self) -> str:
        if self.before and self.after and self.before != self.after:
            return f"{self.before} -> {self.after}"
        return self.after or self.before


def _most_changed(diff: Difference) -> list[_Change]:
    """The layers with the largest change, as a share of all parameters or multiply-adds; also
    those that are written as before.
    """
    now = Wording(diff.after.network)
    changes = [
        _Change(row.name, "", row.layer, (row.params, 0), (row.macs, 0))
        for row in _rows(diff.before, diff.removed)
    ]
    changes += [
        _Change("", row.name, row.layer, (0, row.params), (0, row.macs))
        for row in _rows(diff.after, diff.added)
    ]
    for old_index, new_index in diff.partner.items():
        old, new = diff.before.costs[old_index], diff.after.costs[new_index]
        if (old.params, old.macs) != (new.params, new.macs):
            was, node = diff.before.network.nodes[old_index], diff.after.network.nodes[new_index]
            params, macs = (old.params, new.params), (old.macs, new.macs)
            changes.append(_Change(was.name, node.name, now.layer(node), params, macs))
    both = diff.before.totals, diff.after.totals
    all_params = max(1, *(totals.params for totals in both))
    all_macs = max(1, *(totals.macs for totals in both))

    def share(change: _Change) -> Fraction:
        params, macs = (abs(after - before) for before, after in (change.params, change.macs))
        return max(Fraction(params, all_params), Fraction(macs, all_macs))

    ranked = sorted(changes, key=share, reverse=True)[:_MOST_CHANGED]
    return [change for change in ranked if share(change) >= _LEAST_CHANGE]


def _table_of_most_changed(diff: Difference, style: Style) -> list[str]:
    """Left out where it would repeat the few lines above it."""
    changes = _most_changed(diff)
    hidden = {after.name for _, after in diff.affected} & {change.after for change in changes}
    rows = len(diff.removed) + len(diff.added) + len(diff.changed)
    if not changes or (not hidden and rows <= _MOST_CHANGED):
        return []

    def columns(figure: Figure) -> list[Column[_Change]]:
        def cell(pair: tuple[int, int]) -> str:
            return " -> ".join(map(figure, pair)) if pair[0] != pair[1] else ""

        return [
            Column("changed most", lambda row: row.name, yields=2, least=12, optional=False),
            Column("layer", lambda row: row.layer, yields=1, least=10, from_end=True),
            Column("params", lambda row: cell(row.params), True, yields=3),
            Column("MACs", lambda row: cell(row.macs), True, yields=4),
        ]

    return ["", *grid([columns(exact), columns(short)], changes, style)]


# ---- the rest --------------------------------------------------------------------------------


def _remarks(diff: Difference) -> list[str]:
    remarks = []
    if diff.affected:
        old = [diff.before.costs[a.index] for a, _ in diff.affected]
        new = [diff.after.costs[b.index] for _, b in diff.affected]
        params = sum(c.params for c in new) - sum(c.params for c in old)
        macs = sum(c.macs for c in new) - sum(c.macs for c in old)
        changes = [f"{signed(params)} parameters"] * bool(params)
        changes += [f"{signed(macs)} multiply-adds"] * bool(macs)
        names = ", ".join(after.name for _, after in diff.affected[:_EXAMPLES])
        left = len(diff.affected) - _EXAMPLES
        more = f" and {exact(left)} more" if left > 0 else ""
        count = f"{plural(len(diff.affected), 'layer')} ({names}{more})"
        single = len(diff.affected) == 1
        verb = "is written as before and has" if single else "are written as before and have"
        figures = ": " + ", ".join(changes) if changes else ""
        remarks.append(f"{count} {verb} different shapes or figures{figures}.")
    if diff.renamed:
        examples = ", ".join(f"{a.name} -> {b.name}" for a, b in diff.renamed[:_EXAMPLES])
        left = len(diff.renamed) - _EXAMPLES
        more = f", and {exact(left)} more" if left > 0 else ""
        count = plural(len(diff.renamed), "layer")
        single = len(diff.renamed) == 1
        verb = "with weights has another name" if single else "with weights have other names"
        remarks.append(f"{count} {verb}, which checkpoints depend on: {examples}{more}.")
    return remarks


def _figures(analysis: Analysis, batch: int) -> dict[str, int]:
    totals, memory = analysis.totals, analysis.memory
    return {
        "layers": totals.layers,
        "parameters": totals.params,
        "multiply-adds": totals.macs,
        "elementwise": totals.elementwise,
        "activations": totals.activations,
        "memory: weights": memory.weights,
        "memory: forward": memory.forward.at(batch),
        "memory: training": memory.training.at(batch),
    }


def _totals(diff: Difference, batch: int, style: Style) -> list[str]:
    before, after = _figures(diff.before, batch), _figures(diff.after, batch)
    rows: list[tuple[str, str, str, str]] = []
    for name, old in before.items():
        new = after[name]
        is_bytes = name.startswith("memory")
        figure = data_size if is_bytes else exact
        difference = new - old
        sign = "+" if difference > 0 else "-"
        shown = f"{sign}{figure(abs(difference))}" if difference else ""
        percent = change(old, new)
        rows.append((name, figure(old), figure(new), f"{shown}  {percent}".strip()))
    for name, old_shape, new_shape in (
        ("receptive field", _receptive_field(diff.before), _receptive_field(diff.after)),
        *_interface(diff.before.network, diff.after.network),
    ):
        rows.append((name, old_shape, new_shape, "" if old_shape == new_shape else "changed"))
    columns: list[Column[tuple[str, str, str, str]]] = [
        Column("total", lambda row: row[0]),
        Column("before", lambda row: row[1], right=True, yields=2),
        Column("after", lambda row: row[2], right=True),
        Column("change", lambda row: row[3], yields=1),
    ]
    return grid([columns], rows, style, lambda row, column: "" if row[3] else FAINT)


def _interface(before: Network, after: Network) -> Iterator[tuple[str, str, str]]:
    """The shapes of inputs and outputs, by name where there are several."""
    for what, olds, news in (
        ("input", input_shapes(before), input_shapes(after)),
        ("output", output_shapes(before), output_shapes(after)),
    ):
        if len(olds) == len(news) == 1:  # whatever they are called
            news = dict(zip(olds, news.values(), strict=True))
        for name in dict.fromkeys([*olds, *news]):
            shown = [text(shapes[name]) if name in shapes else "-" for shapes in (olds, news)]
            yield f"{what} {name}".strip(), shown[0], shown[1]


def _receptive_field(analysis: Analysis) -> str:
    seen = before_the_head(analysis)
    if seen is None:
        return "all"
    return f"{area(seen)}, then all" if maps_see_all(analysis) else area(seen)


# ---- JSON ------------------------------------------------------------------------------------


def diff_json(diff: Difference, batch: int = 1) -> str:
    before, after = _figures(diff.before, batch), _figures(diff.after, batch)
    return json.dumps(
        {
            "before": _network(diff.before),
            "after": _network(diff.after),
            "removed": _parts(diff.before, diff.removed),
            "added": _parts(diff.after, diff.added),
            "changed": [
                {
                    "before": each.before.name,
                    "after": each.after.name,
                    "op": [each.before.op.word, each.after.op.word],
                    "arguments": argument_changes(each.before.op, each.after.op),
                    "inputs": [
                        [source.name for source in each.before.inputs],
                        [source.name for source in each.after.inputs],
                    ],
                    "output": [list(each.before.shape), list(each.after.shape)],
                }
                for each in diff.changed
            ],
            "changed_most": [
                {
                    "before": change.before or None,
                    "after": change.after or None,
                    "params": list(change.params),
                    "macs": list(change.macs),
                }
                for change in _most_changed(diff)
            ],
            "affected": [[a.name, b.name] for a, b in diff.affected],
            "renamed": [[a.name, b.name] for a, b in diff.renamed],
            "totals": {
                name.replace(": ", "_").replace("-", "_"): [before[name], after[name]]
                for name in before
            },
        },
        indent=2,
    )


def _network(analysis: Analysis) -> dict[str, object]:
    network = analysis.network
    shapes = {name: list(shape) for name, shape in output_shapes(network).items()}
    outputs = {"outputs": shapes} if len(shapes) > 1 else {"output": list(network.output.shape)}
    return {
        "network": network.name,
        "file": network.program.main.source.name,
        **interface(network),
        **outputs,
        "receptive_field": list(before_the_head(analysis) or (1, 1)),
    }


def _parts(analysis: Analysis, parts: Sequence[Part]) -> list[dict[str, object]]:
    return [
        {
            "name": row.name,
            "layer": row.layer,
            "layers": row.layers,
            "output": list(row.output),
            "params": row.params,
            "macs": row.macs,
        }
        for row in _rows(analysis, parts)
    ]
