"""The reference of diagnostics: for each code an example with its answer and the way out, from
docs/diagnostics; further examples, those of tests/errors; and every sentence that the source says
under it, with `…` for what depends on the case.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

from dotcnn.compiler.diagnose.explained_codes import WAY_OUT, explained_codes

from .pages import Page, fenced, table

ROOT = Path(__file__).parent.parent.parent
_SOURCES = ("compiler", "dsl", "training", "editor")
_MAKERS = ("Diagnostic", "Problem")
_CODE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_HEAD = re.compile(r"^(?:error|warning)\[([a-z0-9-]+)\]: ", re.MULTILINE)
_MOST_EXAMPLES = 3
GROUP = "Diagnostics"

Texts = Mapping[str, ast.expr]
"""The names of a function, with the first text that each is assigned."""


def pages() -> Iterator[Page]:
    sentences, examples = said_in_source(), shown_in_tests()
    for code, entry in explained_codes().items():
        lines = [f"# {entry.title}", f"The code is `{code}`.", _placed(entry.example)]
        lines += ["## Way out", _placed(entry.way_out.removeprefix(f"{WAY_OUT}: "))]
        others = [pair for pair in examples.get(code, []) if pair[0] not in entry.example]
        if others:
            lines.append("## More examples")
        for spec, answer in others[:_MOST_EXAMPLES]:
            lines += [fenced(spec, "cnn"), fenced(answer)]
        if sentences.get(code):
            lines.append("## Said under this code")
            for message, help in sorted(sentences[code].items()):
                lines.append(f"- {message}" + (f"\n\n    *Way out*: {help}" if help else ""))
        yield Page(f"diagnostics/{code}", code, "\n\n".join(lines), GROUP)


def _placed(markdown: str) -> str:
    """Text of docs/diagnostics as it is in the folder of the reference, as a paragraph."""
    text = markdown.replace("](../", "](../../")
    return text[:1].upper() + text[1:]


def contents() -> str:
    """The list of all codes by topic, each with what is wrong."""
    lines = [
        "# Diagnostics",
        "The word in brackets after `error` or `warning` is the code of a diagnostic. Each has a"
        " page with an example and the way out; `cnn help error CODE` shows the same.",
    ]
    for topic, entries in groupby(explained_codes().values(), lambda entry: entry.topic):
        rows = [(f"[`{each.code}`]({each.code}.md)", each.title) for each in entries]
        lines += [f"## {topic}", table(("code", "what is wrong"), rows)]
    return "\n\n".join(lines)


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
    calls = [call for path in _sources() for call in _calls(path)]
    made = {code for code, call, _ in calls if _name(call.func) in _MAKERS}
    sentences: dict[str, dict[str, str]] = defaultdict(dict)
    for code, call, texts in calls:
        if code in made or _name(call.func).strip("_") == "problem":
            _collect(code, call, texts, sentences)
    return sentences


def _sources() -> Iterator[Path]:
    for folder in _SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "vscode" not in path.parts and "node_modules" not in path.parts:
                yield path


def _calls(path: Path) -> Iterator[tuple[str, ast.Call, Texts]]:
    """Calls whose first argument may be a code, each with what local names stand for there."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for place in ast.walk(tree):
        if not isinstance(place, ast.Module | ast.FunctionDef):
            continue
        texts = _assigned(place) if isinstance(place, ast.FunctionDef) else {}
        for call in _own_nodes(place):
            if isinstance(call, ast.Call) and call.args:
                code = getattr(call.args[0], "value", None)
                if isinstance(code, str) and _CODE.fullmatch(code):
                    yield code, call, texts


def _own_nodes(place: ast.AST) -> Iterator[ast.AST]:
    """The nodes inside, but for those of functions inside."""
    for node in ast.iter_child_nodes(place):
        yield node
        if not isinstance(node, ast.FunctionDef):
            yield from _own_nodes(node)


def _assigned(function: ast.FunctionDef) -> Texts:
    """The first text that each name of a function is assigned."""
    texts: dict[str, ast.expr] = {}
    for node in _own_nodes(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if _text(node.value, {}).strip("… "):
                texts.setdefault(node.targets[0].id, node.value)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            values = node.value.elts if isinstance(node.value, ast.Tuple) else []
            for target, value in zip(node.targets[0].elts, values, strict=False):
                if isinstance(target, ast.Name) and _text(value, {}).strip("… "):
                    texts.setdefault(target.id, value)
    return texts


def _collect(code: str, call: ast.Call, texts: Texts, sentences: dict[str, dict[str, str]]) -> None:
    message = _text(call.args[1], texts) if len(call.args) > 1 else ""
    help = next((_text(word.value, texts) for word in call.keywords if word.arg == "help"), "")
    known = sentences[code]
    if message.strip("….: `"):
        known[message] = known.get(message) or (help.strip("… ") and help)


def _name(function: ast.expr) -> str:
    return getattr(function, "attr", getattr(function, "id", ""))


def _text(node: ast.expr, texts: Texts) -> str:
    """A text with `…` for what it is filled with."""
    if isinstance(node, ast.Name) and node.id in texts:
        return _text(texts[node.id], {})
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, texts) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left, texts) + _text(node.right, texts)
    if isinstance(node, ast.IfExp):
        return _text(node.body, texts) or _text(node.orelse, texts)
    return "…"
