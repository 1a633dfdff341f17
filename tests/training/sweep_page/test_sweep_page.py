"""report.html of a sweep."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dotcnn.training.sweep.sweep_facts import read_sweep
from dotcnn.training.sweep_page.sweep_contents import SweepContents
from dotcnn.training.sweep_page.write_sweep_page import SweepPage, page_writer, sweep_page

from .made_up import sweep_folder


def page_of(folder: Path) -> str:
    return SweepPage().write(read_sweep(folder)).read_text(encoding="utf-8")


class _Balanced(HTMLParser):
    """Checks that each element that is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attributes: object) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("objectives", [("top1",), ("top1", "params")])
@pytest.mark.parametrize("trials", [1, 2, 7, 30])
def test_page_of_any_length(tmp_path: Path, trials: int, objectives: tuple[str, ...]) -> None:
    folder = sweep_folder(tmp_path / "sweep", trials, *objectives)
    page = page_of(folder)
    parser = _Balanced()
    parser.feed(page)
    assert parser.open == []
    assert not re.search(r"\bnan\b|\binf\b|None|http(?!-equiv)", page.split("<script>")[0])
    for number in range(trials):
        assert f'id="trial-{number}"' in page
        assert f'href="trials/{number}/"' in page


def test_what_the_page_says(tmp_path: Path) -> None:
    folder = sweep_folder(tmp_path / "sweep", 30, name="<script>alert(1)</script>")
    (folder / "trials/3/report.html").write_text("")
    facts = read_sweep(folder)
    page = page_of(folder)
    assert facts.best is not None
    assert "<script>alert" not in page
    assert "<b>412" not in page
    assert f"trial {facts.best.number}</a>" in page
    assert 'href="trials/3/report.html"' in page
    assert "On 359 validation images, top1 has a standard error of" in page
    assert "1 of 31 proposals was never trained: 1 over params" in page
    assert "6 with a cross were pruned there" in page
    assert f"cnn sweep --best {facts.folder} -o best.cnn" in page
    assert "Front" not in page


def test_few_trials_are_not_certain(tmp_path: Path) -> None:
    assert "are the fewest to tell" in page_of(sweep_folder(tmp_path / "five", 5))
    few = page_of(sweep_folder(tmp_path / "ten", 10))
    assert "8 trials are few" in few
    assert "trials are few" not in page_of(sweep_folder(tmp_path / "many", 40))


def test_front_of_two(tmp_path: Path) -> None:
    folder = sweep_folder(tmp_path / "sweep", 30, "top1", "params")
    facts, page = read_sweep(folder), page_of(folder)
    assert facts.best is None
    assert f"{len(facts.front)} of 30 trials are on the front" in page
    assert "--trial N" in page
    assert page.count("on the front</td>") == len(facts.front)
    assert "top1 by lr" in page
    assert "params by lr" not in page  # known before anything is trained


def test_curves_of_ended_trials_are_read_once(tmp_path: Path) -> None:
    folder = sweep_folder(tmp_path / "sweep", 3)
    contents = SweepContents(read_sweep(folder))
    page = sweep_page(contents)
    for number in range(3):
        (folder / f"trials/{number}/metrics.jsonl").unlink()
    again = SweepContents(read_sweep(folder), contents.known_curves)
    assert sweep_page(again) == page


def test_a_page_that_cannot_be_written_does_not_end_the_sweep(tmp_path: Path) -> None:
    folder = sweep_folder(tmp_path / "sweep", 2)
    (folder / "report.html").mkdir()
    said: list[str] = []
    page_writer(said.append)(folder)
    assert len(said) == 1
    assert "cannot write the page" in said[0]


def test_damaged_files_of_trials_are_left_out(tmp_path: Path) -> None:
    folder = sweep_folder(tmp_path / "sweep", 12)
    (folder / "trials/0/metrics.jsonl").write_text('{"epoch": 1, "val": {"top1": "x"}}\n[')
    (folder / "trials/0/record.json").write_text("[" * 1000)
    (folder / "claims/1/trial.json").write_text("{}")
    page = page_of(folder)
    assert 'id="trial-0"' in page
    assert 'id="trial-1"' not in page
    assert "validation images" not in page
