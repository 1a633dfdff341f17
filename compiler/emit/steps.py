"""The steps of `forward`: layers, calls of other classes, loops, with what they read and give."""

from __future__ import annotations

from typing import NamedTuple

from ..network import Node, Scope
from ..shapes import Shape

Ref = tuple[int, int]
"""A value in a body: the step that computes it (negative: an input), and the output's number."""

Key = tuple[object, ...]
"""The statement of the spec that a step comes from: the same in all calls of a block."""


class Carry(NamedTuple):
    """How the rounds of a loop pass several values on: `x, before = cell(x, before), x`."""

    names: tuple[str, ...]
    """The label of each value that is passed on; empty for what arrives."""
    reads: tuple[int, ...]
    """The values that a round reads, in the order of its arguments."""
    next: tuple[tuple[bool, int], ...]
    """What each value is in the next round: an output of this round, or another value."""
    outputs: int
    """The number of outputs of a round."""
    ends: tuple[int, ...]
    """The values that are outputs of the loop."""
    zipped: tuple[int, ...] = ()
    """The values that are lists of maps, of which each round reads its own item."""


class Step(NamedTuple):
    """One step of `forward`: a layer, or a call of another class."""

    key: Key
    item: Node | Scope
    name: str
    """The attribute that holds its module; empty if it has no module."""
    template: str
    """The text of the call, as in TorchText.call, with names for its numbers."""
    operands: tuple[Ref, ...]
    outputs: int
    shapes: tuple[Shape, ...] = ()
    """The shapes of the outputs."""
    zero: str = ""
    """The weight that is initialized to zero: of the last norm of a residual body."""
    carry: Carry | None = None
    """For a loop whose rounds pass several values on."""
    numbers: tuple[str, ...] = ()
    """The names of the numbers in the call."""
    lists: tuple[int, ...] = ()
    """Which of its outputs are lists of maps."""


SELF = "self"
"""In place of the name of a module: a class that is a list of modules itself."""


def in_place(template: str) -> bool:
    """Whether it is a sum in place: `y += shortcut(x)`."""
    return template.startswith("{0}.add_(")
