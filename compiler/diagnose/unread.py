"""Diagnostics of a text with syntax errors: foreign code, fixes, and errors in the rest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ...dsl.diagnostics import Diagnostic, Edit, SpecError, in_order
from ...dsl.parser import read
from ...dsl.program import load_program
from ...dsl.source import Source, Span
from .check import check, mistakes
from .foreign_code import sets_directive, translations
from .foreign_code.translation import Translation
from .glued_units import with_units
from .rest import errors_in_the_rest
from .trial import MAX_CHARACTERS, MAX_TRIALS, apply, tried

_ROUNDS = 4
"""How often syntax errors may hide further ones."""


def advised(
    source: Source, diagnostics: Sequence[Diagnostic], rounds: int = _ROUNDS
) -> list[Diagnostic]:
    """All diagnostics of a text that could not be parsed."""
    if len(source.text) > MAX_CHARACTERS:
        return [replace(d, edits=()) for d in diagnostics]
    own = [d for d in diagnostics if d.span is not None and d.span.source is source]
    others = [d for d in diagnostics if d.span is None or d.span.source is not source]
    of_parameters = [d for d in own if d.code == "parameter"]  # `network N(width: 16)`
    foreign = [
        translation
        for translation in translations(source.text, [d.span.start for d in own if d.span])
        if not any(_is_within(d, [translation]) for d in of_parameters)
        if not _SETTING.match(source.text, translation.start)
        or not any(_is_within(d, [translation]) and _gives_a_name(d, source) for d in own)
    ]
    own = [d for d in own if not _is_within(d, foreign)]
    own += [_about(translation, source) for translation in foreign]
    own = with_units(source, in_order(own), lambda text: _diagnose(source, text))
    found = tried(source, own, lambda text: _diagnose(source, text))
    read_again = [_read_again(d, len(others) <= MAX_TRIALS) for d in others]

    def read_on(changed: Source, further: Sequence[Diagnostic]) -> list[Diagnostic]:
        return advised(changed, further, rounds - 1) if rounds else []

    return in_order([*read_again, *found, *errors_in_the_rest(source, found, check, read_on)])


def _read_again(diagnostic: Diagnostic, may_try: bool) -> Diagnostic:
    """An error in an imported file: its fix is only required to parse."""
    span = diagnostic.span
    if span is None or not diagnostic.edits:
        return diagnostic
    text = span.source.text
    if may_try and len(text) <= MAX_CHARACTERS:
        _, left = read(Source(span.source.name, apply(text, diagnostic.edits)))
        told = (diagnostic.code, diagnostic.message)
        if told not in [(d.code, d.message) for d in left]:
            return diagnostic
    return replace(diagnostic, edits=())


_PLAIN = re.compile(
    r"[^\S\n]*(?:(?::=?|=)[^\S\n]*)?(?:[-0-9\[(\".]|(?:on|off|True|False|true|false)\b)"
)
"""The sign and the start of a value that consists of no layers."""


_SETTING = re.compile(r"(?:let[ \t]+)?\w+[ \t]*:?[=:]")
_OF_ARGUMENTS = ("comma-in-arguments", "stray-colon")
"""`conv 64 3x3, stride=2` and `conv 64 3x3 stride:2`."""


def _line_of(place: Span) -> str:
    text = place.source.text
    end = text.find("\n", place.start)
    return text[text.rfind("\n", 0, place.start) + 1 : end if end >= 0 else None]


def _gives_a_name(diagnostic: Diagnostic, source: Source) -> bool:
    """Whether a line gives a value a name that is used further down: `width = 64`; or a layer an
    argument. It looks like a setting of another tool only because the tool has one of that name.
    """
    place = diagnostic.span
    of_argument = diagnostic.code in _OF_ARGUMENTS and bool(diagnostic.edits)
    of_argument = of_argument and not (place and sets_directive(source.text, place.start))
    if diagnostic.code == "let" or (of_argument and place and _line_of(place).count(":") < 2):
        return True
    assert diagnostic.span is not None
    is_let = diagnostic.code == "assignment" and diagnostic.help.startswith("write `let ")
    return is_let and bool(_PLAIN.match(source.text, diagnostic.span.end))


def _is_within(diagnostic: Diagnostic, foreign: Sequence[Translation]) -> bool:
    assert diagnostic.span is not None
    return any(one.start <= diagnostic.span.start < one.end for one in foreign)


def _about(translation: Translation, source: Source) -> Diagnostic:
    """One error for a piece of foreign code, however many the parser reported in it."""
    start, end, message, written, advice = translation
    line_end = source.text.find("\n", start, end)
    place = Span(source, start, line_end if line_end >= 0 else end)
    if written is None:
        return Diagnostic("foreign-code", message, place, help=advice)
    help = f"write `{written}`" if written else advice
    notes = (advice,) if written and advice else ()
    edits = (Edit(Span(source, start, end), written),)
    head = written.rpartition(": ")[2].split(" ")[0]
    words = re.search(r"[A-Za-z]", re.sub(r"\b\w+=", "", written[len(head) :]))
    shown = f"{head} …" if words and head != written else written
    otherwise = f"in a spec it is written `{shown}`" if head else advice
    return Diagnostic(
        "foreign-code", message, place,
        notes=notes, help=help, edits=edits, otherwise=otherwise,
    )  # fmt: skip


def _diagnose(source: Source, text: str) -> list[Diagnostic]:
    """The mistakes of a changed text; behind syntax errors those of the rest, too, so that a fix is
    not taken to hold because another line cannot be read."""
    changed = Source(source.name, text, source.path)
    try:
        return mistakes(load_program(changed))
    except SpecError as error:
        found = list(error.diagnostics)
        return [*found, *errors_in_the_rest(changed, found, mistakes)]
