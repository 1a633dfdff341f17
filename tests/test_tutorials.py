"""The tutorials, and pages of the guide that train: each is run from top to bottom in an empty
folder, as a newcomer would.

Every line that begins with `$ ` is given to a shell, one for the whole page. Outputs are compared
as in test_docs.py; of what is trained, numbers are masked, as they depend on the processor.
`pytest --update-golden` writes outputs without `…` anew, pictures, and the notebooks.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dotcnn.docs.site.notebooks import notebook
from dotcnn.docs.site.page_cells import Before, File, Session, cells
from pages_of_docs import PAGES, ROOT, drawn_as, keep, layout, named, pictures, runs_whole

TUTORIALS = sorted((ROOT / "docs/tutorial").glob("*.md"))
WHOLE = [page for page in PAGES if runs_whole(page)]
EXACT = ("cnn check", "cnn report", "cnn explain", "cnn draw", "cnn diff", "cnn help", "ls", "cat")
"""Commands whose outputs are the same on every machine."""
_NUMBER = re.compile(
    r"\d+:\d\d|[\d.]+ m?s\b|[-+]?(?:\d[\d.,]*(?:e[-+]?\d+)?|nan)\s*%?|(?<!\S)\.(?!\S)"
)
_PROGRESS = re.compile(r"^[\w /-]+: [\d,]+ of [\d,]+$")
"""What takes longer than a few seconds says how far it is: on some machines."""
_BEST = re.compile(r" best$|, the best so far$|, as written\b")


def masked(line: str) -> str:
    """A line without what the processor decides: numbers, times, and which epoch is the best."""
    return re.sub(r"\s+", " ", _NUMBER.sub("", _BEST.sub("", line))).strip()


def matches(shown: str, printed: str, *, exact: bool) -> bool:
    """Whether the output is as shown; a line `…` stands for any lines."""
    before, after = (
        [line.rstrip() if exact else masked(line) for line in text.rstrip().split("\n")
         if exact or not (line.startswith("verdict: ") or _PROGRESS.match(line))]
        for text in (shown, printed)
    )  # fmt: skip
    pattern = "\n".join("(.*\n)*?.*" if line.strip() == "…" else re.escape(line) for line in before)
    return bool(re.fullmatch(pattern, "\n".join(after)))


def run(page: str, folder: Path) -> list[tuple[int, str]]:
    """The exit code and the output of each command of a page, with this environment's `cnn`."""
    mark = "-- the next command --"
    lines = ["trap 'kill $(jobs -p) 2>/dev/null' EXIT", "exec 2>&1"]
    for cell in cells(page):
        if isinstance(cell, Before):
            lines.append(f"{{\n{cell.text}}} > before.txt 2>&1 || {{ cat before.txt; exit 1; }}")
        elif isinstance(cell, File):
            lines.append(f"cat > {cell.name} <<'END OF FILE'\n{cell.text}END OF FILE")
        elif isinstance(cell, Session):
            lines += [f"{line}\necho; echo '{mark}' $?" for line, _ in cell.commands]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "DOTCNN_CACHE": str(folder / ".cache"),
    }
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)], cwd=folder, env=environment, check=False, text=True,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    *parts, rest = re.split(rf"^{mark} (\d+)\n", done.stdout, flags=re.MULTILINE)
    assert not rest.strip(), rest
    return [
        (int(code), "\n".join(line.rstrip() for line in output.rstrip().split("\n")))
        for output, code in zip(parts[::2], parts[1::2], strict=True)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("page", WHOLE, ids=named)
def test_a_page_runs_from_top_to_bottom(
    page: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    update: bool = request.config.getoption("--update-golden")
    text = page.read_text(encoding="utf-8")
    wrong = []
    printed = iter(run(text, tmp_path))
    for cell in cells(text):
        if not isinstance(cell, Session):
            continue
        for line, shown in cell.commands:
            code, output = next(printed)
            if cell.varies and code == 0:
                continue
            if matches(shown, output, exact=line.startswith(EXACT)):
                continue
            if update and "…" not in shown:
                written = "\n> ".join(line.split("\n"))
                before = f"$ {written}\n{shown}\n" if shown else f"$ {written}\n"
                after = f"$ {written}\n{output}\n" if output else f"$ {written}\n"
                text = text.replace(before, after, 1)
                page.write_text(text, encoding="utf-8")
            else:
                wrong.append(f"$ {line}\n{output}")
    assert not wrong, "\n".join(wrong)
    for link in pictures(text):
        found = list(tmp_path.rglob(drawn_as(link)))
        assert found, f"no command of the page draws {link}"
        kept = page.parent / link
        if update:
            keep(found[0], kept)
        assert layout(kept) == layout(found[0]), link


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_notebooks_are_those_of_the_pages(page: Path, request: pytest.FixtureRequest) -> None:
    kept = page.parent / "notebooks" / f"{page.stem}.ipynb"
    now = notebook(page.read_text(encoding="utf-8"))
    if request.config.getoption("--update-golden"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(now, encoding="utf-8")
    assert kept.read_text(encoding="utf-8") == now, "write it anew: pytest --update-golden"


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_notebooks_are_valid(page: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    read = nbformat.reads(notebook(page.read_text(encoding="utf-8")), as_version=4)
    nbformat.validate(read)
    assert any(cell.cell_type == "code" for cell in read.cells)


def test_the_notebook_of_a_page() -> None:
    file, ran = "# net.cnn\nnetwork N {}", "$ cnn check net.cnn\nfine"
    before = "<!-- before\nmkdir runs\n-->"
    page = f"# Title\n\nSay.\n\n```\n{file}\n```\n\n{before}\n\n<!-- varies -->\n```\n{ran}\n```\n"
    said, written, made, run = json.loads(notebook(page))["cells"][1:]
    assert "".join(said["source"]) == "# Title\n\nSay."
    assert "".join(written["source"]) == "%%writefile net.cnn\n# net.cnn\nnetwork N {}"
    assert "".join(made["source"]) == "%%bash\nmkdir runs"
    assert "".join(run["source"]) == "!cnn check net.cnn"
    assert run["outputs"][0]["text"] == ["fine\n"]
