"""Mistakes with `import`: no quotes, several files, names as in Python."""

from __future__ import annotations

import re

from ..characters import shorten
from ..diagnostics import Edit
from ..source import Span
from ..trouble import Explanation, Mend, Trouble
from .table import mistake, say, tokens


@mistake(
    "import-path",
    "import blocks\nnetwork A { conv 3 }",
    "import blocks/resnet.cnn",
    'import ("blocks.cnn")',
    "import",
)
def _import_path(at: Trouble) -> Explanation | None:
    if at.before != "IMPORT":
        return None
    message = "`import` takes the path of a file, between double quotes"
    strings = [offset for offset in range(3) if at.kind_at(offset) == "STRING"]
    if at.kind == "LPAR" and strings and at.kind_at(strings[0] + 1) == "RPAR":
        text = at.text_at(strings[0])
        whole = at.span_of(0, strings[0] + 1)
        return say(
            "import-path",
            "`import` takes no parentheses",
            whole,
            f"write `import {shorten(text)}`",
            edits=(Edit(whole, text),),
            mend=Mend(tuple(tokens(at, strings[0], strings[0] + 1)), skip=strings[0] + 2),
        )
    line = re.compile(r"[^\s,#{}()\"']*").match(at.source.text, at.start)
    name = line.group() if line and at.kind != "NEWLINE" else ""
    if not name:
        return say("import-path", message, at.previous, 'write `import "blocks.cnn"`')
    path = name if name.endswith(".cnn") else f"{name}.cnn"
    whole = Span(at.source, at.start, at.start + len(name))
    return say(
        "import-path",
        message,
        whole,
        f'write `import "{shorten(path)}"`',
        edits=(Edit(whole, f'"{path}"'),),
    )


@mistake("import-names", 'import "a.cnn" as b', "from a import b", 'import "a.cnn", "b.cnn"')
def _import_names(at: Trouble) -> Explanation | None:
    message = "an `import` makes all blocks of one file available under their own names"
    if at.kind == "IMPORT" and at.kind_at(at.first) == "WORD" and at.text_at(at.first) == "from":
        file = at.text_at(-1)
        path = file if file.startswith('"') else f'"{file}.cnn"'
        whole = at.span_of(at.first, max(0, at.end_of_line()))
        return say(
            "import-names",
            message,
            whole,
            f"write `import {shorten(path)}`",
            edits=(Edit(whole, f"import {path}"),),
        )
    if at.kind_at(at.first) == "IMPORT" and at.before == "STRING":
        if at.kind == "STRING":
            return _one_import_each(at, at.gap)
        if at.kind == "AS":
            whole = at.span_of(0, 1) if at.after == "WORD" else at.span
            edit = Edit(Span(at.source, at.gap.start, whole.end), "")
            return say("import-names", message, whole, "take it out", edits=(edit,))
    if at.kind == "STRING" and at.before == "COMMA" and at.kind_at(-3) == "IMPORT":
        return _one_import_each(at, at.previous)
    return None


def _one_import_each(at: Trouble, gap: Span) -> Explanation:
    return say(
        "import-names",
        "an `import` names one file",
        at.span,
        f"write `import {shorten(at.text)}` on a line of its own",
        edits=(Edit(Span(at.source, gap.start, at.start), "\nimport "),),
    )
