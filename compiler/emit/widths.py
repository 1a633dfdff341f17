"""Names for widths that a class would work out again and again: `hidden = expand * in_channels`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from ..network import Node
from .body import Body
from .frame import INDEX, UNKNOWN, VALUE, Value, places, same
from .solve import Solution
from .source import Names
from .unite import Union

_OFTEN = 3
"""What stands in a class so many times gets a name."""


def leaving(bodies: Sequence[Body]) -> tuple[int, ...]:
    """The channels, or features, of what leaves each body first."""
    found = []
    for body in bodies:
        step, output = body.outputs[0]
        shape = body.inputs[-1 - step].shape if step < 0 else body.steps[step].shapes[output]
        found.append(shape[0])
    return tuple(found)


def name_widths(solution: Solution, union: Union, taken: Sequence[str]) -> Solution:
    """The same, with local names for sums and products that are widths of several layers."""
    used = Counter(text for texts in solution.texts for text in texts)
    for condition in dict.fromkeys(solution.conditions):
        used.update(text for text in used if _mentions(condition, text))
    names = Names([*taken, INDEX, VALUE, *(p.name for p in solution.parameters)])
    out = leaving(union.bodies)
    local: dict[str, str] = {}
    for text, values in _widths(solution, union):
        if text not in local and used[text] >= _OFTEN:
            local[text] = names.free(_name(text, values, out))
    texts = tuple(tuple(local.get(text, text) for text in each) for each in solution.texts)
    conditions = tuple(_with_names(condition, local) for condition in solution.conditions)
    return solution._replace(
        texts=texts,
        conditions=conditions,
        local=tuple((name, text) for text, name in local.items()),
    )


def _widths(solution: Solution, union: Union) -> Iterator[tuple[str, tuple[Value, ...]]]:
    """What is worked out for layers, and no option of theirs, with its value in each body."""
    for place, texts in zip(union.places, solution.texts, strict=True):
        if not isinstance(place.step.item, Node) or place.step.frame is None:
            continue
        for number, (leaf, text) in enumerate(zip(places(place.step.frame), texts, strict=True)):
            if leaf.usual is ... and not leaf.name and re.search(r"\w .+ \w|\(", text):
                yield text, tuple(own[number] for own in place.leaves)


def _name(text: str, values: Sequence[Value], out: Sequence[int]) -> str:
    if all(a is UNKNOWN or same(a, b) for a, b in zip(values, out, strict=True)):
        return "out_channels"
    return "half" if re.fullmatch(r"\w+ // 2", text) else "hidden"


def _mentions(condition: str, text: str) -> bool:
    return bool(condition) and _with_names(condition, {text: ""}) != condition


def _with_names(condition: str, local: dict[str, str]) -> str:
    for text, name in local.items():
        condition = re.sub(rf"(?<=[=<>] ){re.escape(text)}(?= and | or |$)", name, condition)
    return condition
