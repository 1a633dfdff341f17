"""What is said of mistakes that people made when they wrote the specs of the gallery."""

from __future__ import annotations

from pathlib import Path

import pytest

import dotcnn
from dotcnn.compiler.analysis import analyse
from dotcnn.compiler.report.table import table


def told(body: str, before: str = "") -> str:
    found = dotcnn.check(f"{before}\nnetwork N(k=3) {{\n  input 3x16x16\n  {body}\n}}\n")
    (first,) = [each for each in found if each.severity == "error"]
    return f"{first.message}\n{first.help}"


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ("conv 8 1xk", "write `(1, k)`"),
        ("conv 8 kx1", "write `(k, 1)`"),
        ("conv 8 windows=7", "it is an argument of `attention`"),
        ("a: conv 8\n  b: conv 4\n  from a, b", "`b` is a label, not a layer"),
        ("a: conv 8 3x3\n  conv 8 3x3 stride=3\n  upsample 2\n  concat a", "`upsample like=a`"),
    ],
)
def test_advice(body: str, part: str) -> None:
    assert part in told(body)


def test_a_label_that_is_not_there_as_an_argument_of_a_block() -> None:
    assert "`stem: conv 64`" in told("cell stem", "block cell(from_) { concat from_ }")


def test_numbers_that_were_meant_as_a_series() -> None:
    (found,) = dotcnn.check("network N { input 16000, conv 8 9 stride=4, flatten, fc 3 }")
    assert "`input 1x16000`" in found.help


def test_a_label_is_renamed_with_its_uses() -> None:
    text = "network N {\n  input 3x8x8\n  x: conv 4\n  conv 4\n  concat x\n}\n"
    (found,) = dotcnn.check(text)
    for edit in sorted(found.edits, key=lambda edit: -edit.span.start):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    assert text.count("x_") == 2
    assert dotcnn.check(text) == []


def test_a_slice_is_shown_as_a_range() -> None:
    net = dotcnn.compile("network N { input 64x8x8, slice 32..64, conv 3 }")
    assert "slice 32..64" in table(analyse(net))


FILES = {
    "base.cnn": "block down(w) { conv w 3x3 stride=2 same }\n",
    "a.cnn": 'import "base.cnn"\nblock unit(w) { down w, relu }\nblock other(w) { conv w }\n',
    "b.cnn": "block unit(w) { conv w, bn }\n",
}


@pytest.mark.parametrize(
    ("head", "body", "code"),
    [
        ("", "unit 4, other 3", "ambiguous-block"),
        ("network N(u=unit)", "u 4, other 3", "ambiguous-block"),
        ("", "other 3, down 4", "unknown-layer"),
        ("", "other 3", None),
        ("block unit(w) { conv w }\nnetwork N", "unit 4, other 3", None),
        ("block part(unit) { unit, relu }\nnetwork N", "part bn, other 3", None),
    ],
)
def test_blocks_of_imported_files(tmp_path: Path, head: str, body: str, code: str | None) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    text = f'import "a.cnn"\nimport "b.cnn"\n{head or "network N"} {{ input 3x8x8, {body} }}\n'
    (tmp_path / "main.cnn").write_text(text)
    errors = [d for d in dotcnn.check(tmp_path / "main.cnn") if d.severity == "error"]
    assert [error.code for error in errors] == [code] * (code is not None)
    if code == "ambiguous-block":
        places = [Path(label.span.source.name).name for label in errors[0].labels]
        assert places == ["a.cnn", "b.cnn"]
    elif code:
        assert 'import it here, too: `import "base.cnn"`' in errors[0].help
