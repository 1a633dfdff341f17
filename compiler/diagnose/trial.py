"""Trial of fixes: every fix is applied to a copy of the text, and the copy is compiled, before it
is offered. A fix holds if its error is gone and nothing that it writes causes an error. If the text
then has another error with a fix of its own, the two are combined: for `Dense 10 activation=relu`
the suggestion is `fc 10, relu`, and not first `fc 10 activation=relu`. Fixes that do not hold are
not offered. Trials are limited in number and in the size of the text. If many fixes are proposed,
all are applied at once, which is one trial, and each is judged by the errors left at its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ...dsl.diagnostics import Diagnostic, Edit, has_errors
from ...dsl.parser import read
from ...dsl.program import Program
from ...dsl.source import Source, Span
from .foreign_signs import with_foreign_signs

Proposal = tuple[Edit, ...]
Diagnose = Callable[[str], "list[Diagnostic]"]
"""A function that returns all diagnostics of a text, with fixes that have not been tried."""

MAX_TRIALS = 12
MAX_CHARACTERS = 50_000
"""Longer specs get no fixes: compiling them repeatedly for a hint takes too long."""

_ALTOGETHER = 120_000
"""The number of characters that all trials of a text may read together; two trials are always
allowed.
"""

MAX_STEPS = 5
"""The most errors that may appear one after another in one statement."""

_AT_ONCE = 4
"""From this number on, fixes are first tried together."""

_OTHER = frozenset(
    {"shape", "no-input", "classes", "limit", "missing-body", "empty-body", "outside-network"}
)
"""Errors that a fix may leave: they are not about the text that it writes."""


def tried(
    source: Source, diagnostics: Sequence[Diagnostic], diagnose: Diagnose
) -> list[Diagnostic]:
    """The diagnostics, with only those fixes that hold."""
    if len(source.text) <= MAX_CHARACTERS:
        diagnostics = with_foreign_signs(source, diagnostics, diagnose)
    return _Trials(source, diagnose).all(diagnostics)


def tried_in(
    program: Program,
    diagnostics: Sequence[Diagnostic],
    diagnose: Callable[[Program], list[Diagnostic]],
) -> list[Diagnostic]:
    """Like `tried`, for a program without syntax errors: fixes change its main file."""

    def diagnose_text(text: str) -> list[Diagnostic]:
        changed, problems = with_text(program, text)
        return problems if changed is None else diagnose(changed)

    return tried(program.main.source, diagnostics, diagnose_text)


def without_untried(
    program: Program,
    warnings: Sequence[Diagnostic],
    diagnose: Callable[[Program], list[Diagnostic]],
) -> list[Diagnostic]:
    """Warnings of a program without errors, with those fixes that keep it free of errors."""
    source = program.main.source
    own = [d for d in warnings if d.edits and all(e.span.source is source for e in d.edits)]

    def holds(fixed: Sequence[Diagnostic]) -> bool:
        edits = [edit for d in fixed for edit in d.edits]
        edits.sort(key=lambda edit: edit.span.start)
        if any(a.span.end > b.span.start for a, b in pairwise(edits)):
            return False
        changed, problems = with_text(program, apply(source.text, edits))
        return not has_errors(problems if changed is None else diagnose(changed))

    if not own or (len(source.text) <= MAX_CHARACTERS and holds(own)):
        return list(warnings)
    tested = own[:MAX_TRIALS] if len(source.text) <= MAX_CHARACTERS else []
    unsound = {id(d) for d in own} - {id(d) for d in tested if holds([d])}
    return [
        d if id(d) not in unsound else replace(d, edits=(), help=_without_fix(d.help))
        for d in warnings
    ]


def with_text(program: Program, text: str) -> tuple[Program | None, list[Diagnostic]]:
    """The program with a changed main file; None and the diagnostics if that cannot be parsed."""
    source = program.main.source
    changed = Source(source.name, text, source.path)
    spec, problems = read(changed)
    if has_errors(problems):
        return None, problems
    imports = dict(program.imports)
    # Imports are unchanged: a fix does not touch them.
    imports[changed] = imports.pop(source, ())
    files = (*program.files[:-1], spec)
    return program._replace(main=spec, files=files, imports=imports), problems


@dataclass(frozen=True)
class _Fix:
    """A fix: a range of the text and its replacement."""

    start: int
    end: int
    text: str
    written: tuple[tuple[int, int], ...] = ()
    """The ranges in the new text that the fix itself wrote, without the unchanged text between
    them.
    """
    invented: bool = False
    """It writes values that the text does not have, as an example."""

    def wrote(self, diagnostic: Diagnostic) -> bool:
        """Whether an error in the new text is in a part that the fix wrote."""
        span = diagnostic.span
        if self.invented and diagnostic.code == "shape":
            return True
        if span is None or diagnostic.code in _OTHER:
            return False
        return any(start < span.end and span.start < end for start, end in self.written)

    def changed(self, edits: Sequence[Edit]) -> _Fix:
        """The fix, with further edits of its replacement."""
        inside = [(e.span.start - self.start, e.span.end - self.start, e.text) for e in edits]
        text, written = _made(self.text, inside)
        places = tuple((self.start + first, self.start + last) for first, last in written)
        return _Fix(self.start, self.end, text, places, self.invented)


class _Exhausted(Exception):
    """A trial exceeded a limit that the original text does not exceed."""


class _Trials:
    def __init__(self, source: Source, diagnose: Diagnose) -> None:
        self.source = source
        self.diagnose = diagnose
        self.left = min(MAX_TRIALS, max(2, _ALTOGETHER // (1 + len(source.text))))
        self.limited = False
        """Whether the original text exceeds a limit."""

    def all(self, diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
        fixable = [d for d in diagnostics if (d.edits or d.proposals) and d.severity == "error"]
        if not fixable:
            return list(diagnostics)
        self.limited = any(d.code == "limit" for d in diagnostics)
        if len(self.source.text) > MAX_CHARACTERS:
            return [
                replace(d, edits=(), proposals=()) if d.severity == "error" else d
                for d in diagnostics
            ]
        sound = self.together(fixable) if len(fixable) >= _AT_ONCE else set()
        open_ones = {id(d) for d in fixable} - sound
        return [self.one(d, diagnostics) if id(d) in open_ones else d for d in diagnostics]

    def together(self, fixable: Sequence[Diagnostic]) -> set[int]:
        """The ids of diagnostics whose own fixes hold when all are applied at once."""
        chosen: list[tuple[Diagnostic, _Fix]] = []
        behind = -1
        for diagnostic in sorted(fixable, key=_place):
            fix = self.fix(diagnostic.edits)
            if fix is not None and fix.start > behind:
                chosen.append((diagnostic, fix))
                behind = fix.end
        if not chosen:
            return set()
        changes = [(fix.start, fix.end, fix.text) for _, fix in chosen]
        text, regions = _made(self.source.text, changes)
        try:
            wrong = self.errors(text)
        except _Exhausted:
            return set()
        starts = [d.span.start for d in wrong if d.span is not None]
        still = {(d.code, d.message, d.span.start) for d in wrong if d.span is not None}

        def is_still(diagnostic: Diagnostic) -> bool:
            place = diagnostic.span.start if diagnostic.span is not None else 0
            grown = sum(len(put) - (end - start) for start, end, put in changes if end <= place)
            return (diagnostic.code, diagnostic.message, place + grown) in still

        return {
            id(diagnostic)
            for (start, end), (diagnostic, _) in zip(regions, chosen, strict=True)
            if not is_still(diagnostic) and not any(start <= place <= end for place in starts)
        }

    def one(self, diagnostic: Diagnostic, all: Sequence[Diagnostic]) -> Diagnostic:
        """The diagnostic with the first fix that holds, or without a fix."""
        try:
            return self.tried(diagnostic, all)
        except _Exhausted:
            self.left = 0
            return replace(diagnostic, edits=(), proposals=())

    def tried(self, diagnostic: Diagnostic, all: Sequence[Diagnostic]) -> Diagnostic:
        proposals = diagnostic.proposals
        diagnostic = replace(diagnostic, proposals=())
        for proposal in proposals:
            if self.left <= 0:  # candidates are generated lazily, and can be many
                break
            fix = self.fix(proposal, diagnostic)
            if fix is None:
                continue
            found = self.follow(diagnostic, fix, fewer_than=len(_errors(all)))
            if found is not None:
                return self.offered(diagnostic, found)
        if not diagnostic.edits:
            return diagnostic
        fix = self.fix(diagnostic.edits, diagnostic)
        if fix is None or self.left <= 0:
            return replace(diagnostic, edits=())
        found = self.follow(diagnostic, fix)
        if found is not None and found.text == fix.text:
            return diagnostic
        if found is not None:
            return self.offered(diagnostic, found)
        help = _without_fix(diagnostic.help) or diagnostic.otherwise
        return replace(diagnostic, edits=(), help=help)

    def offered(self, diagnostic: Diagnostic, fix: _Fix) -> Diagnostic:
        written = " … ".join(line.strip() for line in fix.text.splitlines() if line.strip())
        written = written.strip(", ")
        help = f"write `{written}`" if written else diagnostic.help or "take it out"
        edits = (Edit(Span(self.source, fix.start, fix.end), fix.text),)
        return replace(diagnostic, help=help, edits=edits)

    def follow(self, diagnostic: Diagnostic, fix: _Fix, fewer_than: int = 0) -> _Fix | None:
        """The fix, extended by fixes for further errors in the statement; None if it does not
        hold.
        """
        said = {(diagnostic.code, diagnostic.message)}
        held: _Fix | None = None
        for _ in range(MAX_STEPS):
            if self.left <= 0:
                return held
            text = self.source.text[: fix.start] + fix.text + self.source.text[fix.end :]
            wrong = self.errors(text)
            end = fix.start + len(fix.text)
            own = [d for d in wrong if self.stands_in(d, fix.start, end)]
            if any(self.is_still(d, diagnostic, fix) for d in wrong):
                return held
            if not own:
                return None if fewer_than and len(wrong) >= fewer_than else fix
            if not self.unreadable(text) and not any(map(fix.wrote, own)):
                held = held if fewer_than else fix
            first = own[0]
            if (first.code, first.message) in said:
                return held
            said.add((first.code, first.message))
            further = first.edits or next(iter(first.proposals), ())
            if first.code == "missing-argument":
                fix = replace(fix, invented=True)
            inside = all(fix.start <= e.span.start and e.span.end <= end for e in further)
            if not further or not inside:
                return held
            fix = fix.changed(further)
            if not fix.text.strip():
                return held  # the edits cancel each other out: deleting everything is not a fix
        return held

    def stands_in(self, diagnostic: Diagnostic, start: int, end: int) -> bool:
        span = diagnostic.span
        here = span is not None and span.source.name == self.source.name
        return span is not None and here and start <= span.start <= end

    def unreadable(self, text: str) -> bool:
        return has_errors(read(Source(self.source.name, text))[1])

    def is_still(self, found: Diagnostic, before: Diagnostic, fix: _Fix) -> bool:
        """Whether the fix has left the error in place: it is found again, where it was."""
        if (found.code, found.message) != (before.code, before.message):
            return False
        if found.span is None or before.span is None:
            return found.span is before.span
        moved = len(fix.text) - (fix.end - fix.start) if before.span.start >= fix.end else 0
        return found.span.start == before.span.start + moved

    def errors(self, text: str) -> list[Diagnostic]:
        """The errors of a text; raises _Exhausted if a limit is exceeded."""
        self.left -= 1
        diagnostics = _errors(self.diagnose(text))
        if not self.limited and any(d.code == "limit" for d in diagnostics):
            raise _Exhausted
        return diagnostics

    def fix(self, edits: Sequence[Edit], diagnostic: Diagnostic | None = None) -> _Fix | None:
        """Combines edits into one change of the statements around them; None if they are in another
        file.
        """
        if not edits or any(edit.span.source is not self.source for edit in edits):
            return None
        text = self.source.text
        start, end = statements_around(
            text, min(e.span.start for e in edits), max(e.span.end for e in edits)
        )
        invented = diagnostic is not None and diagnostic.code == "missing-argument"
        return _Fix(start, end, text[start:end], invented=invented).changed(edits)


def _made(text: str, changes: Sequence[tuple[int, int, str]]) -> tuple[str, list[tuple[int, int]]]:
    """The text with edits applied, and the ranges that they wrote."""
    pieces, written = [], []
    copied = length = 0
    for start, end, put in sorted(changes):
        pieces += [text[copied:start], put]
        length += start - copied
        written.append((length, length + len(put)))
        length += len(put)
        copied = end
    return "".join([*pieces, text[copied:]]), written


def apply(text: str, edits: Sequence[Edit]) -> str:
    """The text with edits applied."""
    for edit in sorted(edits, key=lambda e: e.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


def _errors(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    return [d for d in diagnostics if d.severity == "error"]


def _place(diagnostic: Diagnostic) -> int:
    return min((e.span.start for e in diagnostic.edits), default=0)


def _without_fix(help: str) -> str:
    """The rest of a help line, without a suggestion that failed its trial."""
    return "" if help.startswith(("write ", "did you mean", "in a spec it is written")) else help


def statements_around(text: str, start: int, end: int) -> tuple[int, int]:
    """The range of the statements that a change touches: up to a comma, a line end, or a brace."""
    changed = start
    depth = 0
    while start > 0 and (depth or text[start - 1] not in "\n\r{,|}"):
        start -= 1
        depth += (text[start] in ")]") - (text[start] in "([")
        if depth < 0:
            depth = 0
    if depth:  # a bracket that nothing opens, which is on this line
        start = max(text.rfind(sign, 0, changed) for sign in "\n\r{,|}") + 1
    depth = 0
    while end < len(text) and (depth > 0 or text[end] not in "\n\r{,|}#"):
        depth += (text[end] in "([") - (text[end] in ")]")
        end += 1
    while start < end and text[start] in " \t":
        start += 1
    while end > start and text[end - 1] in " \t":
        end -= 1
    return start, end
