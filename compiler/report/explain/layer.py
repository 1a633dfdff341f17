"""`cnn explain FILE LAYER`: the arithmetic of a layer or of a part of the network, written out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ....dsl.printable import show as printable
from ...analysis import Analysis
from ...analysis.autocast import widths
from ...analysis.field import Axis, Field
from ...diagnose.blame import call_chain, ordinal, place
from ...network import Node, Scope, nodes_of
from ...ops.base import EVERYTHING, POINT
from ...shapes import AXES, LAYOUTS, POINTS, axes_of, size, text
from ..figures import area, data_size, exact, pair, plural, share
from ..interface import sample_word
from ..rows import rows_of
from ..select import Selection, part_name
from ..style import BOLD, PLAIN, Style, laid_out, wrapped
from ..table import layer_table
from ..wording import Wording, what_it_does
from .network import explain_network


class Line(NamedTuple):
    """A line of an explanation: name and text."""

    name: str
    text: str


_LISTED = 5


def explain(
    analysis: Analysis, selection: Selection | None, *, batch: int = 1, style: Style = PLAIN
) -> str:
    """Explains the selected layer or part, or the whole network."""
    if selection is None:
        paragraphs = explain_network(analysis, batch, style)
    elif isinstance(selection.part, Node):
        paragraphs = [_layer(analysis, selection.part, style)]
    elif isinstance(selection.part, Scope):
        paragraphs = _part(analysis, selection.part, selection.layers, style)
    else:
        paragraphs = _several(analysis, selection.layers, style)
    if selection is not None and selection.others:
        more = plural(selection.others, "more layer")
        paragraphs.append(wrapped(f"The same line of the spec makes {more}.", style))
    return "\n\n".join("\n".join(line.rstrip() for line in lines) for lines in paragraphs)


# ---- a layer ---------------------------------------------------------------------------------


def _layer(
    analysis: Analysis, node: Node, style: Style, shown: Sequence[Sequence[Line]] = ()
) -> list[str]:
    """A layer, with its worked examples if these are not shown yet."""
    what = Wording(analysis.network).layer(node)
    lines = wrapped(f"{node.name}: {what}", style, code=BOLD)
    lines += _indented(_origin(node, what), style)
    lines.append("")
    examples = _examples(node)
    if examples in shown:
        examples = []
    return lines + laid_out([*layer_lines(analysis, node), *examples], style)


def _examples(node: Node) -> list[Line]:
    return [Line(*line) for line in node.op.examples(node.shape, *node.input_shapes)]


def _indented(notes: Iterable[str], style: Style) -> list[str]:
    return [line for note in notes for line in wrapped(note, style, "  ")]


def _origin(node: Node, what: str) -> Iterable[str]:
    """The place in the spec, and the chain of calls."""
    written = node.span.text.partition("{")[0].split("\n")[0].strip()
    as_written = f": {printable(written)}" if written != what else ""
    yield f"{place(node.span)}{as_written}"
    yield from call_chain(node.scope)
    if not node.inputs:
        yield f"An input of the network: {LAYOUTS[axes_of(node.shape)]}."
    elif node.op.__doc__:
        yield what_it_does(node.op)


def layer_lines(analysis: Analysis, node: Node, *, brief: bool = False) -> list[Line]:
    """All figures of a layer, with their arithmetic; `brief` without memory and worked examples,
    which take long for all layers of a network."""
    cost, totals = analysis.costs[node.index], analysis.totals
    lines: list[Line] = []
    if not node.inputs:
        return [Line("output", _leaves(analysis, node))]
    lines += [Line("input", f"{text(each.shape)}, from {each.name}") for each in node.sources]
    for name, each in zip(node.op.sizes_read, node.inputs[len(node.sources) :], strict=True):
        lines.append(Line(name, f"{text(each.shape)}, from {each.name}: only its size is read"))
    lines.append(Line("output", _leaves(analysis, node)))
    worked_out = [Line(*line) for line in node.op.explain(node.shape, *node.input_shapes)]
    explained = {line.name for line in worked_out}
    if cost.params and "parameters" not in explained:
        worked_out.append(Line("parameters", exact(cost.params)))
    if cost.macs and "multiply-adds" not in explained:
        worked_out.append(Line("multiply-adds", exact(cost.macs)))
    of_macs = _part_of(cost.macs, totals.macs, node.aux)
    remarks = {
        "parameters": _part_of(cost.params, totals.params, node.aux),
        "multiply-adds": f"{of_macs}; {exact(cost.flops)} FLOPs",
    }
    if node.shared is not None and node.shared.weights:
        worked_out = [line for line in worked_out if line.name not in ("parameters", "buffers")]
        shared = node.shared.name
        worked_out.append(Line("parameters", f"those of {shared}, counted there (shared)"))
    for line in _merged_axes(worked_out):
        lines.append(line)
        if remarks.get(line.name):
            lines.append(Line("", remarks[line.name]))
    if cost.buffers:
        lines.append(Line("buffers", f"{exact(cost.buffers)} numbers that are not trained"))
    if cost.elementwise:
        lines.append(
            Line("elementwise", f"{exact(cost.elementwise)} operations beside multiply-adds")
        )
    lines += _field_lines(analysis, node)
    if not brief:
        lines += _memory_lines(analysis, node)
    lines += _connection_lines(analysis, node)
    return lines


def _part_of(figure: int, total: int, aux: bool) -> str:
    if aux:
        return "only in training; not in any total"
    return f"{share(figure, total)} of the network's" if figure else ""


def _leaves(analysis: Analysis, node: Node) -> str:
    readers = [reader.name for reader in analysis.network.consumers[node.index]]
    shown = ", ".join(readers[:_LISTED])
    if len(readers) > _LISTED:
        shown += f" and {len(readers) - _LISTED} more"
    for output in analysis.network.outputs:
        if output.node is node:
            what = f"the output `{output.name}`" if output.name else "the output"
            shown += f"{' and as ' if shown else ''}{what} of the network"
    shape = text(node.shape)
    if len(node.shape) > 1:
        shape += f", {exact(size(node.shape))} numbers"
    return f"{shape}, to {shown}" if shown else shape


def _merged_axes(lines: list[Line]) -> list[Line]:
    """Combines depth, height and width into one line if they are equal."""
    for axes in (3, 2):
        first = lines[:axes]
        if tuple(line.name for line in first) == AXES[axes]:
            if len({line.text for line in first}) == 1:
                return [Line(", ".join(AXES[axes]), lines[0].text), *lines[axes:]]
            if axes == 3 and lines[1].text == lines[2].text:
                return [lines[0], *_merged_axes(lines[1:])]
    return lines


# ---- the receptive field ---------------------------------------------------------------------


def _field_lines(analysis: Analysis, node: Node) -> list[Line]:
    if not axes_of(analysis.network.input.shape):
        return []
    field = analysis.fields[node.index]
    axes = len(field)
    source_fields = [analysis.fields[source.index] for source in node.sources]
    window = node.window
    name = "receptive field"
    if window == EVERYTHING:
        return [Line(name, f"all of its input's, {area(field.size)}")]
    if len(source_fields) > 1 or window == POINT or len(window.size) != axes:
        return [Line(name, _union(node, field, source_fields))]
    lines: list[Line] = []
    told: dict[tuple[str, str], list[str]] = {}
    """The axes by what is said of them."""
    for position, label in enumerate(AXES[axes]):
        axis, before = field[position], source_fields[0][position]
        jump, stride = "", window.stride[position]
        if stride != 1:
            jump = _jump(axis, before, stride, POINTS[axes])
        said = _recurrence(axis, before, window.size[position]), jump
        told.setdefault(said, []).append(label)
    for (recurrence, jump), labels in told.items():
        of = "" if len(labels) == axes else f", {', '.join(labels)}"
        lines.append(Line(f"{name}{of}", recurrence))
        lines += [Line(f"jump{of}", jump)] if jump else []
    return lines


def _recurrence(axis: Axis, before: Axis, kernel: int) -> str:
    """The recurrence `r = r_in + (k - 1)*jump`, if it applies."""
    if axis.whole:
        return f"all, {axis.size}"
    if kernel == 1 and axis.size == before.size:
        return f"{axis.size}, as before"
    if axis.size == before.size + (kernel - 1) * before.jump:
        apart = f"neighbors of its input are {before.jump} apart (jump)"
        return f"{before.size} + ({kernel} - 1)*{before.jump} = {axis.size}: {apart}"
    return f"{axis.size}; {before.size} before"


def _jump(axis: Axis, before: Axis, stride: object, points: str) -> str:
    apart = f"neighbors of its output are {axis.jump} apart, in {points}"
    return f"{before.jump}*{stride} = {axis.jump}: {apart}"


def _union(node: Node, field: Field, source_fields: Sequence[Field]) -> str:
    shown = "all, " + area(field.size) if field.whole else pair(field.size)
    if len(source_fields) == 1:
        return f"{shown}, as before"
    if len({len(each) for each in source_fields}) > 1:  # of inputs with other axes
        shown, pair_of = "all of the inputs" if field.whole else shown, area
    else:
        pair_of = pair
    parts = [
        f"{pair_of(each.size)} ({source.name})"
        for each, source in zip(source_fields, node.sources, strict=True)
    ]
    listed = ", ".join(parts[:_LISTED]) + (", ..." if len(parts) > _LISTED else "")
    return f"{shown}, the union of {listed}"


# ---- memory and connections ------------------------------------------------------------------


def _memory_lines(analysis: Analysis, node: Node) -> list[Line]:
    lines: list[Line] = []
    width = widths(analysis.network, analysis.setting)[node.index]
    cost = analysis.costs[node.index]
    if cost.params:
        lines.append(Line("memory", f"weights {_product(cost.params, 4)}"))
    where = "" if lines else "memory"
    word = sample_word(analysis.network)
    each = "an image" if word == "image" else f"a {word}"
    if node.op.inplace:
        lines.append(Line(where, "output: overwrites its input, in place"))
    elif node.op.shares_storage:
        lines.append(Line(where, "output: a view of its input"))
    else:
        lines.append(Line(where, f"output {_product(size(node.shape), width.output)} {each}"))
    lines.append(Line("", f"kept for the backward pass: {_kept(analysis, node)}"))
    return lines


def _kept(analysis: Analysis, node: Node) -> str:
    if not analysis.requires_grad[node.index]:
        return "nothing, since no layer before it is trained"
    kept = node.op.kept(node.shape, *node.input_shapes)
    width = widths(analysis.network, analysis.setting)[node.index]
    parts = []
    for position in kept.inputs:
        source = node.inputs[position]
        which = "its input" if len(node.inputs) == 1 else f"its {ordinal(position + 1)} input"
        copy = f", converted to {8 * width.inside} bits" if width.converts(position) else ""
        parts.append(f"{which} ({text(source.shape)}{copy})")
    if kept.output:
        parts.append("its output")
    own = kept.own * width.inside + kept.fixed
    if own:
        parts.append(
            f"{data_size(own)} of intermediate results per {sample_word(analysis.network)}"
        )
    if kept.once:
        parts.append(f"{plural(kept.once, 'number')} per batch")
    return ", ".join(parts) or "nothing"


def _product(numbers: int, itemsize: int) -> str:
    return f"{exact(numbers)}*{itemsize} bytes = {data_size(numbers * itemsize)}"


def _connection_lines(analysis: Analysis, node: Node) -> list[Line]:
    """The connections of a layer, compared with a fully connected one of the same shapes."""
    cost = analysis.costs[node.index]
    if not cost.connections:
        return []
    source_fields = sum(map(size, node.input_shapes))
    product = f"{exact(source_fields)}*{exact(size(node.shape))} = {exact(cost.connections)}"
    if cost.macs == cost.connections:
        return [Line("connections", f"fully connected: {product}")]
    lines = [Line("connections", f"a fully connected layer would have {product};")]
    part = share(cost.macs, cost.connections)
    lines.append(Line("", f"this one has {exact(cost.macs)} ({part})"))
    # Biases are vectors: they are added, and take part in no product.
    shared = sum(size(w.shape) for w in node.op.weights(*node.input_shapes) if len(w.shape) > 1)
    if 0 < shared < cost.macs:
        about = "about " if cost.macs % shared else ""
        often = f"{about}{exact(cost.macs // shared)} times"
        lines.append(Line("", f"that share {exact(shared)} numbers, each used {often}"))
    return lines


# ---- parts and lists -------------------------------------------------------------------------


def _part(
    analysis: Analysis, scope: Scope, layers: Sequence[Node], style: Style
) -> list[list[str]]:
    name = part_name(scope) or scope.word
    what = Wording(analysis.network).scope(scope)
    lines = wrapped(f"{name}: {what}", style, code=BOLD)
    lines += _indented([place(scope.span), *call_chain(scope.parent)], style)
    # The table shows auxiliary heads inside.
    own = [node for node in layers if node.aux == scope.aux]
    ends = [node for node in nodes_of(scope.output) if node in own] or own[-1:]
    lines += ["", *laid_out(_sums(analysis, own, ends), style)]
    return [lines, layer_table(analysis, rows_of(analysis, layers), style)]


def _sums(analysis: Analysis, layers: Sequence[Node], ends: Sequence[Node]) -> list[Line]:
    totals = analysis.totals
    inside = {node.index for node in layers}
    costs = [analysis.costs[node.index] for node in layers]
    source_fields = {s.index: s for node in layers for s in node.inputs if s.index not in inside}
    lines = [Line("input", f"{text(s.shape)}, from {s.name}") for s in source_fields.values()]
    lines += [Line("output", _leaves(analysis, end)) for end in ends]
    params, macs = sum(c.params for c in costs), sum(c.macs for c in costs)
    shared = [node.shared for node in layers if node.shared is not None and node.shared.weights]
    for name, figure, total in (
        ("parameters", params, totals.params),
        ("multiply-adds", macs, totals.macs),
    ):
        remark = f", {_part_of(figure, total, ends[-1].aux)}" if figure else ""
        if name == "parameters" and shared:
            whose = shared[0].name + ("" if len(shared) == 1 else f" to {shared[-1].name}")
            own = f"{exact(figure)}{remark}; " if figure else ""
            lines.append(Line(name, f"{own}those of {whose}, counted there (shared)"))
            continue
        lines.append(Line(name, f"{exact(figure)}{remark}"))
    elementwise = exact(sum(c.elementwise for c in costs))
    lines.append(Line("elementwise", f"{elementwise} operations beside multiply-adds"))
    if source_fields and axes_of(analysis.network.input.shape):
        before = [pair(analysis.fields[index].size) for index in source_fields]
        after = dict.fromkeys(pair(analysis.fields[end.index].size) for end in ends)
        lines.append(Line("receptive field", f"{', '.join(before)} -> {', '.join(after)}"))
    return lines


def _several(analysis: Analysis, layers: Sequence[Node], style: Style) -> list[list[str]]:
    """Several layers of the same name: few are explained, many are listed."""
    if len(layers) <= _LISTED:
        # Layers of one kind have the same worked examples: once is enough.
        told = [_examples(node) for node in layers]
        return [_layer(analysis, node, style, told[:n]) for n, node in enumerate(layers)]
    table = layer_table(analysis, rows_of(analysis, layers), style)
    advice = f"{plural(len(layers), 'layer')}; name one of them for its arithmetic."
    return [table, wrapped(advice, style)]
