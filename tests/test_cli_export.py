"""`cnn export`: files, messages and exit codes; what is in the files is in tests/training."""

from __future__ import annotations

import importlib.util
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import dotcnn
from commands import run
from dotcnn.training.export import export as exporting
from dotcnn.training.export import pt2_file
from dotcnn.training.export.formats import OLDEST_TORCH
from support import ROOT

Capture = pytest.CaptureFixture[str]

SPEC = "network Small { input 3x8x8, conv 8 3x3 same, bn, relu, flatten, fc 5, softmax }\n"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.cnn").write_text(SPEC)


def test_a_file_is_written_and_what_was_done_is_told(capfd: Capture) -> None:
    dotcnn.export(Path("net.cnn"), "w.safetensors")
    result = run(
        capfd, "export", "net.cnn", "-o", "net.pt2", "--weights", "w.safetensors", "--fold"
    )
    assert (result.code, result.out) == (0, "")
    folded, one, three, wrote = result.err.splitlines()
    assert folded.startswith("1 batch norm folded: largest difference ")
    assert one.startswith("batch of 1 in torch.export: largest difference ")
    assert three.startswith("batch of 3 in torch.export: largest difference ")
    assert wrote == "wrote net.pt2"
    assert sorted(os.listdir()) == ["net.cnn", "net.pt2", "w.safetensors"]


def test_weights_that_were_not_given_are_said_to_be_untrained(capfd: Capture) -> None:
    result = run(capfd, "export", "-", "-o", "net.safetensors", stdin=SPEC.encode())
    assert result.code == 0
    assert result.err.splitlines() == [
        "no --weights: the network is exported with its initial weights, untrained",
        "net.safetensors read back: 8 tensors are bit-identical",
        "wrote net.safetensors",
    ]


def test_onnx_with_all_options(capfd: Capture) -> None:
    options = "--fold --predict --batch 2 --opset 18 --input 3x6x6".split()
    result = run(capfd, "export", "net.cnn", "-o", "net.onnx", *options)
    assert (result.code, result.out) == (0, "")
    assert "batch of 2 in onnxruntime " in result.err
    assert "batch of 1" not in result.err
    assert sorted(os.listdir()) == ["net.cnn", "net.onnx"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "net.pth"], "net.pth ends in .pth; known are .onnx (ONNX), .pt2"),
        (["-o", "net.onx"], "did you mean .onnx?"),
        (["-o", "net"], "net has no ending"),
        (["-o", "net.py"], "`cnn emit`"),
        (["-o", "-"], "it needs a file"),
        (["-o", ""], "it needs a file"),
        ([], "the following arguments are required: -o/--output"),
        (["-o", "n.safetensors", "--fold"], "--fold changes the weights"),
        (["-o", "n.safetensors", "--predict"], "--predict and --batch are for onnx and pt2"),
        (["-o", "n.pt2", "--opset", "20"], "--opset is for onnx, not pt2"),
        (["-o", "n.onnx", "--opset", "99"], "--opset may be 18 to 23, not 99"),
        (["-o", "n.onnx", "--batch", "0"], "'0' is not a whole number of at least 1"),
    ],
)
def test_wrong_use_has_code_2(arguments: list[str], said: str, capfd: Capture) -> None:
    result = run(capfd, "export", "net.cnn", *arguments)
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert os.listdir() == ["net.cnn"]


def test_what_export_has_not_written_is_left_unless_one_asks(capfd: Capture) -> None:
    """Trained weights, say."""
    torch.save({}, "net.safetensors")
    before = Path("net.safetensors").read_bytes()
    command = ["export", "net.cnn", "-o", "net.safetensors"]
    result = run(capfd, *command)
    assert (result.code, result.out) == (2, "")
    assert "net.safetensors exists already and was not written by `cnn export`" in result.err
    assert Path("net.safetensors").read_bytes() == before
    for more in (["--force"], [], ["--input", "3x6x6"]):
        assert run(capfd, *command, *more).code == 0


def test_mistakes_of_the_spec_and_of_the_weights(capfd: Capture) -> None:
    Path("bad.cnn").write_text("network Small { input 3x8x8, cnov 8 }\n")
    torch.save({"fc.bias": torch.zeros(9)}, "w.pt")
    for arguments, said in (
        (["bad.cnn"], "there is no layer or block `cnov`"),
        (["."], ". is not a run folder: there is no record.json in it"),
        (["net.cnn", "--weights", "x.pt"], "x.pt does not exist"),
        (["net.cnn", "--weights", "w.pt"], "fc.bias is 9, not 5"),
    ):
        result = run(capfd, "export", *arguments, "-o", "net.pt2")
        assert (result.code, result.out) == (1, "")
        assert said in result.err
    assert sorted(os.listdir()) == ["bad.cnn", "net.cnn", "w.pt"]


_LEARNING = """
network Digits { input 1x8x8, conv 8 3x3 same, bn, relu, pool max 2x2, flatten, fc classes }
train { data digits, epochs 1 }
"""


