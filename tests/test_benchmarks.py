"""Benchmarks are run by hand, but what they import from the tests may not go away unnoticed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support import ROOT

SCRIPTS = sorted((ROOT / "benchmarks").glob("[a-z]*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_benchmarks_can_be_started(script: object) -> None:
    run = f"import runpy; runpy.run_path({str(script)!r}, run_name='imported')"
    done = subprocess.run(
        [sys.executable, "-c", run], cwd=ROOT, capture_output=True, text=True, check=False
    )
    missing = "No module named" in done.stderr and "dotcnn" not in done.stderr.splitlines()[-1]
    assert done.returncode == 0 or missing, done.stderr
