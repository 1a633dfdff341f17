"""A page of the reference, and what pages are made of."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

from dotcnn.cli import main
from dotcnn.compiler.language.signature import Signature
from dotcnn.compiler.report.words import described


class Page(NamedTuple):
    path: str
    """Its place under reference/, without the ending."""
    title: str
    text: str
    group: str
    """The heading that it stands under in the navigation."""


def fenced(text: str, language: str = "text") -> str:
    return f"```{language}\n{text.rstrip()}\n```"


def usage(text: str) -> str:
    """How a word is written, in lines as wide as the page."""
    return f'<div class="usage" markdown>\n\n{fenced(text)}\n\n</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def printed(*words: str) -> str:
    """What a command prints on standard output."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        main(list(words))
    return out.getvalue()


def slug(word: str) -> str:
    return word.replace(" ", "-")


def arguments(signature: Signature | None, *, heading: bool = True) -> list[str]:
    """The arguments of a word as a table."""
    if signature is None or not signature.fields:
        return []
    rows = [(f"`{field.name}`", described(field)) for field in signature.fields.values()]
    return [*(["## Arguments"] if heading else []), table(("argument", "meaning"), rows)]


def paragraphs(doc: str | None) -> str:
    """The paragraphs of a docstring, without its line breaks."""
    return "\n\n".join(" ".join(each.split()) for each in (doc or "").strip().split("\n\n"))
