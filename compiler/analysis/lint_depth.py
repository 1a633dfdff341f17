"""Stacks of layers that gradients do not get through: many layers, with neither norm nor shortcut.

Measured with benchmarks/vanishing_gradients.py, on plain stacks of 3x3 convolutions with 16 filters
and our default initialization: the norm of the gradient at the first one, before training

    convolutions      5        10       20       30       50       100
    sigmoid           1e-4     4e-8     8e-15    6e-21    7e-34    2e-66
    hardsigmoid       2e-5     1e-9     8e-18    2e-25    2e-41    2e-81
    gelu              2e-7     3e-12    4e-22    4e-32    6e-52    3e-102
    silu              4e-2     2e-2     1e-4     4e-6     3e-9     3e-18
    mish              9e-2     7e-2     1e-2     7e-4     6e-5     5e-10
    softplus          8e-2     1e-1     5e-3     3e-5     4e-3     1e-11
    tanh              4e-2     4e-2     1e-2     2e-2     5e-3     4e-4
    relu              1e-1     2e-1     4e-2     7e-3     2e-2     6e-4
    elu               2e-1     2e-1     4e-1     3e-1     9e-1     3e0
    selu              7e-2     8e-2     8e-2     1e-1     2e-1     7e-1

(`gelu` starts from weights with a standard deviation of 0.02, as transformers do: too little
without a norm. Ten layers leave 3e-9 with 64 filters and 3e-6 with 256, which the rule goes by.)

and the loss on digits after 200 steps of Adam (relu: 150), 2.30 being that of a guess

    tanh              0.81     0.50     0.46     0.54     1.00
    relu                       0.32     0.57     1.37     2.30
    sigmoid           2.30     2.30     2.30     2.30     2.31

(one seed each; `relu` with 40 layers is at 2.30 after 400 steps, too, so the rule is cautious).

So an activation that saturates divides the gradient by the same factor in each layer (`Op.fades`),
and a millionth of it arrives after ten layers with `sigmoid`. With the others it arrives, but fifty
layers learn nothing where thirty do. The steps are what each rule here is derived from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ...dsl.diagnostics import Diagnostic, Label
from ..network import Network, Node
from .field import Field
from .warn import warning
from .weight_layers import is_weight_layer

MOST_LAYERS = 50
"""A stack of so many layers learns nothing, whatever its activations."""
MOST_FADING = 6.0
"""The most powers of ten that a gradient may lose in a stack."""


class _Way(NamedTuple):
    """From a layer's output to the nearest norm or loss, along the path that a gradient survives
    best.
    """

    fading: float = 0.0
    """The powers of ten that the gradient loses."""
    layers: int = 0
    next: Node | None = None
    """The first weight layer on the way."""


def vanishing_gradients(network: Network, _: list[Field]) -> Iterator[Diagnostic]:
    """Warns once, of the stack whose first layer gets the smallest gradient."""
    if "transfer" in network.sections:
        return  # the weights are not those of the start
    ways = _ways(network)
    stacks = [(way, network.nodes[i]) for i, way in ways.items() if network.nodes[i].weights]
    stacks = [(way, node) for way, node in stacks if is_weight_layer(node)]
    way, first = max(stacks, key=lambda each: each[0][:2], default=(_Way(), network.input))
    if network.init.written or way.fading < MOST_FADING:
        way, first = max(stacks, key=lambda each: each[0].layers, default=(_Way(), first))
        if way.layers + 1 < MOST_LAYERS:
            return
        fading = 0.0
    else:
        fading = way.fading
    last = first
    while (following := ways[last.index].next) is not None:
        last = following
    count = way.layers + 1
    yield warning(
        "vanishing-gradients",
        f"{count} layers follow one another with neither norm nor shortcut"
        + (f": about 1e-{fading:.0f} of the gradient reaches the first" if fading else ""),
        first,
        notes=(_measured(network, first, ways) if fading else _LEARNED_NOTHING,),
        labels=(Label(last.span, "the last of them"),),
        help="put `bn` after each convolution, or parts into `residual { … }`;"
        f" `cnn show {_name(network)} --gradients` shows the gradient at each layer",
    )


_LEARNED_NOTHING = (
    "measured: stacks of 10, 20 and 30 convolutions with `relu` learn to classify digits; with 50,"
    " the loss stays that of a guess"
)


def _measured(network: Network, first: Node, ways: dict[int, _Way]) -> str:
    """What was measured of the activation that takes most of the gradient."""
    words: dict[str, float] = {}
    node: Node | None = first
    while node is not None:
        for reader in network.value_consumers[node.index]:
            if reader.op.fades:
                words[reader.op.word] = words.get(reader.op.word, 0.0) + reader.op.fades
        node = ways[node.index].next
    word = max(words, key=lambda word: words[word])
    op = next(node.op for node in network.nodes if node.op.word == word)
    return (
        f"measured before training: with `{word}`, each layer divides the gradient by about"
        f" {10**op.fades:.2g}"
    )


def _name(network: Network) -> str:
    """What to call the spec on a command line."""
    source = network.program.main.source
    return source.name if source.path is not None else "NET"


def _ways(network: Network) -> dict[int, _Way]:
    """By index of each layer that a loss depends on: the way from its output on."""
    ways: dict[int, _Way] = {node.index: _Way() for node in network.ends}
    for node in reversed(network.nodes):
        readers = [_through(each, ways) for each in network.value_consumers[node.index]]
        found = [way for way in (ways.get(node.index), *readers) if way is not None]
        if found:
            ways[node.index] = min(found, key=lambda way: way[:2])
    return ways


def _through(node: Node, ways: dict[int, _Way]) -> _Way | None:
    """The way from the input of a layer on."""
    way = ways.get(node.index)
    if way is None or node.op.kind == "norm":
        return way and _Way()
    if is_weight_layer(node):
        return _Way(way.fading, way.layers + 1, node)
    # After the last layer, a sigmoid is part of the loss.
    return way._replace(fading=way.fading + node.op.fades) if way.layers else way
