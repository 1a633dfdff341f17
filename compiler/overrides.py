"""Values for a network's parameters from the command line: `width=1.5`, `depths=[3, 4, 6, 3]`."""

from __future__ import annotations

from ..dsl.diagnostics import has_errors
from ..dsl.parser import read
from ..dsl.source import Source
from ..dsl.syntax import Let
from .evaluate import Env, evaluate
from .problems import Problem, Quiet


class OverrideError(ValueError):
    """No `name=value`, or no value."""


def read_override(text: str) -> tuple[str, object]:
    """The name and the value, which is written as in a spec."""
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals or not name.isidentifier() or not value.strip():
        raise OverrideError(f"{text!r} is not name=value")
    # Read as what a spec would say, so that there is one grammar of values; one line of it, so
    # that nothing but a value can be smuggled in.
    source = Source("--set", f"let value = {value}")
    spec, diagnostics = read(source)
    statements = spec.statements
    only = statements[0] if len(statements) == 1 else None
    if has_errors(diagnostics) or not isinstance(only, Let):
        reason = diagnostics[0].message if diagnostics else "it is more than one value"
        raise OverrideError(f"{value!r} is no value: {reason}")
    try:
        return name, evaluate(only.value, Env())
    except Problem as problem:
        raise OverrideError(f"{value!r} is no value: {problem.diagnostic.message}") from None
    except Quiet:
        raise OverrideError(f"{value!r} is no value") from None
