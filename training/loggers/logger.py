"""The base class of loggers, and what they say alike: names, groups, states."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.source import Span
from ..runs.tags_and_note import TagsAndNote, read_notes
from ..trainer.callbacks import Callback, RunEnd, RunStart


class Logger(Callback):
    """A callback that writes for another tool. It may raise any exception: it is then not called
    again, and the run goes on without it."""

    tool: ClassVar[str] = ""
    """The name of the tool, for messages."""


def must_be_installed(package: str, tool: str, requested: Span | None, extra: str = "") -> None:
    """Raises SpecError if a package of a tool is missing; `requested` is the directive."""
    if find_spec(package) is None:
        message = f"`log {tool}` needs {package}, which is not installed"
        help = f'pip install "dotcnn[{extra or tool}]"'
        raise SpecError([Diagnostic("missing-package", message, requested, help=help)])


def group_of(start: RunStart) -> Path | None:
    """The folder of the ensemble, or of the sweep, that a run belongs to."""
    if start.group is not None:
        return start.group
    sweep = start.folder.absolute().parent.parent
    return sweep if (sweep / "sweep.json").is_file() else None


def name_of(start: RunStart) -> str:
    """The name of a run: that of its folder; in a group, after the group's."""
    group = group_of(start)
    return start.folder.name if group is None else f"{group.name}/{start.folder.name}"


def notes_of(start: RunStart) -> TagsAndNote:
    """The tags and the note of a run, with those of its ensemble."""
    own, group = read_notes(start.folder), group_of(start)
    if group is None:
        return own
    others = read_notes(group)
    return TagsAndNote(others.tagged(own.tags).tags, own.note or others.note)


FINISHED, PRUNED, INTERRUPTED, FAILED = "finished", "pruned", "interrupted", "failed"


def state_of(end: RunEnd | None) -> str:
    """The state in which a run ended; None for one that ended without being told."""
    if end is None or end.reason in ("diverged", "stopped"):
        return FAILED
    if end.reason == "callback stop" and end.why.startswith("pruned"):
        return PRUNED
    return INTERRUPTED if end.reason == "interrupted" else FINISHED


def last_metrics(end: RunEnd) -> dict[str, dict[str, float]]:
    """The metrics of the best weights, of each part that they were evaluated on: `val`, `test`."""
    parts = {"val": end.outcome, "test": end.test}
    return {part: dict(outcome.metrics) for part, outcome in parts.items() if outcome is not None}
