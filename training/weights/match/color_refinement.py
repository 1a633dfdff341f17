"""Which parts of two flows stand in the same place: colour refinement (Weisfeiler and Lehman).

Parts begin with a colour for what they are. Then each gets a new one made of its own and of those
of what it is fed from, in the order of the flow, and of what it feeds, in the opposite order; and
again, until no colour divides any further. Parts of one colour cannot be told apart by anything
that lies before or behind them. Colours of several flows can be compared: same place, same number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

from .flow import COMMUTATIVE, Flow, Label, Part
from .layer import Layer
from .operations import telling

Colours = list[int]


def refine(
    flows: Sequence[Flow],
    begin: Sequence[Sequence[Hashable]],
    *,
    details: bool = False,
    ordered: bool = True,
) -> list[Colours]:
    """`details` looks at activations and pools on the links too, where all flows have as many of
    them; without `ordered`, paths of a concatenation may stand in any order."""
    names = _shared(flows) if details else frozenset[str]()
    palette: dict[Hashable, int] = {}
    found = [[palette.setdefault(label, len(palette)) for label in labels] for labels in begin]
    # A round that divides nothing ends it, so there are fewer rounds than parts.
    while True:
        palette = {}
        new = [
            _round(flow, colours, palette, names, ordered)
            for flow, colours in zip(flows, found, strict=True)
        ]
        if _classes(new) == _classes(found):
            return new
        found = new


def _shared(flows: Sequence[Flow]) -> frozenset[str]:
    """What operations on links are called, without what is not called the same in all of them."""
    counts = [
        Counter(
            name for part in flow.parts for link in part.inputs for name in telling(link.through)
        )
        for flow in flows
    ]
    return frozenset(
        name for name in counts[0] if all(each[name] == counts[0][name] for each in counts)
    )


def _classes(colours: Iterable[Colours]) -> int:
    return len({colour for each in colours for colour in each})


def _round(
    flow: Flow,
    colours: Colours,
    palette: dict[Hashable, int],
    names: frozenset[str],
    ordered: bool,
) -> Colours:
    def number(label: Hashable) -> int:
        return palette.setdefault(label, len(palette))

    def way(through: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in through if name in names)

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


def alike(flow: Flow, label: Label, *, details: bool, ordered: bool) -> list[list[Layer]]:
    """Groups of two layers or more that stand alike, so that any of theirs might belong to any; in
    the order of the flow."""
    (colours,) = refine(
        [flow], [[label(part) for part in flow.parts]], details=details, ordered=ordered
    )
    groups: dict[int, list[Layer]] = {}
    for layer, part in flow.places.items():
        groups.setdefault(colours[part], []).append(layer)
    return [group for group in groups.values() if len(group) > 1]
