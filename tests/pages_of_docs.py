"""The pages of the documentation, and how the tests run their commands."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image

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


def drawn_as(link: str) -> str:
    """The file that a command writes for a picture: lessons, which are in the wheel, have WebP
    of few colors, a third of the size."""
    return Path(link).with_suffix(".png").name if link.endswith(".webp") else Path(link).name


def keep(drawn: Path, kept: Path) -> None:
    """Replaces a picture of the documentation by one that was drawn."""
    if kept.suffix == ".webp":
        with Image.open(drawn) as picture:
            few = picture.convert("RGB").quantize(32, dither=Image.Dither.NONE).convert("RGB")
            few.save(kept, lossless=True, quality=100, method=6)
    else:
        kept.write_bytes(drawn.read_bytes())


def layout(picture: Path) -> object:
    """What a picture is on every processor: its size, the texts of an SVG without their numbers."""
    if picture.suffix != ".svg":
        with Image.open(picture) as opened:
            return opened.size
    texts = re.findall(r">([^<>]+)<", picture.read_text(encoding="utf-8"))
    return [re.sub(r"[-\d.,% ]+", "", text) for text in texts]


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()
