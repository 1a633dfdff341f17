"""Errors of `transfer`, shown at the line of the spec that causes them."""

from __future__ import annotations

from dataclasses import replace

from ...compiler.plan.directive import Directive
from ...dsl.diagnostics import SpecError


def placed(error: SpecError, directive: Directive) -> SpecError:
    """The error with the place of a directive, for diagnostics that have no place of their own."""
    return SpecError([replace(one, span=one.span or directive.span) for one in error.diagnostics])
