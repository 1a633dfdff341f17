"""The interface of operations (layers): one small frozen class per operation. A class declares its
signature (attributes of `..language.kinds`) and computes from the input shapes: the output shape,
weights, costs, receptive field, memory kept for the backward pass, and the torch code. Nothing else
in the project knows a layer by name. Counting: a multiply-add (`macs`) is one product and sum of a
convolution or a linear layer. Everything else is `elementwise`: the number of output elements times
the operations for each. Neither has a default: every operation has to count itself.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

from ..language.declared import Declared
from ..language.signature import Signature
from ..language.values import python
from ..language.words_in_force import WordTable, belongs_to_the_language
from ..shapes import (
    AXES,
    LAYOUTS,
    AllAxes,
    PerAxis,
    Shape,
    ShapeError,
    axes_of,
    named,
    size,
    text,
)
from .worked import Element, Worked

if TYPE_CHECKING:
    from fractions import Fraction

Kind = Literal[
    "conv",
    "linear",
    "pool",
    "attention",
    "norm",
    "activation",
    "dropout",
    "shape",
    "merge",
    "filter",
    "input",
]

Autocast = Literal["low", "fp32", "wide", "follow"]
"""What autocast does with an operation: `low` converts its inputs and weights to two bytes per
element; `fp32` converts its inputs to four on a GPU, and is `follow` on a CPU; `wide` reads its
inputs as they are, and its output is float32; `follow` has the precision of its inputs, the widest
if they differ."""


class Weight(NamedTuple):
    """A tensor of a layer: a parameter or a buffer."""

    name: str
    """Its key in the layer's state dict."""
    shape: Shape
    trainable: bool = True
    """False for buffers: filters and running statistics."""
    itemsize: int | None = None
    """Bytes per element, if that does not follow the network's precision."""
    fixed: bool = False
    """Whether it is a parameter that training leaves as it is; then it is not trainable."""
    inputs_first: bool = False
    """Whether the first axis counts input channels, the second those of the output: mostly it is
    the other way round."""


class Window(NamedTuple):
    """The window of the outputs, by axis: output i reads `size` positions from `start + i * stride`
    on. With one number for each spatial axis, but for `POINT`.
    """

    size: PerAxis = (1, 1)
    stride: tuple[int | Fraction, ...] = (1, 1)
    start: tuple[int | Fraction, ...] = (0, 0)


POINT = Window()
"""Every output reads the position where it is, whatever the number of axes."""
ANY_AXES = (1, 2, 3)
"""For `Op.spatial_axes`: series, maps and volumes."""

EVERYTHING: Literal["everything"] = "everything"
"""Every output sees the whole map: global pooling, a fully connected layer."""


class Kept(NamedTuple):
    """What autograd keeps for the backward pass of one image, in elements (not bytes), and what it
    needs then. Inputs and outputs are tensors of the graph, counted once however many operations
    keep them.
    """

    inputs: tuple[int, ...] = ()
    """The positions of the inputs that are kept."""
    output: bool = False
    own: int = 0
    """Further elements in the network's precision, for each image."""
    fixed: int = 0
    """Bytes independent of the precision, for each image: indices, masks."""
    once: int = 0
    """Four-byte elements kept once for a whole batch: the statistics of a batch norm."""
    filters: int = 0
    """Elements of filters that are computed from the weights anew for each batch, and kept instead
    of them."""
    scratch: int = 0
    """Elements for each image that exist for a while in the backward pass, beside the gradients of
    inputs and weights: what is between the operations of torch that it consists of."""


class TorchText(NamedTuple):
    """The torch code of an operation."""

    module: Constructor | None = None
    """The constructor: `nn.Conv2d(3, 64, 7)`; None if no module is needed."""
    call: str = "{m}({0})"
    """The expression in `forward`; {m} is the module, {0}, {1}, … are the inputs."""
    helper: str = ""
    """Source code of a class or function that `module` or `call` needs; of several, with two empty
    lines between them."""
    imports: tuple[str, ...] = ()
    """For a layer of a plug-in: the classes and functions that `module` or `call` take from it,
    instead of a helper: `Involution` of the module that the layer is defined in, or
    `mine.modules.Involution`."""


