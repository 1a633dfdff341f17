"""An image through the network: by `cnn show`, in a process of its own, so that the page for typing
goes on.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from ...compiler.extend.load_plugin import options_of_given

MOST_IMAGE = 40_000_000
"""Bytes of an image."""
MOST_SECONDS = 120
KEPT = 5
"""Pages that can be looked at; older ones go."""


class Shown:
    """The pages that were made, by names that nobody guesses."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.busy = asyncio.Lock()

    @property
    def possible(self) -> bool:
        return find_spec("torch") is not None and find_spec("PIL") is not None

    async def make(self, spec: Path, text: str, image: bytes) -> tuple[str, str]:
        """The name of the page, or why there is none."""
        if len(image) > MOST_IMAGE:
            return "", f"the image has more than {MOST_IMAGE // 1_000_000} MB"
        async with self.busy:
            with TemporaryDirectory() as folder:
                # Beside the file itself, so that its imports are found: the text may not be saved.
                page, picture = Path(folder, "page.html"), Path(folder, "image")
                picture.write_bytes(image)
                said = await _run(spec.parent, text, picture, page)
                if not page.is_file():
                    return "", said or "`cnn show` wrote no page"
                name = secrets.token_urlsafe(16)
                self.pages[name] = page.read_bytes()
        for old in list(self.pages)[:-KEPT]:
            del self.pages[old]
        return name, ""


async def _run(folder: Path, text: str, picture: Path, page: Path) -> str:
    """What `cnn show` says if it fails; the spec comes by its standard input."""
    words = [sys.executable, "-m", "dotcnn", "show", "-", str(picture), "-o", str(page)]
    words += options_of_given()
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *words, cwd=folder, stdin=pipe, stdout=pipe, stderr=pipe
    )
    try:
        _, said = await asyncio.wait_for(process.communicate(text.encode()), MOST_SECONDS)
    except TimeoutError:
        process.kill()
        return f"it takes more than {MOST_SECONDS} seconds"
    return said.decode("utf-8", "replace").strip()
