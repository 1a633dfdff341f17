"""What tests of imports share: a text in another format, imported; networks of ours as imported
ones.
"""

from __future__ import annotations

from textwrap import dedent

import dotcnn
from dotcnn.compiler.importing.graph import Graph, GraphOutput, Layer
from dotcnn.compiler.importing.import_network import Imported, import_network
from dotcnn.compiler.importing.normal import normal
from dotcnn.compiler.importing.readers import Given, format_of
from dotcnn.compiler.network import Network
from dotcnn.compiler.ops import REGISTRY
from dotcnn.compiler.ops.base import Op
from dotcnn.compiler.ops.merge import Chunk
from dotcnn.compiler.shapes import Shape
from dotcnn.dsl.source import Source


def imported(text: str, name: str, *, partial: bool = False, **options: object) -> Imported:
    format = format_of(name)
    assert format is not None
    given = Given(name, source=Source(name, dedent(text)), **options)  # type: ignore[arg-type]
    return import_network(given, format, partial=partial)


def body(text: str) -> str:
    """A spec without its first comment."""
    return text.partition("\n\n")[2]


def as_imported(network: Network) -> Graph:
    """A network of ours as if it had been read from a file, with all names but those of its layers
    lost.
    """
    layers: list[Layer] = []
    for node in network.nodes:
        inputs = tuple([layers[source.index] for source in node.inputs])
        op = normal(_own_word(node.op, inputs[0].shape), inputs[0].shape) if inputs else node.op
        layers.append(Layer(node.index, op, inputs, "", node.span, node.shape))
    outputs = [
        GraphOutput(layers[each.node.index], each.name.rpartition(".")[2], each.weight)
        for each in network.aux
    ]
    outputs += [
        GraphOutput(layers[each.node.index], each.name.rpartition(".")[2])
        for each in network.outputs
    ]
    outputs.sort(key=lambda each: (each.aux is None, each.layer.index))
    return Graph(network.name, layers, outputs, [], [])


def _own_word(op: Op, shape: Shape) -> Op:
    """The parts that `split` makes are slices elsewhere."""
    if not isinstance(op, Chunk):
        return op.replace()
    sizes = op.sizes or (shape[0] // op.count,) * op.count
    start = sum(sizes[: op.index])
    return REGISTRY["slice"].make(channels=(start, start + sizes[op.index]))


def compiled(text: str) -> Network:
    return dotcnn.compile(text)
