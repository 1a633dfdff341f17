"""All commands where only what `pip install dotcnn` installs is there."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from dotcnn.cli import COMMANDS

ARGUMENTS = {
    "augment": "moved.cnn -o out.png",
    "check": "lenet5",
    "compare": "a b",
    "completion": "bash",
    "diff": "lenet5 alexnet",
    "draw": "lenet5 -o out.svg",
    "emit": "lenet5",
    "evaluate": "lenet5 --weights w.pt --data digits",
    "explain": "lenet5 conv1",
    "export": "lenet5 -o out.onnx",
    "features": "lenet5 image.png -o out.npz",
    "find-lr": "digits",
    "fmt": "--check net.cnn",
    "gallery": "",
    "help": "conv",
    "import": "net.prototxt",
    "lesson": "",
    "lsp": "--version",
    "new": "made.cnn",
    "pack": "digits -o packed",
    "play": "--help",
    "predict": "run image.png",
    "probe": "run shift",
    "report": "lenet5",
    "runs": "",
    "show": "lenet5",
    "sweep": "digits",
    "train": "digits",
}
WITHOUT = {
    "check", "completion", "diff", "draw", "emit", "explain", "fmt", "gallery", "help", "import",
    "lesson", "new", "play", "report", "runs",
}  # fmt: skip
"""Those that need nothing more."""
OF_RUNS = {"lsp", "predict", "probe"}
"""Those that have something else to say first: of a run that is not there, of a server."""
PROGRAM = """
import json, sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
HEAVY = {"numpy", "torch", "torchvision", "PIL", "safetensors"}

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HEAVY:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in HEAVY else find(name, package)
from dotcnn.cli import main
answers = {}
for name, arguments in json.loads(sys.argv[1]).items():
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main([name, *arguments.split()])
        except BaseException as error:
            code = repr(error)
    answers[name] = [code, out.getvalue() + err.getvalue()]
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[object, str]]:
    folder = tmp_path_factory.mktemp("bare")
    (folder / "net.cnn").write_text("network Net {\n  input 1x8x8\n  fc 10\n}\n")
    (folder / "moved.cnn").write_text(
        "network Net {\n  input 1x8x8\n  flatten\n  fc 10\n}\naugment {\n  flip horizontal\n}\n"
    )
    (folder / "net.prototxt").write_text(
        'name: "n"\ninput: "data"\ninput_dim: 1\ninput_dim: 3\ninput_dim: 8\ninput_dim: 8\n'
        'layer { name: "c" type: "Convolution" bottom: "data" top: "c"\n'
        "  convolution_param { num_output: 4 kernel_size: 3 } }\n"
    )
    command = [sys.executable, "-c", PROGRAM, json.dumps(ARGUMENTS)]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    found: dict[str, tuple[object, str]] = json.loads(run.stdout)
    return found


def test_every_command_is_tried() -> None:
    assert set(ARGUMENTS) == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(WITHOUT))
def test_works_without_torch(name: str, answers: dict[str, tuple[object, str]]) -> None:
    code, text = answers[name]
    assert code == 0, text


@pytest.mark.parametrize("name", sorted(set(ARGUMENTS) - WITHOUT - OF_RUNS))
def test_says_what_to_install(name: str, answers: dict[str, tuple[object, str]]) -> None:
    code, text = answers[name]
    assert code == 1, text
    assert re.search(r'pip install "dotcnn\[(torch|onnx)\]"', text)
    assert len(text.splitlines()) <= 3  # and no traceback