class CallText(str):
    """The text of a call that has numbers in it, which may differ in a block's calls."""

    pattern: str
    """The text with names in place of the numbers: `{0}.narrow(1, {first}, {count})`."""
    numbers: Mapping[str, Any]


def call_text(pattern: str, **numbers: Any) -> CallText:
    """The text of a call, given the values of the names in it."""
    whole = pattern
    for name, value in numbers.items():
        whole = whole.replace(f"{{{name}}}", repr(value))
    result = CallText(whole)
    result.pattern, result.numbers = pattern, numbers
    return result


Option = tuple[Any, Any]
"""An argument value with its default in torch; equal ones are omitted."""


class ClassName(str):
    """A class as an argument: `nn.ReLU`."""

    __slots__ = ()


class Constructor(NamedTuple):
    """A constructor call with its arguments: `nn.MaxPool2d(3, stride=2)`."""

    name: str
    arguments: tuple[Any, ...]
    """Numbers, text, tuples, lists, class names, or nested constructors."""
    options: tuple[tuple[str, Any, Any], ...]
    """Name, value and torch default of each keyword argument, omitted ones included."""

    def __str__(self) -> str:
        given = [f"{key}={python(value)}" for key, value, usual in self.options if value != usual]
        return f"{self.name}({', '.join([*map(python, self.arguments), *given])})"


def constructor(name: str, *arguments: Any, **options: Option) -> Constructor:
    return Constructor(name, arguments, tuple([(key, *both) for key, both in options.items()]))


def tuple_of(axes: int) -> str:
    """The type of a number for each spatial axis, in helpers: `tuple[int, int]`."""
    return f"tuple[{', '.join(['int'] * axes)}]"


HELPERS: dict[str, None] = {}
"""Source code of helper classes and functions for emitted modules."""


def helper(source: str) -> str:
    """Registers the source code of a helper."""
    HELPERS[source] = None
    return source


def helpers_of(text: TorchText) -> list[str]:
    """The sources of the helpers that the torch code of an operation needs."""
    sources = text.helper.split("\n\n\n") if text.helper else []
    return [source.rstrip("\n") + "\n" for source in sources]


def imports_of(op: Op, text: TorchText) -> list[tuple[str, str]]:
    """What the torch code of an operation imports: modules and names."""
    named = [name.rpartition(".") for name in text.imports]
    return [(module or _home(op, name), name) for module, _, name in named]


def _home(op: Op, name: str) -> str:
    """The module that a layer takes a name from: its own, or that of a base class of it."""
    own = [kind.__module__ for kind in type(op).__mro__ if not belongs_to_the_language(kind)]
    known = (module for module in own if hasattr(sys.modules.get(module), name))
    return next(known, type(op).__module__)


TORCH_CALLS: dict[str, None] = {}
"""All functions and methods that the torch code of operations calls."""

REGISTRY: WordTable[type[Op]] = WordTable(lambda words: words.layers)
"""Every operation of the language, by its word or words (`conv`, `pool max`); of those of plug-ins,
the ones that the spec which is read uses."""


