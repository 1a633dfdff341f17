"""What test files share: where things are, and how the growth of time is measured."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
"""The folder of the project, which is also the package."""

SHARED = ROOT.parent / "shared"
"""Data sets, weights and reference figures, too large for the repository: beside it, or absent."""

_NOT_THE_PACKAGE = {"benchmarks", "build", "dist", "playground", "runs", "setup.py", "tests"}


def package_files(pattern: str) -> list[Path]:
    """Files of the package as it lies in the tree, relative to its root."""
    return [path for path in _package_files() if path.match(pattern)]


@cache
def _package_files() -> tuple[Path, ...]:
    """All of them; the environment beside them, which has many more, is not walked through."""
    found: list[Path] = []
    for folder, inside, names in os.walk(ROOT):
        here = Path(folder).relative_to(ROOT)
        left_out = _NOT_THE_PACKAGE if folder == str(ROOT) else {"__pycache__"}
        if here == Path("editor"):  # what is written in TypeScript, and what is built
            left_out = {"__pycache__", "page", "vscode"}
        if here == Path("docs"):  # of the documentation, `cnn lesson` and `cnn help` need these
            inside[:] = ["diagnostics", "lessons", "pictures"]
            continue
        inside[:] = [name for name in inside if name[0] != "." and name not in left_out]
        found += [here / name for name in names if name[0] != "." and name not in left_out]
    return tuple(sorted(found))


def forget_plugins() -> None:
    """Forgets the plug-ins that have been loaded."""
    loading = sys.modules.get("dotcnn.compiler.extend.load_plugin")
    if loading is not None and loading.loaded():
        loading.forget()


def shared(path: str) -> Path:
    """A file or folder under ../shared; the test that asks for it is skipped where it is absent.

    May also be called while a test file is being imported, to skip the whole file.
    """
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"there is no ../shared/{path}", allow_module_level=True)
    return found


LEAST_SECONDS = 0.05
"""Shorter times count as this much: start-up and noise are not growth."""


def processor_seconds(action: Callable[[], object], runs: int = 1) -> float:
    """The processor time of the fastest run: other programs on the machine do not count, nor does
    collecting the garbage of all tests before.
    """
    measured = []
    collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(runs):
            start = time.process_time()
            action()
            measured.append(time.process_time() - start)
    finally:
        if collecting:
            gc.enable()
    return min(measured)


def grows_linearly(action: Callable[[int], object], few: int, times: int = 8) -> bool:
    """Whether an action on `times * few` things takes about `times` as long as on few; three times
    that leaves room, and would be exceeded by a square.
    """
    short = processor_seconds(lambda: action(few), runs=2)
    long = processor_seconds(lambda: action(times * few), runs=2)
    return long < 3 * times * max(short, LEAST_SECONDS)
