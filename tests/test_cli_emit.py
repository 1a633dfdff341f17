"""`cnn emit`: where the text goes, what it may replace, exit codes and messages."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dotcnn
from commands import run

Capture = pytest.CaptureFixture[str]

SPEC = "network Small(width=8) { input 3x16x16, conv width 3x3 same, relu, flatten, fc 5 }\n"
BROKEN = "network Small { input 3x16x16, cnov 8 }\n"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.cnn").write_text(SPEC)


def test_the_text_goes_to_standard_output(capfd: Capture) -> None:
    """The same as that of `dotcnn.emit`, and nothing else."""
    for file in (Path("net.cnn"), "resnet18"):
        result = run(capfd, "emit", file)
        assert (result.code, result.err) == (0, "")
        assert result.out == dotcnn.emit(file)


def test_the_text_goes_to_a_file(capfd: Capture) -> None:
    assert run(capfd, "emit", "net.cnn", "-o", "net.py") == (0, "", "")
    assert Path("net.py").read_text() == dotcnn.emit(Path("net.cnn"))
    assert sorted(os.listdir()) == ["net.cnn", "net.py"]


def test_options_are_those_of_emit_and_of_networks(capfd: Capture) -> None:
    spec = Path("net.cnn")
    assert run(capfd, "emit", spec, "--flat").out == dotcnn.emit(spec, flat=True)
    assert run(capfd, "emit", spec, "--main").out == dotcnn.emit(spec, main=True)
    changed = run(capfd, "emit", spec, "--set", "width=12", "--input", "1x8x8")
    assert changed.out == dotcnn.emit(spec, parameters={"width": 12}, input=(1, 8, 8))
    spec.write_text(SPEC + SPEC.replace("Small", "Other"))
    assert "class Small(" in run(capfd, "emit", spec, "--network", "Small").out


def test_a_dash_is_standard_input_or_output(capfd: Capture) -> None:
    result = run(capfd, "emit", "-", "-o", "-", stdin=SPEC.encode())
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith('"""From <stdin> by dotcnn ')
    assert "class Small(" in result.out
    assert os.listdir() == ["net.cnn"]


def test_a_spec_with_mistakes_gives_no_text(capfd: Capture) -> None:
    """Not even in the place of an older one."""
    run(capfd, "emit", "net.cnn", "-o", "net.py")
    before = Path("net.py").read_text()
    Path("net.cnn").write_text(BROKEN)
    result = run(capfd, "emit", "net.cnn", "-o", "net.py")
    assert (result.code, result.out) == (1, "")
    assert " --> net.cnn:1:32\n" in result.err
    assert "did you mean `conv`?" in result.err
    assert Path("net.py").read_text() == before


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        ("nothing", 1, "there is no file nothing"),
        (".", 2, ". is a folder, but not a run folder; name a run or one file"),
        ("resnet5", 1, "did you mean `resnet56`, from the gallery?"),
    ],
)
def test_a_spec_that_is_not_there(spec: str, code: int, message: str, capfd: Capture) -> None:
    result = run(capfd, "emit", spec)
    assert (result.code, result.out) == (code, "")
    assert message in result.err


# ---- what it replaces ----------------------------------------------------------------------------


def test_what_was_emitted_is_replaced(capfd: Capture) -> None:
    """Whatever the spec is called and says at its top, and where somebody went on writing."""
    for name, above in (("a", ""), ('"', "# About it\n\n"), ("c" * 200, "# About\n# it\n")):
        Path(f"{name}.cnn").write_text(above + SPEC)
        assert run(capfd, "emit", f"{name}.cnn", "-o", "net.py").code == 0
        with open("net.py", "a") as file:
            file.write("# more\n")
    assert run(capfd, "emit", "net.cnn", "-o", "net.py", "--flat").code == 0
    assert Path("net.py").read_text() == dotcnn.emit(Path("net.cnn"), flat=True)


