"""Layers of ours brought together with those of a dict, of which kinds, shapes, order and names are
known, but not how data flows through them.
"""

from __future__ import annotations

from collections.abc import Sequence

from .by_names import arranged, numbered
from .by_order import fits_in_order, in_order, keeps_an_order
from .flow import Flow
from .layer import Layer
from .pairing import Pairing
from .sides import Sides


def pair_dict(ours: Flow, theirs: Sequence[Layer], *, by_order: bool = False) -> Pairing:
    """Parts of ours, and theirs by number. `by_order` takes what cannot be told apart as it comes,
    whatever its names say."""
    sides = Sides(ours, theirs)
    found = in_order(sides, by_order)
    if keeps_an_order(sides) and fits_in_order(sides, found):
        if len(found.pairs) < len(sides.ours) and (other := arranged(sides)) is not None:
            _doubt_differences(found, other)
            _fill(found, other)
        return found
    named = arranged(sides) or numbered(sides)
    if by_order:
        _fill(named, found)
    return named


def _doubt_differences(found: Pairing, other: Pairing) -> None:
    for our, their in other.pairs.items():
        if found.pairs.get(our, their) != their:
            found.doubt([our], [their, found.pairs[our]])


def _fill(found: Pairing, other: Pairing) -> None:
    """Pairs for what has none, from another way to find them."""
    taken = found.taken
    for our, their in other.pairs.items():
        if our not in found.pairs and their not in taken:
            found.pair(our, their, other.evidence[our])
