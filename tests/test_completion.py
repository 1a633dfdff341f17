"""Shell completion, by really asking the shells; those that are not installed are left out."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from commands import run
from dotcnn.cli import COMMANDS

Capture = pytest.CaptureFixture[str]


@pytest.fixture(params=["bash", "zsh", "fish"])
def shell(request: pytest.FixtureRequest) -> str:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


@pytest.fixture
def script(shell: str, capfd: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """In a folder with specs, a run folder and something else."""
    result = run(capfd, "completion", shell)
    assert (result.code, result.err) == (0, "")
    for name in ("net.cnn", "other net.cnn", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    return result.out


_ZSH = """
autoload -Uz compinit; compinit -D -u
compadd() { builtin print -rl -- "${@:#-*}"; }
_describe() { shift; local each; for each in "${(@P)1}"; do print -r -- "${each%%:*}"; done }
_files() {
  case "$1" in
    -g) print -rl -- ${~2}(N) ;;
    -/) print -rl -- *(N/) ;;
    *) print -rl -- *(N) ;;
  esac
}
"""


def offers(shell: str, script: str, line: str) -> set[str]:
    """What is offered at the end of a line."""
    if shell == "fish":
        program = f"{script}\ncomplete -C {shlex.quote(line)}"
    elif shell == "zsh":  # outside an editor, its own functions print instead of completing
        words = " ".join(map(shlex.quote, line.split(" ")))
        program = f"{_ZSH}\n{script}\nwords=({words}); CURRENT=$#words\n_cnn"
    else:
        words = " ".join(map(shlex.quote, line.split(" ")))
        program = (
            f"{script}\nCOMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _cnn\n"
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
    options = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    result = subprocess.run(
        [shell, *options, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stderr == ""
    offered = {each.partition("\t")[0].rstrip("/") for each in result.stdout.splitlines()}
    last = line.split(" ")[-1]
    return {each for each in offered if each.startswith(last)}


def test_commands(shell: str, script: str) -> None:
    assert offers(shell, script, "cnn ") == COMMANDS.keys()
    assert offers(shell, script, "cnn e") == {"explain", "evaluate", "emit", "export"}


def test_options(shell: str, script: str) -> None:
    assert offers(shell, script, "cnn fmt --") == {"--check", "--diff", "--help", "--color"}
    assert "--format" in offers(shell, script, "cnn report net.cnn --f")


def test_values_of_options(shell: str, script: str) -> None:
    assert offers(shell, script, "cnn check --format ") == {"text", "json", "sarif"}
    assert offers(shell, script, "cnn report --precision b") == {"bf16"}
    assert "runs" in offers(shell, script, "cnn train --resume r")


def test_specs_of_the_gallery_and_of_the_folder(shell: str, script: str) -> None:
    assert {"resnet18", "resnet152"} <= offers(shell, script, "cnn report resnet1")
    assert "net.cnn" in offers(shell, script, "cnn report n")
    assert "notes.txt" not in offers(shell, script, "cnn report n")
    assert "other net.cnn" in offers(shell, script, "cnn report o")
    assert "notes.txt" in offers(shell, script, "cnn train net.cnn --data n")


def test_words_of_the_language(shell: str, script: str) -> None:
    assert {"conv", "concat", "color"} <= offers(shell, script, "cnn help co")


def test_other_shells_are_refused(capfd: Capture) -> None:
    assert run(capfd, "completion", "tcsh").code == 2


def test_names_of_runs(shell: str, script: str) -> None:
    Path("runs", "digits-7").mkdir()
    assert offers(shell, script, "cnn evaluate dig") == {"digits-7"}
    assert offers(shell, script, "cnn train net.cnn --resume dig") == {"digits-7"}
    assert offers(shell, script, "cnn train net.cnn -o dig") == set()
