"""Finds the layers of a file in an order of computation, whichever of several paths came first.

Code usually defines layers in an order in which they can be computed: no layer before one whose
output it needs. Each such order that has the shapes of the file is found, layer by layer; a layer
of the file that is the same layer of the network in all of them is certain, as far as the order of
the file can be trusted.
"""

from __future__ import annotations

from .layer import Layer
from .ready import bits, needs
from .sides import Sides

_MOST_STATES = 300
"""The most sets of computed layers to keep after each layer; more are given up."""

_State = int
"""The layers that are computed, as bits."""


def possible(sides: Sides) -> dict[Layer, set[Layer]] | None:
    """For each layer of the source about which the order of the file says something, the layers of
    the target that it can be; None if the file is in no order of computation, or in too many."""
    if sides.target_count != sides.source_count:
        return None
    anywhere = {sides.sign[layer] for layer in sides.own}
    targets = [layer for layer in sides.targets if sides.sign[layer] not in anywhere]
    sources = [layer for layer in sides.sources if sides.sign[layer] not in anywhere]
    bit = bits(targets)
    needed = needs(sides.flow, targets)
    steps: list[dict[_State, list[tuple[_State, Layer]]]] = []
    states: list[_State] = [0]
    for source in sources:
        alike = [layer for layer in targets if sides.sign[layer] == sides.sign[source]]
        step: dict[_State, list[tuple[_State, Layer]]] = {}
        for state in states:
            for target in alike:
                if not state & bit[target] and needed[target] & ~state == 0:
                    step.setdefault(state | bit[target], []).append((state, target))
        if not step or len(step) > _MOST_STATES:
            return None
        steps.append(step)
        states = list(step)
    candidates: dict[Layer, set[Layer]] = {}
    alive = set(states)
    for source, step in zip(reversed(sources), reversed(steps), strict=True):
        ways = [way for state in alive for way in step[state]]
        candidates[source] = {target for _, target in ways}
        alive = {state for state, _ in ways}
    return candidates
