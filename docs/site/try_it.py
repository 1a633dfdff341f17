"""The playground within the site: a link under each whole spec that opens it there.

Where scripts run, try_it.js opens it in the place of the spec, and nothing of it is loaded before.
"""

from __future__ import annotations

import base64
import re
import zlib
from pathlib import Path

from .page_cells import BLOCK

PLAYGROUND = Path(__file__).parent.parent.parent / "playground/dist"
"""Built by `make playground`."""
NAVIGATION = "  - Playground: playground.md\n"

_NETWORK = re.compile(r"^network\b", re.MULTILINE)
_OTHER_FILES = re.compile(r"^(import|use)\b", re.MULTILINE)
"""Such a spec needs files that the browser does not have."""
_TITLE = "Opens the spec in the playground, here; the first time, the compiler is loaded"
_FILE_NAME = re.compile(r"\A# [\w-]+\.cnn\n")


def with_links(text: str, up: str) -> str:
    """The page with a link under each spec of a network. `up` leads to the root of the site."""

    def linked(block: re.Match[str]) -> str:
        language, spec = block[1], block[2]
        if language != "cnn" or not _NETWORK.search(spec) or _OTHER_FILES.search(spec):
            return block[0]
        address = f"{up}playground/index.html#spec={packed(_FILE_NAME.sub('', spec).rstrip())}"
        return f'{block[0]}\n\n[Try it]({address}){{ .try-it title="{_TITLE}" }}'

    return BLOCK.sub(linked, text)


def packed(text: str) -> str:
    """A text as the playground reads it in its address (playground/src/link.ts)."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = deflate.compress(text.encode()) + deflate.flush()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def page_of_its_own() -> str:
    size = sum(file.stat().st_size for file in PLAYGROUND.rglob("*") if file.is_file())
    return f"""# Playground

Change the text: shapes, costs, the drawing and the torch module follow, and mistakes are answered.
The compiler runs in this page, in Python built for browsers: {size / 1e6:.0f} MB, which are loaded
once. What you write stays here.

[Open the playground](playground/index.html){{ .try-it .at-once }}

On your own computer, `cnn play net.cnn` shows the same beside your file, and writes what you type
into it. Under the specs of these pages, **Try it** opens one here.
"""
