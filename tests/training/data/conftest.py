"""The cache of checked files is separate for each test."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that is used in place of the user's own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("DOTCNN_CACHE", str(folder))
    return folder
