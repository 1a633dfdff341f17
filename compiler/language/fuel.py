"""Fuel: the limit on the work of compiling a spec. A spec of a hundred characters can ask for any
amount of work: nested loops, blocks that call the next one twice, lists of lists. So every
statement, expression, list element and layer costs fuel, all from one account, whose size follows
from the largest number of layers that a network may have (`--max-layers`). One unit is about one or
two microseconds.
"""

from __future__ import annotations

from dataclasses import replace

from ...dsl.source import Span
from .problems import Problem

DEFAULT_LAYERS = 50_000

LAYER = 12
STATEMENT = 4
"""Also for each iteration of a loop."""
BLOCK = 8
"""A call of a block, in addition to its statement."""
NOT_TAKEN = 8
"""A statement in a branch of an `if`, which is counted for names, whether it is taken or not."""
MISTAKE = 200
"""A message, including the search for a similar word."""
_PER_LAYER = 32
"""The fuel for each layer that a network may have: for the layer, and the statements around it."""
_LEAST = 1000
"""Every account holds at least the fuel for this many layers: `--max-layers 5` still allows
expressions.
"""


class Fuel:
    """An account of work."""

    __slots__ = ("left", "max_layers", "total")

    def __init__(self, max_layers: int = DEFAULT_LAYERS) -> None:
        self.max_layers = max_layers
        self.total = _PER_LAYER * max(max_layers, _LEAST)
        self.left = self.total

    def spend(self, cost: int, span: Span) -> None:
        """Spends fuel; raises OutOfFuel if there is not enough."""
        self.left -= cost
        if self.left < 0:
            raise OutOfFuel(
                span,
                f"this spec takes more work to compile than {self.max_layers:,} layers, which"
                " is the limit",
                "most of the work is done here",
            )

    def layer(self, number: int, span: Span) -> None:
        """Spends the cost of a layer; `number` counts the layers of its network."""
        self.spend(LAYER, span)
        if number > self.max_layers:
            raise OutOfFuel(
                span,
                f"this spec has more than {self.max_layers:,} layers",
                "most of them are here",
            )

    def require(self, rounds: int, span: Span) -> None:
        """Refuses at once a loop that would exceed the fuel."""
        if rounds > self.max_layers:
            shown = f"{rounds:,}" if rounds < 10**15 else f"about {float(rounds):.0e}"
            message = f"{shown} rounds exceed the limit of {self.max_layers:,} layers"
            raise OutOfFuel(span, message, at_once=True)


LIMIT = "limit"
"""The code of the error for a spec that needs more work than the limit allows."""


class OutOfFuel(Problem):
    """A spec needs more work than the limit allows. While it propagates through the statements
    being executed, its place is moved to the innermost one that used half of the fuel.
    """

    def __init__(self, span: Span, message: str, label: str = "", at_once: bool = False) -> None:
        help = "repeat less, or raise the limit with `--max-layers`"
        super().__init__(LIMIT, message, span, label=label, help=help)
        self.at_once = at_once
        self.placed = at_once

    def move(self, span: Span) -> None:
        """Moves the error to the statement at `span`, which spent the fuel."""
        self.diagnostic = replace(self.diagnostic, span=span)
        self.placed = True
