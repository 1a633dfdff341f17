"""The command line of `cnn check` and `cnn fmt`: arguments, output, exit codes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from dotcnn import cli

GOOD = "network Net {\n  input 3x32x32\n  flatten, fc 64, relu\n  fc 10\n}\n"
UNTIDY = "network  Net {\n input 3x32x32\n flatten ,  fc 64,relu # c\n\n\n  fc 10 }"
TIDY = "network Net {\n  input 3x32x32\n  flatten, fc 64, relu # c\n\n  fc 10\n}\n"
BROKEN = "network Net {\n  input 3x32x32\n  conv(64, 3)\n  flatten, fc 10\n}\n"


class Result:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err
        assert "Traceback" not in out + err


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in an empty folder; `stdin` are the bytes that it can read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)

    def run_command(*arguments: str, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfd.readouterr()
        code = cli.main(list(arguments))
        return Result(code, *capfd.readouterr())

    return run_command


def process(
    *arguments: str, cwd: Path, stdin: Any = subprocess.DEVNULL, **more: Any
) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "dotcnn", *arguments],
        cwd=cwd,
        stdin=stdin,
        capture_output="stdout" not in more,
        text=True,
        check=False,
        timeout=60,
        **more,
    )


# ---- check ----


def test_a_good_spec_is_no_news(run: Run) -> None:
    Path("a.cnn").write_text(GOOD)
    result = run("check", "a.cnn")
    assert (result.code, result.out, result.err) == (0, "", "")


def test_mistakes_go_to_stdout_and_their_number_to_stderr(run: Run) -> None:
    Path("a.cnn").write_text(BROKEN)
    result = run("check", "a.cnn")
    assert result.code == 1
    assert result.out.startswith("error[python-call]: ")
    assert " --> a.cnn:3:3\n" in result.out
    assert result.err == "1 error\n"


def test_warnings_are_no_errors(run: Run) -> None:
    Path("a.cnn").write_text(GOOD.replace("  fc", "\tfc"))
    result = run("check", "a.cnn")
    assert (result.code, result.err) == (0, "1 warning\n")
    assert "warning[tab]" in result.out


def test_a_spec_from_standard_input(run: Run) -> None:
    """Its name in messages says so; it imports from here."""
    assert run("check", "-", stdin=GOOD.encode()).code == 0
    result = run("check", "-", stdin=BROKEN.encode())
    assert result.code == 1
    assert " --> <stdin>:3:3\n" in result.out
    Path("blocks.cnn").write_text("block b() { relu }\n")
    with_import = 'import "blocks.cnn"\n' + GOOD.replace("relu", "b")
    assert run("check", "-", stdin=with_import.encode()).code == 0


@pytest.mark.parametrize("text", ["", "\n", "# only a comment", "   ", "train { epochs 3 }"])
def test_a_spec_with_neither_network_nor_blocks(text: str, run: Run) -> None:
    """There is nothing to check in it; to every command it is the same mistake."""
    result = run("check", "-", "--format", "json", stdin=text.encode())
    assert [it["code"] for it in json.loads(result.out)["diagnostics"]] == ["no-network"]
    assert result.code == 1
    assert run("check", "-", stdin=b"block b() { relu }").code == 0


def test_several_files_and_folders(run: Run) -> None:
    """All of them, in order; hidden folders are left out, and so is what is no spec."""
    for name in ("one.cnn", "sub/two.cnn", "sub/deep/three.cnn", "sub/.hidden/four.cnn"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(BROKEN)
    Path("sub/notes.txt").write_text("conv(64)")
    result = run("check", "one.cnn", "sub")
    assert result.code == 1
    shown = [line.split()[1] for line in result.out.splitlines() if "-->" in line]
    assert shown == ["one.cnn:3:3", "sub/deep/three.cnn:3:3", "sub/two.cnn:3:3"]
    assert result.err == "3 errors\n"


def test_a_file_that_several_import_is_told_of_once(run: Run) -> None:
    Path("shared.cnn").write_text("block b() { conv(3) }\n")
    for name in "abc":
        Path(f"{name}.cnn").write_text(f'import "shared.cnn"\n{GOOD}')
    assert run("check", ".").err == "1 error\n"


def test_a_folder_without_specs(run: Run) -> None:
    result = run("check", ".")
    assert (result.code, result.out) == (0, "")
    assert "no .cnn files" in result.err


def test_the_gallery_s_names(run: Run) -> None:
    """A plain name of a spec that comes along; a file here of that name comes first."""
    assert run("check", "resnet18").code == 0
    assert run("check", "resnet18.cnn").code == 0
    Path("resnet18.cnn").write_text(BROKEN)
    assert run("check", "resnet18.cnn").code == 1
    result = run("check", "resnet81")
    assert result.code == 1
    assert "no-such-file" in result.out
    assert "resnet18" in result.out


@pytest.mark.parametrize(
    "name",
    ["nope.cnn", "sub/nope.cnn", "a" * 5000, "", "/", "/dev/null", "/nope/a.cnn", "~", "nope\n"],
)
def test_files_that_cannot_be_read(name: str, run: Run) -> None:
    """One message each, and the others are checked all the same."""
    Path("a.cnn").write_text(BROKEN)
    if name == "/":
        name = os.devnull
    result = run("check", name, "a.cnn")
    assert result.code == 1
    assert result.out.count("error[") == 2
    assert "python-call" in result.out


def test_json(run: Run) -> None:
    """Lines and columns count from 1; where all is well, the list is empty."""
    Path("a.cnn").write_text(BROKEN)
    Path("b.cnn").write_text(GOOD)
    found = json.loads(run("check", "--format", "json", "a.cnn", "b.cnn", "no.cnn").out)
    first, second = found["diagnostics"]
    assert (first["code"], first["severity"], first["file"]) == ("python-call", "error", "a.cnn")
    assert first["start"] == {"line": 3, "column": 3}
    assert first["end"] == {"line": 3, "column": 14}
    assert first["edits"][0]["text"] == "conv 64 3"
    assert (second["code"], second["file"], second["start"]) == ("no-such-file", "no.cnn", None)
    assert json.loads(run("check", "--format", "json", "b.cnn").out) == {"diagnostics": []}


def test_sarif(run: Run) -> None:
    Path("a.cnn").write_text(BROKEN)
    for files, results in (("a.cnn",), 1), (("a.cnn", "no.cnn"), 2):
        (log,) = json.loads(run("check", "--format", "sarif", *files).out)["runs"]
        assert len(log["results"]) == results
    assert log["tool"]["driver"]["name"] == "dotcnn"
    region = log["results"][0]["locations"][0]["physicalLocation"]["region"]
    assert (region["startLine"], region["startColumn"]) == (3, 3)


def test_colours(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Into a pipe none, unless asked for; a flag outweighs NO_COLOR."""
    Path("a.cnn").write_text(BROKEN)
    assert "\x1b" not in run("check", "a.cnn").out
    assert "\x1b[" in run("check", "--color", "always", "a.cnn").out
    assert "\x1b" not in run("check", "--color=never", "a.cnn").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run("check", "a.cnn").out
    assert "\x1b[" in run("check", "--color=always", "a.cnn").out


