"""Every mistake that the compiler knows: what is said, and that the fix it offers works."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from dotcnn.compiler.build.elaborate import examine
from dotcnn.compiler.diagnose.check import check
from dotcnn.compiler.diagnose.trial import apply
from dotcnn.compiler.load_spec import load
from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.dsl.render import render_text
from dotcnn.dsl.source import Source
from support import ROOT

FOLDER = ROOT / "tests" / "errors" / "compile"
CASES = sorted(FOLDER.glob("*.cnn"))


def diagnose(text: str, name: str = "net.cnn") -> list[Diagnostic]:
    try:
        program = load(Source(name, text))
    except SpecError as error:
        return list(error.diagnostics)
    found = examine(program).diagnostics
    return found if found else check(program)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_message(case: Path, golden: Callable[[Path, str], None]) -> None:
    """One mistake is one message: place, reason, and what to write instead."""
    found = diagnose(case.read_text(encoding="utf-8"), case.name)
    golden(case.with_suffix(".txt"), render_text(found) + "\n")
    assert len(found) == 1
    code = found[0].code
    assert case.stem == code or case.stem.startswith(code + "-")


WITH_FIX = [case for case in CASES if diagnose(case.read_text(encoding="utf-8"))[0].edits]


@pytest.mark.parametrize("case", WITH_FIX, ids=lambda path: path.stem)
def test_fix(case: Path) -> None:
    """What the help line says to write has been tried: with it, the mistake is gone."""
    text = case.read_text(encoding="utf-8")
    (before,) = diagnose(text)
    after = diagnose(apply(text, before.edits))
    assert [d for d in after if d.severity == "error" and d.code == before.code] == []


def test_most_mistakes_have_a_fix() -> None:
    """Where what to write follows from the spec, it is worked out."""
    without = {case.stem for case in CASES} - {case.stem for case in WITH_FIX}
    assert "shape-padding" not in without
    assert len(WITH_FIX) >= 40


def test_every_code_has_its_text() -> None:
    """A code that the compiler can report is shown by a case in tests/errors/compile."""
    codes: set[str] = set()
    for file in sorted((ROOT / "compiler").rglob("*.py")):
        found = re.findall(r'(?:Problem|Diagnostic)\(\s*"([a-z-]+)"', file.read_text("utf-8"))
        codes.update(found)
    covered = {diagnose(case.read_text(encoding="utf-8"))[0].code for case in CASES}
    # Of the command line: `--set`, and training without anything to learn from.
    codes -= {"unknown-parameter", "no-data", "no-such-file"}
    assert codes - covered == set()
