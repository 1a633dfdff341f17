"""`cnn report`, `explain`, `diff`, `draw`, `gallery`, `new`: options, streams, exit codes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from dotcnn.cli import main
from dotcnn.compiler.analysis import Setting, analyse
from dotcnn.compiler.analysis.setting import OPTIMIZERS
from dotcnn.compiler.language.overrides import OverrideError, read_override
from dotcnn.compiler.language.values import Interval, Percent, Text, Word
from dotcnn.compiler.report.gallery import header
from dotcnn.compiler.starter import network_name
from dotcnn.dsl.files import read_file
from dotcnn.dsl.parser import parse
from dotcnn.dsl.program import GALLERY
from dotcnn.dsl.syntax import Call, Network
from networks import gallery, network

from .examples import LENET, RESIDUAL

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "lenet.cnn"
    path.write_text(LENET)
    return str(path)


@pytest.fixture
def residual(tmp_path: Path) -> str:
    path = tmp_path / "residual.cnn"
    path.write_text(RESIDUAL)
    return str(path)


def run(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


# ---- report ----------------------------------------------------------------------------------


def test_report(spec: str, capsys: Capture) -> None:
    code, out, err = run(capsys, "report", spec)
    assert (code, err) == (0, "")
    assert "61,706" in out
    assert "A multiply-add (MAC) is one product and sum" in out
    assert "\x1b" not in out


def test_report_from_the_gallery(capsys: Capture) -> None:
    code, out, _ = run(capsys, "report", "resnet50", "--format", "json")
    totals = json.loads(out)["totals"]
    assert code == 0
    assert (totals["params"], totals["macs"]) == (25_557_032, 4_089_184_256)


def test_report_from_standard_input(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LENET.encode())))
    code, out, _ = run(capsys, "report", "-")
    assert code == 0
    assert out.startswith("LeNet5 (<stdin>), input 1x32x32")


def test_colours_are_asked_for(spec: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[1m" in run(capsys, "report", spec, "--color", "always")[1]
    assert "\x1b" not in run(capsys, "report", spec)[1]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_terminal_is_never_too_narrow(
    columns: int, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for arguments in (
        ["report", "googlenet"],
        ["report", "googlenet", "--depth", "1"],
        ["report", "googlenet", "--fit", "8GB"],
        ["explain", "googlenet"],
        ["explain", "googlenet", "inception3a"],
        ["diff", "resnet18", "resnet34"],
    ):
        code, out, _ = run(capsys, *arguments)
        assert code == 0
        assert max(map(len, out.splitlines())) <= columns, arguments


def test_another_input(spec: str, capsys: Capture) -> None:
    _, out, _ = run(capsys, "report", spec, "--input", "3x40x40", "--format", "json")
    assert json.loads(out)["input"] == [3, 40, 40]


def test_another_value(residual: str, capsys: Capture) -> None:
    _, out, _ = run(capsys, "report", residual, "--set", "width=8", "--format", "json")
    assert json.loads(out)["layers"][0]["output"] == [8, 32, 32]


def test_batch_and_setting(spec: str, capsys: Capture) -> None:
    arguments = ["--batch", "8", "--precision", "bf16", "--optimizer", "adam", "--device", "cpu"]
    _, out, _ = run(capsys, "report", spec, "--format", "json", *arguments)
    found = json.loads(out)
    memory = analyse(network(LENET), Setting("bf16", OPTIMIZERS["adam"], "cpu")).memory
    assert found["batch"] == 8
    assert found["totals"]["memory"]["training_peak"] == memory.training.at(8)


def test_several_files(spec: str, residual: str, capsys: Capture) -> None:
    code, out, _ = run(capsys, "report", spec, residual)
    assert code == 0
    assert [line for line in out.splitlines() if line.startswith(("LeNet5", "Small"))]
    assert out.count("A multiply-add (MAC)") == 2
    _, out, _ = run(capsys, "report", spec, residual, "--format", "json")
    assert [each["network"] for each in json.loads(out)] == ["LeNet5", "Small"]


def test_a_folder_with_files_of_blocks(tmp_path: Path, spec: str, capsys: Capture) -> None:
    (tmp_path / "blocks.cnn").write_text("block b { relu }\n")
    code, out, err = run(capsys, "report", str(tmp_path), "--format", "csv")
    assert (code, err) == (0, "")
    assert out.count("network,name") == 1
    code, _, err = run(capsys, "report", str(tmp_path / "blocks.cnn"))
    assert code == 1
    assert "does not define a network" in err


def test_one_file_of_several_is_wrong(tmp_path: Path, spec: str, capsys: Capture) -> None:
    bad = tmp_path / "bad.cnn"
    bad.write_text("network N { input 3x8x8, cnov 3 }\n")
    code, out, err = run(capsys, "report", spec, str(bad))
    assert code == 1
    assert "LeNet5" in out
    assert "error[unknown-layer]" in err
    assert "error" not in out


def test_which_network(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "two.cnn"
    path.write_text("network A { input 3, fc 1 }\nnetwork B { input 3, fc 2 }\n")
    assert run(capsys, "report", str(path))[1].split()[0] == "B"
    assert run(capsys, "report", str(path), "--network", "A")[1].split()[0] == "A"
    code, _, err = run(capsys, "report", str(path), "--network", "C")
    assert code == 1
    assert "there is A, B" in err


def test_the_budget(residual: str, capsys: Capture) -> None:
    code, _, err = run(capsys, "report", residual, "--max-layers", "20")
    assert code == 1
    assert "error[limit]" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--input", "3x0x32"], "is not an input size: write channels x height x width"),
        (["--input", "0x3x3"], "is not an input"),
        (["--input", "axbxc"], "is not an input"),
        (["--batch", "0"], "is not a whole number of at least 1"),
        (["--depth", "-1"], "is not a whole number of at least 1"),
        (["--set", "width"], "is not name=value"),
        (["--set", "width="], "is not name=value"),
        (["--set", "1=2"], "is not name=value"),
        (["--set", "width=2 3"], "is not a value"),
        (["--set", "wide=True"], "'True' is not a value: write wide=on"),
        (["--set", "width=1, network X { }"], "is not a value"),
        (["--set", 'width=import "/etc/passwd"'], "is not a value"),
        (["--set", "width=1/0"], "division by zero"),
        (["--fit", "lots"], "is not an amount of memory"),
        (["--fit", "8GB", "--format", "csv"], "--fit answers as a table or as json"),
        (["--card", "RTX 4900"], 'did you mean "RTX 4090"?'),
        (["--card", "T4", "--fit", "8GB"], "leave out --fit"),
        (["--card", "T4", "--device", "cpu"], "leave out `--device cpu`"),
        (["--card", "T4", "--format", "csv"], "--card answers as a table or as json"),
        (["--images", "-1"], "is not a whole number"),
        (["--precision", "fp3"], "did you mean `fp32`?"),
        (["--format", "xml"], "invalid choice"),
        (["--max-layers", "none"], "is not a whole number"),
    ],
)
def test_wrong_options(options: list[str], message: str, spec: str, capsys: Capture) -> None:
    code, out, err = run(capsys, "report", spec, *options)
    assert (code, out) == (2, "")
    assert message in err


def test_a_parameter_that_there_is_not(residual: str, capsys: Capture) -> None:
    code, _, err = run(capsys, "report", residual, "--set", "widht=8")
    assert code == 1
    assert "width" in err


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("width=1.5", "width", 1.5),
        ("n=2*3+1", "n", 7),
        ("act=gelu", "act", Word("gelu")),
        ("sizes=[3, 4]", "sizes", [3, 4]),
        ("size=3x3", "size", (3, 3)),
        ("rate=20%", "rate", Percent(0.2)),
        ("scale=0.5..1", "scale", Interval(0.5, 1)),
        ('name="a b"', "name", Text("a b")),
        ("on=off", "on", False),
        ("m = max(1, 2)", "m", 2),
    ],
)
def test_values_are_those_of_the_language(text: str, name: str, value: object) -> None:
    found = read_override(text)
    assert found == (name, value)
    assert type(found[1]) is type(value)


@pytest.mark.parametrize("text", ["", "=", "a", "a==", "a=1\nb=2", "a=1;", "a={", "a-b=1", "a=#"])
def test_no_override(text: str) -> None:
    with pytest.raises(OverrideError):
        read_override(text)


# ---- fit -------------------------------------------------------------------------------------


def test_fit(capsys: Capture) -> None:
    code, out, _ = run(capsys, "report", "resnet18", "--fit", "8GB", "--format", "json")
    found = json.loads(out)
    memory = analyse(gallery("resnet/resnet18"), Setting(device="cuda")).memory
    assert code == 0
    assert found["limit"] == 8 * 10**9
    assert found["batch"] == memory.fit(8 * 10**9)
    assert found["bytes"] == memory.needed(found["batch"]) <= 8 * 10**9
    assert found["gpu"] == memory.on_gpu(found["batch"])._asdict()
    assert (found["asked"], found["fits"]) == (None, None)
    _, text, _ = run(capsys, "report", "resnet18", "--fit", "8GB")
    assert f"largest batch: {found['batch']}" in text
    assert "yes" not in text
    assert "Left out: workspace of cuDNN" in text


def test_fit_on_the_cpu(capsys: Capture) -> None:
    arguments = ["--fit", "8GB", "--device", "cpu", "--format", "json"]
    found = json.loads(run(capsys, "report", "resnet18", *arguments)[1])
    training = analyse(gallery("resnet/resnet18")).memory.training
    assert training.at(found["batch"]) <= 8 * 10**9 < training.at(found["batch"] + 1)
    assert found["bytes"] == training.at(found["batch"])


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        (["--batch", "256"], "yes: a batch of 256 fits into the RTX 4090"),
        (["--batch", "1500"], "no: a batch of 1,500 needs"),
        (["--batch", "1500", "--precision", "bf16"], "yes: a batch of 1,500 fits"),
        (["--batch", "1500", "--precision", "bf16", "--optimizer", "adamw"], "yes: "),
        (["--batch", "2048", "--devices", "4"], "yes: a batch of 512 on each GPU fits"),
        (["--batch", "900", "--images", "100000"], "no: a batch of 900 needs"),
        (["--batch", "3000", "--precision", "bf16"], "no: a batch of 3,000 makes a feature map"),
    ],
)
def test_whether_it_fits_a_card(options: list[str], answer: str, capsys: Capture) -> None:
    arguments = ["report", "resnet18", "--card", "rtx4090", *options]
    code, text, _ = run(capsys, *arguments)
    assert code == 0
    assert text.splitlines()[1].startswith(answer)
    found = json.loads(run(capsys, *arguments, "--format", "json")[1])
    assert found["card"] == "RTX 4090"
    assert found["fits"] is answer.startswith("yes")


def test_a_batch_that_only_fragmentation_keeps_out(capsys: Capture) -> None:
    """It needs less than there is, but the allocator finds no block for one of its tensors."""
    options = ("--fit", "2GB", "--device", "cuda", "--batch", "16")
    _, text, _ = run(capsys, "report", "mobilenet_v2", *options)
    assert "no: a batch of 16 needs 1.86 GiB of the 1.86 GiB" in text
    assert "no piece of it large enough" in " ".join(text.split())


def test_a_spec_says_which_batch_is_asked_for(tmp_path: Path, capsys: Capture) -> None:
    """And what else counts: the optimizer, EMA, accumulated batches."""
    path = tmp_path / "net.cnn"
    path.write_text(LENET + "train {\n data digits\n batch 64\n optimizer adamw\n ema\n}\n")
    _, text, _ = run(capsys, "report", str(path), "--card", "T4")
    assert "yes: a batch of 64 fits into the T4" in text
    assert "with adamw, fp32, cuda, EMA (optimizer from `train`)" in " ".join(text.split())


def test_nothing_fits(capsys: Capture) -> None:
    code, out, _ = run(capsys, "report", "resnet18", "--fit", "1MB")
    assert code == 0
    assert "largest batch: none" in out


# ---- explain and diff ------------------------------------------------------------------------


def test_explain(spec: str, capsys: Capture) -> None:
    code, out, _ = run(capsys, "explain", spec, "conv2")
    assert code == 0
    assert "16 filters * 6*5*5 = 2,400" in out


def test_explain_what_is_not_there(spec: str, capsys: Capture) -> None:
    code, out, err = run(capsys, "explain", spec, "cnov2")
    assert (code, out) == (2, "")
    assert err == "cnn: LeNet5 has no layer `cnov2`; did you mean `conv2`?\n"


def test_one_file_is_explained(tmp_path: Path, spec: str, capsys: Capture) -> None:
    code, out, err = run(capsys, "explain", str(tmp_path))
    assert (code, out) == (2, "")
    assert "is a folder" in err


def test_diff(spec: str, residual: str, capsys: Capture) -> None:
    code, out, _ = run(capsys, "diff", spec, residual)
    assert code == 0
    assert out.startswith("- LeNet5")
    _, out, _ = run(capsys, "diff", spec, residual, "--format", "json")
    assert json.loads(out)["totals"]["parameters"] == [61_706, 85_018]


def test_only_one_of_two_from_standard_input(capsys: Capture) -> None:
    assert run(capsys, "diff", "-", "-")[0] == 2
    assert run(capsys, "diff", "-", "--set", "n=3")[0] == 2


# ---- draw ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "begins"),
    [("svg", b"<svg"), ("dot", b"digraph"), ("mermaid", b"---"), ("html", b"<!DOCTYPE html>")],
)
def test_draw(ending: str, begins: bytes, spec: str, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / f"net.{ending}"
    assert run(capsys, "draw", spec, "-o", str(out)) == (0, "", "")
    assert out.read_bytes().startswith(begins)


def test_draw_to_standard_output(spec: str) -> None:
    command = [sys.executable, "-m", "dotcnn", "draw", spec, "--format", "dot"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout.startswith(b"digraph")


def test_draw_needs_to_know_what(spec: str, capsys: Capture) -> None:
    for arguments in ([], ["-o", "net.jpg"], ["-o", "net"]):
        code, _, err = run(capsys, "draw", spec, *arguments)
        assert code == 2
        assert "--format" in err


def test_draw_options(spec: str, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "net.tex"
    arguments = ["--figures", "params, macs", "--horizontal", "-o", str(out)]
    assert run(capsys, "draw", spec, *arguments) == (0, "", "")
    assert " params $\\cdot$ " in out.read_text()
    out = tmp_path / "net.svg"
    assert run(capsys, "draw", spec, "--scale", "volumes", "-o", str(out)) == (0, "", "")
    assert "Scale: height and width" in out.read_text()
    code, out_text, _ = run(capsys, "draw", spec, "--horizontal", "--format", "dot")
    assert code == 0
    assert "rankdir=LR" in out_text


def test_draw_with_options_that_do_not_fit(spec: str, capsys: Capture) -> None:
    code, _, err = run(capsys, "draw", spec, "-o", "net.pdf")
    assert code == 2
    assert "the ending of net.pdf names no format: write -o" in err
    code, _, err = run(capsys, "draw", spec, "--figures", "parms", "-o", "net.svg")
    assert (code, "did you mean `params`?" in err) == (2, True)
    code, _, err = run(capsys, "draw", spec, "--scale", "volumes", "-o", "net.dot")
    assert (code, "--scale volumes" in err) == (2, True)


def test_draw_where_nothing_can_be_written(spec: str, tmp_path: Path, capsys: Capture) -> None:
    code, _, err = run(capsys, "draw", spec, "-o", str(tmp_path / "none" / "net.svg"))
    assert code == 1
    assert "cannot write" in err


def test_draw_without_the_library(
    spec: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    code, _, err = run(capsys, "draw", spec, "-o", str(tmp_path / "net.png"))
    assert code == 1
    assert 'help: pip install "dotcnn[draw]"' in err
    assert not (tmp_path / "net.png").exists()


# ---- gallery and new -------------------------------------------------------------------------


@pytest.mark.slow
def test_gallery(capsys: Capture) -> None:
    code, out, _ = run(capsys, "gallery", "--format", "json")
    assert code == 0
    entries = {entry["name"]: entry for entry in json.loads(out)}
    found = entries["resnet50"]
    assert (found["params"], found["macs"]) == (25_557_032, 4_089_184_256)
    assert (found["year"], found["source"]) == (2015, "arXiv:1512.03385")
    assert found["authors"].startswith("He")
    with_network = [
        path
        for path in GALLERY.rglob("*.cnn")
        if any(isinstance(s, Network) for s in parse(read_file(path)).statements)
    ]
    assert len(entries) == len(with_network)


@pytest.mark.slow
def test_gallery_fits(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    _, out, _ = run(capsys, "gallery")
    assert max(map(len, out.splitlines())) <= 60
    monkeypatch.setenv("COLUMNS", "110")
    _, out, _ = run(capsys, "gallery")
    assert "  Springenberg et al." in out
    assert ".. al" not in out, "a name that is cut off names nobody"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "# resnet50.cnn: He et al., 2015, arXiv:1512.03385\nblock",
            ("resnet50.cnn", "He et al.", 2015, "arXiv:1512.03385"),
        ),
        (
            "# A: B and C, 2018,\n# arXiv:1812.01187; as in use.\n#\n# 1999\n",
            ("A", "B and C", 2018, "arXiv:1812.01187"),
        ),
        ("# A: B, 1998, doi:10.1109/5.726791\n", ("A", "B", 1998, "doi:10.1109/5.726791")),
        ("# A: B, 1998.\n", ("A", "B", 1998, "")),
        ("# starter.cnn: a small network of 32x32 pixels\n", ("starter.cnn", "", None, "")),
        ("network N { }", ("", "", None, "")),
        ("", ("", "", None, "")),
    ],
)
def test_header(text: str, found: tuple[str, str, int | None, str]) -> None:
    assert header(text) == found


@pytest.mark.parametrize("like", [None, "resnet18", "mobilenet_v3_small", "worked39"])
def test_new(
    like: str | None, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written is well, in the canonical layout, and has something to edit."""
    monkeypatch.chdir(tmp_path)
    arguments = ["new", "my-flowers", *(["--like", like] if like else [])]
    code, out, _ = run(capsys, *arguments)
    assert (code, out) == (0, "")
    assert run(capsys, "check", "my-flowers.cnn")[0] == 0
    assert run(capsys, "fmt", "--check", "my-flowers.cnn") == (0, "", "")
    # Memory is that of its `train` section, which the spec that it is like does not have.
    setting = ("--format", "json", "--batch", "1", "--optimizer", "sgd")
    _, out, _ = run(capsys, "report", "my-flowers.cnn", *setting)
    found = json.loads(out)
    assert found["network"] == "MyFlowers"
    if like:
        _, out, _ = run(capsys, "report", like, *setting)
        assert found["totals"] == json.loads(out)["totals"]
    text = (tmp_path / "my-flowers.cnn").read_text()
    assert text.startswith("# my-flowers.cnn: ")
    calls = [s for s in parse(text).statements if isinstance(s, Call)]
    assert {"train", "augment"} <= {call.head.value for call in calls}


