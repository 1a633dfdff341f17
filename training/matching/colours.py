"""Which parts of two flows stand in the same place: colour refinement (Weisfeiler and Lehman).

Parts begin with a colour for what they are. Then each gets a new one made of its own and of those
of what it is fed from, in the order of the flow, and of what it feeds, in the opposite order; and
again, until no colour divides any further. Parts of one colour cannot be told apart by anything
that lies before or behind them. Colours of several flows can be compared: same place, same number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

from .flow import COMMUTATIVE, Flow, Part
from .operations import telling

Colours = list[int]


def refine(
    flows: Sequence[Flow],
    begin: Sequence[Sequence[Hashable]],
    *,
    details: bool = False,
    ordered: bool = True,
) -> list[Colours]:
    """`details` looks at activations and pools on the links too; without `ordered`, paths of a
    concatenation may stand in any order."""
    palette: dict[Hashable, int] = {}
    found = [[palette.setdefault(label, len(palette)) for label in labels] for labels in begin]
    # A round that divides nothing ends it, so there are fewer rounds than parts.
    while True:
        palette = {}
        new = [
            _round(flow, colours, palette, details, ordered)
            for flow, colours in zip(flows, found, strict=True)
        ]
        if _classes(new) == _classes(found):
            return new
        found = new


def _classes(colours: Iterable[Colours]) -> int:
    return len({colour for each in colours for colour in each})


def _round(
    flow: Flow, colours: Colours, palette: dict[Hashable, int], details: bool, ordered: bool
) -> Colours:
    def number(label: Hashable) -> int:
        return palette.setdefault(label, len(palette))

    def way(through: tuple[str, ...]) -> tuple[str, ...]:
        return telling(through) if details else ()

    before: Colours = []
    for part, colour in zip(flow.parts, colours, strict=True):
        sources = [(before[link.part], way(link.through)) for link in part.inputs]
        if not fixed_order(part, ordered):
            sources.sort()
        before.append(number(("before", colour, tuple(sources))))
    behind: Colours = [0] * len(colours)
    for index in range(len(colours) - 1, -1, -1):
        uses = sorted(
            (
                behind[taken.by],
                taken.slot if fixed_order(flow.parts[taken.by], ordered) else 0,
                way(taken.through),
            )
            for taken in flow.taken[index]
        )
        behind[index] = number(("behind", colours[index], tuple(uses)))
    return [number(("both", *pair)) for pair in zip(before, behind, strict=True)]


def fixed_order(part: Part, ordered: bool) -> bool:
    """Whether it matters in which order a part takes its inputs."""
    return part.what not in COMMUTATIVE and (ordered or part.what != "concat")


def same(colours: Sequence[Colours]) -> bool:
    """Whether there are as many of each in all of them."""
    counted = [Counter(each) for each in colours]
    return all(each == counted[0] for each in counted)
