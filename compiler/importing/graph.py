"""The imported network: layers as operations of the language, each with the name that it had and
its place in the file. Shapes are computed while a reader adds layers, so that a layer that does not
fit is reported where it stands. What the language cannot say is listed; what depends on it is left
out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.source import Span
from ..language.signature import ArgumentError
from ..ops import REGISTRY
from ..ops.base import Op, Window
from ..shapes import Shape, ShapeError, axes_of, size, text
from .normal import normal

MAX_LAYERS = 50_000
"""As many as a spec may have by default."""
MAX_INPUTS = 100_000
"""Inputs of all layers together: a file of a megabyte can name more than memory holds."""
MAX_ELEMENTS = 10**15
"""Elements of a map: larger numbers are mistakes of a file, and slow to compute with."""
MAX_MISTAKES = 20


class Tensor(Protocol):
    """The values of a weight; the compiler passes them on and asks for nothing but their shape."""

    @property
    def shape(self) -> tuple[int, ...]: ...


class Layer:
    """A layer, with the layers that it reads."""

    __slots__ = ("held", "index", "inputs", "name", "op", "shape", "span", "weights")

    def __init__(
        self, index: int, op: Op, inputs: tuple[Layer, ...], name: str, span: Span, shape: Shape
    ) -> None:
        self.index = index
        self.op = op
        self.inputs = inputs
        self.name = name
        """Its name in the file; empty if it has none."""
        self.span = span
        self.shape = shape
        self.held = ""
        """What holds its weights; layers with the same name here share them. Empty: it alone."""
        self.weights: dict[str, Tensor] = {}
        """By their keys in the layer's state dict, laid out as torch has them; empty if the file
        has none."""

    @property
    def wanted(self) -> dict[str, Shape]:
        """The shapes of the weights that it has, by their keys."""
        if not self.inputs:
            return {}
        weights = self.op.weights(*(source.shape for source in self.inputs))
        return {weight.name: weight.shape for weight in weights}

    @property
    def window(self) -> Window | Literal["everything"]:
        """The part of its input that each position of its output reads."""
        return self.op.window(self.shape, *[source.shape for source in self.inputs])

    def __repr__(self) -> str:
        return f"<{self.index} {self.op.word} {self.name}>"


class Stored(NamedTuple):
    """One weight of a layer, as a file of weights has it. The reader of the structure says it;
    training/importing/stored_weights.py fetches it, from files of any format."""

    layer: Layer
    key: str
    """In the layer's state dict: `running_mean`."""
    owner: tuple[str, ...] = ()
    """Whose it is in the file: the name of its layer there, after those of the models around it.
    Empty for constants."""
    place: tuple[str, ...] = ()
    """Where the owner is, in formats that number layers by their kinds."""
    position: int = 0
    """Which of the owner's tensors it is."""
    name: str = ""
    """What that is called there: `moving_mean`."""
    shape: Shape = ()
    """Its shape in the file."""
    axes: tuple[int, ...] = ()
    """The axes of the file in our order, before it gets the shape that the layer has; empty if they
    are in order."""
    flat: tuple[Shape, ...] = ()
    """The maps, channels first, that its first axis goes through channels last."""
    part: int | None = None
    """Which part of the first axis it is."""
    constant: tuple[float, ...] = ()
    """Its values, if no file has them: one for all, or one for each channel."""


class GraphOutput(NamedTuple):
    """A result of the network; an auxiliary one has the weight of its loss."""

    layer: Layer
    name: str
    aux: float | None = None
    log: bool = False
    """Whether the original gives its logarithm, which belongs to the loss."""


class Unsaid(NamedTuple):
    """A layer of the file that the language cannot say."""

    what: str
    """As it is called there: `[yolo]`, `Crop`."""
    why: str
    span: Span


Run = Callable[[Sequence[Any]], Sequence[Any]]
"""Runs the network of the file with the tool that made it: from a batch for each input, channels
first as in the spec, to the outputs of `Graph.outputs`, but for auxiliary ones."""


class Graph(NamedTuple):
    """An imported network. The layers stand in an order of computation, the input first."""

    name: str
    layers: list[Layer]
    outputs: list[GraphOutput]
    """The main output last."""
    unsaid: list[Unsaid]
    remarks: list[str]
    """What the spec does not say, because it belongs to training or to the data."""
    run: Run | None = None
    """If it can be run here."""
    stored: tuple[Stored, ...] = ()
    """Where its weights lie, if they are in a file of their own."""
    layout: tuple[str, ...] = ()
    """What is laid out otherwise than in the file."""
    double: bool = False
    """Whether `run` computes in 64 bits if what it is given has so many."""
    initial: bool = False
    """Its weights are initial values: they serve to compare outputs, and are not written."""

    @property
    def has_weights(self) -> bool:
        """Whether it has weights that somebody trained."""
        return not self.initial and any(layer.weights for layer in self.layers)

    @property
    def consumers(self) -> list[list[Layer]]:
        """By index, the layers that read a layer, once for each input."""
        readers: list[list[Layer]] = [[] for _ in self.layers]
        for layer in self.layers:
            for source in layer.inputs:
                readers[source.index].append(layer)
        return readers


_FLAT = next(word for word, kind in REGISTRY.items() if "Caffe Flatten" in kind.called)
"""The word of the layer that makes a vector of a map."""

Result = Layer | None
"""None: what depends on a layer that the language cannot say, or on one that is wrong."""


