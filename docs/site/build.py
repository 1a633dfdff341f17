"""Builds the site: `make docs`. Assembles its pages in build/docs, then MkDocs writes build/site.

The guide is in docs/, as GitHub shows it too; the reference is made from the program itself.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from dotcnn.compiler.commands.lesson import all_lessons

from . import (
    reference_commands,
    reference_diagnostics,
    reference_formats,
    reference_grammar,
    reference_layers,
    reference_python,
    reference_words,
)
from .check_links import wrong_links
from .page_cells import BLOCK
from .pages import Page
from .try_it import NAVIGATION, PLAYGROUND, page_of_its_own, with_links

ROOT = Path(__file__).parent.parent.parent
SITE = Path(__file__).parent
SOURCE = ROOT / "build/docs"

BUILT = ROOT / "build/site"
SETTINGS = ROOT / "build/mkdocs.yml"

_ELSEWHERE = "https://unpkg.com/iframe-worker/shim"
_REFERENCE = "  - Reference: reference/index.md\n"
_PICTURE = re.compile(r"^!\[[^]]*\]\(([^)]+)\)$", re.MULTILINE)
_SPEC = re.compile(r"^\s*(network|block|train|augment|evaluate|transfer|sweep|conv|# \w+\.cnn)\b")


def main() -> int:
    assemble()
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-f"]
    code = subprocess.run([*command, str(SETTINGS)], check=False).returncode
    if code == 0:
        _stay_here(BUILT)
        for line in (wrong := list(wrong_links(BUILT))):
            _say(line)
        code = bool(wrong)
    return code


def _say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201


def _stay_here(site: Path) -> None:
    """Replaces the one script that the theme takes from another host."""
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        up = "../" * (len(page.relative_to(site).parts) - 1)
        text = text.replace(_ELSEWHERE, f"{up}frame_worker.js")
        page.write_text(text, encoding="utf-8")


def assemble() -> None:
    """Writes all pages to build/docs."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    left_out = shutil.ignore_patterns("site", "diagnostics", "__pycache__")
    shutil.copytree(ROOT / "docs", SOURCE, ignore=left_out)
    for file in ("site.css", "frame_worker.js", "try_it.js"):
        shutil.copy(SITE / file, SOURCE)
    _write("index.md", (ROOT / "README.md").read_text(encoding="utf-8"))
    _write("changes.md", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    _write("measurements.md", (ROOT / "benchmarks/RESULTS.md").read_text(encoding="utf-8"))
    for page in SOURCE.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        page.write_text(_enlarged(_colored(_linked(text))), encoding="utf-8")
    _number_lessons()
    with tempfile.TemporaryDirectory() as work:
        pages = list(reference(Path(work)))
        for page in pages:
            _write(f"reference/{page.path}.md", _colored(page.text))
        for picture in Path(work).glob("*.svg"):
            shutil.copy(picture, SOURCE / "reference/layers")
    _write("reference/index.md", _contents(pages))
    _write("reference/diagnostics/index.md", reference_diagnostics.contents())
    settings = (SITE / "mkdocs.yml").read_text(encoding="utf-8")
    settings = settings.replace(_REFERENCE, _navigation(pages))
    if PLAYGROUND.exists():
        _add_playground()
    else:
        settings = settings.replace(NAVIGATION, "")
        _say("The site has no playground: `make playground` builds it, which needs node and npm.")
    SETTINGS.write_text(settings, encoding="utf-8")


def _number_lessons() -> None:
    """Gives each lesson its number, as `cnn lesson` does, and writes their list."""
    rows = []
    for each in all_lessons():
        page = SOURCE / "lessons" / f"{each.number:02}-{each.name}.md"
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace("# ", f"# {each.number}. ", 1), encoding="utf-8")
        rows.append(f"{each.number}. [{each.title}]({page.name})")
    head = (
        "# Lessons\n\nIn order; each is a page with a spec, a command, a picture and a question. "
        "`cnn lesson 4` shows one in the terminal, `--copy FOLDER` writes its files.\n\n"
    )
    _write("lessons/index.md", head + "\n".join(rows))


def _add_playground() -> None:
    shutil.copytree(PLAYGROUND, SOURCE / "playground")
    for page in SOURCE.rglob("*.md"):
        up = "../" * (len(page.relative_to(SOURCE).parts) - 1)
        text = page.read_text(encoding="utf-8")
        page.write_text(with_links(text, up), encoding="utf-8")
    _write("playground.md", page_of_its_own())


def reference(work: Path) -> Iterator[Page]:
    """The pages of the reference; pictures go into the folder `work`."""
    yield from reference_words.pages()
    yield from reference_layers.pages(work)
    yield from reference_grammar.pages()
    yield from reference_formats.pages(work)
    yield from reference_python.pages()
    yield from reference_commands.pages()
    yield from reference_diagnostics.pages()


def _write(place: str, text: str) -> None:
    path = SOURCE / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.rstrip() + "\n", encoding="utf-8")


def _linked(text: str) -> str:
    """The text with links to files of the repository as links to pages of the site."""
    places: Mapping[str, str] = {
        "docs/": "",
        "CHANGELOG.md": "changes.md",
        "benchmarks/RESULTS.md": "measurements.md",
        "../../benchmarks/RESULTS.md": "../measurements.md",
    }
    for before, after in places.items():
        text = text.replace(f"]({before}", f"]({after}")
    return text


def _colored(text: str) -> str:
    """The text with the language of each block that names none."""
    return BLOCK.sub(lambda block: f"```{block[1] or _language(block[2])}\n{block[2]}```", text)


def _enlarged(text: str) -> str:
    """The text with each picture that stands alone as a link to itself: on a phone, details of a
    drawing are too small."""
    return _PICTURE.sub(r"[\g<0>](\1)", text)


def _language(block: str) -> str:
    if re.match(r"# [\w-]+\.py\b", block):
        return "python"
    return "cnn" if _SPEC.match(block) else "text"


def _navigation(pages: list[Page]) -> str:
    """The reference as lines of `nav`: a folder for each group, of diagnostics their list."""
    lines = ["  - Reference:", "      - reference/index.md"]
    for group in dict.fromkeys(page.group for page in pages):
        if group == reference_diagnostics.GROUP:
            lines.append(f"      - {group}: reference/diagnostics/index.md")
            continue
        lines.append(f"      - {group}:")
        lines += [
            f"          - '{page.title}': reference/{page.path}.md"
            for page in pages
            if page.group == group
        ]
    return "\n".join(lines) + "\n"


def _contents(pages: list[Page]) -> str:
    lines = ["# Reference", "Made from the program: what it says here is what it does."]
    for group in dict.fromkeys(page.group for page in pages):
        if group == reference_diagnostics.GROUP:
            count = sum(page.group == group for page in pages)
            lines += [f"## {group}", f"[All {count} kinds of mistakes](diagnostics/index.md)"]
            continue
        members = [page for page in pages if page.group == group]
        links = " · ".join(f"[{page.title}]({page.path}.md)" for page in members)
        lines += [f"## {group}", links]
    return "\n\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
