"""Dropout layers: in training, elements, channels or branches are dropped at random; in evaluation
nothing is. The rest is divided by the probability of keeping it, so that the mean does not change.
Operations are counted as in evaluation: none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from ..language.kinds import number
from ..language.signature import ArgumentError
from ..shapes import Shape, ShapeError, axes_of, exact_ratio, size, text
from .base import Kept, Kind, SameShape, TorchText, constructor, helper
from .examples import Lines, aligned, backward, of_a_batch
from .worked import Element, Step, Worked, figure

if TYPE_CHECKING:
    from fractions import Fraction

NUMBERS = (1.0, 2.0, 3.0, 4.0)
DRAWN = (1.0, 1.0, 0.0, 1.0)


class Dropout(SameShape):
    """Sets single elements to zero in training (Srivastava et al., 2014)."""

    word: ClassVar[str] = "dropout"
    example: ClassVar[str] = "dropout 0.5"
    arithmetic: ClassVar[str] = (
        "in training x * m / (1 - p), with m 0 with probability p, else 1; in evaluation x"
    )
    called: ClassVar[str] = "Keras Dropout, Caffe Dropout"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "dropout": "Dropout(p,inplace) drop dropout_layer AlphaDropout(p) alpha_dropout",
    }
    kind: ClassVar[Kind] = "dropout"
    in_place: ClassVar[bool] = True
    passes_zero: ClassVar[bool] = True

    module: ClassVar[str] = "nn.Dropout"
    what: ClassVar[str] = "numbers"
    unit: ClassVar[str] = ""
    """What an element is dropped with."""

    p: float = number("probability of dropping, below 1", 0.5, minimum=0, maximum=1)

    def check(self) -> None:
        if self.p >= 1:
            raise ArgumentError(
                f"`{self.word}` with p=1 drops everything",
                f"p is the share that is dropped: write `{self.word} 0.5` for one half",
            )

    def drawn(self, input_shape: Shape) -> int:
        """The number of random draws for one image."""
        return size(input_shape)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return 0

    @property
    def shares_storage(self) -> bool:
        return self.inplace or not self.p

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        # The factors: 0 for dropped elements, 1/(1 - p) for the rest.
        return Kept(own=self.drawn(output)) if self.p else Kept()

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        module = self.module_for(output)
        return TorchText(constructor(module, self.p, inplace=(self.inplace, False)))

    def module_for(self, output: Shape) -> str:
        """The name of the torch module."""
        return self.module

    def work_out(self, element: Element) -> Worked:
        if not element.training or not self.p:
            return element.copied(element.channel, element.position)._replace(
                rule="in evaluation nothing is dropped" if self.p else "p=0 drops nothing"
            )
        term = element.here()
        rule = f"0 with probability {self.p:g}, else x/(1 - {self.p:g})"
        x = figure(term.value)
        if term.value == 0:
            step = Step("kept or dropped", x, 0.0)
        elif element.actual == 0:
            step = Step("dropped", f"{x}*0", 0.0)
        else:
            step = Step("kept", f"{x}/(1 - {self.p:g})", term.value / (1 - self.p))
        unit = f"a whole {self.unit}" if self.unit else "a number"
        note = f"{unit} is dropped with probability {self.p:g} in training; in evaluation {x} stays"
        if term.value == 0:
            note = "0 is the result either way: it does not tell whether this was dropped"
        return element.computed(rule, "random", term, step, note)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        return [
            ("shape", f"stays {text(output)}"),
            ("dropped", self._left_out(output)),
            ("the rest", f"times 1/(1 - {self.p:g}) = {1 / (1 - self.p):.4g}"),
            ("in evaluation", "nothing is dropped, nothing is scaled"),
        ]

    def examples(self, output: Shape, *inputs: Shape) -> Lines:
        """Four numbers in training, the third dropped, and in evaluation; and the backward pass."""
        rows: list[tuple[str, Sequence[float]]] = [(f"{self.unit or 'number'}s x", NUMBERS)]
        if self.p:
            rows.append(("drawn m", DRAWN))
        arriving = (1.0,) * len(NUMBERS)
        gradients: list[tuple[str, Sequence[float]]] = [("gradient dy", arriving)]
        for training, when in ((True, "training"), (False, "evaluation")):
            outputs = of_a_batch(self, NUMBERS, _no_weight, training=training, drawn=DRAWN)
            rows.append((f"{when} y", [worked.result for worked in outputs]))
            back = backward(self, NUMBERS, arriving, _no_weight, training=training, drawn=DRAWN)
            gradients.append((f"{when} dx", back))
        rule = f"dx = dy*m/(1 - {self.p:g}), with the m of the forward pass; in evaluation dx = dy"
        return [*aligned([*rows, *gradients]), ("backward", rule)]

    def _left_out(self, input_shape: Shape) -> str:
        drawn = self.drawn(input_shape)
        mean = _rounded(exact_ratio(self.p) * drawn)
        return f"{self.p:g} * {drawn:,} {self.what} = {mean} on average"


class Dropout2d(Dropout):
    """Sets whole channels to zero in training (Tompson et al., 2014, arXiv:1411.4280)."""

    word: ClassVar[str] = "dropout2d"
    example: ClassVar[str] = "dropout2d 0.2"
    arithmetic: ClassVar[str] = (
        "in training x * m / (1 - p), with one m for each channel; in evaluation x"
    )
    called: ClassVar[str] = "Keras SpatialDropout2D"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "dropout2d": "Dropout2d(p,inplace) SpatialDropout2D(rate) spatial_dropout "
        "FeatureAlphaDropout",
    }
    what: ClassVar[str] = "channels"
    unit: ClassVar[str] = "channel"

    def output(self, *inputs: Shape) -> Shape:
        if len(inputs[0]) == 1:
            raise ShapeError(
                f"`dropout2d` drops channels of a map, and its input is {text(inputs[0])}",
                f"write `dropout {self.p:g}`, which drops single elements",
            )
        return inputs[0]

    def drawn(self, input_shape: Shape) -> int:
        return input_shape[0]

    def module_for(self, output: Shape) -> str:
        return f"nn.Dropout{axes_of(output)}d"


class DropPath(Dropout):
    """Skips the branch of a residual block for random images in training (stochastic depth).

    Huang et al., 2016, arXiv:1603.09382. It is the last layer of the branch.
    """

    word: ClassVar[str] = "droppath"
    example: ClassVar[str] = "residual { conv 16 3x3 same, bn, droppath 0.1 }"
    arithmetic: ClassVar[str] = (
        "in training x * m / (1 - p), with one m for each image; in evaluation x"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "droppath": "DropPath(drop_prob) StochasticDepth(p,mode>) drop_path stochastic_depth "
        "drop_connect",
    }
    in_place: ClassVar[bool] = False
    module: ClassVar[str] = "DropPath"
    unit: ClassVar[str] = "image"

    def drawn(self, input_shape: Shape) -> int:
        return 1

    def _left_out(self, input_shape: Shape) -> str:
        return f"everything, for {self.p * 100:g} % of the images"

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return super().torch(output, *inputs)._replace(helper=DROP_PATH)


def _no_weight(name: str, index: tuple[int, ...]) -> float:
    raise AssertionError(f"dropout has no {name}")


def _rounded(number: Fraction) -> str:
    return f"{round(number):,}" if number >= 10 else f"{float(number):.3g}"


DROP_PATH = helper('''\
class DropPath(nn.Module):
    """Skips a branch for some images of a batch, while training (arXiv:1603.09382)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        stays = x.new_empty(x.shape[0], *[1] * (x.dim() - 1)).bernoulli_(1 - self.p)
        return x * stays.div_(1 - self.p)
''')
