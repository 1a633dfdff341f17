"""The tables that the parser runs on: of the grammar as it is, whatever lies in their file."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dotcnn.dsl import tables
from dotcnn.dsl.lexer import grammar_tables


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Tables made from the grammar just now: their file, and its text."""
    cache = tmp_path_factory.mktemp("fresh") / "tables.json"
    tables.load(tables.GRAMMAR, cache)
    return cache, cache.read_text("utf-8")


def test_the_tables_in_the_repository_are_those_of_the_grammar(fresh: tuple[Path, str]) -> None:
    """Whoever changes the grammar commits them too: an install cannot always write them."""
    assert tables.CACHE.read_text("utf-8") == fresh[1]


def test_the_grammar_has_no_conflicts() -> None:
    """Lark refuses, when strict, any choice that LALR tables would have to make by themselves."""
    from lark import Lark

    Lark(tables.GRAMMAR.read_text("utf-8"), parser="lalr", lexer="basic", strict=True)


def test_no_layer_is_named_in_the_grammar() -> None:
    """What a word means is the compiler's business; the syntax has only its own keywords."""
    words = {text for text in grammar_tables().literals if text.isalpha()}
    assert words == {
        *("and", "as", "block", "else", "for", "if", "import", "in"),
        *("let", "network", "not", "or", "repeat"),
    }
    written = re.sub(r"//.*", "", tables.GRAMMAR.read_text("utf-8"))
    for layer in ("conv", "relu", "pool", "bn", "fc", "residual", "train", "input"):
        assert not re.search(rf"\b{layer}\b", written)


def test_good_tables_are_read_without_lark(fresh: tuple[Path, str]) -> None:
    """Importing it takes longer than checking a spec."""
    code = (
        "import sys; from pathlib import Path; from dotcnn.dsl import tables;"
        f"tables.load(cache=Path({str(fresh[0])!r})); print('lark' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def _without(name: str) -> Callable[[str], str]:
    """The tables without one of their parts, behind the check sums of all."""

    def change(text: str) -> str:
        sums, stored = text.splitlines()
        tables = json.loads(stored)
        del tables[name]
        return f"{sums}\n{json.dumps(tables)}\n"

    return change


def _with(name: str, value: object) -> Callable[[str], str]:
    def change(text: str) -> str:
        sums, stored = text.splitlines()
        return f"{sums}\n{json.dumps({**json.loads(stored), name: value})}\n"

    return change


DAMAGED: dict[str, Callable[[str], str]] = {
    "empty": lambda text: "",
    "cut off": lambda text: text[: len(text) // 2],
    "not JSON": lambda text: "tables",
    "not text": lambda text: "\ufffe" + text,
    "a list": lambda text: "[]",
    "a number": lambda text: "1",
    "nested too deeply": lambda text: "[" * 100_000,
    "of another grammar": lambda text: re.sub('"grammar": [0-9]+', '"grammar": 0', text),
    "no check sums": lambda text: text.partition("\n")[2],
    "an empty line": lambda text: "\n" + text,
    "no rules": _without("rules"),
    "rules of another form": _with("rules", [["call"]]),
    "no actions": _with("actions", []),
    "a state changed": lambda text: text.replace('"WORD":1', '"WORD":2'),
    "patterns that are none": _with("patterns", {"WORD": "("}),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_tables_are_made_again(
    damage: str, fresh: tuple[Path, str], tmp_path: Path
) -> None:
    """Also where they are of the right grammar, and valid JSON, but not what was written."""
    cache = tmp_path / "tables.json"
    text = DAMAGED[damage](fresh[1])
    assert text != fresh[1]
    cache.write_text(text, "utf-8")
    assert tables.load(tables.GRAMMAR, cache) == grammar_tables()
    assert cache.read_text("utf-8") == fresh[1]


def test_a_changed_grammar_has_new_tables(tmp_path: Path) -> None:
    grammar, cache = tmp_path / "grammar.lark", tmp_path / "tables.json"
    grammar.write_text(tables.GRAMMAR.read_text("utf-8"), "utf-8")
    assert "unless" not in tables.load(grammar, cache).literals
    grammar.write_text(grammar.read_text("utf-8").replace('"if"', '"unless"'), "utf-8")
    assert "unless" in tables.load(grammar, cache).literals
    assert "unless" in json.loads(cache.read_text("utf-8").splitlines()[1])["literals"]


def test_a_folder_that_cannot_be_written_is_no_trouble(tmp_path: Path) -> None:
    """The tables are made for this once; nothing is left behind."""
    nowhere = tmp_path / "missing" / "tables.json"
    assert tables.load(tables.GRAMMAR, nowhere) == grammar_tables()
    in_the_way = tmp_path / "tables.json"
    in_the_way.mkdir()
    (in_the_way / "something").touch()
    assert tables.load(tables.GRAMMAR, in_the_way) == grammar_tables()
    assert [path.name for path in tmp_path.iterdir()] == ["tables.json"]


def test_two_processes_at_once_leave_whole_tables(fresh: tuple[Path, str], tmp_path: Path) -> None:
    grammar, cache = tmp_path / "grammar.lark", tmp_path / "tables.json"
    shutil.copy(tables.GRAMMAR, grammar)
    code = (
        "import sys; from pathlib import Path; from dotcnn.dsl import tables;"
        f"tables.load(Path({str(grammar)!r}), Path({str(cache)!r}))"
    )
    both = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert cache.read_text("utf-8") == fresh[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["grammar.lark", "tables.json"]
