"""`cnn explain FILE`: the totals of a network by kind of layer, and the moment of peak memory."""

from __future__ import annotations

from collections.abc import Callable

from ...analysis import Analysis
from ...network import Network, Node
from ...shapes import axes_of, text
from ..figures import area, data_size, exact, pair, plural, share
from ..interface import sample_word
from ..style import BOLD, Style, laid_out, wrapped
from ..table import conventions, locals_by_input, title

_LISTED = 5


def explain_network(analysis: Analysis, batch: int, style: Style) -> list[list[str]]:
    head = wrapped(title(analysis), style, code=BOLD)
    return [
        head,
        _counted(analysis, "parameters", [c.params for c in analysis.costs], exact, style),
        _counted(analysis, "multiply-adds", [c.macs for c in analysis.costs], exact, style),
        _counted(analysis, "memory of outputs", analysis.output_bytes, data_size, style),
        *([_stages(analysis, style)] if axes_of(analysis.network.input.shape) else []),
        _memory(analysis, batch, style),
        [line for text in conventions(analysis, of_a_table=False) for line in wrapped(text, style)],
        wrapped("`cnn explain FILE LAYER` explains a layer, by its name or line.", style),
    ]


def _counted(
    analysis: Analysis, what: str, each: list[int], figure: Callable[[int], str], style: Style
) -> list[str]:
    """A total by kind of layer, and the layers with the largest part."""
    nodes = [node for node in analysis.network.nodes if not node.aux]
    total = sum(each[node.index] for node in nodes)
    kinds: dict[str, int] = {}
    for node in nodes:
        if each[node.index]:
            kinds[node.op.kind] = kinds.get(node.op.kind, 0) + each[node.index]
    lines = [
        (kind, f"{figure(number)}, {share(number, total)}")
        for kind, number in sorted(kinds.items(), key=lambda item: -item[1])
    ]
    most = sorted(nodes, key=lambda node: -each[node.index])[:_LISTED]
    lines += [
        ("most in" if position == 0 else "", _with_share(node, each[node.index], total, figure))
        for position, node in enumerate(most)
        if each[node.index]
    ]
    return [style.paint(f"{what}: {figure(total)}", BOLD), *laid_out(lines, style)]


def _with_share(node: Node, number: int, total: int, figure: Callable[[int], str]) -> str:
    return f"{node.name} {figure(number)}, {share(number, total)}"


def _stages(analysis: Analysis, style: Style) -> list[str]:
    """How the receptive field grows: for each map size, its last layer."""
    network = analysis.network
    stages: list[Node] = []
    for node in network.nodes:
        field = analysis.fields[node.index]
        if not node.inputs or node.aux or field.whole or len(node.shape) == 1:
            continue
        if stages and analysis.fields[stages[-1].index].jump == field.jump:
            stages.pop()
        stages.append(node)
    lines = [
        (
            f"map {area(node.shape[1:])}",
            f"{pair(analysis.fields[node.index].size)} after {node.name}; "
            f"neighbors are {pair(analysis.fields[node.index].jump)} apart",
        )
        for node in stages
    ]
    several = len({node.shape[1:] for node in network.inputs}) > 1
    totals = [
        f"{area(analysis.fields[local.index].size)} of {text(given.shape[1:])}"
        + (f" ({given.name})" if several else "")
        for given, local in locals_by_input(analysis)
    ]
    total = ", ".join(totals) or f"all of {text(network.input.shape[1:])}"
    return [
        style.paint(f"receptive field: {total}", BOLD),
        *laid_out(lines, style),
    ]


def _memory(analysis: Analysis, batch: int, style: Style) -> list[str]:
    memory, network, setting = analysis.memory, analysis.network, analysis.setting
    forward = memory.forward.moment(batch)
    images = plural(batch, sample_word(network))
    lines = [
        ("weights", f"{data_size(memory.weights)}, buffers too"),
        ("gradients", f"{data_size(memory.gradients)} of weights"),
        ("kept", f"{data_size(memory.kept.at(batch))} between forward and backward, {images}"),
        (
            "forward",
            f"{data_size(memory.forward.at(batch))} with {images}, most at "
            f"{_at(network, forward.node)}",
        ),
        ("training", f"{data_size(memory.training.at(batch))} with {images}, {setting.described}"),
        ("", moment(analysis, batch)),
    ]
    if setting.device == "cuda":
        usage = memory.on_gpu(batch)
        lines += [
            (
                "GPU",
                f"{data_size(usage.needed)} at least; {data_size(usage.wanted)} where more is free",
            ),
            (
                "",
                f"{data_size(usage.allocated)} allocated by torch, {data_size(usage.reserved)}"
                f" reserved in segments, {data_size(usage.outside)} for CUDA itself (assumed)",
            ),
        ]
    lines.append(("left out", memory.excluded))
    return [style.paint("memory", BOLD), *laid_out(lines, style)]


def moment(analysis: Analysis, batch: int) -> str:
    """The moment of peak memory in a training step, and its parts."""
    worst = analysis.memory.training.moment(batch)
    fixed, each = data_size(worst.fixed), data_size(worst.each)
    when = (
        f"the {worst.phase} of {_at(analysis.network, worst.node)}"
        if worst.node >= 0
        else ("the optimizer's update")
    )
    return f"{fixed} + {each} for each {sample_word(analysis.network)}, in {when}"


def _at(network: Network, index: int) -> str:
    return network.nodes[index].name
