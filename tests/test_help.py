"""Help: what `cnn --help` and `cnn COMMAND --help` say, and that it is true."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from itertools import takewhile

import pytest

from commands import run
from dotcnn import cli
from dotcnn.cli import COMMANDS, GROUPS
from dotcnn.compiler.commands.emit import EXPORTED
from dotcnn.compiler.diagnose.explained_codes import explained_codes
from dotcnn.training.export.formats import ENDINGS
from support import ROOT, package_files

Capture = pytest.CaptureFixture[str]

COMMAND_NAMES = pytest.mark.parametrize("name", COMMANDS)


def test_help_shows_every_command_in_its_group(capfd: Capture) -> None:
    result = run(capfd, "--help")
    assert result.code == 0
    for title, group in GROUPS.items():
        paragraph = result.out.partition(f"{title}:\n")[2].partition("\n\n")[0]
        assert [line.split()[0] for line in paragraph.splitlines()] == [c.name for c in group]


def test_every_file_of_a_command_is_in_the_table() -> None:
    """Those that have examples are commands."""
    files = {
        path.stem.replace("_", "-")
        for path in package_files("*/commands/*.py")
        if "\ndef add_arguments" in (ROOT / path).read_text(encoding="utf-8")
    }
    assert files == COMMANDS.keys()


@COMMAND_NAMES
def test_help_of_a_command_explains_every_argument(name: str, capfd: Capture) -> None:
    result = run(capfd, name, "--help")
    assert (result.code, result.err) == (0, "")
    assert all(len(line) <= 100 for line in result.out.splitlines())
    for action in COMMANDS[name].parser()._actions:
        assert action.help, f"{action.dest} is not explained"


def examples() -> Iterator[tuple[str, list[str]]]:
    for name, command in COMMANDS.items():
        for line in command.module().EXAMPLES.splitlines():
            words = shlex.split(line)
            if "|" in words:
                words = words[words.index("|") + 1 :]
            yield name, list(takewhile(lambda word: word not in ("<", ">", ">>"), words))


@pytest.mark.parametrize(("name", "words"), list(examples()), ids=str)
def test_examples_are_valid(name: str, words: list[str]) -> None:
    assert words[:2] == ["cnn", name]
    COMMANDS[name].parser().parse_args(words[2:])


def test_only_the_command_asked_for_is_loaded() -> None:
    code = """
import sys
from dotcnn.cli import main
main(["check", "lenet5"])
print(*(name.rpartition(".")[2] for name in sys.modules if ".commands." in name), file=sys.stderr)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {"command", "options", "terminal", "specs", "check"}
    assert set(result.stderr.split()) == loaded


def test_emit_knows_the_endings_of_export() -> None:
    """compiler/ cannot ask training/ for them."""
    assert ENDINGS.keys() == EXPORTED


def test_help_explains_an_argument_by_the_words_that_have_it(capfd: Capture) -> None:
    result = run(capfd, "help", "whitening")
    assert result.code == 0
    assert result.out.startswith("init  let the first convolution whiten")
    assert "`whitening` is an argument" in result.err
    result = run(capfd, "help", "nesterov")
    assert [line.split("  ")[0] for line in result.out.splitlines() if line[0] != " "] == [
        "optimizer sgd",
        "optimizer muon",
    ]


def test_a_code_is_explained_as_in_the_reference(capfd: Capture) -> None:
    for written in (["error", "shape"], ["error[shape]"], ["unclosed-brace"]):
        result = run(capfd, "help", *written)
        assert result.code == 0
        assert f"error[{written[-1].removeprefix('error[').rstrip(']')}]: " in result.out
        assert "Way out: " in result.out
        assert "](" not in result.out
    assert "`cnn help error input`" in run(capfd, "help", "input").err
    missed = run(capfd, "help", "error", "shap")
    assert (missed.code, "error shape" in missed.err) == (2, True)


def test_all_codes_are_listed(capfd: Capture) -> None:
    listed = run(capfd, "help", "error").out
    assert [code for code in explained_codes() if f"  {code} " not in listed] == []
    assert "error" in run(capfd, "help", "--help").out


def test_pages_have_no_blanks_at_the_end_of_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["help", "parameter"]) == 0
    lines = capsys.readouterr().out.split("\n")
    assert [line for line in lines if line != line.rstrip()] == []
    assert "cnn check net.cnn prints nothing." in lines
    assert "" not in (lines[0], lines[-2])
