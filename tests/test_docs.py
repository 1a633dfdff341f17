"""README.md and docs/: what a page shows is what comes out, and its links lead somewhere.

A block that begins with `# NAME.cnn` is a file. In a block that begins with `$ cnn`, each such line
is run in a folder with the files before it, and what follows is its output; `…` stands for any
lines.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import dotcnn
from dotcnn.cli import main

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUICK = {"check", "diff", "draw", "emit", "explain", "fmt", "help", "report"}
"""Commands that take no time and whose output is the same on every machine."""


def files(text: str) -> Iterator[tuple[str, str]]:
    for _, block in BLOCK.findall(text):
        name = re.match(r"# (\w+\.cnn)\b", block)
        if name:
            yield name[1], block


def commands(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """The words of each quick command that is shown, and the lines of its output."""
    for _, block in BLOCK.findall(text):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, *output = part.rstrip("\n").split("\n")
            words = shlex.split(line, comments=True)
            if words[0] == "cnn" and words[1] in QUICK and "|" not in words:
                yield words[1:], output


def matches(shown: list[str], printed: list[str]) -> bool:
    pattern = "\n".join("(.*\n)*?.*" if line.strip() == "…" else re.escape(line) for line in shown)
    return re.fullmatch(pattern, "\n".join(line.rstrip() for line in printed)) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_print_what_is_shown(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = page.read_text(encoding="utf-8")
    for name, content in files(text):
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for words, shown in commands(text):
        if not shown or any(not (tmp_path / w).exists() for w in words if w.endswith(".cnn")):
            continue
        main(words)
        printed = capsys.readouterr()
        lines = (printed.out or printed.err).rstrip("\n").split("\n")
        if not matches([line.rstrip() for line in shown], lines):
            assert lines == shown, shlex.join(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in link:
            assert (page.parent / link).exists(), link


def test_emitted_text_is_as_shown() -> None:
    text = (ROOT / "docs/guide/module.md").read_text(encoding="utf-8")
    (spec,) = [block for _, block in BLOCK.findall(text) if block.startswith("# resnet50.cnn")]
    (shown,) = [block for _, block in BLOCK.findall(text) if block.startswith("class")]
    assert shown in dotcnn.emit(spec.split("\n", 1)[1])


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150


@pytest.mark.slow
def test_the_reference_has_a_page_for_everything(tmp_path: Path) -> None:
    pytest.importorskip("railroad")
    from dotcnn.cli import COMMANDS
    from dotcnn.compiler.report.words import words
    from dotcnn.docs.site.build import reference

    pages = {page.title: page for page in reference(tmp_path)}
    assert not set(COMMANDS) - {title.removeprefix("cnn ") for title in pages}
    text = "\n".join(page.text for page in pages.values())
    assert [word for word in words() if word not in pages and f"`{word}`" not in text] == []
    answers = "\n".join(path.read_text() for path in (ROOT / "tests/errors").rglob("*.txt"))
    codes = set(re.findall(r"^(?:error|warning)\[([\w-]+)\]", answers, re.MULTILINE))
    assert sorted(codes - pages.keys()) == []
