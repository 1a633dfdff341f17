"""The classes of the data against what the network ends in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...compiler.blame import first_line
from ...compiler.graph import Network, Node
from ...compiler.plan.parts import Parts
from ...compiler.plan.plan import TrainPlan
from ...compiler.shapes import text
from ...dsl.diagnostics import Diagnostic, Edit, Label
from ...dsl.source import Span
from .dataset import Dataset
from .said import counted, listed


def check_classes(network: Network, plan: TrainPlan, data: Dataset) -> Diagnostic | None:
    """What is wrong where the network decides among more or fewer classes than there are."""
    count = len(data.classes)
    heads = [(network.output, Parts(network).last or network.output)]
    heads += [(head.output, _last_of(network, head.output)) for head in network.aux]
    wrong = [(output, last) for output, last in heads if output.shape != (count,)]
    if not wrong:
        return None
    output, last = wrong[0]
    ends = "auxiliary head ends" if output.aux else "network ends"
    line = plan.train.data.span
    head_label = Label(first_line(last.span), f"the {ends} in {text(output.shape)}, here")
    names = listed([f"`{name}`" for name in data.classes], 8)
    return Diagnostic(
        "class-count",
        f"{data.name} has {counted(count, 'class', 'classes')}, and the {ends} in"
        f" {text(output.shape)}",
        line or first_line(last.span),
        label=f"{counted(count, 'class', 'classes')} in here" if line else "the last layer",
        labels=(head_label,) if line else (),
        notes=(f"the classes are {names}",),
        help="write `fc classes` there: it is as large as the data has classes",
        edits=tuple(_edits([last for _, last in wrong])),
    )


def _last_of(network: Network, output: Node) -> Node:
    """The layer with weights that an auxiliary output is made by."""
    node = output
    while not node.weights and node.inputs:
        node = node.inputs[0]
    return node


_COUNT = re.compile(r"(?:\w+\s*:\s*)?[A-Za-z_]\w*\s+(\d+)\b")
"""A statement whose first argument is a number."""


def _edits(heads: list[Node]) -> Iterator[Edit]:
    """`classes` in place of the number, where that is what says how many outputs there are."""
    for place in dict.fromkeys(head.span for head in heads):
        head = next(head for head in heads if head.span == place)
        found = _COUNT.match(place.text)
        if found and int(found[1]) == head.shape[0]:
            start = place.start + found.start(1)
            yield Edit(Span(place.source, start, start + len(found[1])), "classes")
