"""Errors about data, shown at the line of the spec that names the data."""

from __future__ import annotations

from ...compiler.plan.directive import Directive
from ...dsl.diagnostics import Diagnostic, Label, SpecError


def problem(
    code: str,
    message: str,
    at: Directive | None,
    *,
    argument: str = "path",
    labels: tuple[Label, ...] = (),
    notes: tuple[str, ...] = (),
    help: str = "",
    file: str = "",
) -> SpecError:
    """An error in the data that `argument` of a directive names."""
    span = at.place(argument) if at else None
    return SpecError(
        [Diagnostic(code, message, span, labels=labels, notes=notes, help=help, file=file)]
    )


def listed(items: list[str], most: int = 5) -> str:
    """Items as text: `a, b and 3 more`."""
    if len(items) <= most:
        return ", ".join(items[:-1]) + " and " + items[-1] if len(items) > 1 else "".join(items)
    return ", ".join(items[:most]) + f" and {len(items) - most:,} more"


def counted(count: int, one: str, many: str = "") -> str:
    """A count with its noun: `1 file`, `1,200 files`."""
    return f"{count:,} {one if count == 1 else many or plural(one)}"


def plural(noun: str) -> str:
    """What several are called: `images`, `series`."""
    return noun if noun.endswith("s") else f"{noun}s"