class GraphBuilder:
    """Collects the layers of a file."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.unsaid: list[Unsaid] = []
        self.remarks: list[str] = []
        self.mistakes: list[Diagnostic] = []
        self.ends: dict[int, Layer] = {}
        """Layers that something reads that cannot be said: where a part of the network ends."""
        self.reads = 0

    def mistake(self, code: str, message: str, span: Span, help: str = "") -> None:
        """Notes something wrong with the file."""
        self.mistakes.append(Diagnostic(code, message, span, help=help))
        if len(self.mistakes) >= MAX_MISTAKES:
            raise SpecError(self.mistakes)

    def cannot_say(self, what: str, why: str, span: Span, inputs: Sequence[Result] = ()) -> None:
        """Notes a layer that the language cannot say."""
        self.unsaid.append(Unsaid(what, why, span))
        self.ends.update({layer.index: layer for layer in inputs if layer is not None})

    def input(self, shape: Shape, name: str, span: Span) -> Layer:
        return self._append(REGISTRY["input"].make(shape=shape), (), name, span, shape)

    def add(
        self, word: str, inputs: Sequence[Result], name: str, span: Span, **given: object
    ) -> Result:
        """Adds a layer by its word in the language; None if an input is missing, or it is wrong."""
        present = [each for each in inputs if each is not None]
        if len(present) < len(inputs):
            self.ends.update({layer.index: layer for layer in present})
            return None
        shapes = [layer.shape for layer in present]
        kind = REGISTRY[word]
        axes = axes_of(shapes[0]) or 2
        try:
            for argument, value in given.items():
                field = kind.fields[argument]
                if field.per_axis and isinstance(value, tuple) and len(value) != axes:
                    many = (
                        f"`{argument}` has {len(value)} sides, and its input is {text(shapes[0])}"
                    )
                    raise ShapeError(many)
                if field.per_axis or type(value) in (int, float):
                    field.read(value)
            op = kind.make(**given).on_axes(axes)
            op.check()
            op = normal(op, shapes[0])
            for shape in shapes:
                op.refuse_axes(shape)
            output = op.output(*shapes)
        except (ArgumentError, ShapeError) as error:
            self.mistake("shape", f"this layer does not fit: {error.message}", span)
            return None
        if size(output) > MAX_ELEMENTS:
            self.mistake("limit", "the map of this layer has more than 10^15 numbers", span)
            return None
        return self._append(op, tuple(present), name, span, output)

    def place(self, op: Op, inputs: Sequence[Layer], name: str, span: Span) -> Layer:
        """Adds a layer that has no word of its own: what a residual makes of its input."""
        return self._append(op, tuple(inputs), name, span, op.output(*[i.shape for i in inputs]))

    def _append(
        self, op: Op, inputs: tuple[Layer, ...], name: str, span: Span, shape: Shape
    ) -> Layer:
        self.reads += len(inputs)
        many = f"{MAX_LAYERS:,} layers" if len(self.layers) >= MAX_LAYERS else ""
        if self.reads > MAX_INPUTS:
            many = f"{MAX_INPUTS:,} inputs of layers"
        if many:
            raise SpecError([*self.mistakes, Diagnostic("limit", f"more than {many}", span)])
        layer = Layer(len(self.layers), op, inputs, name, span, shape)
        self.layers.append(layer)
        return layer

    def weigh(self, layer: Result, weights: Mapping[str, Tensor]) -> None:
        """Gives a layer its weights; one of another shape is a mistake of the file."""
        if layer is None:
            return
        wanted = layer.wanted
        for key, tensor in weights.items():
            shape = tuple(tensor.shape)
            if key not in wanted:
                self.mistake("weights", f"this layer has no weight `{key}`", layer.span)
            elif shape != wanted[key]:
                has, needs = (text(each) or "one number" for each in (shape, wanted[key]))
                message = f"its `{key}` has the shape {has}, and {needs} is needed"
                self.mistake("weights", message, layer.span)
            else:
                layer.weights[key] = tensor

    def flat(self, source: Result, span: Span) -> Result:
        """A vector, for a layer that takes nothing else."""
        if source is None or not axes_of(source.shape):
            return source
        return self.add(_FLAT, [source], "", span)

    def finished(self, name: str, outputs: Sequence[GraphOutput]) -> Graph:
        """The network; raises SpecError if the file has mistakes."""
        if self.mistakes:
            raise SpecError(self.mistakes)
        return Graph(name, self.layers, list(outputs), self.unsaid, self.remarks)


def only_used(graph: Graph) -> Graph:
    """The layers that an output depends on, and no others."""
    used: set[int] = {0} if graph.layers else set()
    stack = [output.layer for output in graph.outputs]
    while stack:
        layer = stack.pop()
        if layer.index not in used:
            used.add(layer.index)
            stack.extend(layer.inputs)
    kept: list[Layer] = []
    anew: dict[int, Layer] = {}
    for layer in graph.layers:
        if layer.index in used:
            inputs = tuple([anew[source.index] for source in layer.inputs])
            copy = Layer(len(kept), layer.op, inputs, layer.name, layer.span, layer.shape)
            copy.weights, copy.held = layer.weights, layer.held
            anew[layer.index] = copy
            kept.append(copy)
    outputs = [output._replace(layer=anew[output.layer.index]) for output in graph.outputs]
    return graph._replace(layers=kept, outputs=outputs)
