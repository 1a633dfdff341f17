"""Finds the layers of a file in an order of computation, whichever of several paths came first.

Code usually defines layers in an order in which they can be computed: no layer before one whose
output it needs. Each such order that has the shapes of the file is found, layer by layer; a layer
of the file that is the same layer of the network in all of them is certain, as far as the order of
the file can be trusted.
"""

from __future__ import annotations

from collections.abc import Set

from .layer import Layer
from .ready import bits, needs
from .sides import Candidates, Sides, Sign

_MOST_STATES = 300
"""The most sets of computed layers to keep after each layer; more are given up."""

_State = int
"""The layers that are computed, as bits."""


def possible(sides: Sides) -> Candidates | None:
    """For each layer of the source about which the order of the file says something, the layers of
    the target that it can be; None if the file is in no order of computation, or in too many."""
    if sides.target_count != sides.source_count:
        return None
    found = _possible(sides, {sides.sign[layer] for layer in sides.own})
    if found is None and len(sides.bare) > len(sides.own):
        anywhere = {sides.sign[layer] for layer in sides.bare}
        found = _possible(sides, anywhere)
        if found is not None:
            found.update(_in_a_row(sides, anywhere))
    return found


def _in_a_row(sides: Sides, anywhere: Set[Sign]) -> Candidates:
    """What modules hold themselves comes before their layers, but among themselves these tensors
    are in order, where each of one shape is computed from the one before."""
    found: Candidates = {}
    bare = {*sides.bare}
    for sign in anywhere:
        targets = [layer for layer in sides.targets if sides.sign[layer] == sign]
        sources = [layer for layer in sides.sources if sides.sign[layer] == sign]
        needed = needs(sides.flow, targets)
        in_a_row = all(needed[layer] >> at & 1 for at, layer in enumerate(targets[1:]))
        if in_a_row and all(source in bare for source in sources):
            found |= {source: {target} for source, target in zip(sources, targets, strict=True)}
    return found


def _possible(sides: Sides, anywhere: Set[Sign]) -> Candidates | None:
    """Without layers that look like those of `anywhere`."""
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
    candidates: Candidates = {}
    alive = set(states)
    for source, step in zip(reversed(sources), reversed(steps), strict=True):
        ways = [way for state in alive for way in step[state]]
        candidates[source] = {target for _, target in ways}
        alive = {state for state, _ in ways}
    return candidates
