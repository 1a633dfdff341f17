"""How many classes the data has, against what the network ends in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ...dsl.diagnostics import Diagnostic, Edit, Label
from ...dsl.source import Span
from ..blame import first_line
from ..graph import Network, Node
from ..shapes import text
from .data import Data
from .parts import Parts

_MOST_NAMES = 8


def wrong_classes(
    data: Data, network: Network, count: int, name: str = "the data", names: Sequence[str] = ()
) -> Diagnostic | None:
    """What is wrong where a network decides among more or fewer classes than there are; auxiliary
    heads are looked at, too. `names` are those of the classes, where they are known."""
    heads = [(network.output, Parts(network).last or network.output)]
    heads += [(head.output, _maker(head.output)) for head in network.aux]
    wrong = [(output, maker) for output, maker in heads if output.shape != (count,)]
    if not wrong:
        return None
    output, maker = wrong[0]
    ends = "an auxiliary head ends" if output.aux else "the network ends"
    numbers = text(output.shape)
    counted = f"{count:,} class{'es' * (count != 1)}"
    there = data.place("path") or data.span
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    listed = ", ".join(f"`{one}`" for one in names[:_MOST_NAMES]) + more
    return Diagnostic(
        "classes",
        f"{name} has {counted}, and {ends} in {numbers}",
        first_line(maker.span),
        label=f"{ends} in {numbers}",
        labels=(Label(there, counted),) if there else (),
        notes=(f"the classes are {listed}",) if names else (),
        help="write `classes` in the place of the number: it is as many as the data has",
        edits=tuple(_edits([maker for _, maker in wrong])),
    )


def _maker(output: Node) -> Node:
    """The layer with weights that an output is made by."""
    node = output
    while not node.weights and node.inputs:
        node = node.inputs[0]
    return node


_COUNT = re.compile(r"(?:\w+\s*:\s*)?[A-Za-z_]\w*\s+(\d+)\b")
"""A statement whose first argument is a number."""


def _edits(heads: Sequence[Node]) -> Iterator[Edit]:
    """`classes` in place of the number, where that is what says how many outputs there are."""
    for place in dict.fromkeys(head.span for head in heads):
        head = next(head for head in heads if head.span == place)
        found = _COUNT.match(place.text)
        if found and int(found[1]) == head.shape[0]:
            start = place.start + found.start(1)
            yield Edit(Span(place.source, start, start + len(found[1])), "classes")
