"""A mistake or warning in a spec as data: its message, its place, its help."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
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
    proposals: Iterable[tuple[Edit, ...]] = field(default=(), repr=False, compare=False)
    """Changes that may mend it, the best first: not tried yet, and never shown."""
    otherwise: str = field(default="", repr=False, compare=False)
    """What to do where the fix does not hold; without a trial, it is never shown."""
    file: str = ""
    """The file's name, where there is no span to take it from (a file that cannot be read)."""

    @property
    def where(self) -> str:
        return self.span.source.name if self.span else self.file
