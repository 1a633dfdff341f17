"""Numbers with a unit: `every=5steps`, `patience=10epochs`. The parser knows no units; whether an
argument has this one is found by checking the text with the unit as a word of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ...dsl.diagnostics import Diagnostic, Edit
from ...dsl.source import Source
from ..language.units import number_and_unit, unit_of
from .trial import apply


def with_units(
    source: Source,
    diagnostics: Sequence[Diagnostic],
    diagnose: Callable[[str], list[Diagnostic]],
) -> list[Diagnostic]:
    """The diagnostics; those about a number with a unit say what its argument counts."""
    apart = {
        id(d): Edit(d.span, " ".join(parts))
        for d in diagnostics
        if d.code == "bad-number" and d.span and all(parts := number_and_unit(d.span.text))
    }
    if not apart:
        return list(diagnostics)
    places = {id(d): i for i, d in enumerate(diagnostics)}
    first: dict[int, Diagnostic] = {}
    for found in diagnose(apply(source.text, tuple(apart.values()))):
        if found.span is not None and found.severity == "error":
            first.setdefault(found.span.line, found)
    result = list(diagnostics)
    for diagnostic in diagnostics:
        edit = apart.get(id(diagnostic))
        if edit is None:
            continue
        number, unit = number_and_unit(edit.span.text)
        about = first.get(edit.span.line)
        if about is None:
            changed = replace(diagnostic, help=f"write `{edit.text}`", edits=(edit,))
        elif (about_unit := bool(about.span and about.span.text == unit)) or not diagnostic.edits:
            edits = tuple(Edit(edit.span, f"{number} {e.text}".rstrip()) for e in about.edits)
            changed = replace(
                about,
                span=edit.span,
                labels=(),
                edits=edits if about_unit else (),
                proposals=() if about_unit else ((edit,),),
            )
        elif about.code == "argument" and about.span and about.span.text.endswith(number):
            # Without its unit, the number is not a value of the argument either: `shift 4px`.
            help = f"it is not a number of {unit_of(unit)}"
            changed = replace(about, span=edit.span, labels=(), help=help, edits=())
        else:
            continue
        result[places[id(diagnostic)]] = changed
    return result
