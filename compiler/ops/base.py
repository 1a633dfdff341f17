"""What an operation is: one small frozen class that knows everything about itself.

A class states its signature (attributes made with `..signature`), and from the shapes that arrive:
the shape that leaves, its weights, what it costs, how far it sees, what it keeps for the backward
pass, and the torch text that computes it. Nothing else in the project knows a layer by name.

Counting: a multiply-add (`macs`) is one product and sum of a convolution or a linear layer.
Everything else is `elementwise`: one for each number that is made, times the operations that go
into it. There are no defaults for either: an operation that cannot count itself does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, ClassVar, Literal, NamedTuple

from ..language.declared import Declared
from ..language.values import python
from ..shapes import Pair, Shape

Kind = Literal[
    "conv", "linear", "pool", "norm", "activation", "dropout", "shape", "merge", "filter", "input"
]


class Weight(NamedTuple):
    """A tensor that belongs to a layer: learned, or, as a buffer, only kept with it."""

    name: str
    """Its key in the layer's state dict."""
    shape: Shape
    trainable: bool = True
    """False for buffers, the fixed filters and running statistics."""
    itemsize: int | None = None
    """Bytes of one number, where that does not follow the network's precision."""


class Window(NamedTuple):
    """What one output sees of the input, by axis: output i covers `start + i * stride`, `size`."""

    size: Pair = (1, 1)
    stride: tuple[int | Fraction, int | Fraction] = (1, 1)
    start: tuple[int | Fraction, int | Fraction] = (0, 0)


POINT = Window()
EVERYTHING: Literal["everything"] = "everything"
"""Every output sees the whole map: global pooling, a fully connected layer."""


class Kept(NamedTuple):
    """What autograd keeps for the backward pass of one image, in numbers (not bytes).

    The input and the output are storages of the graph, counted once however many keep them.
    """

    inputs: tuple[int, ...] = ()
    """Which inputs, by position."""
    output: bool = False
    own: int = 0
    """Other numbers of the network's precision, for each image."""
    fixed: int = 0
    """Bytes that do not follow the precision, for each image: indices, masks."""
    once: int = 0
    """Numbers of four bytes kept once for a whole batch: the statistics of a batch norm."""


class TorchText(NamedTuple):
    """How torch computes it."""

    module: Constructor | None = None
    """`nn.Conv2d(3, 64, 7)`; None where there is nothing to hold."""
    call: str = "{m}({0})"
    """The expression in `forward`; {m} is the module, {0}, {1}, … are the inputs."""
    helper: str = ""
    """Source of a class or function that `module` or `call` needs."""


Option = tuple[Any, Any]
"""A value, and the usual one, at which it is left out."""


class ClassName(str):
    """A class as a value: `nn.ReLU`."""

    __slots__ = ()


class Constructor(NamedTuple):
    """A call that makes a module, with values for its arguments: `nn.MaxPool2d(3, stride=2)`."""

    name: str
    arguments: tuple[Any, ...]
    """Numbers, text, tuples, lists, class names, or constructors in their turn."""
    options: tuple[tuple[str, Any, Any], ...]
    """Name, value and usual value of each, those left out too."""

    def __str__(self) -> str:
        given = [f"{key}={python(value)}" for key, value, usual in self.options if value != usual]
        return f"{self.name}({', '.join([*map(python, self.arguments), *given])})"


def constructor(name: str, *arguments: Any, **options: Option) -> Constructor:
    return Constructor(name, arguments, tuple([(key, *both) for key, both in options.items()]))


HELPERS: dict[str, None] = {}
"""Sources of the classes and functions that the torch texts of layers need."""


def helper(source: str) -> str:
    """Enters the source of such a class."""
    HELPERS[source] = None
    return source


TORCH_CALLS: dict[str, None] = {}
"""All functions and methods that the torch texts of operations call."""

REGISTRY: dict[str, type[Op]] = {}
"""Every operation that a spec can write, by its word or words (`conv`, `pool max`)."""


class Op(Declared):
    """An operation with its arguments."""

    short_word: ClassVar[str] = ""
    """Its first word, by which layers are named and counted; of one that no spec can write, its
    class's name."""
    elsewhere: ClassVar[Mapping[str, str]] = {}
    """What to write, and the names that other tools have for that (`..language.foreign`). Not
    inherited: what is true of a class is not true of those that derive from it."""
    kind: ClassVar[Kind]
    example: ClassVar[str] = ""
    """How it is written in a network, behind maps of 16 channels: for `cnn help`."""
    arithmetic: ClassVar[str] = ""
    """What it computes, the size of its output, its parameters and multiply-adds, one a line, where
    `explain` alone does not say it. C, H and W are channels, height and width of what arrives."""
    called: ClassVar[str] = ""
    """What the best-known other tools call it: `Keras Conv2D, Caffe Convolution`."""
    torch_calls: ClassVar[tuple[str, ...]] = ()
    """What its torch text calls beside modules and `F`: functions (`torch.cat`) and methods of
    tensors (`chunk`). Emitted text may call nothing else."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "short_word" not in vars(cls):
            cls.short_word = cls.word.split(" ", 1)[0] or cls.__name__.lower()
        if "word" in vars(cls) and cls.word:
            assert cls.word not in REGISTRY, cls.word
            REGISTRY[cls.word] = cls
        TORCH_CALLS.update(dict.fromkeys(cls.torch_calls))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Op) and super().__eq__(other) and self.inplace == other.inplace

    __hash__ = Declared.__hash__

    # ---- what every operation answers ----

    def output(self, *inputs: Shape) -> Shape:
        """The shape that leaves; raises ShapeError where the inputs do not fit."""
        raise NotImplementedError

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return ()

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """Multiply-adds for one image."""
        raise NotImplementedError

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """Other arithmetic for one image."""
        raise NotImplementedError

    def window(self, output: Shape, *inputs: Shape) -> Window | Literal["everything"]:
        return POINT

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        """What the backward pass needs."""
        raise NotImplementedError

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        raise NotImplementedError

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        """The arithmetic with its numbers, line by line: what it gives, how."""
        return []

    # ---- what follows from the operations around it ----

    def settle(self, followers: Sequence[Op]) -> Op:
        """This operation, once it is known what its output goes into (`bias=auto`)."""
        return self

    absorbs_bias: ClassVar[bool] = False
    """A bias directly before it would be of no use: it takes means away and adds its own."""
    suits: ClassVar[str] = ""
    """Of an activation: how the weights before it are best drawn at first, as `init` calls it."""
    passes_zero: ClassVar[bool] = False
    """A zero stays one, and whatever its gradient was, the input gets it: dropout, a factor."""

    @property
    def leak(self) -> float:
        """Of a rectifier: the slope of its negative side."""
        return 0.0

    probabilities: ClassVar[bool] = False
    """What it makes of a network's output is for who predicts: a loss takes what goes into it."""
    independent: ClassVar[bool] = False
    """Each of those probabilities is of its own: an image may be of several classes."""
    in_place: ClassVar[bool] = False
    """It may write over its input where nobody else needs that."""
    inplace: bool = False
    """It does: `replace(inplace=True)`. No argument, but of the operation's value all the same."""

    @property
    def shares_storage(self) -> bool:
        """Its output is its input's memory: seen in another way (flatten), or written over."""
        return self.inplace


class NoMultiplyAdds(Op):
    """For operations without a multiply-add of the counted kind."""

    def macs(self, output: Shape, *inputs: Shape) -> int:
        return 0
