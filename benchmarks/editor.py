"""Latency of the language server, driven as an editor drives it: over its pipes, by somebody who
types ten keys a second. After each key, the mistakes of the text and the hints of a screen.

    python benchmarks/editor.py [SPEC ...]
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from pathlib import Path

from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

import dotcnn

GALLERY = Path(dotcnn.__file__).parent / "specs"
SPECS = ("resnet/resnet152.cnn", "resnet_cifar/resnet1202.cnn")
KEYS = 100
A_SECOND = 10
TYPED = "\n  conv 64 3x3 same, bn, relu\n"
SCREEN = lsp.Range(lsp.Position(0, 0), lsp.Position(60, 0))


async def main(specs: list[Path]) -> None:
    print(f"{'spec':28} {'keys':>5} {'median':>9} {'95 %':>9} {'slowest':>9} {'memory':>9}")
    for spec in specs:
        times, memory = await typed(spec)
        ordered = sorted(times)
        middle = statistics.median(ordered)
        last = ordered[int(0.95 * (len(ordered) - 1))]
        shown = [f"{1000 * each:6.1f} ms" for each in (middle, last, ordered[-1])]
        print(f"{spec.stem:28} {len(times):5} {' '.join(shown)} {memory / 1e6:6.1f} MB")


async def typed(spec: Path) -> tuple[list[float], int]:
    """Seconds from each key to mistakes and hints, and the memory of the server at its end."""
    client = LanguageClient("benchmark", "1")
    told: asyncio.Queue[tuple[int | None, float]] = asyncio.Queue()

    @client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    def diagnostics(params: lsp.PublishDiagnosticsParams) -> None:
        told.put_nowait((params.version, time.perf_counter()))

    await client.start_io(sys.executable, "-m", "dotcnn", "lsp")
    await client.initialize_async(
        lsp.InitializeParams(capabilities=lsp.ClientCapabilities(), process_id=None)
    )
    client.initialized(lsp.InitializedParams())
    text, uri = spec.read_text(encoding="utf-8"), spec.resolve().as_uri()
    item = lsp.TextDocumentItem(uri, "cnn", 0, text)
    client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
    await asyncio.wait_for(told.get(), 60)
    at = text.rindex("pool avg global") if "pool avg global" in text else text.rindex("}")
    times = []
    begun = time.perf_counter()
    for key in range(KEYS):
        # The line is typed, and taken back, again and again.
        round_, place = divmod(key, len(TYPED))
        length = place + 1 if round_ % 2 == 0 else len(TYPED) - place - 1
        await asyncio.sleep(max(0.0, begun + key / A_SECOND - time.perf_counter()))
        pressed = time.perf_counter()
        changed = f"{text[:at]}{TYPED[:length]}{text[at:]}"
        client.text_document_did_change(
            lsp.DidChangeTextDocumentParams(
                lsp.VersionedTextDocumentIdentifier(key + 1, uri),
                [lsp.TextDocumentContentChangeWholeDocument(changed)],
            )
        )
        hints = client.text_document_inlay_hint_async(
            lsp.InlayHintParams(lsp.TextDocumentIdentifier(uri), SCREEN)
        )
        await hints
        version, _ = await asyncio.wait_for(told.get(), 60)
        while version != key + 1:
            version, _ = await asyncio.wait_for(told.get(), 60)
        times.append(time.perf_counter() - pressed)
    memory = _memory(client)
    await client.shutdown_async(None)
    client.exit(None)
    await client.stop()
    return times, memory


def _memory(client: LanguageClient) -> int:
    """What the server holds, as Linux counts it; 0 elsewhere."""
    server = getattr(client, "_server", None)
    try:
        pages = Path(f"/proc/{server.pid}/statm").read_text().split()[1]  # type: ignore[union-attr]
    except (OSError, AttributeError):
        return 0
    return int(pages) * 4096


if __name__ == "__main__":
    given = [Path(each) for each in sys.argv[1:]]
    asyncio.run(main(given or [GALLERY / each for each in SPECS]))
