"""docs/diagnostics: every diagnostic code has an example that ends in it, and a way out.

Each entry runs in a folder of its own: files are written, `cnn` runs as users run it, other lines
are given to a shell. What is printed is what the page shows; `pytest --update-golden` writes it.
The commands of the example print the code; those of the way out print no error and no warning.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from codes_in_source import codes_in_source
from dotcnn.cli import main
from dotcnn.compiler.diagnose.explained_codes import (
    FOLDER,
    ExplainedCode,
    codes_of_page,
    explained_codes,
)
from dotcnn.docs.site.page_cells import File, Session, cells
from situations import situation
from support import forget_plugins

PAGES = sorted(FOLDER.glob("*.md"))
_QUICK = re.compile(r"(cnn (check|report|fmt|help|emit|draw|sweep --help)|printf|mkdir|cat)\b")
_DIAGNOSTIC = re.compile(r"^(error|warning)\[", re.MULTILINE)
_VERSION = re.compile(r"\b\d+\.\d+\.\d+\b")
_NUMBER = re.compile(r"\d[\d.,]*(e[-+]?\d+)?([+](cpu|cu\d+))?|\bnan\b|\^+")


def is_slow(page: Path) -> bool:
    """Whether a page runs commands that need torch."""
    lines = re.findall(r"^\$ (.*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    return not all(_QUICK.match(line) for line in lines)


def by_speed() -> list[object]:
    slow = pytest.mark.slow
    return [pytest.param(page, id=page.stem, marks=[slow] * is_slow(page)) for page in PAGES]


@pytest.mark.parametrize("page", by_speed())
def test_examples_end_in_their_code(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    update: bool = request.config.getoption("--update-golden")
    exact = not is_slow(page)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("DOTCNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", "cache")
    text = page.read_text(encoding="utf-8")
    wrong = []
    for entry in codes_of_page(text):
        # Its name is shorter than that of `tmp_path`: a few lines show it, and are cut off.
        with TemporaryDirectory() as folder, chdir(folder), situation(entry.situation):
            example, printed = run(entry.example, capfd, exact=exact)
            way_out, printed_after = run(entry.way_out, capfd, exact=exact)
        forget_plugins()
        wrong += [f"{entry.code}: {line}" for line in mistakes(entry, printed, printed_after)]
        if update:
            before, head, after = text.partition(f"## `{entry.code}`:")
            after = after.replace(entry.example, example, 1).replace(entry.way_out, way_out, 1)
            text = before + head + after
        elif (example, way_out) != (entry.example, entry.way_out):
            wrong.append(f"{entry.code} says otherwise:\n{example}\n{way_out}")
    if update and text != page.read_text(encoding="utf-8"):
        page.write_text(text, encoding="utf-8")
    assert not wrong, "\n".join(wrong)


def mistakes(entry: ExplainedCode, printed: str, after: str) -> list[str]:
    found = []
    if not re.search(rf"\b(error|warning)\[{entry.code}\]", printed):
        found.append(f"the example does not print the code:\n{printed}")
    if not entry.way_out:
        found.append("there is no way out")
    if _DIAGNOSTIC.search(after):
        found.append(f"the way out does not lead out:\n{after}")
    return found


def run(markdown: str, capfd: pytest.CaptureFixture[str], *, exact: bool) -> tuple[str, str]:
    """The text with what its commands print now, and all that they print."""
    everything = []
    for cell in cells(markdown):
        if isinstance(cell, File):
            Path(cell.name).parent.mkdir(parents=True, exist_ok=True)
            Path(cell.name).write_text(cell.text, encoding="utf-8")
        if isinstance(cell, Session):
            for line, shown in cell.commands:
                printed = output(line, capfd)
                everything.append(printed)
                if not matches(shown, printed, exact=exact):
                    before = f"$ {line}\n{shown}\n" if shown else f"$ {line}\n"
                    after = f"$ {line}\n{printed}\n" if printed else f"$ {line}\n"
                    markdown = markdown.replace(before, after, 1)
    return markdown, "\n".join(everything)


def output(line: str, capfd: pytest.CaptureFixture[str]) -> str:
    """What a line of a session prints, from its first diagnostic on, if it has one."""
    capfd.readouterr()
    if line.startswith("cnn "):
        command, _, file = line.partition(" &> ")
        main(shlex.split(command)[1:])
        if file:
            Path(file).write_text("".join(capfd.readouterr()), encoding="utf-8")
    else:
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        subprocess.run(["bash", "-c", line], check=False, env=environment)
    printed = "".join(capfd.readouterr())
    for folder in (Path.cwd().resolve(), Path.cwd()):
        printed = printed.replace(f"{folder}/", "").replace(f"{folder}", ".")
    first = _DIAGNOSTIC.search(printed)
    lines = printed[first.start() if first else 0 :].rstrip().split("\n")
    return "\n".join(each.rstrip() for each in lines)


def matches(shown: str, printed: str, *, exact: bool) -> bool:
    """Whether the output is as shown, but for versions; unless `exact`, but for all numbers, which
    the processor and the versions of packages decide, and the length of folders' names."""
    left_out = _VERSION if exact else _NUMBER
    return left_out.sub("0", shown) == left_out.sub("0", printed)


@pytest.mark.slow
def test_every_code_is_explained() -> None:
    known = explained_codes()
    in_source = codes_in_source()
    assert sorted(in_source - known.keys()) == []
    assert sorted(known.keys() - in_source) == [], "no longer in the source"
    for entry in known.values():
        assert "\n$ " in entry.example, f"{entry.code} has no example"
        assert len(entry.way_out) > 20, f"{entry.code} has no way out"


def test_each_code_is_explained_once() -> None:
    codes = [each.code for page in PAGES for each in codes_of_page(page.read_text("utf-8"))]
    assert len(codes) == len(set(codes))
