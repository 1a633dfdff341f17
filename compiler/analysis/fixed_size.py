"""Networks for one size of input: those whose module would run at another size, and compute
something else than the spec says there. Most networks either run at every size, or end in a layer
that refuses others (`fc`); of these nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...dsl.diagnostics import Diagnostic
from ...dsl.source import Span
from ..diagnose.blame import first_line
from ..network import Network
from ..ops.base import REGISTRY, Op
from ..shapes import text
from .field import Field

FIXED_SIZE = "fixed-size"


def fixed_size(network: Network, _: list[Field] | None = None) -> Iterator[Diagnostic]:
    """A warning for each statement that ties the network to the size of its input."""
    if len(network.input.shape) == 1:
        return
    size = text(network.input.shape[1:])
    found = {
        span: _undeclared(network, span, name, value)
        or (f"`{name}` is {value} at this size", _INSTEAD)
        for span, (name, value) in network.size_reads.items()
    }
    for node in network.nodes:
        if type(node.op).holds_size is Op.holds_size or not node.inputs:
            continue
        reason, help = node.op.holds_size(*node.input_shapes)
        if reason:
            found.setdefault(node.span, (reason, help))
    for span, (reason, help) in found.items():
        yield Diagnostic(
            FIXED_SIZE,
            f"because of this, the network is for inputs of {size} only: its module refuses others",
            first_line(span),
            notes=(reason,),
            help=help,
            severity="warning",
        )


_INSTEAD = (
    "write it without a number, with `global` or `adaptive`, with a `stride`, or for the size of"
    ' another map `upsample like=label`; where one size is meant, `allow "fixed-size"`'
)


_COUNT = re.compile(r"(?:\w+:\s*)?(\w+)\s+([^\s=]+)")
"""A layer and its first value: the number of filters of `conv`."""


def _undeclared(network: Network, span: Span, name: str, value: int) -> tuple[str, str] | None:
    """The reason and the way out where a number of filters is the size of a map: `conv width 3x3`
    without a parameter of that name."""
    layer = _COUNT.match(span.text)
    kind = REGISTRY.get(layer[1]) if layer is not None else None
    first = next(iter(kind.signature().positional), None) if kind is not None else None
    if layer is None or first is None or first.name != "out":
        return None
    if name not in re.findall(r"\w+", layer[2]):
        return None
    return (
        f"no parameter is called `{name}`: it is the {name} of the map here, {value}, and not a"
        " number of filters",
        f"declare it: `network {network.name}({name}=64) {{ … }}`, or `let {name} = 64`",
    )


def place_of_size(network: Network) -> str:
    """The place of the first statement that ties the network to its size; "" if none does."""
    first = next(fixed_size(network), None)
    if first is None or first.span is None:
        return ""
    return f"line {first.span.line} of {first.span.source.name}"
