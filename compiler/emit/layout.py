"""Lines of Python, wrapped as `ruff format` would wrap them."""

from __future__ import annotations

from typing import NamedTuple

WIDTH = 88
"""The default line length of ruff and black."""

STEP = "    "


class Group(NamedTuple):
    """Something in brackets: a call, a list, a comprehension."""

    before: str
    """The text up to the opening bracket, including it."""
    items: tuple[Doc, ...]
    after: str
    """The closing bracket and what follows it."""
    commas: bool = True
    """Whether items are separated by commas; the parts of a comprehension are not."""

    def __str__(self) -> str:
        between = ", " if self.commas else " "
        return f"{self.before}{between.join(map(str, self.items))}{self.after}"


Doc = str | Group


def statement(doc: Doc, indent: int, before: str = "", after: str = "") -> list[str]:
    """The lines of a statement: one if it fits, else the contents of its brackets are indented."""
    margin = STEP * indent
    line = f"{margin}{before}{doc}{after}"
    if len(line) <= WIDTH or isinstance(doc, str) or not doc.items:
        return [line]
    inside = _inside(doc, indent + 1)
    return [f"{margin}{before}{doc.before}", *inside, f"{margin}{doc.after}{after}"]


def _inside(group: Group, indent: int) -> list[str]:
    between = ", " if group.commas else " "
    line = STEP * indent + between.join(map(str, group.items))
    is_list = group.commas and group.before.endswith(
        "["
    )  # the formatter never puts their items on one line
    if len(line) <= WIDTH and not is_list:
        return [line]
    after = "," if group.commas else ""
    lines = []
    for item in group.items:
        lines += statement(item, indent, after=after)
    return lines
