"""The limit on the work of compiling a spec: fuel, which everything that is carried out uses up.

A spec of a hundred characters can ask for any amount of work: loops in loops, blocks that call the
next one twice, lists of lists. So every statement, every expression, every element of a list and
every layer costs fuel, all from one account, whose size follows from the most layers that a network
may have (`--max-layers`). A unit is about a microsecond or two.
"""

from __future__ import annotations

from dataclasses import replace

from ...dsl.source import Span
from .problems import Problem

DEFAULT_LAYERS = 50_000

LAYER = 12
STATEMENT = 4
"""Also a round of a loop."""
BLOCK = 8
"""A call of a block, beside the statement that it is."""
NOT_TAKEN = 8
"""A statement in an arm of an `if`, which is counted for names, whether it is taken or not."""
MISTAKE = 200
"""A message, with a look for what may have been meant."""
_PER_LAYER = 32
"""What an account holds for each layer that a network may have: the layer, and what leads to it."""
_LEAST = 1000
"""An account is filled as for this many layers at least: `--max-layers 5` allows expressions."""


class Fuel:
    """An account of work."""

    __slots__ = ("left", "max_layers", "total")

    def __init__(self, max_layers: int = DEFAULT_LAYERS) -> None:
        self.max_layers = max_layers
        self.total = _PER_LAYER * max(max_layers, _LEAST)
        self.left = self.total

    def spend(self, cost: int, span: Span) -> None:
        """Takes from the account; OutOfFuel where it does not hold as much."""
        self.left -= cost
        if self.left < 0:
            raise OutOfFuel(
                span,
                f"this spec takes more work to compile than {self.max_layers:,} layers, which"
                " is the limit",
                "most of the work is done here",
            )

    def layer(self, number: int, span: Span) -> None:
        """Takes what a layer costs, which is the first, second, … of its network."""
        self.spend(LAYER, span)
        if number > self.max_layers:
            raise OutOfFuel(
                span,
                f"this spec has more than {self.max_layers:,} layers",
                "most of them are here",
            )

    def require(self, rounds: int, span: Span) -> None:
        """Refuses at once a loop that the account cannot pay for."""
        if rounds > self.max_layers:
            shown = f"{rounds:,}" if rounds < 10**15 else f"about {float(rounds):.0e}"
            message = f"{shown} rounds exceed the limit of {self.max_layers:,} layers"
            raise OutOfFuel(span, message, at_once=True)


class OutOfFuel(Problem):
    """A spec asks for more work than its limit allows.

    On its way out through the statements that are being carried out, it is moved to the innermost
    one that used up half of the account.
    """

    def __init__(self, span: Span, message: str, label: str = "", at_once: bool = False) -> None:
        help = "repeat less, or raise the limit with `--max-layers`"
        super().__init__("limit", message, span, label=label, help=help)
        self.at_once = at_once
        self.placed = at_once

    def move(self, span: Span) -> None:
        """Says that the statement at `span` spent the fuel."""
        self.diagnostic = replace(self.diagnostic, span=span)
        self.placed = True
