"""Every mistake that the compiler knows: what is said, and that the fix it offers works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from dotcnn.compiler.check import check
from dotcnn.compiler.elaborate import examine
from dotcnn.compiler.mend import apply
from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.dsl.program import load_program
from dotcnn.dsl.render import render_text
from dotcnn.dsl.source import Source

from support import ROOT

FOLDER = ROOT / "tests" / "errors" / "compile"
CASES = sorted(FOLDER.glob("*.cnn"))


def diagnose(text: str, name: str = "net.cnn") -> list[Diagnostic]:
    try:
        program = load_program(Source(name, text))
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


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_fix(case: Path) -> None:
    """What the help line says to write has been tried: with it, the mistake is gone."""
    text = case.read_text(encoding="utf-8")
    (before,) = diagnose(text)
    if not before.edits:
        pytest.skip("no fix can be worked out for this one")
    after = diagnose(apply(text, before.edits))
    assert [d for d in after if d.severity == "error" and d.code == before.code] == []