@pytest.mark.parametrize(
    "text",
    [
        "print()\n",
        "\n",
        'x = """\nFrom net.cnn by hand\n"""\n',
        '"""Mine.\n\nFrom net.cnn by dotcnn 0.1.0, once."""\n',
    ],
)
def test_what_was_not_emitted_is_left_unless_one_asks(text: str, capfd: Capture) -> None:
    Path("net.py").write_text(text)
    result = run(capfd, "emit", "net.cnn", "-o", "net.py")
    assert (result.code, result.out) == (2, "")
    assert (
        "net.py exists already and was not written by `cnn emit`; --force overwrites it"
        in result.err
    )
    assert Path("net.py").read_text() == text
    assert run(capfd, "emit", "net.cnn", "-o", "net.py", "--force") == (0, "", "")
    assert Path("net.py").read_text() == dotcnn.emit(Path("net.cnn"))


def test_an_empty_file_is_written(capfd: Capture) -> None:
    """As mktemp makes them."""
    Path("net.py").touch()
    assert run(capfd, "emit", "net.cnn", "-o", "net.py") == (0, "", "")


def test_a_spec_is_never_replaced(capfd: Capture) -> None:
    """By its ending, or because it is the one that is read."""
    Path("link.py").symlink_to("net.cnn")
    for output in ("net.cnn", "other.CNN", "link.py"):
        result = run(capfd, "emit", "net.cnn", "-o", output, "--force")
        assert (result.code, result.out) == (2, "")
        assert f"{output} is a spec" in result.err
    assert Path("net.cnn").read_text() == SPEC
    assert sorted(os.listdir()) == ["link.py", "net.cnn"]


@pytest.mark.parametrize("output", ["net.onnx", "net.pt2", "net.SafeTensors"])
def test_what_export_writes_is_not_emitted(output: str, capfd: Capture) -> None:
    result = run(capfd, "emit", "net.cnn", "-o", output)
    assert (result.code, os.listdir()) == (2, ["net.cnn"])
    assert f"`cnn export` writes files like {output}" in result.err


# ---- what cannot be written ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "code", "said"),
    [
        ("no/net.py", 1, "cannot write no/net.py: No such file or directory"),
        ("folder", 1, "cannot write folder: it is a folder"),
        ("read-only.py", 1, "cannot write read-only.py: it is read-only"),
        (os.devnull, 1, f"cannot write {os.devnull}: it is not a regular file"),
        ("x" * 300, 1, "File name too long"),
        ("", 2, "the name of the file to write is empty"),
    ],
)
def test_where_nothing_can_be_written(output: str, code: int, said: str, capfd: Capture) -> None:
    Path("folder").mkdir()
    Path("read-only.py").touch()
    Path("read-only.py").chmod(0o444)
    result = run(capfd, "emit", "net.cnn", "-o", output)
    assert (result.code, result.out) == (code, "")
    assert said in result.err
    assert sorted(os.listdir()) == ["folder", "net.cnn", "read-only.py"]


def test_a_full_disk_leaves_what_was_there(capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    run(capfd, "emit", "net.cnn", "-o", "net.py")
    before = Path("net.py").read_text()

    def write(file: Path, text: str, **_: object) -> int:
        with open(file, "w") as opened:
            opened.write(text[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", write)
    result = run(capfd, "emit", "net.cnn", "-o", "net.py", "--flat")
    assert (result.code, result.err) == (1, "cnn: cannot write net.py: No space left on device\n")
    assert Path("net.py").read_text() == before
    assert sorted(os.listdir()) == ["net.cnn", "net.py"]


def test_a_full_disk_behind_standard_output() -> None:
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "dotcnn", "emit", "net.cnn"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert result.returncode == 1
    assert result.stderr == "cnn: cannot write: No space left on device\n"


def test_wrong_use_has_code_2(capfd: Capture) -> None:
    for arguments in (["emit"], ["emit", "net.cnn", "other.cnn"], ["emit", "net.cnn", "--flt"]):
        result = run(capfd, *arguments)
        assert (result.code, result.out) == (2, "")
        assert "cnn emit" in result.err
    assert "cnn emit net.cnn -o net.py" in run(capfd, "emit", "--help").out
