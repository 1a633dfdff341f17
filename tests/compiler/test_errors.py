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
        if "importing" in file.parts:  # of files in other formats
            continue
        found = re.findall(r'(?:Problem|Diagnostic)\(\s*"([a-z-]+)"', file.read_text("utf-8"))
        codes.update(found)
    covered = {diagnose(case.read_text(encoding="utf-8"))[0].code for case in CASES}
    # Of the command line: `--set`, training without anything to learn from, a folder that is not of
    # a run, `cnn sweep --best`, a package that is not installed; of several files.
    codes -= {"unknown-parameter", "no-data", "no-such-file", "no-run", "not-written"}
    codes -= {"missing-package", "ambiguous-block"}
    codes = {code for code in codes if not code.startswith("plugin-")}  # tests/extend
    assert codes - covered == set()


UNREADABLE = """\
network N {
  input 3x8x8
  conv 64 kernal=3
  conv größe
  cnov 3
  conv 64 9x9 stride=9
  flatten, fc 10
}
train {
  bath 3
}
"""


def test_what_cannot_be_read_hides_nothing_that_is_independent_of_it() -> None:
    """There is no fix for a name with foreign letters: what else is wrong in one statement is told
    all the same, and no shape, which may be another without that line."""
    found = diagnose(UNREADABLE)
    assert [d.code for d in found] == [
        "unknown-argument", "foreign-word", "unknown-layer", "unknown-directive",
    ]  # fmt: skip
    assert [d.span.line for d in found if d.span] == [3, 4, 5, 10]


def test_a_header_that_cannot_be_read_leaves_its_body() -> None:
    found = diagnose("network N {\n input 3x8x8\n repeat größe {\n  cnov 3\n }\n}\n")
    assert [(d.code, d.notes) for d in found] == [("foreign-word", ()), ("unknown-layer", ())]


def test_what_an_unreadable_block_would_have_defined_is_not_missed() -> None:
    found = diagnose("block größe {\n relu\n}\nnetwork N {\n input 3x8x8\n gross\n}\n")
    assert [d.code for d in found] == ["foreign-word"]


def test_a_misspelled_network_is_checked_all_the_same() -> None:
    text = "netwrok N {\n input 3x8x8\n cnov 8 3x3\n flatten, fc 9\n}\ntrian {\n bath 3\n}\n"
    found = check(load(Source("net.cnn", text)))
    assert [d.code for d in found] == [
        "unknown-word", "unknown-layer", "unknown-word", "unknown-directive",
    ]  # fmt: skip
    assert [d.span.text for d in found if d.span] == ["netwrok", "cnov", "trian", "bath"]
    assert "conv" in found[1].help


TWO = """
block up { conv 8 3x3, relu }
block down { conv 4 3x3, relu }
block never { relu }
network First {
  input 3x8x8
  up, %s
}
network Second {
  input 3x8x8
  down
}
"""


def test_all_networks_of_a_file_are_checked() -> None:
    """The last one is meant where none is named; a mistake in another is a mistake all the same."""
    found = check(load(Source("net.cnn", TWO % "conv 3 99x99")))
    assert [(d.code, d.span.line) for d in found if d.span and d.severity == "error"] == [
        ("shape", 7)
    ]


def test_a_block_is_unused_if_no_network_of_the_file_uses_it() -> None:
    found = check(load(Source("net.cnn", TWO % "relu")))
    assert [d.span.text for d in found if d.span and d.code == "unused-block"] == ["never"]


def test_a_file_of_many_networks_is_checked_within_the_limits() -> None:
    """What a network needs beyond a sixteenth of the limit is checked when it is asked for."""
    large = "network Large {\n input 3x8x8\n repeat 9999 { relu }\n}\n"
    assert check(load(Source("net.cnn", large + "network N {\n input 3x8x8\n relu\n}\n"))) == []
