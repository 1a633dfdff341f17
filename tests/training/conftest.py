"""Fixtures for all tests of training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import dotcnn.training.page.write as page

from .starting import Trainer


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs without report.html, which has tests of its own and takes longer than what is trained
    here."""

    def written(folder: Path, *others: object) -> Path:
        return folder / page.NAME

    monkeypatch.setattr(page, "write_report", written)


@pytest.fixture(scope="session")
def trainer() -> Iterator[Trainer]:
    made = Trainer()
    yield made
    made.close()
