"""A page of the documentation as cells: prose, files that it writes, commands with outputs.

A fenced block that begins with `# NAME.cnn` (or `.py`, `.cfg`, `.prototxt`) is a file. A block that
begins with `$ ` is a session: each such line is a command, which goes on in lines that begin with
`> `, and what follows is its output. A comment `<!-- before … -->` has commands that the page needs
and does not show, such as the runs that it compares; `<!-- varies -->` stands before a session
whose output is another one on each computer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CELL = re.compile(
    r"^<!-- before\n(?P<before>.*?)-->$"
    r"|^(?P<varies><!-- varies -->\n+)?^```\w*\n(?P<block>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_FILE = re.compile(r"# ([\w-]+\.(?:cnn|py|cfg|prototxt))\b")


class Prose(NamedTuple):
    text: str


class File(NamedTuple):
    name: str
    text: str


class Session(NamedTuple):
    commands: list[tuple[str, str]]
    """Each command with its output."""
    varies: bool = False


class Before(NamedTuple):
    """Commands that are not shown."""

    text: str


Cell = Prose | File | Session | Before


def cells(page: str) -> Iterator[Cell]:
    """The cells of a page, in order; a block that is neither a file nor a session is prose."""
    start = 0
    for found in _CELL.finditer(page):
        text = found["before"] or found["block"]
        file = _FILE.match(text)
        if not (found["before"] or file or text.startswith("$ ")):
            continue
        if page[start : found.start()].strip():
            yield Prose(page[start : found.start()].strip())
        start = found.end()
        if found["before"]:
            yield Before(text)
        elif file:
            yield File(file[1], text)
        else:
            yield Session(list(session(text)), varies=bool(found["varies"]))
    if page[start:].strip():
        yield Prose(page[start:].strip())


def session(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a session with their outputs."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        first, _, rest = part.rstrip("\n").partition("\n")
        lines = rest.split("\n")
        more = len(list(takewhile(lambda line: line.startswith("> "), lines)))
        yield "\n".join([first, *(line[2:] for line in lines[:more])]), "\n".join(lines[more:])