@pytest.mark.parametrize(
    ("like", "head", "lines"),
    [
        ("resnet18", "  fc 1000", ("lr=0.05", "crop scale=35%..100%", "flip")),
        ("alexnet", "  fc 1000", ("lr=0.01", "crop scale=35%..100%", "flip")),
        ("resnet20", "  resnet n=3", ("lr=0.05", "crop pad=4", "flip")),
        ("lenet5", "  fc 10", ("lr=0.01", "crop pad=4", "color")),
    ],
)
def test_sections_of_a_new_spec_suit_the_network(
    like: str, head: str, lines: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its size, and by whether norms keep its numbers in bounds."""
    monkeypatch.chdir(tmp_path)
    assert main(["new", "a", "--like", like]) == 0
    assert main(["check", "a.cnn"]) == 0
    text = (tmp_path / "a.cnn").read_text()
    assert head in text
    assert "transfer" not in text
    assert all(line in text for line in lines)
    assert ("flip" in text) == ("flip" in lines)


@pytest.mark.parametrize(
    ("like", "head"),
    [("resnet18", "  fc classes"), ("squeezenet1_0", "classifier outputs=classes")],
)
def test_a_new_spec_for_fine_tuning(
    like: str, head: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head has as many outputs as there are classes; paths start at the spec's folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "specs").mkdir()
    (tmp_path / "weights.npz").write_bytes(b"")
    code, _, _ = run(capsys, "new", "specs/a", "--like", like, "--from", "weights.npz")
    assert code == 0
    text = (tmp_path / "specs" / "a.cnn").read_text()
    assert head in text
    assert 'from "../weights.npz"\n  head reset\n  freeze all\n' in text
    assert "lr=0.005" in text
    assert run(capsys, "check", "specs/a.cnn") == (0, "", "")
    assert run(capsys, "fmt", "--check", "specs/a.cnn") == (0, "", "")


def test_new_overwrites_nothing(spec: str, capsys: Capture) -> None:
    code, out, err = run(capsys, "new", spec)
    assert (code, out) == (2, "")
    assert "exists already" in err
    assert Path(spec).read_text() == LENET


def test_new_like_nothing(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "new", "a", "--like", "restnet")
    assert code == 1
    assert "there is no file" in err
    assert not (tmp_path / "a.cnn").exists()


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("flowers", "Flowers"),
        ("my-net_2", "MyNet2"),
        ("3d", "Net3d"),
        ("None", "NetNone"),
        ("***", "Net"),
    ],
)
def test_name_of_a_new_network(stem: str, name: str) -> None:
    assert network_name(stem) == name
    assert name.isidentifier()


def test_a_head_of_an_unknown_number_of_classes_is_said_to_be_counted(
    capsys: Capture, tmp_path: Path
) -> None:
    body = "input 3x8x8\nconv 8 3x3, pool avg global, flatten\nfc "
    sections = 'train { epochs 3 }\ntransfer { from "w.npz", head reset, freeze all }\n'
    for head, said in (("classes", True), ("7", False)):
        (tmp_path / "a.cnn").write_text(f"network N {{\n{body}{head}\n}}\n{sections}")
        _, out, _ = run(capsys, "explain", str(tmp_path / "a.cnn"), "transfer")
        assert ("The number of classes is not known" in out) == said


def test_mistakes_of_the_network_and_of_its_sections_are_shown_together(
    tmp_path: Path, capsys: Capture
) -> None:
    """One after the other would take two attempts."""
    path = tmp_path / "a.cnn"
    path.write_text("network N { input 3x8x8, cnov 4, fc 3 }\ntrain { epohcs 3 }\n")
    code, out, err = run(capsys, "report", str(path))
    assert (code, out) == (1, "")
    assert "`cnov`" in err
    assert "did you mean `epochs`" in err


def test_diff_of_two_variants_of_a_file(capsys: Capture, tmp_path: Path) -> None:
    """The options are those of the second, also where the file is named twice."""
    path = tmp_path / "net.cnn"
    path.write_text("network N(n=2) { input 3x8x8, repeat n { conv 4 }, flatten, fc 2 }")
    for files in ([path], [path, path], [path, tmp_path / ".." / tmp_path.name / "net.cnn"]):
        code, out, _ = run(capsys, "diff", *map(str, files), "--set", "n=3", "--format", "json")
        totals = json.loads(out)["totals"]
        assert code == 0
        assert totals["layers"] == [4, 5]
    code, _, err = run(capsys, "diff", str(path))
    assert code == 2
    assert "--set NAME=VALUE" in err


def test_diff_of_two_files_sets_both(capsys: Capture, tmp_path: Path) -> None:
    for name in "ab":
        text = "network N(n=2) { input 3x8x8, repeat n { conv 4 }, flatten, fc 2 }"
        (tmp_path / f"{name}.cnn").write_text(text)
    files = [str(tmp_path / f"{name}.cnn") for name in "ab"]
    _, out, _ = run(capsys, "diff", *files, "--set", "n=3")
    assert "same layers" in out
