"""What holds for all operations."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dotcnn.compiler.ops import REGISTRY, choice_words
from dotcnn.compiler.ops.base import HELPERS, Op
from support import ROOT


@pytest.mark.parametrize("op", REGISTRY.values(), ids=list(REGISTRY))
def test_signatures_are_documented(op: type[Op]) -> None:
    signature = op.signature()
    assert signature.doc.splitlines()[0].endswith(".")
    assert str(signature).startswith(op.word)
    for field in signature.fields.values():
        assert field.doc, field
        assert not field.doc.endswith("."), field
        assert field.expects, field


def test_every_file_with_a_layer_is_imported() -> None:
    """Else its words are known only where something else has imported it."""
    for file in (ROOT / "compiler" / "ops").rglob("*.py"):
        if re.search(r'^    word: ClassVar\[str\] = "', file.read_text(), re.MULTILINE):
            imports = (file.parent / "__init__.py").read_text()
            assert re.search(rf"\b{file.stem}\b", imports), f"{file.stem} is missing in __init__.py"


def test_choices_of_arguments_are_known() -> None:
    assert "nearest" in choice_words()


def written(path: Path) -> Path:
    """All helpers in one file, as an emitted module has them."""
    imports = "import torch\nimport torch.nn.functional as F\nfrom torch import Tensor, nn\n"
    file = path / "helpers.py"
    file.write_text("\n\n".join([imports, *HELPERS]), encoding="utf-8")
    return file


def run(*command: str | Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_helpers_are_in_the_one_style(tmp_path: Path) -> None:
    assert len({helper.split("(")[0] for helper in HELPERS}) == len(HELPERS)
    settings, file = ROOT / "pyproject.toml", written(tmp_path)
    run("ruff", "format", "--diff", "--config", settings, file)
    run("ruff", "check", "--config", settings, file)
    # Emitted text is laid out as ruff does when nobody has told it anything.
    run("ruff", "format", "--diff", "--isolated", file)


@pytest.mark.slow
def test_helpers_are_typed(tmp_path: Path) -> None:
    nothing = tmp_path / "mypy.ini"  # not the settings of this project
    nothing.write_text("[mypy]\n", encoding="utf-8")
    options = ("--strict", "--cache-dir", tmp_path / "cache", "--config-file", nothing)
    run("mypy", *options, written(tmp_path))
