"""Reads `--set`: parameters of the network, `width=1.5`, `depths=[3, 4, 6, 3]`; and directives of
sections, `train.epochs=3`, `train.optimizer.lr=0.1`, `train.optimizer="adam lr=0.1"`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from ...dsl.closest import closest
from ...dsl.diagnostics import has_errors
from ...dsl.parser import read
from ...dsl.source import Source
from ...dsl.syntax import Call, Let, Statement
from .evaluate import Env, evaluate
from .problems import Problem, Quiet
from .values import Word, switch_elsewhere
from .vocabulary import SECTIONS


class OverrideError(ValueError):
    """The text is not `name=value`, or its value is not valid."""


class SectionOverride(NamedTuple):
    """A directive or argument of a section, replaced from the command line."""

    section: str
    call: Call | None
    """The statement as a section would write it; None to leave the section out."""
    argument: str = ""
    """The argument to change; "" for the whole statement."""

    def __str__(self) -> str:
        """The value, as it was written."""
        if self.call is None:
            return "off"
        given = self.call.arguments
        return " ".join((a.value if self.argument else a).span.text for a in given)


def read_override(text: str, origin: str = "--set") -> tuple[str, object]:
    """Parses `name=value`; the value is written as in a spec. Errors say that it is in `origin`.

    For a directive or argument of a section, the value is a SectionOverride.
    """
    name, equals, value = text.partition("=")
    name = name.strip()
    section, *path = name.split(".")
    known = section in SECTIONS and (bool(path) or value.strip() == "off")
    valid = all(part.isidentifier() for part in path) if known else name.isidentifier()
    if not equals or not valid or not value.strip():
        raise OverrideError(_not_an_override(text, name, section, path, bool(equals)))
    if known:
        return name, _of_section(section, path, value.strip(), origin)
    only = _statement(f"let value = {value}", value, origin)
    assert isinstance(only, Let)
    try:
        result = evaluate(only.value, Env())
        switch = switch_elsewhere(result) if isinstance(result, Word) else ""
        if switch and result != "none":  # which may be a layer: nothing in its place
            raise OverrideError(f"{value!r} is not a value: write {name}={switch}")
        return name, result
    except Problem as problem:
        raise OverrideError(f"{value!r} is not a value: {problem.diagnostic.message}") from None
    except Quiet:
        raise OverrideError(f"{value!r} is not a value") from None


def _not_an_override(text: str, name: str, section: str, path: list[str], equals: bool) -> str:
    if not equals:
        return f"{text!r} is not name=value: write the name, `=`, and its value"
    if not path or section in SECTIONS:
        return f"{text!r} is not name=value, like width=1.5 or train.epochs=3"
    from ..plan.foreign_directives import sections_with

    inside = sections_with(section)
    if inside:
        meant = ".".join((inside[0], section, *path))
        return f"{section!r} of {name!r} is not a section: write `{meant}=…`"
    close = closest(section, SECTIONS)
    meant = ".".join((close, *path))
    return f"{section!r} of {name!r} is not a section" + (
        f"; did you mean `{meant}`?" if close else f"; sections are {', '.join(SECTIONS)}"
    )


def _of_section(section: str, path: list[str], value: str, origin: str) -> SectionOverride:
    if not path:
        return SectionOverride(section, None)
    word, *argument = path
    equals = f"{'.'.join(argument)}={value}" if argument else value
    call = _statement(f"{word} {equals}", value, origin)
    if not isinstance(call, Call) or call.head.value != word or call.label or call.body:
        raise OverrideError(f"{value!r} is not a value")
    if argument and [given.name for given in call.arguments] != [".".join(argument)]:
        raise OverrideError(f"{value!r} is more than one value")
    return SectionOverride(section, call, ".".join(argument))


_FURTHER = re.compile(r"(?:[,;]|(?<!\s)\s)\s*([A-Za-z_][\w.]*=[^\s,;]+)")
"""A second setting behind a value: `3,width=8`."""


def _statement(text: str, value: str, origin: str) -> Statement:
    """Parses the text as one statement of a spec, so that there is one grammar of values, and
    nothing but a value can be injected.
    """
    spec, diagnostics = read(Source(origin, text))
    further = _FURTHER.search(value)
    if further and (has_errors(diagnostics) or len(spec.statements) != 1):
        raise OverrideError(
            f"{value!r} is more than one value: write one `--set` for each: `--set {further[1]}`"
        )
    if has_errors(diagnostics) or len(spec.statements) != 1:
        reason = diagnostics[0].message if diagnostics else "it is more than one value"
        raise OverrideError(f"{value!r} is not a value: {reason}")
    return spec.statements[0]


def divide(
    overrides: Iterable[tuple[str, object]],
) -> tuple[dict[str, object], list[SectionOverride]]:
    """Splits overrides into those of network parameters and those of sections."""
    parameters: dict[str, object] = {}
    sections: list[SectionOverride] = []
    for name, value in overrides:
        if isinstance(value, SectionOverride):
            sections.append(value)
        else:
            parameters[name] = value
    return parameters, sections