class Op(Declared):
    """An operation with its arguments."""

    short_word: ClassVar[str] = ""
    """Its first word, which layers are named after; for internal operations, the name of the
    class.
    """
    elsewhere: ClassVar[Mapping[str, str]] = {}
    """Its text in a spec, with names in other tools (`..language.foreign`).

    Not inherited: a subclass is a different layer.
    """
    kind: ClassVar[Kind]
    example: ClassVar[str] = ""
    """An example for `cnn help`; its input has 16 channels."""
    arithmetic: ClassVar[str] = ""
    """Formulas for `cnn help`: result, output size, parameters and multiply-adds, one per line, if
    `explain` does not show them. C, H and W are channels, height and width of the input.
    """
    gradient: ClassVar[str] = ""
    """The backward pass in formulas, a line each, if `examples` does not write it out: dy is the
    gradient of the output, dx that of the input."""
    called: ClassVar[str] = ""
    """Its names in the best-known other tools: `Keras Conv2D, Caffe Convolution`."""
    spatial_axes: ClassVar[tuple[int, ...]] = (2,)
    """The numbers of spatial axes that it works on: 2 for maps of images, 1 for series, 3 for scans
    and videos. (Vectors are its own affair.)
    """
    per_axis: ClassVar[tuple[str, ...]] = ()
    """Its arguments with a number for each spatial axis, and attributes in their place."""
    paths: ClassVar[tuple[str, ...]] = ()
    """What it reads from its body in a spec, if it has one. One name: a further input, which is
    computed from the first, `condconv 64 { shares }`. More: all inputs, a path for each, `attention
    { | queries | keys | values }`.
    """
    needs_paths: ClassVar[bool] = False
    """Whether it has no meaning without that body."""
    sized_by: ClassVar[tuple[str, ...]] = ()
    """Its arguments that are labels of maps. Such a map is a further input, after the others, of
    which only the size is read.
    """
    torch_calls: ClassVar[tuple[str, ...]] = ()
    """Functions (`torch.cat`) and tensor methods (`chunk`) that its torch code calls, beside
    modules and `F`. Emitted code may call nothing else.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "short_word" not in vars(cls):
            cls.short_word = cls.word.split(" ", 1)[0] or cls.__name__.lower()
        if "word" in vars(cls) and cls.word and belongs_to_the_language(cls):
            assert cls.word not in REGISTRY, cls.word
            REGISTRY[cls.word] = cls
        TORCH_CALLS.update(dict.fromkeys(cls.torch_calls))
        own = [name for name, field in cls.fields.items() if field.per_axis]
        own += [name for name, value in vars(cls).items() if isinstance(value, AllAxes)]
        cls.per_axis = tuple(dict.fromkeys((*cls.per_axis, *own)))
        cls.sized_by = tuple([name for name, field in cls.fields.items() if field.is_label])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Op) and super().__eq__(other) and self.inplace == other.inplace

    __hash__ = Declared.__hash__

    @property
    def sizes_read(self) -> list[str]:
        """Those of `sized_by` that are given."""
        return [name for name in self.sized_by if getattr(self, name) is not None]

    def refuse_axes(self, shape: Shape) -> None:
        """Raises ShapeError for a map with a number of axes that the operation does not work on."""
        axes = axes_of(shape)
        if axes and axes not in self.spatial_axes:
            known = " or ".join(f"along {named(AXES[n])}" for n in self.spatial_axes)
            raise ShapeError(
                f"`{self.word}` works {known}, and its input, {text(shape)}, has"
                f" {named(AXES[axes])}",
                f"take it out, or make the input {LAYOUTS[self.spatial_axes[-1]]}",
            )

    def on_axes(self, axes: int) -> Self:
        """The operation with as many numbers as there are spatial axes, in place of one for all."""
        if axes == 2 or not self.per_axis:
            return self
        values = {name: getattr(self, name) for name in self.per_axis}
        return self.replace(
            **{n: (v[0],) * axes for n, v in values.items() if isinstance(v, AllAxes)}
        )

    @classmethod
    def signature(cls) -> Signature:
        signature = super().signature()
        if not cls.paths:
            return signature
        body = cls.body_usage() if cls.needs_paths else f"[{cls.body_usage()}]"
        return signature._replace(usage=f"{signature} {body}")

    @classmethod
    def body_usage(cls) -> str:
        """`{ | queries | keys | values }`."""
        bar = "| " if len(cls.paths) > 1 else ""
        return f"{{ {bar}{' | '.join(cls.paths)} }}"

    # ---- what every operation defines ----

    def output(self, *inputs: Shape) -> Shape:
        """The output shape; raises ShapeError if the inputs do not fit."""
        raise NotImplementedError

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return ()

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """Multiply-adds for one image."""
        raise NotImplementedError

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """Other operations for one image."""
        raise NotImplementedError

    def window(self, output: Shape, *inputs: Shape) -> Window | Literal["everything"]:
        return POINT

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        """The memory that the backward pass needs."""
        raise NotImplementedError

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        raise NotImplementedError

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        """The arithmetic with its numbers, for `cnn explain`: lines of name and text."""
        return []

    def examples(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        """Small worked examples, for `cnn explain`: lines of name and text."""
        return []

    def work_out(self, element: Element) -> Worked:
        """The arithmetic of one output element with its numbers. A layer of a plug-in may leave it
        out: then the number is shown, and not how it comes about."""
        result = float("nan") if element.actual is None else element.actual
        note = f"`{self.word}` does not write its arithmetic out"
        return Worked(element.at, f"what `{self.word}` computes", result, note=note)

    # ---- dependence on neighboring operations ----

    def holds_size(self, *inputs: Shape) -> tuple[str, str]:
        """Why the network is for this size of input only, although its module would run at others,
        and what to write instead; empty for most.
        """
        return "", ""

    def settle(self, followers: Sequence[Op]) -> Op:
        """The final operation, once the readers of its output are known (`bias=auto`)."""
        return self

    absorbs_bias: ClassVar[bool] = False
    """A bias directly before it has no effect: it subtracts the mean and adds its own bias."""
    normalizes: ClassVar[bool] = False
    """It divides by a deviation, or by a root of squares; what only scales is not a norm."""
    suits: ClassVar[str] = ""
    """For an activation: the suitable `init` method for the weights before it."""
    scales: ClassVar[bool] = False
    """It multiplies its inputs: those that are broadcast only scale the others (a gate)."""
    fades: ClassVar[float] = 0.0
    """The powers of ten that a gradient loses in each layer of a plain stack with this activation
    (analysis/lint_depth.py has the measurements)."""
    passes_zero: ClassVar[bool] = False
    """It maps zero to zero and passes the gradient on: dropout, a factor."""

    after_activation: ClassVar[bool] = False
    """It may follow an activation directly, as a square does."""
    passes_gradient: ClassVar[bool] = False
    """The gradient of its input is that of its output, in the same memory: something is added."""

    @property
    def leak(self) -> float:
        """For a rectifier: its negative slope."""
        return 0.0

    autocast: ClassVar[Autocast] = "follow"
    """The precision that torch computes it in under autocast."""

    @property
    def probabilities(self) -> bool:
        """As the last layer it is applied in prediction only: losses take its input (softmax,
        sigmoid).
        """
        return False

    independent: ClassVar[bool] = False
    """Its probabilities are independent: an image may have several classes."""
    in_place: ClassVar[bool] = False
    """It may overwrite its input if nothing else reads that."""
    inplace: bool = False
    """It does, after `replace(inplace=True)`.

    Not an argument, but part of the operation's value.
    """

    def gives_view(self, *inputs: Shape) -> bool:
        """Whether its output is a view of something that it computes. An activation after it is not
        run in place: in the backward pass that would cost several copies, and save no memory.
        """
        return False

    @property
    def shares_storage(self) -> bool:
        """Whether its output shares the input's memory: a view (flatten), or in place."""
        return self.inplace

    @property
    def shares_storage_in_evaluation(self) -> bool:
        """The same in evaluation, where a dropout returns its input."""
        return self.shares_storage or self.kind == "dropout"


class NoMultiplyAdds(Op):
    """Mixin for operations without multiply-adds."""

    def macs(self, output: Shape, *inputs: Shape) -> int:
        return 0


class SameShape(NoMultiplyAdds):
    """Mixin for operations whose output has the shape of their input, whatever that is."""

    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES

    def output(self, *inputs: Shape) -> Shape:
        return inputs[0]


class Pointwise(SameShape):
    """Mixin for operations that compute each element from the same element of the input."""

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """One for each element, whatever its formula."""
        return size(output)
