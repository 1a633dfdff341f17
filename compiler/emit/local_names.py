"""Names inside a constructor: `hidden = 4 * width`, for what it would work out again and again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from .arguments import Parameter
from .branches import arms_in, places
from .constructor import Contents
from .frame import INDEX
from .frame import places as leaves_of
from .source import Names
from .symbolic import Applied, Code, Named, Operation, code_of, replaced

_OFTEN = 3
"""A width that stands in a class so many times gets a name."""


def with_widths(contents: Contents, leaving: Iterable[Any], taken: Names) -> Contents:
    """With names for widths that the class would work out again and again."""
    often: Counter[Code] = Counter()
    for place in places(contents.items):
        if place.step.key not in contents.made:
            continue
        frame, codes = contents.made[place.step.key]
        for leaf, code in zip(leaves_of(frame), codes, strict=True):
            if leaf.usual is ... and isinstance(code, Operation | Applied):
                often[code] += 1
    arms = list(arms_in(contents.items))
    for condition in {arm.condition for arm in arms if arm.condition is not None}:
        often.update(code for code in often if _holds(condition, code))
    going_out = {code_of(channels) for channels in leaving}
    names: dict[Code, Code] = {}
    local = list(contents.local)
    for code, count in often.items():
        if count >= _OFTEN and INDEX not in code.names():
            wanted = "out_channels" if code in going_out else "hidden"
            if code not in going_out and isinstance(code, Operation) and str(code).endswith("// 2"):
                wanted = "half"
            name = taken.free(wanted)
            names[code] = Named(name)
            local.append((name, code))
    if not names:
        return contents
    made = {
        key: (frame, [replaced(code, names) for code in codes])
        for key, (frame, codes) in contents.made.items()
    }
    for arm in arms:
        if arm.condition is not None:
            arm.condition = replaced(arm.condition, names)
    return contents._replace(made=made, local=local)


def without_unused(
    contents: Contents, parameters: Sequence[Parameter]
) -> tuple[Contents, list[Parameter]]:
    """Without the `let`s and arguments that nothing refers to; arguments with defaults last."""
    used: set[str] = set()
    for _, codes in contents.made.values():
        for code in codes:
            used |= code.names()
    for arm in arms_in(contents.items):
        used |= arm.condition.names() if arm.condition is not None else set()
    local: list[tuple[str, Code]] = []
    for name, code in reversed(contents.local):
        if name in used:
            used |= code.names()
            local.insert(0, (name, code))
    kept = [p for p in parameters if p.name in used]
    kept.sort(key=lambda p: (p.default is not ..., p.usual is not ...))
    return contents._replace(local=local), kept


def _holds(code: Code, part: Code) -> bool:
    return code == part or any(_holds(each, part) for each in code.parts())
