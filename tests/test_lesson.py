"""`cnn lesson`."""

from __future__ import annotations

from pathlib import Path

import pytest

import dotcnn
from dotcnn.cli import main
from dotcnn.compiler.commands.lesson import LESSONS, all_lessons
from dotcnn.compiler.report.lesson_page import lesson_page

Capture = pytest.CaptureFixture[str]


def test_lessons_are_numbered_and_have_a_question() -> None:
    lessons = list(all_lessons())
    assert [each.number for each in lessons] == list(range(1, len(lessons) + 1))
    for lesson in lessons:
        assert lesson.text.count("<details markdown>") == lesson.text.count("</details>") == 1


def test_the_list_and_one_of_them(capsys: Capture) -> None:
    assert main(["lesson"]) == 0
    assert " 5  pooling" in capsys.readouterr().out
    assert main(["lesson", "pool"]) == 0
    shown = capsys.readouterr().out
    assert "max(1, 5, -3, 2) = 5" in shown
    assert "Answer" in shown
    assert "<details" not in shown


def test_specs_are_copied_and_nothing_is_overwritten(tmp_path: Path, capsys: Capture) -> None:
    assert main(["lesson", "4", "--copy", str(tmp_path / "mine")]) == 0
    assert "conv 10 3x3" in (tmp_path / "mine/volumes.cnn").read_text()
    assert main(["lesson", "4", "--copy", str(tmp_path / "mine")]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "said"), [("poling", "`pooling`?"), ("99", "lists them")])
def test_unknown_lessons(name: str, said: str, capsys: Capture) -> None:
    assert main(["lesson", name]) == 2
    assert said in capsys.readouterr().err


def test_specs_of_lessons_compile() -> None:
    for lesson in all_lessons():
        for name, text in lesson.specs.items():
            found = dotcnn.check(text)
            assert [each.message for each in found if each.severity == "error"] == [], name


def test_pages_hold_their_pictures() -> None:
    for lesson in all_lessons():
        page = lesson_page(lesson.title, lesson.text, LESSONS)
        assert page.count("data:image/") == lesson.text.count("](pictures/")
