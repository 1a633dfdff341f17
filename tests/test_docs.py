"""README.md and docs/: what a page shows is what comes out, its pictures are what its commands
draw, and its links lead somewhere.

A block that begins with `# NAME.cnn` is a file. In a block that begins with `$ cnn`, each such line
is run in a folder with the files of the page, and what follows is its output; `…` stands for any
lines. `pytest --update-golden` writes outputs, where there is no `…`, and pictures anew.
"""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import dotcnn
from dotcnn.cli import COMMANDS, main
from dotcnn.docs.site.page_cells import BLOCK, session
from pages_of_docs import PAGES, ROOT, drawn_as, keep, layout, named, pictures, quick, runs_whole

SHOWING = [page for page in PAGES if "diagnostics" not in page.parts and not runs_whole(page)]
"""test_tutorials.py and test_explained_codes.py run the others, whole."""


class Shown(NamedTuple):
    """A command of a page, with the output that the page shows."""

    line: str
    output: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.line.partition(" | ")[0], comments=True)[1:]

    def cut(self, printed: str) -> str:
        """What `| head -5` or `| grep WORD` leaves of it."""
        pipes = self.line.partition(" | ")[2]
        if pipes:
            printed = subprocess.run(
                ["bash", "-c", pipes], input=printed, capture_output=True, check=True, text=True
            ).stdout
        return "\n".join(line.rstrip() for line in printed.rstrip("\n").split("\n"))


def files(text: str) -> Iterator[tuple[str, str]]:
    for _, block in BLOCK.findall(text):
        name = re.match(r"# (\w+\.cnn)\b", block)
        if name:
            yield name[1], block


def commands(text: str, known: set[str]) -> Iterator[Shown]:
    for _, block in BLOCK.findall(text):
        for line, output in session(block):
            shown = Shown(line, output)
            if line.startswith("cnn ") and shown.words[0] in known:
                yield shown


def matches(shown: str, printed: str) -> bool:
    lines = [line.rstrip() for line in shown.split("\n")]
    pattern = "\n".join("(.*\n)*?.*" if line.strip() == "…" else re.escape(line) for line in lines)
    return re.fullmatch(pattern, printed) is not None


def runs_networks(page: Path) -> bool:
    return "lessons" in page.parts and "\n$ cnn show" in page.read_text(encoding="utf-8")


SHOWING_BY_TIME = [
    pytest.param(page, id=named(page), marks=[pytest.mark.slow] * runs_networks(page))
    for page in SHOWING
]


