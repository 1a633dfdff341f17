"""Flags, fixtures and settings for all tests."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from support import ROOT, forget_plugins

# Several test processes share the cores; torch reads these when it is loaded. Threads that wait
# for each other by spinning make a busy machine slower than a single thread would be.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# The same examples each time, so that a failure is about the change at hand. `make check-all` goes
# looking for new ones; what it finds is printed in a form that can be pasted into a test.
settings.register_profile("default", derandomize=True, deadline=None, max_examples=60)
settings.register_profile("thorough", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("default")

GOLDEN = ROOT / "tests" / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what comes out now into the files of expected output (then read the diff)",
    )


@pytest.fixture(autouse=True)
def plugins_are_forgotten() -> Iterator[None]:
    """What a test loads is no word of the next one."""
    yield
    forget_plugins()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str | Path, str], None]:
    """golden(path, text): text is what the file says; path is below tests/golden, or absolute."""
    update: bool = request.config.getoption("--update-golden")

    def compare(path: str | Path, text: str) -> None:
        file = GOLDEN / path
        expected = file.read_text(encoding="utf-8") if file.exists() else None
        if text == expected:
            return
        if update:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
            return
        name = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
        what = f"{name} does not exist" if expected is None else f"{name} says otherwise"
        pytest.fail(
            f"{what}; if the output below is right: pytest --update-golden\n\n"
            + _diff(expected or "", text),
            pytrace=False,
        )

    return compare


def _diff(expected: str, actual: str) -> str:
    lines = difflib.unified_diff(
        expected.splitlines(keepends=True), actual.splitlines(keepends=True), "expected", "actual"
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ no newline at the end\n" for line in lines
    )
