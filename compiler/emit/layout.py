"""Lines of Python, wrapped as `ruff format` would wrap them."""

from __future__ import annotations

from typing import NamedTuple

WIDTH = 88
"""The default line length of ruff and black."""

STEP = "    "

OPERATORS = ((" + ", " - "), (" * ", " // ", " / ", " % "))
"""Those at which a long expression is divided, the weakest first."""


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


def listed(text: str) -> Doc:
    """A list, or a comprehension, by its items; any other text as it is."""
    if not (text.startswith("[") and text.endswith("]")):
        return text
    items, depth, start = [], 0, 1
    is_loop = False
    for at, sign in enumerate(text[:-1]):
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 1 and text.startswith(" for ", at) and not is_loop:
            items.append(text[start:at])
            start, is_loop = at + 1, True
        elif depth == 1 and sign == "," and not is_loop:
            items.append(text[start:at])
            start = at + 2
    return Group("[", (*items, text[start:-1]), "]", commas=not is_loop)


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
        if isinstance(item, str) and len(STEP * indent + item + after) > WIDTH:
            # The formatter ends the only argument of a call with a comma unless it is such a sum.
            alone = len(group.items) == 1 and not is_list
            lines += _operands(item, indent, "" if alone and "=" not in item else after)
        else:
            lines += statement(item, indent, after=after)
    return lines


def _operands(text: str, indent: int, after: str) -> list[str]:
    """The lines of an expression inside brackets, divided at its weakest operators."""
    lines: list[str] = []
    start = 0
    for operators in () if " if " in text else OPERATORS:
        depth = start = 0
        for at, sign in enumerate(text):
            depth += (sign in "([{") - (sign in ")]}")
            if not depth and text.startswith(operators, at):
                lines.append(text[start:at])
                start = at + 1
        if lines:
            break
    margin = STEP * indent
    return [*(margin + line for line in lines), f"{margin}{text[start:]}{after}"]
