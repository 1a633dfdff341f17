"""The reference of files: a run folder, a sweep folder, the answers file, the JSON that commands
print. Descriptions are the docstrings of the modules that write the files; the forms are those that
they are checked against when they are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dotcnn.training.answers import answers_file, kept_answers
from dotcnn.training.checkpoint import run_files, run_folder
from dotcnn.training.sweep import sweep_folder
from dotcnn.training.untrusted import json_text

from .pages import Page, fenced, printed, table

GROUP = "Files and formats"
_WORDS = {
    str: "text", bool: "true or false", int: "a whole number", None: "null",
    json_text.natural: "a whole number", json_text.number: "a number",
}  # fmt: skip
_TINY = "network Tiny {\n  input 1x8x8\n  conv 4 3x3, relu\n  flatten, fc 10\n}\n"
_WRONG = "network Tiny {\n  input 1x8x8\n  convv 4 3x3\n  flatten, fc 10\n}\n"


def pages(work: Path) -> Iterator[Page]:
    """All pages; `work` is a folder for the specs of the examples."""
    yield _page("run-folder", "The run folder", _run_folder())
    yield _page("sweep-folder", "The sweep folder", _sweep_folder())
    yield _page("answers", "The answers file", _answers())
    yield _page("report-json", "JSON of reports", _report(work))
    yield _page("check-json", "JSON and SARIF of mistakes", _check(work))


def _page(place: str, title: str, lines: Iterator[str]) -> Page:
    return Page(f"formats/{place}", title, "\n\n".join([f"# {title}", *lines]), GROUP)


def _run_folder() -> Iterator[str]:
    yield "What `cnn train` writes, into `runs/NAME` or `-o FOLDER`; each file whole or not at all."
    yield from _described(run_folder.__doc__)
    yield "## record.json"
    yield "Of its fields, those that other commands read; further ones may be there."
    yield _form(run_files._RECORD)
    yield "## metrics.jsonl"
    yield "A line for each epoch; epoch 0 is the validation before training."
    yield _form(run_files._EPOCH)


def _sweep_folder() -> Iterator[str]:
    yield "What `cnn sweep` writes."
    yield from _described(sweep_folder.__doc__)
    for title, form in (
        ("sweep.json", sweep_folder._SWEEP),
        ("claims/N/trial.json", sweep_folder._TRIAL),
        ("a line of infeasible.jsonl", sweep_folder._NOT_TRAINED),
    ):
        yield f"## {title}"
        yield _form(form)


def _answers() -> Iterator[str]:
    yield (
        "`answers-val.npz` and `answers-test.npz` in a run folder are archives of numpy arrays,"
        " with what a network said to each image, for `cnn compare`."
    )
    yield from _described(kept_answers.__doc__)
    yield "`about` is JSON:"
    yield _form(answers_file._ABOUT)
    yield (
        "`ids` are hashes of the names of images, `names` a JSON list of them. Of each output, by"
        " its number, there are these arrays; `rows` has the images with a label, if not all have"
        " one:"
    )
    rows = [
        (
            f"`{task}`",
            ", ".join(f"`N.{name}`" for name in form),
            ", ".join(map(_kind, form.values())),
        )
        for task, forms in kept_answers.FORMS.items()
        for form in forms
    ]
    yield table(("task", "array", "numbers"), rows)


def _kind(array: tuple[str, int]) -> str:
    kinds, axes = array
    return f"{'floats' if 'f' in kinds else 'integers'}, {axes} {'axis' if axes == 1 else 'axes'}"


def _report(work: Path) -> Iterator[str]:
    yield (
        "`cnn report FILE --format json` and `dotcnn.report(FILE)`. Names and their meaning stay;"
        " further ones may be added. `params` are trained weights, `macs` multiply-adds,"
        " `elementwise` all other operations, `receptive_field` height and width in pixels, `jump`"
        " the distance of neighboring outputs in pixels; memory is in bytes, `line` is that of the"
        " spec."
    )
    yield from _shown(work, _TINY, "report", "--format", "json")
    yield "`--format csv` and `--format markdown` have the rows of the layers."
    yield fenced(printed("report", str(work / "tiny.cnn"), "--format", "csv"))


def _check(work: Path) -> Iterator[str]:
    yield (
        "`cnn check FILE --format json`: a diagnostic has a code, a place, what it says, and, where"
        " the fix was tried, the edits: replace `start` to `end` with `text`."
    )
    yield from _shown(work, _WRONG, "check", "--format", "json")
    yield "`--format sarif` is SARIF 2.1.0, as code hosts show it:"
    yield fenced(
        _placeless(printed("check", str(work / "tiny.cnn"), "--format", "sarif"), work), "json"
    )


def _shown(work: Path, spec: str, command: str, *options: str) -> Iterator[str]:
    """A spec, and what a command prints of it."""
    path = work / "tiny.cnn"
    path.write_text(spec, encoding="utf-8")
    yield fenced(spec, "cnn")
    yield fenced(_placeless(printed(command, str(path), *options), work), "json")


def _placeless(text: str, work: Path) -> str:
    """The text without the folder that the example lies in."""
    return text.replace(work.as_uri() + "/", "").replace(f"{work}/", "")


def _described(doc: str | None) -> Iterator[str]:
    """A docstring: its table of files as one, its other paragraphs as text."""
    for paragraph in (doc or "").strip().split("\n\n")[1:]:
        rows: list[list[str]] = []
        for line in paragraph.splitlines():
            parts = re.split(r"\s{2,}", line.strip(), maxsplit=1)
            if len(parts) == 2 and not line.startswith(" "):
                rows.append([f"`{parts[0].rstrip(':')}`", parts[1]])
            elif rows:
                rows[-1][1] += f" {line.strip()}"
        yield table(("", ""), rows) if rows else " ".join(paragraph.split())


def _form(form: Any) -> str:
    return fenced("\n".join(_lines(form)))


def _lines(form: Any, indent: str = "") -> Iterator[str]:
    for key, inner in form.items():
        name = "…" if key in (str, int) else key
        optional = ", may be missing" if isinstance(inner, json_text.Optional) else ""
        inner = inner.form if optional else inner
        deep, said = _inside(inner)
        yield f"{indent}{name}: {said}{optional}"
        if deep:
            yield from _lines(deep, indent + "  ")


def _inside(form: Any) -> tuple[dict[Any, Any] | None, str]:
    """The object in a form, if there is one, and the form in words."""
    if isinstance(form, dict):
        return form, "an object"
    if isinstance(form, list):
        deep, said = _inside(form[0])
        return deep, f"a list of: {said}"
    if isinstance(form, tuple):
        parts = [_inside(each) for each in sorted(form, key=lambda each: each is None)]
        return next((deep for deep, _ in parts if deep), None), " or ".join(
            said for _, said in parts
        )
    return None, _WORDS.get(form, "text" if "path" in getattr(form, "__name__", "") else "a number")