@pytest.mark.parametrize("variable", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_on_a_terminal(variable: dict[str, str], tmp_path: Path) -> None:
    import pty

    (tmp_path / "a.cnn").write_text(BROKEN)
    terminal, end = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm", **variable}
    with os.fdopen(end) as stdout, os.fdopen(terminal, "rb", buffering=0) as screen:
        process("check", "a.cnn", cwd=tmp_path, stdout=stdout, stderr=stdout, env=environment)
        shown = screen.read(10_000)
    assert b"python-call" in shown
    assert (b"\x1b[" in shown) == (not variable)


def test_what_a_spec_holds_moves_no_cursor(run: Run) -> None:
    """Nothing of it reaches the terminal as it is."""
    text = 'conv = 3 # \x1b[2J \x9b31m \u202e "\x1b]0;title\x07"\n'
    out = run("check", "-", stdin=text.encode()).out
    assert not set(out) & set("\x1b\x9b\u202e\x07")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required"),
        (["check"], "required"),
        (["chekc", "a"], "check"),
        (["check", "--format", "xml", "a"], "choose from"),
        (["check", "--nope", "a"], "`--nope` is not known"),
        (["fmt"], "required"),
    ],
)
def test_wrong_use_is_told_with_code_2(arguments: Sequence[str], said: str, run: Run) -> None:
    result = run(*arguments)
    assert result.code == 2
    assert said in result.err
    assert result.out == ""


