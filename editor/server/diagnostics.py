"""Mistakes as the protocol has them, and their fixes: only those that were tried."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lsprotocol import types as lsp

from ...dsl.diagnostics import Diagnostic, Edit
from .document import Document, uri_of
from .positions import range_of

_UNNECESSARY = ("unused",)
"""How the codes begin of what can be left out: editors show it faint."""


def diagnostics(document: Document) -> list[lsp.Diagnostic]:
    """All of a text; those of an imported file stand at the first line, with the place beside."""
    return [_one(each, document) for each in document.now.diagnostics]


def _one(found: Diagnostic, document: Document) -> lsp.Diagnostic:
    related = [
        lsp.DiagnosticRelatedInformation(
            lsp.Location(uri_of(label.span.source, document), range_of(label.span)), label.message
        )
        for label in found.labels
    ]
    span, message = found.span, found.message
    where = lsp.Range(lsp.Position(0, 0), lsp.Position(0, 0))
    if span is not None and span.source is document.source:
        where = range_of(span)
    elif span is not None:
        place = lsp.Location(uri_of(span.source, document), range_of(span))
        related.insert(0, lsp.DiagnosticRelatedInformation(place, found.label or found.message))
        message = f"{span.source.name}: {message}"
    lines = [message, *([found.label] if found.label else []), *found.notes]
    if found.help:
        lines.append(f"help: {found.help}")
    faint = found.code.startswith(_UNNECESSARY)
    return lsp.Diagnostic(
        range=where,
        message="\n".join(lines),
        severity=_SEVERITY[found.severity],
        code=found.code,
        source="dotcnn",
        tags=[lsp.DiagnosticTag.Unnecessary] if faint else None,
        related_information=related or None,
    )


_SEVERITY = {
    "error": lsp.DiagnosticSeverity.Error,
    "warning": lsp.DiagnosticSeverity.Warning,
}


# ---- fixes -------------------------------------------------------------------------------------


def actions(document: Document, asked: lsp.Range) -> list[lsp.CodeAction]:
    """The fixes of the mistakes in a range, and of all of the same kind."""
    fixable = [each for each in document.now.diagnostics if _own_edits(each, document)]
    here = [each for each in fixable if _touches(_one(each, document).range, asked)]
    found = [
        lsp.CodeAction(
            title=_title(each),
            kind=lsp.CodeActionKind.QuickFix,
            diagnostics=[_one(each, document)],
            is_preferred=True,
            edit=_edit(document, each.edits),
        )
        for each in here
    ]
    for code in dict.fromkeys(each.code for each in here):
        alike = [each for each in fixable if each.code == code]
        if len(alike) > 1:
            title = f"Fix all {len(alike)} mistakes of this kind ({code})"
            found.append(_all(document, title, alike, lsp.CodeActionKind.QuickFix))
    if fixable:
        title = "Fix all mistakes that have a fix"
        found.append(_all(document, title, fixable, lsp.CodeActionKind.SourceFixAll))
    return found


def _all(
    document: Document, title: str, found: Sequence[Diagnostic], kind: lsp.CodeActionKind
) -> lsp.CodeAction:
    """The edits of all; of two that overlap, the first."""
    edits: list[Edit] = []
    for edit in sorted((edit for each in found for edit in each.edits), key=lambda e: e.span[1:]):
        if edits and (edit == edits[-1] or edit.span.start < edits[-1].span.end):
            continue
        edits.append(edit)
    return lsp.CodeAction(title=title, kind=kind, edit=_edit(document, edits))


def _edit(document: Document, edits: Iterable[Edit]) -> lsp.WorkspaceEdit:
    changes = [lsp.TextEdit(range_of(edit.span), edit.text) for edit in edits]
    return lsp.WorkspaceEdit(changes={document.uri: changes})


def _title(found: Diagnostic) -> str:
    if found.help:
        return found.help[:1].upper() + found.help[1:]
    return f"Write `{found.edits[0].text}`" if found.edits[0].text else "Remove it"


def _own_edits(found: Diagnostic, document: Document) -> bool:
    """Whether it has a fix, and the fix changes this file alone."""
    own = (edit.span.source is document.source for edit in found.edits)
    return bool(found.edits) and all(own)


def _touches(one: lsp.Range, other: lsp.Range) -> bool:
    return one.start <= other.end and other.start <= one.end
