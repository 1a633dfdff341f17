"""Finds corresponding parts of two graphs by color refinement (Weisfeiler-Lehman).

The initial color of a part is its label. In each round, it gets a new color from its own, those of
its inputs (in the order of the flow) and those of the parts that use it (in reverse order), until
the number of colors stays the same. Then nothing before or after two parts of one color tells them
apart. Colors of several flows can be compared: parts in the same place have the same number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

from .flow import COMMUTATIVE, Flow, Label, Part
from .layer import Layer
from .operations import comparable

Colors = list[int]


def refine(
    flows: Sequence[Flow],
    begin: Sequence[Sequence[Hashable]],
    *,
    details: bool = False,
    ordered: bool = True,
) -> list[Colors]:
    """The colors of each flow. `details` also compares activations and pools on the links, if all
    flows have the same number of them. Without `ordered`, the paths of a concatenation may be in
    any order."""
    names = _shared(flows) if details else frozenset[str]()
    palette: dict[Hashable, int] = {}
    colors_of = [[palette.setdefault(label, len(palette)) for label in labels] for labels in begin]
    # It ends with a round that splits no color, so there are fewer rounds than parts.
    while True:
        palette = {}
        new = [
            _round(flow, colors, palette, names, ordered)
            for flow, colors in zip(flows, colors_of, strict=True)
        ]
        if _classes(new) == _classes(colors_of):
            return new
        colors_of = new


def _shared(flows: Sequence[Flow]) -> frozenset[str]:
    """Names of operations on links that occur equally often in all flows."""
    counts = [
        Counter(
            name for part in flow.parts for link in part.inputs for name in comparable(link.through)
        )
        for flow in flows
    ]
    return frozenset(
        name for name in counts[0] if all(each[name] == counts[0][name] for each in counts)
    )


def _classes(colors: Iterable[Colors]) -> int:
    return len({color for each in colors for color in each})


def _round(
    flow: Flow,
    colors: Colors,
    palette: dict[Hashable, int],
    names: frozenset[str],
    ordered: bool,
) -> Colors:
    def number(label: Hashable) -> int:
        return palette.setdefault(label, len(palette))

    def way(through: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in through if name in names)

    before: Colors = []
    for part, color in zip(flow.parts, colors, strict=True):
        sources = [(before[link.part], way(link.through)) for link in part.inputs]
        if not fixed_order(part, ordered):
            sources.sort()
        before.append(number(("before", color, tuple(sources))))
    behind: Colors = [0] * len(colors)
    for index in range(len(colors) - 1, -1, -1):
        uses = sorted(
            (
                behind[use.by],
                use.slot if fixed_order(flow.parts[use.by], ordered) else 0,
                way(use.through),
            )
            for use in flow.uses[index]
        )
        behind[index] = number(("behind", colors[index], tuple(uses)))
    return [number(("both", *pair)) for pair in zip(before, behind, strict=True)]


def fixed_order(part: Part, ordered: bool) -> bool:
    """Whether the order of a part's inputs matters."""
    return part.what not in COMMUTATIVE and (ordered or part.what != "concat")


def same(colors: Sequence[Colors]) -> bool:
    """Whether every color occurs equally often in all flows."""
    counted = [Counter(each) for each in colors]
    return all(each == counted[0] for each in counted)


def interchangeable(flow: Flow, label: Label, *, details: bool, ordered: bool) -> list[list[Layer]]:
    """Groups of at least two interchangeable layers, in the order of the flow."""
    (colors,) = refine(
        [flow], [[label(part) for part in flow.parts]], details=details, ordered=ordered
    )
    groups: dict[int, list[Layer]] = {}
    for layer, part in flow.places.items():
        groups.setdefault(colors[part], []).append(layer)
    return [group for group in groups.values() if len(group) > 1]
