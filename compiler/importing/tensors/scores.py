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
    relative: tuple[Constant, Constant] | None = None
    """Vectors for each distance along height and width, times queries."""
    softmax: bool = False
    unit: bool = False
    """Whether both have vectors of length 1 along the axis that is summed over."""

    @property
    def positioned(self) -> bool:
        return self.added is not None or self.relative is not None

    def times(self, number: float) -> Scores | None:
        """None for what is no step of an attention."""
        if number != 1 and (self.softmax or self.positioned):
            return None
        return self._replace(scale=self.scale * number)

    def heated(self, temperature: Constant) -> Scores | None:
        if self.softmax or self.positioned or self.temperature is not None:
            return None
        return self._replace(temperature=temperature)

    def plus(self, added: Constant) -> Scores | None:
        if self.softmax:
            return None
        both = added if self.added is None else computed("add", self.added, added)
        return None if both is None else self._replace(added=both)

    def normalized(self, axis: int) -> Scores | None:
        if self.softmax or axis != len(self.left.axes) - 1:
            return None
        return self._replace(softmax=True)

    @property
    def shape(self) -> Shape:
        return (*self.left.shape[:-1], self.right.shape[-1])
