"""`cnn gallery`: the bundled specs, with their cost and source."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ...dsl.diagnostics import SpecError
from ...dsl.files import read_file
from ...dsl.program import GALLERY, load_program
from ...dsl.syntax import Network as NetworkSyntax
from ..analysis import analyse
from ..build.elaborate import elaborate
from .figures import exact, short
from .grid import Column, grid
from .style import PLAIN, Style


@dataclass(frozen=True)
class Entry:
    """A spec of the gallery; `name` is the NAME of `cnn report NAME`."""

    name: str
    title: str
    authors: str
    year: int | None
    source: str
    """`arXiv:1512.03385`, if it is known."""
    params: int
    macs: int
    file: str


def gallery(folder: Path = GALLERY) -> list[Entry]:
    """All specs with a network, grouped by family; files that only define blocks are left out."""
    entries = [_entry(path, folder) for path in sorted(folder.rglob("*.cnn"))]
    return [entry for entry in entries if entry is not None]


def _entry(path: Path, folder: Path) -> Entry | None:
    source = read_file(path)
    try:
        program = load_program(source)
        if not any(isinstance(s, NetworkSyntax) for s in program.main.statements):
            return None
        totals = analyse(elaborate(program)).totals
    except SpecError:
        return None  # `cnn check` says why
    title, authors, year, origin = header(source.text)
    return Entry(
        name=path.stem,
        title=title or path.stem,
        authors=authors,
        year=year,
        source=origin,
        params=totals.params,
        macs=totals.macs,
        file=path.relative_to(folder).as_posix(),
    )


def header(text: str) -> tuple[str, str, int | None, str]:
    """Reads title, authors, year and source from the comment at the top of a spec: `# ResNet-50:
    He, Zhang, Ren and Sun, 2015, arXiv:1512.03385; …`."""
    paragraph = re.match(r"(?:#[^\n]+\n?)*", text)
    joined = " ".join(re.sub(r"(?m)^#", "", paragraph[0] if paragraph else "").split())
    title, colon, rest = joined.partition(": ")
    match = re.search(r"\b((?:19|20)\d\d)\b(?:, ([^;\s,]+[^;,.\s]))?", rest)
    if not colon or match is None:
        return title if colon else "", "", None, ""
    authors = rest[: match.start()].rstrip(", ")
    return title, authors, int(match[1]), match[2] or ""


def gallery_text(entries: Sequence[Entry], style: Style = PLAIN) -> str:
    def columns(wide: bool) -> list[Column[Entry]]:
        figure = exact if wide else short
        return [
            Column("name", lambda entry: entry.name),
            Column("parameters", lambda entry: figure(entry.params), right=True),
            Column("MACs", lambda entry: figure(entry.macs), right=True),
            Column("year", lambda entry: str(entry.year or ""), right=True, yields=3),
            Column("source", lambda entry: entry.source, yields=1, least=16, optional=False),
            Column(
                "authors",
                lambda entry: entry.authors if wide else _first_author(entry.authors),
                yields=2,
                least=22,  # a name is not cut: the column is left out
            ),
        ]

    return "\n".join(grid([columns(True), columns(False)], entries, style))


def _first_author(authors: str) -> str:
    """`He, Zhang, Ren and Sun` is cited as `He et al.`; two are both named."""
    names = re.split(r", | and ", authors)
    return f"{names[0]} et al." if len(names) > 2 else authors


def gallery_json(entries: Sequence[Entry]) -> str:
    return json.dumps([asdict(entry) for entry in entries], indent=2)
