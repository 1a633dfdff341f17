"""The names of what `forward` takes and returns: its arguments, and the fields of its named tuple.
An exported network calls its inputs and outputs the same.
"""

from __future__ import annotations

from ..network import Network
from .source import Names


def argument_names(network: Network) -> list[str]:
    """One name for each input: `x` for one without a name of its own."""
    names = Names()
    return [names.free(node.label, "input_") if node.label else "x" for node in network.inputs]


def output_names(network: Network) -> list[str]:
    """One name for each output, then for each auxiliary one."""
    names = Names({"count", "index", *argument_names(network)})
    main = [names.free(_plain(each.name) or "logits", "output") for each in network.outputs]
    names.taken |= {"logits", "paths", *SHORT}
    return [*main, *[names.free(_plain(each.name), "aux") for each in network.aux]]


def returns_tuple(network: Network) -> bool:
    """Whether `forward` returns a named tuple, in training at least."""
    return len(network.ends) > 1


def _plain(name: str) -> str:
    return name.replace(".", "_")


SHORT = tuple("xyzabcde")
"""The names of variables for values without a label."""
