"""The pages of the documentation, and how the tests run their commands."""

from __future__ import annotations

import re
from pathlib import Path

from dotcnn.docs.site.page_cells import Session, cells

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
QUICK = {"check", "diff", "draw", "emit", "explain", "fmt", "help", "lesson", "report"}
"""Commands that take no time and whose output is the same on every machine."""


def quick(page: Path) -> set[str]:
    """The commands of a page that test_docs.py runs; lessons run networks of fixed weights."""
    return QUICK | {"show"} if "lessons" in page.parts else QUICK


def runs_whole(page: Path) -> bool:
    """Whether a page is run from top to bottom in a shell: it does more than compile."""
    if "diagnostics" in page.parts:  # test_explained_codes.py runs its entries, one by one
        return False
    if "tutorial" in page.parts:
        return True
    lines = [
        line
        for cell in cells(page.read_text(encoding="utf-8"))
        if isinstance(cell, Session)
        for line, _ in cell.commands
    ]
    known = quick(page)
    return any(not (line.startswith("cnn ") and line.split()[1] in known) for line in lines)


def pictures(text: str) -> list[str]:
    """The addresses of the pictures that a page shows."""
    return re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def layout(picture: Path) -> object:
    """What a picture is on every processor: the size of a PNG, the texts of an SVG without their
    numbers."""
    data = picture.read_bytes()
    if picture.suffix == ".png":
        return data[16:24]
    return [re.sub(rb"[-\d.,% ]+", b"", text) for text in re.findall(rb">([^<>]+)<", data)]
