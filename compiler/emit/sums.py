"""Sums in the place of their first part: `y += shortcut(x)`.

Where that may be done in some calls of a block and not in others, it is done in none, so that they
stay one class.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .body import Body, Key

_PART = re.compile(r"\.add_\((\{\d+\})\)")


def in_place(template: str) -> bool:
    return template.startswith("{0}.add_(")


def with_sums(bodies: Sequence[Body]) -> list[Body]:
    """The same, each sum written in one way."""
    ways: dict[Key, set[str]] = {}
    for body in bodies:
        for step in body.steps:
            if in_place(step.template) or " + " in step.template:
                ways.setdefault(step.key, set()).add(step.template)
    mixed = {key for key, found in ways.items() if len(found) > 1}
    if not mixed:
        return list(bodies)
    return [
        body._replace(
            steps=tuple(
                [
                    step._replace(template=_PART.sub(r" + \1", step.template))
                    if step.key in mixed
                    else step
                    for step in body.steps
                ]
            )
        )
        for body in bodies
    ]
