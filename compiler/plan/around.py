"""What a directive finds around it: the network, and the other directives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from ...dsl.diagnostics import Edit, Label
from ...dsl.source import Span
from ..diagnose.blame import first_line
from ..language.problems import Problem
from ..network import Network
from ..shapes import Shape, text
from .directive import Directive
from .parts import Parts

D = TypeVar("D", bound=Directive)


class Around:
    def __init__(self, network: Network | None, given: Mapping[str, Sequence[Directive]]) -> None:
        self.network = network
        """None where it has mistakes of its own."""
        self.given = given
        """By section, in the order written."""

    # ---- directives ----

    def all(self, kind: type[D]) -> list[D]:
        """The directives of a kind that are written, those that are off left out."""
        found = self.given.get(kind.section, ())
        return [one for one in found if isinstance(one, kind) and not one.off]

    def find(self, kind: type[D]) -> D | None:
        """The one that is written, else the usual one."""
        for one in self.given.get(kind.section, ()):
            if isinstance(one, kind):
                return None if one.off else one
        return kind.usual(self)

    def get(self, kind: type[D]) -> D:
        """The same, for what is always there."""
        found = self.find(kind)
        assert found is not None, kind
        return found

    # ---- the network ----

    @property
    def shape(self) -> Shape:
        """Of the network's input; empty where that is not known."""
        return self.network.input.shape if self.network else ()

    @property
    def channels(self) -> int | None:
        return self.shape[0] if len(self.shape) == 3 else None

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of the network's input."""
        return (self.shape[1], self.shape[2]) if len(self.shape) == 3 else None

    @property
    def parts(self) -> Parts | None:
        """What names in a directive can mean."""
        return Parts(self.network) if self.network else None

    # ---- mistakes ----

    def unfit(
        self, place: Span, message: str, help: str = "", edits: tuple[Edit, ...] = ()
    ) -> Problem:
        """For what does not go with the network's input."""
        assert self.network is not None
        label = Label(first_line(self.network.input.span), f"the input is {text(self.shape)}")
        return Problem("unfit-input", message, place, labels=(label,), help=help, edits=edits)


def conflict(
    message: str,
    one: Directive,
    other: Directive,
    *,
    help: str = "keep one of them",
    drop: bool = True,
) -> Problem:
    """For two directives that contradict each other; `drop` offers to take the first out."""
    assert one.origin is not None
    labels = (Label(other.origin.span, "the other"),) if other.origin else ()
    edits = (Edit(one.origin.span, ""),) if drop else ()
    return Problem("conflict", message, one.origin.span, labels=labels, help=help, edits=edits)


def taken_out(place: Span) -> tuple[Edit, ...]:
    """The change that takes an argument out, with the blank before it."""
    return (Edit(Span(place.source, place.start - 1, place.end), ""),)
