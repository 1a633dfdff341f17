"""Makes a network of a program: the last step of every reader that knows tensors only. First
functions that are written out become one call (patterns.py). Then call by call: what only arranges
numbers anew is noted as a view (views.py), everything else becomes a layer, where it can be one.
"""

from __future__ import annotations

from ..graph import Graph
from . import attention, convolve, elements, layout, norms, pools  # noqa: F401 - they register
from .composer import Composer
from .patterns import composed
from .program import Program


def graph_of(program: Program) -> Graph:
    """The network of a program; raises SpecError where it has mistakes. What the language cannot
    say is in `Graph.unsaid`."""
    composed(program)
    return Composer(program).graph()
