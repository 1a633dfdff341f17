"""What can be wrong with a spec, as data. `render` turns it into text, JSON or SARIF."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from .source import Span

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Label:
    """A second place that helps to understand the first: where it was opened, what arrived."""

    span: Span
    message: str


@dataclass(frozen=True)
class Edit:
    """A change to the text that a tool can make: replace the span by the text."""

    span: Span
    text: str


@dataclass(frozen=True)
class Diagnostic:
    """One mistake, told once.

    `code` is stable, short and lower-case (`shape`, `unclosed-brace`): people silence and search by
    it. `label` is the few words beside the carets; `labels` are other places; `notes` are facts
    without a place of their own (the chain of calls); `help` says what to write, and `edits`, where
    they are there, write it.
    """

    code: str
    message: str
    span: Span | None = None
    label: str = ""
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: str = ""
    edits: tuple[Edit, ...] = ()
    severity: Severity = "error"
    file: str = ""
    """The file's name, where there is no span to take it from (a file that cannot be read)."""

    @property
    def where(self) -> str:
        return self.span.source.name if self.span else self.file


class SpecError(Exception):
    """A spec that cannot be used; carries everything that is wrong with it."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        from .render import render_text

        return "\n" + render_text(self.diagnostics)


def has_errors(diagnostics: Sequence[Diagnostic]) -> bool:
    return any(diagnostic.severity == "error" for diagnostic in diagnostics)


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """As a reader meets them: by file in order of appearance, then by place."""
    files: dict[str, int] = {}
    found = list(diagnostics)
    for diagnostic in found:
        files.setdefault(diagnostic.where, len(files))
    return sorted(found, key=lambda d: (files[d.where], d.span.start if d.span else -1))
