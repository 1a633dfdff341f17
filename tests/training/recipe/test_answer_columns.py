"""`cnn new --data` for tables with several columns of labels: a network with an output for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from dotcnn.cli import main

from .test_new_data import classes, without_comments, written

ROWS = 24
COLUMNS: dict[str, Sequence[object]] = {
    "file": [f"im/{number}.png" for number in range(ROWS)],
    "age": [18 + 2 * number if number % 7 else "" for number in range(ROWS)],
    "sex": ["mf"[number % 2] for number in range(ROWS)],
    "hair": [("red", "black", "fair")[number % 3] for number in range(ROWS)],
    "tags": [("hat", "hat|smile")[number % 2] for number in range(ROWS)],
    "note": [f"seen {number} times" for number in range(ROWS)],
    "smiles": [number % 2 for number in range(ROWS)],
    "x": [number / 7 for number in range(ROWS)],
}


def table(folder: Path, names: Sequence[str]) -> Path:
    classes(folder, ("im",), ROWS, height=24, width=24)
    rows = [names, *zip(*(COLUMNS[name] for name in names), strict=True)]
    path = folder / "table.csv"
    path.write_text("\n".join(",".join(map(str, row)) for row in rows), encoding="utf-8")
    return path


def test_each_column_is_answered(tmp_path: Path) -> None:
    text = written(table(tmp_path, ["file", "age", "sex", "hair", "note"]), tmp_path)
    plain = without_comments(text)
    for line in (
        "features: dropout 0.2", "output age: fc 1\n", "output sex { from features, fc 2 }",
        "output hair { from features, fc 3 }", "loss age mse", "loss sex cross_entropy",
    ):  # fmt: skip
        assert line in plain, line
    assert "note" not in plain  # it says something else of each image
    assert "flip" not in plain  # a number may depend on where things are
    assert "`hair` is one class for each of the images, 3 in all: black, fair and red." in text


@pytest.mark.parametrize("names", [
    ["file", "age", "x"], ["file", "sex"], ["file", "smiles", "tags"],
])  # fmt: skip
def test_one_output_answers_for_columns_of_one_kind(names: list[str], tmp_path: Path) -> None:
    """Also where a column is called `tags`, `label` or the like: it is the one that is meant."""
    data = str(table(tmp_path, names))
    if names[1:] == ["age", "x"]:
        data = f'table "{data}" label=(age, x)'
    assert "output" not in without_comments(written(data, tmp_path))


def test_named_columns_are_answered(tmp_path: Path) -> None:
    data = f'table "{table(tmp_path, ["file", "age", "sex", "tags"])}" label=(age, tags)'
    plain = without_comments(written(data, tmp_path))
    assert "output age: fc 1\n" in plain
    assert "output tags { from features, fc 2 }" in plain
    assert "loss tags bce" in plain
    assert "sex" not in plain


@pytest.mark.slow
def test_it_trains_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = table(tmp_path, ["file", "age", "sex", "hair"])
    Path("net.cnn").write_text(written(data, tmp_path), encoding="utf-8")
    assert main(["train", "net.cnn", "--device", "cpu", "--set", "train.epochs=1"]) == 0
