"""Lists of diagnostics: their order, and SpecError, the exception that carries them. `render` turns
them into text, JSON or SARIF.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .diagnostic import Diagnostic, Edit, Label, Severity

__all__ = ["Diagnostic", "Edit", "Label", "Severity", "SpecError", "has_errors", "in_order"]


class SpecError(Exception):
    """Raised for a spec, data or a run that cannot be used; `.diagnostics` lists everything wrong
    with it.
    """

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        from .render import render_text

        return "\n" + render_text(self.diagnostics)


def has_errors(diagnostics: Sequence[Diagnostic]) -> bool:
    return any(diagnostic.severity == "error" for diagnostic in diagnostics)


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sorted by file in order of appearance, then by place in the file."""
    files: dict[str, int] = {}
    reported = list(diagnostics)
    for diagnostic in reported:
        files.setdefault(diagnostic.where, len(files))
    return sorted(reported, key=lambda d: (files[d.where], d.span.start if d.span else -1))
