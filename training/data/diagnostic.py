"""Errors about data, shown at the line of the spec that names the data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

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
    return f"{count:,} {one if count == 1 else many or plural_noun(one)}"


def in_nouns(text: str, noun: str) -> str:
    """A text about images, of what they are called; pixels are steps of a series, and voxels of a
    scan. Names in backticks stay as they are."""
    if noun == "image":
        return text
    parts = re.split(r"(`[^`]*`)", text)
    for place in range(0, len(parts), 2):
        parts[place] = _IMAGES.sub(plural_noun(noun), parts[place])
        parts[place] = _IMAGE.sub(lambda match: f"a {noun}" if match[1] else noun, parts[place])
        parts[place] = _PIXEL.sub(point_of(noun), parts[place])
    return "".join(parts)


# Not in paths.
_IMAGES = re.compile(r"(?<![\w/.\\-])images(?![\w/\\-]|\.\w)")
_IMAGE = re.compile(r"(?<![\w/.\\-])(an )?image(?![\w/\\-]|\.\w)")
_PIXEL = re.compile(r"(?<![\w/.\\-])pixel(?=s?(?![\w/\\-]|\.\w))")


def point_of(noun: str) -> str:
    """What one of the positions is called that a sample has numbers at."""
    return {"image": "pixel", "series": "step"}.get(noun, "voxel")


@contextmanager
def said_of(noun: str) -> Iterator[None]:
    """A context whose errors call images what they are."""
    try:
        yield
    except SpecError as error:
        raise SpecError([
            replace(
                each,
                message=in_nouns(each.message, noun),
                notes=tuple(in_nouns(note, noun) for note in each.notes),
                help=in_nouns(each.help, noun),
            )
            for each in error.diagnostics
        ]) from None  # fmt: skip


def plural_noun(noun: str) -> str:
    """What several are called: `images`, `series`."""
    return noun if noun.endswith("s") else f"{noun}s"
