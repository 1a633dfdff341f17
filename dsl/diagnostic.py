"""Diagnostic: an error or warning about a spec as data, with message, place, help and fixes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from .source import Span

Severity = Literal["error", "warning"]


class Label(NamedTuple):
    """A second place that helps to understand the first: where a bracket was opened, where an input
    comes from.
    """

    span: Span
    message: str


class Edit(NamedTuple):
    """A change to the text that a tool can apply: replace the span by the text."""

    span: Span
    text: str


@dataclass(frozen=True)
class Diagnostic:
    """One error or warning. `code` is stable, short and lower-case (`shape`, `unclosed-brace`):
    people silence and search by it. `label` is the short text beside the carets; `labels` are
    further places; `notes` are facts without a place of their own (the chain of calls); `help` says
    what to write, and `edits`, if there are any, write it.
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
    """Candidate fixes, the best first: not tried yet, and never shown."""
    otherwise: str = field(default="", repr=False, compare=False)
    """Help to show if the fix fails its trial; never shown without a trial."""
    file: str = ""
    """The name of the file if there is no span (a file that cannot be read)."""

    @property
    def where(self) -> str:
        return self.span.source.name if self.span else self.file