@pytest.mark.parametrize("page", SHOWING_BY_TIME)
def test_commands_print_what_is_shown(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    update: bool = request.config.getoption("--update-golden")
    text = new = page.read_text(encoding="utf-8")
    for name, content in files(text):
        (tmp_path / name).write_text(content, encoding="utf-8")
    beside = page.with_suffix("").glob("*.py")  # in a folder of its name
    for file in [*beside, *page.parent.glob("*.jpg")]:
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for shown in commands(text, quick(page)):
        missing = [w for w in shown.words if w.endswith(".cnn") and not (tmp_path / w).exists()]
        if missing:
            continue
        main(shown.words)
        printed = capsys.readouterr()
        out = shown.cut(printed.out or printed.err)
        if not shown.output or matches(shown.output, out):
            continue
        if not update or "…" in shown.output:
            assert out == shown.output, shown.line
        before = f"$ {shown.line}\n{shown.output}\n"
        new = new.replace(before, f"$ {shown.line}\n{out}\n")
    if new != text:
        page.write_text(new, encoding="utf-8")
    for link in pictures(text):
        drawn, kept = tmp_path / drawn_as(link), page.parent / link
        assert drawn.exists(), f"no command of the page draws {link}"
        if update:
            keep(drawn, kept)
        if drawn.suffix == ".svg":
            assert drawn.read_text(encoding="utf-8") == kept.read_text(encoding="utf-8"), link
        assert layout(drawn) == layout(kept), link


def test_the_tour_in_python() -> None:
    tour = str(ROOT / "docs/contributing/tour.md")
    failed, tried = doctest.testfile(tour, module_relative=False, globs={"dotcnn": dotcnn})
    assert tried > 10
    assert not failed


def test_the_reader_that_contributing_writes() -> None:
    page = str(ROOT / "docs/contributing/reader.md")
    failed, tried = doctest.testfile(page, module_relative=False)
    assert tried > 8
    assert not failed


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_to_files(page: Path) -> None:
    prose = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", prose):
        if "://" not in link:
            assert (page.parent / link).exists(), link


def test_emitted_text_is_as_shown() -> None:
    text = (ROOT / "docs/guide/module.md").read_text(encoding="utf-8")
    (spec,) = [block for _, block in BLOCK.findall(text) if block.startswith("# resnet50.cnn")]
    (shown,) = [block for _, block in BLOCK.findall(text) if block.startswith("class")]
    assert shown in dotcnn.emit(spec.split("\n", 1)[1])


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if "diagnostics" not in page.parts and page.stem != "readings"],
    ids=named,
)
def test_commands_have_the_options_that_are_written(page: Path) -> None:
    """Also where they are not run: in blocks without an output, and in the text."""
    text = page.read_text(encoding="utf-8")
    lines = "\n".join(block for _, block in BLOCK.findall(text)).replace("\\\n", " ")
    written = re.findall(r"^(?:\$ |> *|srun )?(cnn [^…\n]*)$", lines, re.MULTILINE)
    for line in written:
        words = shlex.split(re.split(r" \| | && | 2>&1| > [\w.]+$", line)[0], comments=True)[1:]
        if not {"-h", "--help", "--version"} & {*words}:
            seeds = [re.sub(r"\$\w+", "1", word) for word in words[1:]]
            COMMANDS[words[0]].parser().parse_intermixed_args(seeds)
    for span in re.findall(r"`cnn ([a-z][^`]*)`", BLOCK.sub("", text)):
        name, *words = span.split()
        assert name in COMMANDS, span
        known = COMMANDS[name].parser().format_help()
        assert [word for word in words if word.startswith("-") and word not in known] == [], span


def test_the_guide_names_every_command() -> None:
    text = (ROOT / "docs/guide/commands.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"cnn {name}" not in text] == []


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150


@pytest.mark.slow
def test_the_reference_has_a_page_for_everything(tmp_path: Path) -> None:
    pytest.importorskip("railroad")
    import dotcnn.plugins
    import dotcnn.testing
    from dotcnn.cli import COMMANDS
    from dotcnn.compiler.diagnose.explained_codes import explained_codes
    from dotcnn.compiler.report.words import layers, words
    from dotcnn.docs.site.build import reference

    pages = {page.title: page for page in reference(tmp_path)}
    parts = ("Formula", "Shapes", "Costs", "Receptive field", "Gradient", "In other tools")
    for kind in layers():
        text = pages[kind.word].text
        assert [part for part in parts if f"## {part}" not in text] == [], kind.word
        assert "## Gradient\n\nKept" not in text, f"{kind.word}: write its `gradient`"
        assert (tmp_path / f"{kind.word.replace(' ', '-')}.svg").exists()
    for module in (dotcnn, dotcnn.plugins, dotcnn.testing):
        text = pages[module.__name__].text
        assert [name for name in module.__all__ if f"## {name} {{" not in text] == []
    assert sorted(explained_codes().keys() - pages.keys()) == []
    assert [name for name in ("The run folder", "The answers file") if name not in pages] == []
    assert not set(COMMANDS) - {title.removeprefix("cnn ") for title in pages}
    text = "\n".join(page.text for page in pages.values())
    assert [word for word in words() if word not in pages and f"`{word}`" not in text] == []