@pytest.mark.slow
def test_the_best_weights_of_a_run(capfd: Capture) -> None:
    """By its folder, or by the spec and the weights in it, which say how many classes there are;
    what they know of classes and pixels goes along."""
    Path("digits.cnn").write_text(_LEARNING)
    assert run(capfd, "train", "digits.cnn", "-o", "run").code == 0
    weights = "run/best.safetensors"
    for number, arguments in enumerate((["run"], ["digits.cnn", "--weights", weights])):
        result = run(capfd, "export", *arguments, "-o", f"{number}.safetensors")
        assert (result.code, result.err.count("untrained")) == (0, 0)
        with safe_open(f"{number}.safetensors", "pt") as found, safe_open(weights, "pt") as best:
            for key in ("classes", "preparation"):
                assert found.metadata()[key] == best.metadata()[key]
        exported, trained = load_file(f"{number}.safetensors"), load_file(weights)
        assert exported.keys() == trained.keys()
        assert all(torch.equal(exported[key], trained[key]) for key in trained)
    result = run(capfd, "export", "run", "--input", "1x9x9", "-o", "net.pt2")
    assert (result.code, "a run has its own" in result.err) == (2, True)
    Path(weights).unlink()
    result = run(capfd, "export", "run", "-o", "net.pt2")
    assert (result.code, "run has no best.safetensors yet" in result.err) == (1, True)


@pytest.mark.parametrize(
    ("ending", "package", "line"),
    [
        ("onnx", "onnxruntime", 'pip install "dotcnn[onnx]"'),
        ("onnx", "torch", 'pip install "dotcnn[onnx]"'),
        ("pt2", "torch", 'pip install "dotcnn[torch]"'),
        ("safetensors", "safetensors", 'pip install "dotcnn[torch]"'),
    ],
)
def test_what_is_not_installed(
    ending: str, package: str, line: str, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == package else find(name)
    )
    result = run(capfd, "export", "net.cnn", "-o", f"net.{ending}")
    assert (result.code, result.out) == (1, "")
    said = f"writing {ending} needs {package}, not installed here\n  help: {line}\n"
    assert said in result.err
    assert os.listdir() == ["net.cnn"]


def test_a_torch_that_is_too_old(capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter of ONNX wants a later one than pyproject.toml asks for without it."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'"torch>={OLDEST_TORCH["onnx"]}"' in project
    monkeypatch.setattr(metadata, "version", lambda _: "2.8.1+cpu")
    result = run(capfd, "export", "net.cnn", "-o", "net.onnx")
    assert (result.code, result.out) == (1, "")
    said = "writing onnx needs torch 2.9 or later; 2.8.1+cpu is installed here"
    assert f'{said}\n  help: pip install "dotcnn[onnx]"\n' in result.err


# ---- what can go wrong while it is written -------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("no/net.pt2", "cannot write no/net.pt2: No such file or directory"),
        ("folder.pt2", "cannot write folder.pt2: it is a folder"),
        ("read-only.pt2", "cannot write read-only.pt2: it is read-only"),
    ],
)
def test_where_nothing_can_be_written(
    output: str, said: str, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is known before the work begins."""
    Path("folder.pt2").mkdir()
    Path("read-only.pt2").touch()
    Path("read-only.pt2").chmod(0o444)
    monkeypatch.setattr(exporting, "open_trained", lambda *_, **__: pytest.fail("it has begun"))
    result = run(capfd, "export", "net.cnn", "-o", output)
    assert (result.code, result.out) == (1, "")
    assert said in result.err
    assert sorted(os.listdir()) == ["folder.pt2", "net.cnn", "read-only.pt2"]


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file can grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("ending", ["onnx", "pt2", "safetensors"])
def test_a_file_that_cannot_be_written_to_its_end(ending: str, capfd: Capture) -> None:
    """As on a full disk. What was there before stays, and nothing beside it."""
    output = Path(f"net.{ending}")
    output.write_bytes(b"before")
    with room_for(2000):
        result = run(capfd, "export", "net.cnn", "-o", output, "--force")
    assert (result.code, result.out) == (1, "")
    assert f"cnn: cannot write net.{ending}: File too large\n" in result.err
    assert "wrote" not in result.err
    assert output.read_bytes() == b"before"
    assert sorted(os.listdir()) == ["net.cnn", output.name]


def test_an_interruption_leaves_nothing(capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while what was written is read back."""

    def interrupted(file: Path) -> None:
        assert file.exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(pt2_file, "Loaded", interrupted)
    assert run(capfd, "export", "net.cnn", "-o", "net.pt2").code == 130
    assert os.listdir() == ["net.cnn"]


_KILLED = """
import os, signal
from dotcnn import cli
from dotcnn.training.export import weights_file

def load_file(file):
    assert file.stat().st_size > 1000
    os.kill(os.getpid(), signal.SIGKILL)

weights_file.load_file = load_file
cli.main(["export", "net.cnn", "-o", "net.safetensors", "--force"])
"""


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_what_was_there() -> None:
    Path("net.safetensors").write_bytes(b"before")
    result = subprocess.run([sys.executable, "-c", _KILLED], check=False, timeout=120)
    assert result.returncode == -signal.SIGKILL
    assert Path("net.safetensors").read_bytes() == b"before"


_ELSEWHERE = """
import sys, torch
sys.modules["dotcnn"] = None
images, wanted = torch.load("both.pt", weights_only=True)
found = torch.export.load("net.pt2").module()(images)
print(torch.equal(found, wanted), [name for name in sys.modules if name.startswith("dotcnn.")])
"""


@pytest.mark.slow
def test_a_program_is_loaded_where_there_is_only_torch(capfd: Capture) -> None:
    """In a process of its own, which cannot import this package."""
    assert run(capfd, "export", "net.cnn", "-o", "w.safetensors").code == 0
    assert run(capfd, "export", "net.cnn", "--weights", "w.safetensors", "-o", "net.pt2").code == 0
    model, images = dotcnn.load(Path("net.cnn"), weights="w.safetensors"), torch.randn(5, 3, 8, 8)
    with torch.no_grad():
        torch.save((images, model.eval()(images)), "both.pt")
    result = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE], capture_output=True, text=True, check=True, timeout=120
    )
    assert result.stdout == "True []\n"
