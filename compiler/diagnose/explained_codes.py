"""What each code of a diagnostic means, with an example and the way out: `cnn help error CODE`.

The texts are in docs/diagnostics, one page a topic: `## `CODE`: TITLE`, then an example, then
`**Way out**`. A test runs the commands of both and writes what they print.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from ...dsl.closest import closest
from ..report.style import BOLD, Style, laid_out

FOLDER = Path(__file__).parents[2] / "docs/diagnostics"
WAY_OUT = "**Way out**"
_ENTRY = re.compile(r"^## `([a-z0-9-]+)`: (.+)\n", re.MULTILINE)
_SITUATION = re.compile(r"\s*<!-- situation: (.+?) -->\n")
_SILENT = re.compile(r"```\n\$ ([^\n]*)\n```")
"""A command without output."""

_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")
_WRITTEN = re.compile(r"(?:(?:error|warning)(?:\s+|\[))?([a-z0-9-]+)\]?")


class ExplainedCode(NamedTuple):
    code: str
    title: str
    topic: str
    """The title of the page that it is on."""
    example: str
    """Markdown: how one comes by it, and what is printed."""
    way_out: str
    """Markdown: what to do instead; it begins with `**Way out**`."""
    situation: str
    """What the computer of the example lacks, for the test: `no package onnx`. Usually empty."""


@cache
def explained_codes() -> dict[str, ExplainedCode]:
    """All codes, by topic and then in the order of the pages."""
    return {
        each.code: each
        for path in sorted(FOLDER.glob("*.md"))
        for each in codes_of_page(path.read_text(encoding="utf-8"))
    }


def codes_of_page(page: str) -> Iterator[ExplainedCode]:
    topic = page.partition("\n")[0].removeprefix("# ")
    heads = list(_ENTRY.finditer(page))
    ends = [*(head.start() for head in heads[1:]), len(page)]
    for head, end in zip(heads, ends, strict=True):
        body = page[head.end() : end]
        situation = _SITUATION.match(body)
        start = situation.end() if situation else 0
        example, _, rest = body[start:].partition(WAY_OUT)
        yield ExplainedCode(
            head[1], head[2], topic, example.strip(), f"{WAY_OUT}{rest.rstrip()}" * bool(rest),
            situation[1] if situation else "",
        )  # fmt: skip


def explained(written: str) -> ExplainedCode | None:
    """The code that `shape`, `error shape` or `error[shape]` names."""
    found = _WRITTEN.fullmatch(written)
    return explained_codes().get(found[1]) if found else None


def similar_code(written: str) -> str:
    """The code that was probably meant; "" if none is similar."""
    found = _WRITTEN.fullmatch(written)
    return closest(found[1] if found else written, explained_codes()) or ""


def for_terminal(entry: ExplainedCode) -> str:
    """The entry as Markdown, with links as their words."""
    text = f"**{entry.code}: {entry.title}**\n\n{entry.example}\n\n{entry.way_out}"
    return _LINK.sub(r"\1", _SILENT.sub(r"`\1` prints nothing.", text))


def listed(style: Style) -> str:
    """All codes with their titles, by topic."""
    lines = []
    for topic, entries in groupby(explained_codes().values(), lambda entry: entry.topic):
        rows = [(each.code, each.title.replace("`", "")) for each in entries]
        lines += [style.paint(f"{topic.replace('`', '')}:", BOLD), *laid_out(rows, style), ""]
    return "\n".join([*lines, "`cnn help error CODE` shows an example and the way out."])