def test_help_shows_examples(run: Run) -> None:
    for arguments, said in (["--help"], "check"), (["check", "--help"], "cnn check"):
        result = run(*arguments)
        assert result.code == 0
        assert said in result.out


# ---- what the surroundings may do to it ----


def test_closed_streams(tmp_path: Path) -> None:
    """As `<&-` and `>&-` leave them."""
    (tmp_path / "a.cnn").write_text(BROKEN)
    command = f"{sys.executable} -m dotcnn"
    for arguments in ("check - <&-", "fmt - <&-", "check a.cnn >&-", "check a.cnn >&- 2>&- <&-"):
        shell = subprocess.run(
            f"{command} {arguments}",
            shell=True,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in shell.stderr
        assert shell.returncode in (0, 1)


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    """`cnn check … | head -n 1`"""
    (tmp_path / "a.cnn").write_text("conv(3)\n" * 50)
    shell = subprocess.run(
        f"{sys.executable} -m dotcnn check --format json a.cnn | head -n 1",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (shell.stdout, shell.stderr) == ("{\n", "")


def test_a_file_is_written_although_the_reader_of_the_text_goes_away(tmp_path: Path) -> None:
    """`cnn show … -o field.png | head -n 1`"""
    shell = subprocess.run(
        f"{sys.executable} -m dotcnn show lenet5 --noise --field -o field.png | true",
        shell=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shell.stderr == "wrote field.png\n"
    assert (tmp_path / "field.png").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "a.cnn").write_text(BROKEN)
    with open("/dev/full", "w") as full:
        result = process("check", "a.cnn", cwd=tmp_path, stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 1
    assert "No space left" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_terminal_that_knows_only_ascii(tmp_path: Path) -> None:
    (tmp_path / "a.cnn").write_text("größe = 3\nconv 3×3\n")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    result = process("check", "a.cnn", cwd=tmp_path, env=environment)
    assert result.returncode == 1
    assert "look-alike" in result.stdout


def test_a_file_whose_name_is_not_utf_8(tmp_path: Path) -> None:
    """Linux allows any bytes; all formats have to show it somehow."""
    name = os.fsdecode(b"caf\xe9.cnn")
    (tmp_path / name).write_text(BROKEN)
    for format in ("text", "json", "sarif"):
        result = process("check", name, "--format", format, cwd=tmp_path)
        assert (result.returncode, "Traceback" in result.stderr) == (1, False)
        assert "python-call" in result.stdout


def test_interruption_has_its_code(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dotcnn.dsl.files._read_bytes", interrupt)
    Path("a.cnn").write_text(GOOD)
    assert run("check", "a.cnn").code == 130


# ---- fmt ----


def test_fmt_rewrites_and_says_so(run: Run) -> None:
    Path("a.cnn").write_text(UNTIDY)
    result = run("fmt", "a.cnn")
    assert (result.code, result.out, result.err) == (0, "", "formatted a.cnn\n")
    assert Path("a.cnn").read_text() == TIDY
    result = run("fmt", "a.cnn")
    assert (result.code, result.out, result.err) == (0, "", "")
    assert [path.name for path in Path.cwd().iterdir()] == ["a.cnn"]


def test_fmt_leaves_a_tidy_file_alone(run: Run) -> None:
    path = Path("a.cnn")
    path.write_text(TIDY)
    before = path.stat()
    assert run("fmt", "a.cnn").code == 0
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_ino == before.st_ino


def test_fmt_of_standard_input_goes_to_standard_output(run: Run) -> None:
    result = run("fmt", "-", stdin=UNTIDY.encode())
    assert (result.code, result.out) == (0, TIDY)
    assert run("fmt", "-", stdin=b"").out == ""
    windows = run("fmt", "-", stdin=UNTIDY.replace("\n", "\r\n").encode())
    assert windows.out == TIDY.replace("\n", "\r\n")


def test_fmt_check_changes_nothing(run: Run) -> None:
    Path("a.cnn").write_text(UNTIDY)
    Path("b.cnn").write_text(TIDY)
    result = run("fmt", "--check", "a.cnn", "b.cnn")
    assert (result.code, result.out, result.err) == (1, "", "would change a.cnn\n")
    assert Path("a.cnn").read_text() == UNTIDY
    assert run("fmt", "--check", "b.cnn").code == 0
    assert run("fmt", "--check", "-", stdin=UNTIDY.encode()).code == 1
    assert run("fmt", "--check", "-", stdin=TIDY.encode()).code == 0


def test_fmt_diff_can_be_applied(run: Run) -> None:
    """It is a patch: `cnn fmt --diff a.cnn | patch` does what `cnn fmt a.cnn` does."""
    Path("a.cnn").write_text(UNTIDY + "\n# a form feed \x0c and \u2028 end no line\n")
    result = run("fmt", "--diff", "a.cnn")
    assert result.code == 1
    subprocess.run(["patch", "-s", "a.cnn"], input=result.out, text=True, check=True)
    patched = Path("a.cnn").read_text()
    assert run("fmt", "--check", "a.cnn").code == 0
    assert "\x0c and \u2028" in patched
    assert run("fmt", "--diff", "a.cnn").out == ""


def test_fmt_diff_in_colours(run: Run) -> None:
    Path("a.cnn").write_text(UNTIDY)
    assert "\x1b[32m+" in run("fmt", "--diff", "--color=always", "a.cnn").out
    assert "\x1b" not in run("fmt", "--diff", "a.cnn").out


def test_fmt_touches_no_broken_file(run: Run) -> None:
    """But formats the others."""
    Path("a.cnn").write_text(BROKEN)
    Path("b.cnn").write_text(UNTIDY)
    result = run("fmt", "a.cnn", "b.cnn", "no.cnn")
    assert result.code == 1
    assert Path("a.cnn").read_text() == BROKEN
    assert Path("b.cnn").read_text() == TIDY
    assert "python-call" in result.err
    assert "no-such-file" in result.err


def test_fmt_keeps_windows_line_ends(run: Run) -> None:
    Path("a.cnn").write_bytes(UNTIDY.replace("\n", "\r\n").encode())
    assert run("fmt", "a.cnn").code == 0
    assert Path("a.cnn").read_bytes() == TIDY.replace("\n", "\r\n").encode()
    assert run("fmt", "--check", "a.cnn").code == 0


def test_fmt_accepts_a_byte_order_mark(run: Run) -> None:
    Path("a.cnn").write_bytes(b"\xef\xbb\xbf" + UNTIDY.encode())
    assert run("fmt", "a.cnn").code == 0
    assert Path("a.cnn").read_text() == TIDY


def test_fmt_writes_through_a_link(run: Run) -> None:
    Path("real").mkdir()
    Path("real/a.cnn").write_text(UNTIDY)
    Path("link.cnn").symlink_to("real/a.cnn")
    assert run("fmt", "link.cnn").code == 0
    assert Path("link.cnn").is_symlink()
    assert Path("real/a.cnn").read_text() == TIDY


def test_fmt_keeps_the_mode(run: Run) -> None:
    Path("a.cnn").write_text(UNTIDY)
    Path("a.cnn").chmod(0o640)
    assert run("fmt", "a.cnn").code == 0
    assert Path("a.cnn").stat().st_mode & 0o777 == 0o640


def test_fmt_respects_a_read_only_file(run: Run) -> None:
    """The folder would let it be replaced; whoever took the right away meant it."""
    Path("a.cnn").write_text(UNTIDY)
    Path("a.cnn").chmod(0o444)
    result = run("fmt", "a.cnn")
    assert result.code == 1
    assert "read-only" in result.err
    assert Path("a.cnn").read_text() == UNTIDY
    assert run("fmt", "--check", "a.cnn").code == 1


def test_fmt_that_fails_midway_leaves_the_file(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    Path("a.cnn").write_text(UNTIDY)
    monkeypatch.setattr(os, "replace", fail)
    result = run("fmt", "a.cnn")
    assert result.code == 1
    assert "the file was not changed" in result.err
    assert Path("a.cnn").read_text() == UNTIDY
    assert [path.name for path in Path.cwd().iterdir()] == ["a.cnn"]


def test_fmt_of_folders_and_of_an_empty_name(run: Run) -> None:
    """`cnn fmt "$NAME"` without a NAME must not format all that is here."""
    Path("sub").mkdir()
    Path("a.cnn").write_text(UNTIDY)
    Path("sub/b.cnn").write_text(UNTIDY)
    assert run("fmt", "").code == 1
    assert Path("a.cnn").read_text() == UNTIDY
    assert run("fmt", ".").err == "formatted a.cnn\nformatted sub/b.cnn\n"


def test_the_file_can_be_run_by_itself(tmp_path: Path) -> None:
    """`python cli.py …` from a checkout, from wherever."""
    (tmp_path / "a.cnn").write_text(BROKEN)
    for command in ([str(Path(cli.__file__))], ["-m", "dotcnn"]):
        result = subprocess.run(
            [sys.executable, *command, "check", "a.cnn"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (result.returncode, result.stderr) == (1, "1 error\n")


# ---- new, draw, report ----


def data_line(file: str) -> str:
    return next(line for line in Path(file).read_text().splitlines() if "data folder" in line)


def test_a_new_spec_names_the_images_that_lie_beside_it(run: Run) -> None:
    run("new", "nothing")
    assert data_line("nothing.cnn") == '  data folder "data" val=20%'
    for name in ("train/cats", "val/cats"):
        Path(name).mkdir(parents=True)
    run("new", "parts", "--like", "resnet18")
    assert data_line("parts.cnn") == '  data folder "."'
    Path("data/training/cats").mkdir(parents=True)
    run("new", "inside")
    assert data_line("inside.cnn") == '  data folder "data" val=20%'
    Path("data/Valid").mkdir()
    run("new", "valid")
    assert data_line("valid.cnn") == '  data folder "data"'


def test_weights_are_not_taken_from_a_folder_of_images(run: Run) -> None:
    Path("photos/train/cats").mkdir(parents=True)
    result = run("new", "net", "--from", "photos")
    assert result.code == 2
    assert "is not a run folder" in result.err
    assert not Path("net.cnn").exists()


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ("nosuch.pth", "there are no weights at nosuch.pth"),
        ("resnet20", "resnet20 is a spec of the gallery and has no weights"),
        ("wieghts.pth", "did you mean `weights.pth`?"),
        ("digits", "did you mean `runs/digits`?"),
    ],
)
def test_weights_that_are_not_there_are_told_at_once(weights: str, said: str, run: Run) -> None:
    Path("weights.pth").write_bytes(b"")
    Path("runs/digits").mkdir(parents=True)
    result = run("new", "net", "--from", weights)
    assert result.code == 1
    assert said in result.err + result.out
    assert not Path("net.cnn").exists()


def test_weights_of_a_library_are_not_looked_for(run: Run) -> None:
    assert run("new", "net", "--from", "torchvision:ResNet18_Weights.IMAGENET1K_V1").code == 0


@pytest.mark.parametrize("command", ["report", "check", "emit", "explain", "show"])
def test_a_run_with_a_similar_name_is_proposed(command: str, run: Run) -> None:
    Path("runs/net").mkdir(parents=True)
    result = run(command, "runs/nett")
    assert "did you mean runs/net?" in result.err + result.out


@pytest.mark.parametrize("arguments", ["evaluate runs/nett", "predict runs/nett a.png"])
def test_a_trained_run_with_a_similar_name_is_proposed(arguments: str, run: Run) -> None:
    Path("runs/net").mkdir(parents=True)
    Path("runs/net/record.json").write_text("{}")
    assert "did you mean `runs/net`?" in run(*arguments.split()).err


def test_drawing_without_a_file_says_what_to_write(run: Run) -> None:
    result = run("draw", "lenet5")
    assert (result.code, result.out) == (2, "")
    assert "-o lenet5.svg" in result.err


TRAINED = """network N {
  input 3x8x8
  conv 8 3x3, flatten, fc 10
}
train {
  batch 64
  optimizer adam
  precision bf16
}
"""


def test_memory_is_that_of_the_spec_s_own_training(run: Run) -> None:
    Path("a.cnn").write_text(TRAINED)
    found = " ".join(run("report", "a.cnn").out.split())
    assert "64 images, adam, bf16, cuda (batch, precision, optimizer from `train`)" in found
    found = " ".join(run("report", "a.cnn", "--batch", "2", "--precision", "fp32").out.split())
    assert "2 images, adam, fp32, cuda (optimizer from `train`)" in found
    assert json.loads(run("report", "a.cnn", "--format", "json").out)["batch"] == 64
    assert "64 images, adam, bf16" in " ".join(run("explain", "a.cnn").out.split())


def test_two_networks_are_compared_in_the_same_setting(run: Run) -> None:
    Path("a.cnn").write_text(TRAINED)
    Path("b.cnn").write_text(TRAINED.partition("train")[0])
    result = run("diff", "a.cnn", "b.cnn", "--format", "json")
    before, after = json.loads(result.out)["totals"]["memory_training"]
    assert before == after


def test_a_directive_for_a_command_without_sections_is_shown_as_written(run: Run) -> None:
    found = run("report", "lenet5", "--set", "train.optimizer.lr=0.1").err
    assert "train.optimizer.lr=0.1\n" in found
    assert "Call(" not in found


def test_a_variant_is_checked(run: Run) -> None:
    """What only `--set` builds: a gate whose body ends in other channels."""
    Path("net.cnn").write_text(
        "network Net(squeeze=off) {\n  input 3x32x32\n  conv 16 3x3 same, relu\n"
        "  if squeeze { gate { pool avg global, conv 4 1x1, relu, conv channels 1x1, sigmoid } }\n"
        "  pool avg global, flatten, fc 10\n}\n"
    )
    assert run("check", "net.cnn").code == 0
    found = run("check", "net.cnn", "--set", "squeeze=on")
    assert found.code == 1
    assert "16x32x32 and 4x1x1" in found.out
    assert "did you mean `squeeze`?" in run("check", "net.cnn", "--set", "squeze=on").out


@pytest.mark.parametrize(
    ("word", "command"), [("fit", "train"), ("summary", "report"), ("eval", "evaluate")]
)
def test_commands_of_other_tools(run: Run, word: str, command: str) -> None:
    found = run(word, "net.cnn")
    assert found.code == 2
    assert f"did you mean `{command}`?" in found.err


def test_words_of_other_tools_are_not_commands() -> None:
    words = [word for name in cli.CALLED_ELSEWHERE for word in cli.CALLED_ELSEWHERE[name].split()]
    assert len({*words}) == len(words)
    assert not {*words} & {*cli.COMMANDS}
    assert {*cli.CALLED_ELSEWHERE} <= {*cli.COMMANDS}
