"""`cnn lesson`: the course: lists its lessons, shows one, copies its files."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ...dsl.atomic_file import write_whole
from ...dsl.closest import closest
from .output_file import writing
from .terminal import OK, UsageError, print_page, say, style

EXAMPLES = """\
cnn lesson
cnn lesson 1
cnn lesson pooling --copy mine
cnn lesson 6 --browser"""

DETAILS = """\
Each lesson is a page with a spec of a few lines, a command and its output, and a question. Try it:
`cnn lesson 1 --copy .` writes the files of the lesson here, and its commands work as they stand."""

LESSONS = Path(__file__).parents[2] / "docs/lessons"
_BLOCK = re.compile(r"^```\w*\n(# (\w+\.cnn)\n.*?)^```$", re.MULTILINE | re.DOTALL)
_QUESTION = re.compile(r"<details markdown><summary>(.*?)</summary>\n(.*?)\n</details>", re.DOTALL)
_PICTURE = re.compile(r"!\[(.*?)\]\((.*?)\)")


class Lesson(NamedTuple):
    number: int
    name: str
    title: str
    text: str

    @property
    def photos(self) -> list[Path]:
        """The photographs that its commands read."""
        return [file for file in sorted(LESSONS.glob("*.jpg")) if f" {file.name}" in self.text]

    @property
    def specs(self) -> dict[str, str]:
        """The specs of the page, by name of their file."""
        return {name: text for text, name in _BLOCK.findall(self.text)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lesson", metavar="LESSON", nargs="?", help="its number or name")
    parser.add_argument("--copy", metavar="FOLDER", help="write the files of the lesson there")
    parser.add_argument(
        "--browser", action="store_true", help="show the lesson in the browser, with its pictures"
    )


def run(options: argparse.Namespace) -> int:
    lessons = list(all_lessons())
    if options.lesson is None:
        if options.copy or options.browser:
            raise UsageError("name a lesson: `cnn lesson 1`; `cnn lesson` lists them")
        from ..report.style import laid_out

        rows = [(f"{each.number:2}  {each.name}", each.title) for each in lessons]
        print("\n".join(laid_out(rows, style(options), "")))
        print("\n`cnn lesson 1` shows one, `--copy FOLDER` writes its files.")
        return OK
    lesson = _find(lessons, options.lesson)
    if options.copy:
        _copy(lesson, Path(options.copy))
    elif options.browser:
        _open(lesson)
    else:
        print_page(_for_terminal(lesson), options)
    return OK


def all_lessons() -> Iterator[Lesson]:
    """The lessons, in order."""
    for path in sorted(LESSONS.glob("[0-9]*.md")):
        number, _, name = path.stem.partition("-")
        text = path.read_text(encoding="utf-8")
        yield Lesson(int(number), name, text.partition("\n")[0].removeprefix("# "), text)


def _find(lessons: list[Lesson], wanted: str) -> Lesson:
    known = {each.name: each for each in lessons} | {str(each.number): each for each in lessons}
    name = wanted.lower().lstrip("0")
    found = known.get(closest(name, [each.name for each in lessons]))
    begins = [each for each in lessons if name and name in each.name]
    if name in known or len(begins) == 1:
        return known.get(name) or begins[0]
    hint = f"did you mean `{found.name}`?" if found else "`cnn lesson` lists them"
    raise UsageError(f"there is no lesson {wanted!r}; {hint}")


def _copy(lesson: Lesson, folder: Path) -> None:
    files = {name: text.encode() for name, text in lesson.specs.items()}
    files |= {file.name: file.read_bytes() for file in lesson.photos}
    if not files:
        say(f"lesson {lesson.number} has no spec of its own; its commands work as they stand")
    for name, data in files.items():
        path = folder / name
        if path.exists():
            raise UsageError(f"{path} exists already; name another folder")
        with writing(path):
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)
        say(f"wrote {path}")


def _for_terminal(lesson: Lesson) -> str:
    """The page for a terminal: pictures are named, the answer follows its question."""
    text = _QUESTION.sub(r"**Question: \1**\n\n*Answer*: \2", lesson.text)
    return _PICTURE.sub(r"(a picture: \1)", text)


def _open(lesson: Lesson) -> None:
    """Writes the page as HTML to a temporary folder and opens it."""
    import tempfile
    import webbrowser

    from ..report.lesson_page import lesson_page

    page = Path(tempfile.mkdtemp(prefix="cnn-lesson-")) / f"{lesson.name}.html"
    page.write_text(lesson_page(lesson.title, lesson.text, LESSONS), encoding="utf-8")
    webbrowser.open(page.as_uri())
    say(f"wrote {page}")
