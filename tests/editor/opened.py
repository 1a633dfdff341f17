"""What tests of the editor share: an open text, with `¦` for the cursor."""

from __future__ import annotations

from textwrap import dedent

import pytest

pytest.importorskip("lsprotocol", reason="the language server needs dotcnn[editor]")

from lsprotocol import types as lsp

from dotcnn.editor.server.document import Document
from dotcnn.editor.server.positions import position

WHOLE = lsp.Range(lsp.Position(0, 0), lsp.Position(10**6, 0))


def opened(text: str, uri: str = "file:///nowhere/net.cnn") -> Document:
    return Document(uri, dedent(text), 1)


def at_cursor(text: str, uri: str = "file:///nowhere/net.cnn") -> tuple[Document, lsp.Position]:
    """The text without its `¦`, and where that was."""
    text = dedent(text)
    before, _, after = text.partition("¦")
    document = Document(uri, before + after, 1)
    return document, position(document.source, len(before))


def place(found: lsp.Range) -> str:
    """As people count: from 1."""
    start, end = found.start, found.end
    return f"{start.line + 1}:{start.character + 1}-{end.line + 1}:{end.character + 1}"
