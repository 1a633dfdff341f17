"""A session over pipes with `cnn lsp`, as an editor has one."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

pytest.importorskip("pygls", reason="the language server needs dotcnn[editor]")

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pygls.lsp.client import LanguageClient

TEXT = "network N {\n  input 3x8x8\n  conv 8 3x3 saem\n}\n"
URI = "file:///nowhere/net.cnn"


async def session() -> dict[str, Any]:
    client = LanguageClient("test", "1")
    told: asyncio.Queue[lsp.PublishDiagnosticsParams] = asyncio.Queue()

    @client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    def diagnostics(params: lsp.PublishDiagnosticsParams) -> None:
        told.put_nowait(params)

    await client.start_io(sys.executable, "-m", "dotcnn", "lsp")
    answered: dict[str, Any] = {}
    begun = await client.initialize_async(
        lsp.InitializeParams(capabilities=lsp.ClientCapabilities(), process_id=None)
    )
    answered["capabilities"] = begun.capabilities
    client.initialized(lsp.InitializedParams())
    client.text_document_did_open(
        lsp.DidOpenTextDocumentParams(lsp.TextDocumentItem(URI, "cnn", 0, TEXT))
    )
    answered["wrong"] = await asyncio.wait_for(told.get(), 60)
    for number in range(1, 6):  # typed faster than it is told
        client.text_document_did_change(
            lsp.DidChangeTextDocumentParams(
                lsp.VersionedTextDocumentIdentifier(number, URI),
                [lsp.TextDocumentContentChangeWholeDocument(TEXT.replace("saem", "same"[:number]))],
            )
        )
    answered["right"] = await asyncio.wait_for(told.get(), 60)
    while answered["right"].version != 5:
        answered["right"] = await asyncio.wait_for(told.get(), 60)
    document = lsp.TextDocumentIdentifier(URI)
    answered["hints"] = await client.text_document_inlay_hint_async(
        lsp.InlayHintParams(document, lsp.Range(lsp.Position(0, 0), lsp.Position(9, 0)))
    )
    try:
        await client.text_document_rename_async(
            lsp.RenameParams(document, lsp.Position(0, 9), "x y")
        )
    except JsonRpcException as error:
        answered["refused"] = str(error)
    await client.shutdown_async(None)
    client.exit(None)
    await client.stop()
    return answered


@pytest.mark.slow
def test_a_session() -> None:
    answered = asyncio.run(asyncio.wait_for(session(), 120))
    assert answered["capabilities"].inlay_hint_provider
    (mistake,) = answered["wrong"].diagnostics
    assert mistake.message.startswith("`conv` has no argument `saem`") or "saem" in mistake.message
    assert answered["right"].diagnostics == ()
    assert [hint.label for hint in answered["hints"]] == ["3x8x8", "8x8x8"]
    assert "is not a name" in answered["refused"]
