"""A page of the documentation as cells: prose, files that it writes, commands with outputs.

A fenced block that begins with `# NAME.cnn` (or `.py`, `.cfg`, `.prototxt`) is a file. A block that
begins with `$ ` is a session: each such line is a command, and what follows is its output.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# ([\w-]+\.(?:cnn|py|cfg|prototxt))\b")


class Prose(NamedTuple):
    text: str


class File(NamedTuple):
    name: str
    text: str


class Session(NamedTuple):
    commands: list[tuple[str, str]]
    """Each command line with its output."""


Cell = Prose | File | Session


def cells(page: str) -> Iterator[Cell]:
    """The cells of a page, in order; a block that is neither a file nor a session is prose."""
    start = 0
    for block in BLOCK.finditer(page):
        text = block[2]
        file = _FILE.match(text)
        if not file and not text.startswith("$ "):
            continue
        if page[start : block.start()].strip():
            yield Prose(page[start : block.start()].strip())
        start = block.end()
        yield File(file[1], text) if file else Session(list(session(text)))
    if page[start:].strip():
        yield Prose(page[start:].strip())


def session(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a session with their outputs."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, _, output = part.rstrip("\n").partition("\n")
        yield line, output
