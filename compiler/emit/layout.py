"""Lines of Python, broken where `ruff format` would break them."""

from __future__ import annotations

from typing import NamedTuple

WIDTH = 88
"""What ruff and black allow a line unless they are told otherwise."""

STEP = "    "


class Group(NamedTuple):
    """Something in brackets: a call, a list, a comprehension."""

    before: str
    """Up to the opening bracket, with it."""
    items: tuple[Doc, ...]
    after: str
    """The closing bracket, and what follows it."""
    commas: bool = True
    """Whether items are separated by commas; the parts of a comprehension are not."""

    def __str__(self) -> str:
        between = ", " if self.commas else " "
        return f"{self.before}{between.join(map(str, self.items))}{self.after}"


Doc = str | Group


def statement(doc: Doc, indent: int, before: str = "", after: str = "") -> list[str]:
    """The lines of a statement: on one if it fits, else what is in its brackets is indented."""
    margin = STEP * indent
    line = f"{margin}{before}{doc}{after}"
    if len(line) <= WIDTH or isinstance(doc, str) or not doc.items:
        return [line]
    inside = _inside(doc, indent + 1)
    return [f"{margin}{before}{doc.before}", *inside, f"{margin}{doc.after}{after}"]


def _inside(group: Group, indent: int) -> list[str]:
    between = ", " if group.commas else " "
    line = STEP * indent + between.join(map(str, group.items))
    is_list = group.commas and group.before.endswith("[")  # those are never on one line inside
    if len(line) <= WIDTH and not is_list:
        return [line]
    after = "," if group.commas else ""
    lines = []
    for item in group.items:
        lines += statement(item, indent, after=after)
    return lines
