"""The server: which request of the protocol is answered by which function.

Texts come whole with every change. Mistakes are told when nothing more has arrived, so that a text
that is out of date already is not compiled; requests are answered for the text of the moment.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from functools import wraps
from typing import Any

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer

from ... import __version__
from ...dsl.parser import read
from ...dsl.printer import print_spec
from . import completion as completing
from . import diagnostics as mistakes
from . import hints as hinting
from . import hover as hovering
from . import lenses as lensing
from . import navigation as navigating
from . import outline as outlining
from . import preview as previewing
from . import signature as signing
from . import tokens as coloring
from .document import Document
from .positions import position

PAUSE = 0.01
"""Seconds without a change after which mistakes are told."""
REST = 0.03
"""Seconds after that, if still nothing has come, after which the memory of earlier texts is given
back: the parts of a network refer to one another, so that only a search finds them."""
TEXTS = 10
"""So many texts are compiled between two such searches."""


class Server(LanguageServer):
    """A language server with its open documents."""

    def __init__(self) -> None:
        super().__init__(
            "dotcnn", __version__, text_document_sync_kind=lsp.TextDocumentSyncKind.Full
        )
        self.documents: dict[str, Document] = {}
        self.waiting: dict[str, asyncio.TimerHandle] = {}
        self.resting: asyncio.TimerHandle | None = None
        self.texts = 0
        self.after_change: Callable[[Document], None] | None = None
        """Called with each document that was changed."""
        self.options: dict[str, Any] = {}
        """`hints` (true or false) and `terminal`: the editor has commands that train and show."""

    def changed(self, document: Document) -> None:
        """Tells its mistakes after a pause."""
        waiting = self.waiting.pop(document.uri, None)
        if waiting is not None:
            waiting.cancel()
        loop = asyncio.get_running_loop()
        self.waiting[document.uri] = loop.call_later(PAUSE, self.publish, document)
        self.texts += 1
        if self.resting is not None:
            self.resting.cancel()
            self.resting = None

    def publish(self, document: Document) -> None:
        self.waiting.pop(document.uri, None)
        if document.uri not in self.documents:
            return
        self.text_document_publish_diagnostics(
            lsp.PublishDiagnosticsParams(
                uri=document.uri,
                diagnostics=mistakes.diagnostics(document),
                version=document.now.number,
            )
        )
        if self.texts >= TEXTS:
            self.resting = asyncio.get_running_loop().call_later(REST, self.rest)

    def rest(self) -> None:
        self.texts, self.resting = 0, None
        gc.collect()

    def option(self, name: str, usual: Any) -> Any:
        return self.options.get(name, usual)


def make_server() -> Server:
    """A server with all its features; it is not started."""
    gc.freeze()  # what is there now stays, and need not be searched
    server = Server()
    feature = server.feature

    def about(
        method: str, options: Any = None
    ) -> Callable[[Callable[[Document, Any], Any]], Callable[[Document, Any], Any]]:
        """A request about an open document; of others, nothing is known."""

        def register(answer: Callable[[Document, Any], Any]) -> Callable[[Document, Any], Any]:
            @feature(method, options)
            @wraps(answer)
            def answered(params: Any) -> Any:
                document = server.documents.get(params.text_document.uri)
                if document is None:
                    return None
                with document.words():
                    return answer(document, params)

            return answer

        return register

    # ---- texts ----

    @feature(lsp.INITIALIZE)
    def initialize(params: lsp.InitializeParams) -> None:
        if isinstance(params.initialization_options, dict):
            server.options = params.initialization_options

    @feature(lsp.WORKSPACE_DID_CHANGE_CONFIGURATION)
    def configured(params: lsp.DidChangeConfigurationParams) -> None:
        settings = params.settings
        if isinstance(settings, dict):
            own = settings.get("dotcnn", settings)
            server.options = own if isinstance(own, dict) else {}

    @feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: lsp.DidOpenTextDocumentParams) -> None:
        item = params.text_document
        document = Document(item.uri, item.text, item.version)
        server.documents[item.uri] = document
        server.publish(document)

    @feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: lsp.DidChangeTextDocumentParams) -> None:
        document = server.documents.get(params.text_document.uri)
        if document is None:
            return
        text = server.workspace.get_text_document(document.uri).source
        document.change(text, params.text_document.version)
        server.changed(document)
        if server.after_change is not None:
            server.after_change(document)

    @feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: lsp.DidSaveTextDocumentParams) -> None:
        """A file that others import may have changed."""
        for document in server.documents.values():
            if document.uri != params.text_document.uri:
                document.read_again()
                server.changed(document)

    @feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: lsp.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        if server.documents.pop(uri, None) is not None:
            server.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, []))

    # ---- answers ----

    @about(
        lsp.TEXT_DOCUMENT_CODE_ACTION,
        lsp.CodeActionOptions([lsp.CodeActionKind.QuickFix, lsp.CodeActionKind.SourceFixAll]),
    )
    def actions(document: Document, params: lsp.CodeActionParams) -> Any:
        return mistakes.actions(document, params.range)

    @about(lsp.TEXT_DOCUMENT_HOVER)
    def hover(document: Document, params: lsp.HoverParams) -> Any:
        return hovering.hover(document, params.position)

    @about(lsp.TEXT_DOCUMENT_INLAY_HINT)
    def hints(document: Document, params: lsp.InlayHintParams) -> Any:
        return hinting.hints(document, params.range) if server.option("hints", True) else []

    @about(
        lsp.TEXT_DOCUMENT_COMPLETION,
        lsp.CompletionOptions(trigger_characters=[" ", "=", '"', "/", "{", "|", ","]),
    )
    def completion(document: Document, params: lsp.CompletionParams) -> Any:
        return completing.completion(document, params.position)

    @about(
        lsp.TEXT_DOCUMENT_SIGNATURE_HELP,
        lsp.SignatureHelpOptions(trigger_characters=[" ", "="], retrigger_characters=[" "]),
    )
    def signature(document: Document, params: lsp.SignatureHelpParams) -> Any:
        return signing.signature_help(document, params.position)

    @about(lsp.TEXT_DOCUMENT_DEFINITION)
    def definition(document: Document, params: lsp.DefinitionParams) -> Any:
        return navigating.definition(document, params.position)

    @about(lsp.TEXT_DOCUMENT_REFERENCES)
    def references(document: Document, params: lsp.ReferenceParams) -> Any:
        with_definition = params.context.include_declaration
        return navigating.references(document, params.position, with_definition)

    @about(lsp.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT)
    def highlights(document: Document, params: lsp.DocumentHighlightParams) -> Any:
        return navigating.highlights(document, params.position)

    @about(lsp.TEXT_DOCUMENT_PREPARE_RENAME)
    def prepare_rename(document: Document, params: lsp.PrepareRenameParams) -> Any:
        try:
            return navigating.prepare_rename(document, params.position)
        except navigating.CannotRename as error:
            raise JsonRpcInvalidParams(str(error)) from None

    @about(lsp.TEXT_DOCUMENT_RENAME, lsp.RenameOptions(prepare_provider=True))
    def rename(document: Document, params: lsp.RenameParams) -> Any:
        try:
            return navigating.rename(document, params.position, params.new_name)
        except navigating.CannotRename as error:
            raise JsonRpcInvalidParams(str(error)) from None

    @about(lsp.TEXT_DOCUMENT_PREPARE_CALL_HIERARCHY)
    def prepare_calls(document: Document, params: lsp.CallHierarchyPrepareParams) -> Any:
        return navigating.prepare_calls(document, params.position)

    @feature(lsp.CALL_HIERARCHY_INCOMING_CALLS)
    def incoming(params: lsp.CallHierarchyIncomingCallsParams) -> Any:
        document = server.documents.get(params.item.uri)
        return None if document is None else navigating.incoming(document, params.item)

    @feature(lsp.CALL_HIERARCHY_OUTGOING_CALLS)
    def outgoing(params: lsp.CallHierarchyOutgoingCallsParams) -> Any:
        document = server.documents.get(params.item.uri)
        return None if document is None else navigating.outgoing(document, params.item)

    @about(lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def symbols(document: Document, params: lsp.DocumentSymbolParams) -> Any:
        return outlining.symbols(document)

    @about(lsp.TEXT_DOCUMENT_FOLDING_RANGE)
    def folding(document: Document, params: lsp.FoldingRangeParams) -> Any:
        return outlining.folding(document)

    @about(lsp.TEXT_DOCUMENT_SELECTION_RANGE)
    def selection(document: Document, params: lsp.SelectionRangeParams) -> Any:
        return outlining.selection(document, params.positions)

    @about(lsp.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, coloring.LEGEND)
    def tokens(document: Document, params: lsp.SemanticTokensParams) -> Any:
        return coloring.tokens(document)

    @about(lsp.TEXT_DOCUMENT_CODE_LENS, lsp.CodeLensOptions())
    def lenses(document: Document, params: lsp.CodeLensParams) -> Any:
        return lensing.lenses(document, bool(server.option("terminal", False)))

    @about(lsp.TEXT_DOCUMENT_FORMATTING)
    def formatting(document: Document, params: lsp.DocumentFormattingParams) -> Any:
        return formatted(document)

    # ---- the panel beside the text; parameters of requests of one's own come as they are ----

    def own(method: str, answer: Callable[[Document, dict[str, Any]], Any]) -> None:
        @feature(method)
        def answered(params: Any) -> Any:
            given = plain(params)
            document = server.documents.get(str(given.get("uri", "")))
            if document is None:
                return None
            with document.words():
                return answer(document, given)

    own("dotcnn/preview", previewing.preview)
    own("dotcnn/explain", previewing.explained)
    own("dotcnn/diff", previewing.differences)

    @feature("dotcnn/gallery")
    def gallery(params: Any) -> Any:
        return previewing.gallery()

    @feature("dotcnn/gallerySpec")
    def gallery_spec(params: Any) -> Any:
        return previewing.gallery_text(plain(params))

    @server.command(lensing.NEXT_CALL)
    def next_call(uri: str, block: str) -> None:
        document = server.documents.get(uri)
        if document is None:
            return
        lensing.next_call(document, block)
        capabilities = server.client_capabilities.workspace
        if capabilities is not None and capabilities.inlay_hint is not None:
            server.workspace_inlay_hint_refresh(None)
        if capabilities is not None and capabilities.code_lens is not None:
            server.workspace_code_lens_refresh(None)

    return server


def plain(value: Any) -> Any:
    """Parameters as dictionaries and lists: pygls makes named tuples of them."""
    if hasattr(value, "_asdict"):
        return {name: plain(each) for name, each in value._asdict().items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def formatted(document: Document) -> list[lsp.TextEdit] | None:
    """As `cnn fmt` prints it; nothing while it has mistakes of syntax."""
    source = document.source
    spec, found = read(source)
    if any(each.severity == "error" for each in found):
        return None
    text = print_spec(spec)
    if text == source.text:
        return []
    whole = lsp.Range(lsp.Position(0, 0), position(source, len(source.text)))
    return [lsp.TextEdit(whole, text)]
