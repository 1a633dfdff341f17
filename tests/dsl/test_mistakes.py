"""Every mistake of syntax: that it is recognised, what is said, and that the advice works."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.dsl.files import read_file
from dotcnn.dsl.mistakes import TABLE
from dotcnn.dsl.parser import read
from dotcnn.dsl.program import load_program
from dotcnn.dsl.render import render_text
from dotcnn.dsl.source import Source
from support import ROOT

FOLDER = ROOT / "tests" / "errors" / "syntax"
CASES = sorted(FOLDER.glob("*.cnn"))


def diagnose(text: str) -> list[Diagnostic]:
    return read(Source("net.cnn", text))[1]


def applied(text: str, diagnostic: Diagnostic) -> str:
    """The text after a tool has made the edits that a diagnostic offers."""
    for edit in sorted(diagnostic.edits, key=lambda it: it.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


# ---- the table ----


@pytest.mark.parametrize(("code", "snippet"), [(code, snippet) for code, snippet, _ in TABLE])
def test_every_snippet_finds_its_row(code: str, snippet: str) -> None:
    """One mistake is one message, of the row that the snippet stands in."""
    (found,) = diagnose(snippet)
    assert found.code == code
    assert found.span is not None


@pytest.mark.parametrize("snippet", [snippet for _, snippet, _ in TABLE])
def test_what_a_tool_would_write_works(snippet: str) -> None:
    """Where there are edits, the mistake is gone after them, and no other has come."""
    (found,) = diagnose(snippet)
    if found.edits:
        assert diagnose(applied(snippet, found)) == []


def test_most_snippets_can_be_mended_by_a_tool() -> None:
    mended = [snippet for _, snippet, _ in TABLE if diagnose(snippet)[0].edits]
    assert len(mended) > len(TABLE) * 0.6


@pytest.mark.parametrize("snippet", [snippet for _, snippet, _ in TABLE])
def test_good_code_around_it_is_no_part_of_it(snippet: str) -> None:
    """Before and behind it, statements are read as ever; a mistake behind it is found, too."""
    before = "network Before {\n  input 3x8x8\n  conv 64 3x3\n}\n"
    behind = "\nnetwork Behind {\n  conv 64 3x3\n  pool max 1e\n}\n"
    alone = diagnose(snippet)[0]
    found = diagnose(before + snippet + behind)
    assert [it.code for it in found] in ([alone.code, "bad-number"], ["bad-number", alone.code])
    (again,) = [it for it in found if it.code == alone.code]
    assert again.span is not None
    assert alone.span is not None
    if alone.code != "import-path":
        assert again.span.start == alone.span.start + len(before)


# ---- what is said ----


def found_in(case: Path) -> list[Diagnostic]:
    here = Path.cwd()
    os.chdir(FOLDER)
    try:
        return list(load_program(read_file(Path(case.name))).warnings)
    except SpecError as error:
        return list(error.diagnostics)
    finally:
        os.chdir(here)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_message(case: Path, golden: Callable[[Path, str], None]) -> None:
    """The whole of it, as a person reads it."""
    found = found_in(case)
    golden(case.with_suffix(".txt"), render_text(found) + "\n")
    (message,) = found
    assert case.stem == message.code or case.stem.startswith(f"{message.code}-")


def written_codes(file: Path) -> Iterator[str]:
    """The codes that stand in a source file: where a diagnostic is made, the first text."""
    makers = {"Diagnostic", "report", "say", "_refused", "_problem", "give_up"}
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            name = (
                node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
            )
            first = node.args[0]
            if name in makers and isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


ELSEWHERE = {
    "not-a-file",  # test_files.py: git keeps no named pipes
    "unreadable",  # likewise
    "syntax",  # what no row of the table explains
}


def test_every_code_has_its_text() -> None:
    """A code that the language can report is shown by a case in tests/errors/syntax."""
    codes = {code for file in (ROOT / "dsl").rglob("*.py") for code in written_codes(file)}
    codes = {code for code in codes if re.fullmatch(r"[a-z]+(-[a-z]+)*", code)}
    assert len(codes) > 40
    shown = {found_in(case)[0].code for case in CASES}
    assert codes - shown == ELSEWHERE
    assert shown - codes == set()


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_message_is_in_plain_english(case: Path) -> None:
    """No word of the trade, no shouting, no full stop; and it says what to do."""
    (message,) = found_in(case)
    texts = [message.message, message.help, message.label, *(it.message for it in message.labels)]
    for text in filter(None, texts):
        assert not re.search(r"(?i)\b(token|lexer|pars|expected|unexpected|invalid|illegal)", text)
        assert not text.endswith((".", "!"))
        assert text[0] in "`\"'…([" or text[0].islower() or text.startswith(("U+", "UTF"))
        assert len(text) <= 160
    assert message.help or message.notes


# ---- messages that depend on what is around ----


def the_message(text: str) -> Diagnostic:
    (found,) = diagnose(text)
    return found


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("network A {\n  conv 64\n", 1),
        ("network A {\n  residual {\n    conv 64\n}\n", 2),
        ("network A {\n  residual {\n    conv 64\n  relu\n}\n", 2),
        ("network A {\n  residual {\n    conv 64\n  }\n\nblock b() {\n  relu\n}\n", 1),
        ("block b(x) {\n  conv x\n\nnetwork A {\n  relu\n}\n", 1),
        ("network A {\n  conv 64\n\ntrain {\n  epochs 3\n}\n", 1),
        ("network A {\n  if a {\n    conv 3\n  else {\n    conv 4\n  }\n}\n", 2),
        ("network A {\n  concat {\n    | residual {\n        conv 3\n    | conv 4\n  }\n}\n", 3),
        ("network A {\n  repeat 3 {\n    residual {\n      conv 3\n    }\n  relu\n}\n", 2),
        ("network A {\n  repeat 3 {\n    residual { conv 3\n  }\n}\n", 3),
    ],
)
def test_a_missing_brace_is_looked_for_at_the_opening_one(text: str, line: int) -> None:
    """By the indentation, that one is told whose body seems to have ended; and closing it helps."""
    found = the_message(text)
    assert (found.code, found.span and found.span.line) == ("unclosed-brace", line)
    assert found.span is not None
    assert found.span.text == "{"
    assert diagnose(applied(text, found)) == []


def test_several_missing_braces_are_several_messages() -> None:
    text = (
        "block a(x) {\n  residual {\n    conv x\n\n"
        "block b(x) {\n  conv x\n\n"
        "network A {\n  repeat 3 {\n    a 3\n}\n"
    )
    found = diagnose(text)
    assert [it.code for it in found] == ["unclosed-brace"] * 4
    assert [it.span and it.span.line for it in found] == [1, 2, 5, 9]


def test_without_indentation_the_innermost_brace_is_as_likely_as_any() -> None:
    found = the_message("network A { conv 64, residual { conv 3, relu")
    assert found.span is not None
    assert found.span.column == 31
    assert [label.span.column for label in found.labels] == [11]


@pytest.mark.parametrize(
    ("text", "line", "code"),
    [
        ("network A {\n  conv 64 }\n  relu\n}\n", 2, "unopened-brace"),
        ("network A {\n  repeat 3 {\n    conv 64 }\n  }\n}\n", 3, "unopened-brace"),
        ("network A {\n  conv 64\n  }\n  relu\n}\n", 3, "unopened-brace"),
        ("network A {\n  relu\n}\n}\n", 4, "unopened-brace"),
        ("}\nnetwork A {\n  relu\n}\n", 1, "unopened-brace"),
        ("network A {\n  residual\n    conv 64\n  }\n}\n", 2, "missing-brace"),
        ("network A {\n  repeat 3\n    conv 64\n  }\n}\n", 2, "missing-brace"),
        ("network A {\n  repeat 3:\n    conv 64\n  }\n}\n", 2, "colon-for-brace"),
        ("network A {\n  residual:\n    conv 64\n  }\n}\n", 2, "colon-for-brace"),
        ("network A {\n  if a { relu } else\n    conv 64\n  }\n}\n", 2, "missing-brace"),
    ],
)
def test_a_brace_too_many(text: str, line: int, code: str) -> None:
    """Either it closes nothing, or its partner was forgotten: at a line that opens no body."""
    found = the_message(text)
    assert (found.code, found.span and found.span.line) == (code, line)
    assert diagnose(applied(text, found)) == []


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("conv(64, 3)", "conv 64 3"),
        ("conv(64, 3, stride=2)", "conv 64 3 stride=2"),
        ("conv(64, stride = 2)", "conv 64 stride=2"),
        ("conv(2*n, -1, n + 1)", "conv (2*n) (-1) (n + 1)"),
        ("conv(max(1, 2), [3, 4], (5, 6))", "conv max(1, 2) [3, 4] (5, 6)"),
        ('data("a, b (c = d)", x=on)', 'data "a, b (c = d)" x=on'),
        ("relu()", "relu"),
        ("relu(),", "relu,"),
        ("residual() { relu }", "residual { relu }"),
        ("x: conv(64)", "x: conv 64"),
        ("nn.Conv2d(3, 64)", "Conv2d 3 64"),
        ("x = conv(64, 3)", "x: conv 64 3"),
        ("self.x = 3", None),
    ],
)
def test_calls_as_in_python(text: str, fixed: str | None) -> None:
    """They are rewritten, with parentheses where blanks would take an argument apart."""
    found = the_message(text)
    if fixed is None:
        assert not found.edits
    else:
        assert applied(text, found) == fixed
        assert diagnose(fixed) == []


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("network A:\n  relu\n  bn\n", "network A {\n  relu\n  bn\n}\n"),
        ("repeat 3:\n  a\n\n  b\nc", "repeat 3 {\n  a\n\n  b\n}\nc"),
        ("repeat 3\n  a\nb", "repeat 3 {\n  a\n}\nb"),
        ("if a: relu", "if a { relu }"),
        ("network A { if a: relu }", "network A { if a { relu } }"),
        ("if a relu, bn", "if a { relu, bn }"),
        ("for a in [1]: conv a", "for a in [1] { conv a }"),
    ],
)
def test_bodies_as_in_python(text: str, fixed: str) -> None:
    """The body is what is indented further, or the rest of the line."""
    found = the_message(text)
    assert applied(text, found) == fixed
    assert diagnose(fixed) == []


def test_an_if_as_in_python_is_told_arm_by_arm() -> None:
    text = "network A {\n  if a > 3:\n    relu\n  else:\n    bn\n}"
    found = diagnose(text)
    assert [(it.code, it.span and it.span.line) for it in found] == [
        ("colon-for-brace", 2),
        ("colon-for-brace", 4),
    ]


def test_a_habit_is_told_once_a_statement() -> None:
    """Commas between all arguments, bars between all paths."""
    for text in (
        "conv 64, 3x3, 2, stride=2",
        "inception { conv 1 | conv 3 | conv 5 | conv 7 }",
        "conv 1 | bn | relu",
    ):
        found = the_message(text)
        assert len(found.edits) >= 1
        assert diagnose(applied(text, found)) == []


def test_a_size_written_with_blanks_is_none_where_x_is_a_name() -> None:
    assert the_message("conv 3 x 3").code == "spaced-size"
    assert the_message("let y = 3\nconv 3 x 3").code == "spaced-size"
    assert diagnose("let x = 3\nconv 3 x 3") == []
    assert diagnose("block b(x) { conv 3 x 3 }") == []
    assert diagnose("x3: conv 3\nadd 2 x3") == []


def test_long_names_are_shortened_in_messages() -> None:
    name = "a" * 900
    for text in (f"{name} = {name}", f"let {name} {name}", f"conv {name}: 3", f"{name} = 3"):
        found = the_message(text)
        assert len(found.message) + len(found.help) < 300
