"""Collects diagnostics while a spec is executed: each once, with its chain of calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ...dsl.diagnostics import Diagnostic
from ...dsl.source import Span
from ..language.problems import MAX_MISTAKES, Problem
from ..network import Scope
from .blame import call_chain


class GiveUp(Exception):
    """Compilation cannot continue; the reason has been reported."""


class Reporter:
    def __init__(self, found: Iterable[Diagnostic]) -> None:
        self.diagnostics = list(found)
        self._told: set[tuple[str, Span | None]] = set()

    @property
    def has_errors(self) -> bool:
        return any(diagnostic.severity == "error" for diagnostic in self.diagnostics)

    def problem(self, problem: Problem, scope: Scope | None) -> None:
        self.report(problem.diagnostic, scope)

    def report(self, diagnostic: Diagnostic, scope: Scope | None = None) -> None:
        """Reports a problem, once for each place, however often the statement is executed."""
        key = (diagnostic.code, diagnostic.span)
        if key in self._told:
            return
        self._told.add(key)
        notes = (*diagnostic.notes, *call_chain(scope))
        diagnostic = replace(diagnostic, notes=notes)
        self.diagnostics.append(diagnostic)
        if len(self.diagnostics) >= MAX_MISTAKES:
            raise GiveUp
