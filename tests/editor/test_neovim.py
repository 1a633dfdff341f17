"""Neovim, a client that nobody here wrote, with `cnn lsp`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pygls", reason="the language server needs dotcnn[editor]")

TEXT = """\
block unit(width) { conv width 3x3 same, bn, rleu }
network N { input 3x8x8
  conv 8 3x3 same
  unit 16
}
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nvim") is None, reason="Neovim is not installed")
def test_a_session_of_neovim(tmp_path: Path) -> None:
    (tmp_path / "net.cnn").write_text(TEXT)
    script = Path(__file__).with_name("neovim.lua")
    environment = {
        **os.environ,
        "CNN_LSP": "\n".join([sys.executable, "-m", "dotcnn", "lsp"]),
        "CNN_FILE": str(tmp_path / "net.cnn"),
        "HOME": str(tmp_path),
    }
    ran = subprocess.run(
        ["nvim", "--headless", "--clean", "-c", f"luafile {script}"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    lines = [line for line in ran.stdout.splitlines() if line.startswith("{")]
    assert lines, ran.stdout + ran.stderr
    told = json.loads(lines[-1])
    assert [each["line"] for each in told["diagnostics"]] == [1]
    assert "`rleu`" in told["diagnostics"][0]["message"]
    assert told["actions"][0] == "Did you mean `relu`?"
    assert told["hover"].startswith("`3x8x8` → `8x8x8`")
    assert "8x8x8" in told["hints"]
    assert "same" in told["completion"]
    assert told["definition"] == 1
    assert told["text"] == (
        "block cell(width) { conv width 3x3 same, bn, relu }\n\n"
        "network N {\n  input 3x8x8\n  conv 8 3x3 same\n  cell 16\n}"
    )
