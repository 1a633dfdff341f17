"""Softmax: over the channels, over the places of a map, or over the weights of paths."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import product
from typing import ClassVar, Literal

from ..language.kinds import choice, whole
from ..language.signature import ArgumentError
from ..shapes import Shape, ShapeError, as_map
from .activation import Activation
from .base import EVERYTHING, POINT, Autocast, TorchText, Window, constructor
from .worked import (
    Element,
    Group,
    Step,
    Term,
    Worked,
    bracketed,
    exp,
    figure,
    largest,
    quotient,
)


class Softmax(Activation):
    """Normalizes the channels of each position, or the numbers of a vector, to a sum of 1.

    With `over=places` the places of each channel add up to 1 (the weights of a mean over the map),
    with `parts=2` the two halves of the channels: channel c of the first and of the second, as
    weights for two paths (SKNet, ResNeSt).
    """

    autocast: ClassVar[Autocast] = "fp32"
    word: ClassVar[str] = "softmax"
    gradient: ClassVar[str] = "dx = y * (dy - sum of dy*y over the classes)"
    example: ClassVar[str] = "flatten, fc 10, softmax"
    called: ClassVar[str] = "Keras Softmax, Caffe Softmax"
    suits: ClassVar[str] = ""
    elsewhere: ClassVar[Mapping[str, str]] = {
        "softmax": "Softmax(axis) Softmax2d soft",
    }
    keeps: ClassVar[Literal["input", "output"]] = "output"
    torch_calls: ClassVar[tuple[str, ...]] = ("flatten", "softmax", "unflatten")

    over: str = choice("what adds up to 1", ["channels", "places"], "channels", keyword_only=True)
    parts: int = whole(
        "the number of paths that the channels weight: each path has a part of them",
        1,
        maximum=math.inf,
        keyword_only=True,
    )

    def check(self) -> None:
        if self.parts > 1 and self.over == "places":
            raise ArgumentError(
                "`parts` weighs channels, and `over=places` adds up places",
                "take one of them out",
                drop="over",
            )

    def output(self, *inputs: Shape) -> Shape:
        if self.over == "places":
            return as_map(inputs[0], self.word)
        if inputs[0][0] % self.parts:
            raise ShapeError(
                f"{inputs[0][0]} channels cannot be divided into {self.parts} parts",
                f"use a number of channels that {self.parts} divides",
            )
        return inputs[0]

    @property
    def probabilities(self) -> bool:
        return self.over == "channels" and self.parts == 1

    def window(self, output: Shape, *inputs: Shape) -> Window | Literal["everything"]:
        return EVERYTHING if self.over == "places" else POINT

    def rule(self) -> str:
        over = "places" if self.over == "places" else "channels"
        return (
            f"exp(x) / the sum of exp over the {f'{self.parts} parts' if self.parts > 1 else over}"
        )

    def _together(self, element: Element) -> list[Term]:
        """What adds up to 1 with an element, that itself included."""
        channels, *sides = element.inputs[0]
        if self.over == "places":
            places = product(*[range(side) for side in sides])
            return [element.term(element.channel, place) for place in places]
        step = channels // self.parts if self.parts > 1 else 1
        return [element.here(each) for each in range(element.channel % step, channels, step)]

    def work_out(self, element: Element) -> Worked:
        terms = self._together(element)
        # Less the maximum, the result is the same and no exponential overflows.
        most = largest(term.value for term in terms)
        shift = most if abs(most) > 80 and math.isfinite(most) else 0.0
        less = f" - {bracketed(shift)}" if shift else ""
        terms = [term._replace(product=exp(term.value - shift)) for term in terms]
        total = sum(term.product for term in terms)
        each = f"exp({{v}}{less})"
        group = Group("sum of exp", tuple(terms), "sum", total, each=each)
        own = element.here()
        result = quotient(exp(own.value - shift), total)
        step = Step("share", f"exp({figure(own.value)}{less})/{figure(total)}", result)
        return Worked(element.at, self.rule(), result, (group,), (step,))

    def gives_view(self, *inputs: Shape) -> bool:
        return self.over == "places" or self.parts > 1

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        if self.over == "places":
            return TorchText(call="{0}.flatten(2).softmax(2).unflatten(2, {0}.shape[2:])")
        if self.parts > 1:
            call = f"{{0}}.unflatten(1, ({self.parts}, -1)).softmax(1).flatten(1, 2)"
            return TorchText(call=call)
        return TorchText(constructor("nn.Softmax", dim=(1, None)))
