"""What test files share: where things are."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
"""The folder of the project, which is also the package."""

SHARED = ROOT.parent / "shared"
"""Data sets, weights and reference figures, too large for the repository: beside it, or absent."""

_NOT_THE_PACKAGE = {"benchmarks", "build", "dist", "runs", "tests"}


def package_files(pattern: str) -> list[Path]:
    """Files of the package as it lies in the tree, relative to its root."""
    found = (path.relative_to(ROOT) for path in ROOT.rglob(pattern) if path.is_file())
    return sorted(
        path
        for path in found
        if path.parts[0] not in _NOT_THE_PACKAGE
        and not any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    )


def shared(path: str) -> Path:
    """A file or folder under ../shared; the test that asks for it is skipped where it is absent.

    May also be called while a test file is being imported, to skip the whole file.
    """
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"there is no ../shared/{path}", allow_module_level=True)
    return found
