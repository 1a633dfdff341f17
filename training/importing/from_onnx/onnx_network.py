"""Reads networks of ONNX files: `.onnx`, of any version and tool."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

from ....compiler.importing.graph import Graph
from ....compiler.importing.readers import Given
from ....compiler.importing.tensors.compose import graph_of
from ....compiler.importing.tensors.program import Call, Program, Result
from ....compiler.shapes import Shape
from ....dsl.diagnostics import Diagnostic, SpecError
from ...untrusted.bad_file import BadFile
from ...untrusted.onnx_file import read_onnx_model
from ...weights.read import cannot_use
from . import elementwise, onnx_layers, rearranging
from .layout import Flat, Held, Last, Lost, Value, Wrong, last
from .onnx_nodes import Listing, Node
from .onnx_reader import Reader
from .onnx_session import Port, runner

__all__ = ["program_of", "read_onnx_network"]

HANDLERS = elementwise, onnx_layers, rearranging
"""Importing them declares the operators that are read."""

BATCH = 61
"""So many images where the file leaves it open: a prime number that no usual size is a multiple
of."""
LARGEST_MAP, MOST_NUMBERS = 2**26, 2**30
"""Of a network that is run, to compare its outputs."""
_IMAGES = frozenset({1, 2, 3, 10, 11, 16})
"""The types of inputs: numbers of 16 to 64 bits with a point, and bytes."""


def read_onnx_network(given: Given) -> Graph:
    program, run = program_of(given)
    return graph_of(program)._replace(run=run)


def program_of(given: Given) -> tuple[Program, Any]:
    """The network as calls on tensors, and what runs the file."""
    file = Path(given.name)
    try:
        model = read_onnx_model(file)
    except BadFile as error:
        raise cannot_use(error, file, given.name) from None
    listing = Listing(model, given.name)
    reader = Reader(model, listing, {})
    inputs = _inputs(reader, model, given)
    results = reader.run(listing.main, dict(inputs.values))
    found, ports = _results(reader, listing, results)
    found += [Result(each, "") for each in reader.unsaid]
    program = reader.program(file.stem, found)
    fixed = None if inputs.open else reader.batch
    small = _small(program, fixed or 1)
    return program, runner(model, inputs.ports, ports, fixed) if small else None


def _small(program: Program, images: int) -> bool:
    """Whether it can be run here: a small file may say maps that no memory holds."""
    sizes = [prod(call.shape) // program.batch * images for call in program.calls]
    return max(sizes, default=0) <= LARGEST_MAP and sum(sizes) <= MOST_NUMBERS


class _Inputs:
    def __init__(self) -> None:
        self.values: dict[str, Value | None] = {}
        self.ports: list[Port] = []
        self.open = True
        """The number of images is not fixed."""


def _inputs(reader: Reader, model: Any, given: Given) -> _Inputs:
    inputs = _Inputs()
    listing = reader.listing
    uses = listing.main.uses
    infos = {each.name: each for each in model.graph.input}
    wanted = given.input_shape
    for name, span in listing.inputs.items():
        if not uses.get(name):
            continue
        reader.node = Node(reader.node.proto, span)
        reader.path = name
        tensor = infos[name].type.tensor_type
        if tensor.elem_type not in _IMAGES:
            inputs.values[name] = reader.cannot("whole numbers", "it takes no images", [])
            continue
        dims = [each.dim_value if each.dim_value > 0 else 0 for each in tensor.shape.dim]
        if not dims:
            dims = [0] * (len(wanted) + 1) if wanted else []
        turned = _turned(reader, listing, name, dims)
        shape = _shape(reader, dims, wanted, turned)
        wanted = None
        if len(dims) < 2 or not shape:
            help = "write --input 3x224x224"
            reader.mistake(f"nothing says the size of `{name[:60]}`", span, help)
            inputs.values[name] = Lost(Call(-1, "", (), {}, (), "", span))
            continue
        if reader.batch == 0:
            reader.batch = dims[0] or BATCH
            inputs.open = not dims[0]
        try:
            call = reader.call("input", [], [reader.batch, *shape])
        except Wrong:
            reader.mistake("the input has an impossible size")
            continue
        inputs.values[name] = Last(call) if turned else call
        inputs.ports.append(Port(name, turned, tuple(shape)))
    if reader.mistakes:
        raise SpecError(reader.mistakes)
    return inputs


def _shape(reader: Reader, dims: Sequence[int], wanted: Shape | None, turned: bool) -> Shape:
    """The shape of an image, channels first; empty if nothing says it."""
    if wanted:
        return wanted if len(wanted) == len(dims) - 1 else ()
    own = [dims[axis] for axis in [0, len(dims) - 1, *range(1, len(dims) - 1)]] if turned else dims
    return tuple(own[1:]) if all(own[1:]) else ()


def _turned(reader: Reader, listing: Listing, name: str, dims: Sequence[int]) -> bool:
    """Whether an input has its channels last: the network puts them first before anything else."""
    rank = len(dims)
    if rank < 3:
        return False
    back = [0, rank - 1, *range(1, rank - 1)]
    readers: dict[str, list[Node]] = {}
    for node in listing.main.nodes:
        for each in node.inputs:
            readers.setdefault(each, []).append(node)
    stack, seen = [name], {name}
    while stack:
        for node in readers.get(stack.pop(), ()):
            if node.op == "Transpose":
                if node.ints("perm") == back:
                    reader.series = reader.series or rank == 3
                    return True
                return False
            if node.domain == "qonnx.custom_op.channels_last":
                return True
            if node.op in _EACH and len(seen) < 50:
                fresh = [each for each in node.outputs if each not in seen]
                seen.update(fresh)
                stack += fresh
            elif node.op in _MAPS:
                return False
    sides = dims[1:-1]
    return rank > 3 and dims[-1] in (1, 3, 4) and all(side == 0 or side > 4 for side in sides)


_EACH = frozenset(
    "Identity Cast Add Sub Mul Div Pad Clip Sqrt Resize Quant QuantizeLinear"
    " DequantizeLinear".split()
)
_MAPS = frozenset("Conv BatchNormalization MaxPool AveragePool ConvTranspose Gemm Flatten".split())


def _results(
    reader: Reader, listing: Listing, values: Sequence[Value | None]
) -> tuple[list[Result], list[Port]]:
    results: list[Result] = []
    ports: list[Port] = []
    for name, value in zip(listing.main.outputs, values, strict=True):
        if value is None:
            continue  # a mistake that is known
        if isinstance(value, Held):
            reader.remarks.append(f"the output {name[:60]}, which is the same for every image")
            continue
        if isinstance(value, Lost):
            results.append(Result(value.call, name))
            continue
        turned = isinstance(value, Last)
        call = value.call if isinstance(value, Last) else reader.tensor(value)
        if call.function == "input":
            continue
        results.append(Result(call, name))
        ports.append(Port(name, turned))
    if not results and not reader.mistakes and not reader.unsaid:
        message = "no output of this network depends on its input"
        raise SpecError([Diagnostic("onnx", message, file=listing.source.name)])
    return results, ports


_ = Flat, last
