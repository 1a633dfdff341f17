"""The reference of diagnostics: for each code, examples with their answers, and every sentence that
the source says under it.

The examples are those of tests/errors; the sentences are read from the source, where a diagnostic
is made, with `…` for what depends on the case.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from .pages import Page, fenced

ROOT = Path(__file__).parent.parent.parent
_SOURCES = ("compiler", "dsl", "training", "editor")
_MAKERS = ("Diagnostic", "Problem")
_CODE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_HEAD = re.compile(r"^(?:error|warning)\[([a-z0-9-]+)\]: ", re.MULTILINE)
_MOST_EXAMPLES = 3


def pages() -> Iterator[Page]:
    sentences, examples = said_in_source(), shown_in_tests()
    for code in sorted({*sentences, *examples}):
        lines = [f"# `{code}`"]
        for spec, answer in examples.get(code, [])[:_MOST_EXAMPLES]:
            lines += [fenced(spec, "cnn"), fenced(answer)]
        if sentences.get(code):
            lines.append("## Said under this code")
            for message, help in sorted(sentences[code].items()):
                lines.append(f"- {message}" + (f"\n\n    *Way out*: {help}" if help else ""))
        yield Page(f"diagnostics/{code}", code, "\n\n".join(lines), "Diagnostics")


def shown_in_tests() -> dict[str, list[tuple[str, str]]]:
    """Specs of the tests with their answers, by the codes in them, shortest first."""
    examples: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for answer in sorted((ROOT / "tests/errors").rglob("*.txt")):
        spec, text = answer.with_suffix(".cnn"), answer.read_text(encoding="utf-8")
        if spec.exists():
            shown = _printable(spec.read_bytes().decode(errors="backslashreplace"))
            for code in dict.fromkeys(_HEAD.findall(text)):
                examples[code].append((shown, text))
    for pairs in examples.values():
        pairs.sort(key=lambda pair: len(pair[0]))
    return examples


def _printable(text: str) -> str:
    """The text, with escapes for what cannot be shown."""
    return "".join(
        sign if sign.isprintable() or sign == "\n" else sign.encode("unicode_escape").decode()
        for sign in text
    )


def said_in_source() -> dict[str, dict[str, str]]:
    """By code: messages, each with its help or an empty text."""
    sentences: dict[str, dict[str, str]] = defaultdict(dict)
    for folder in _SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "vscode" in path.parts or "node_modules" in path.parts:
                continue
            for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(call, ast.Call) and _name(call.func) in _MAKERS and call.args:
                    _collect(call, sentences)
    return sentences


def _collect(call: ast.Call, sentences: dict[str, dict[str, str]]) -> None:
    code = call.args[0]
    if not isinstance(code, ast.Constant) or not _CODE.fullmatch(str(code.value)):
        return
    message = _text(call.args[1]) if len(call.args) > 1 else ""
    help = next((_text(word.value) for word in call.keywords if word.arg == "help"), "")
    known = sentences[str(code.value)]
    if message.strip("… "):
        known[message] = known.get(message) or (help.strip("… ") and help)


def _name(function: ast.expr) -> str:
    return getattr(function, "attr", getattr(function, "id", ""))


def _text(node: ast.expr) -> str:
    """A text with `…` for what it is filled with."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    if isinstance(node, ast.IfExp):
        return _text(node.body) or _text(node.orelse)
    return "…"
