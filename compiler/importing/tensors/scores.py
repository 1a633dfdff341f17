"""Steps of an attention that are no layer yet: the product of queries and keys, what is done to it,
and vectors of length 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...shapes import Shape
from . import views
from .known import computed
from .program import Constant
from .views import View


class Unit(NamedTuple):
    """A view whose vectors along an axis of the tensor have been given the length 1."""

    view: View
    axis: int

    def permuted(self, axes: Sequence[int]) -> Unit:
        return Unit(views.permuted(self.view, axes), [*axes].index(self.axis))


class Scores(NamedTuple):
    """The product of two views as matrices, scaled, with something added, and normalized."""

    left: View
    right: View
    scale: float = 1.0
    temperature: Constant | None = None
    """Learned factors, of each head."""
    added: Constant | None = None
    softmax: bool = False
    unit: bool = False
    """Whether both have vectors of length 1 along the axis that is summed over."""
    why: str = ""
    """Why it is no attention, if it is not."""

    def times(self, number: float) -> Scores:
        if number != 1 and (self.softmax or self.added is not None):
            return self._replace(why="it scales the weights of an attention")
        return self._replace(scale=self.scale * number)

    def heated(self, temperature: Constant) -> Scores:
        if self.softmax or self.added is not None or self.temperature is not None:
            return self._replace(why="it scales the weights of an attention")
        return self._replace(temperature=temperature)

    def plus(self, added: Constant) -> Scores:
        if self.softmax:
            return self._replace(why="it adds to the weights of an attention")
        both = added if self.added is None else computed("add", self.added, added)
        return self._replace(added=both)

    def normalized(self, axis: int) -> Scores:
        if self.softmax or axis != len(self.left.axes) - 1:
            return self._replace(why="its softmax is not over the keys")
        return self._replace(softmax=True)

    def reshaped(self, shape: Shape) -> Scores:
        if shape == self.shape:
            return self
        return self._replace(why="its scores get another shape")

    def permuted(self, axes: Sequence[int]) -> Scores:
        return self._replace(why="its scores are permuted")

    @property
    def shape(self) -> Shape:
        return (*self.left.shape[:-1], self.right.shape[-1])
