"""The data of all computers is compared before they train on it together."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.data import same_everywhere
from dotcnn.training.data.same_everywhere import must_be_same_everywhere
from dotcnn.training.runtime.process_group import Processes


class Part:
    def __init__(self, labels: list[int]) -> None:
        self.labels = torch.tensor(labels)

    def __len__(self) -> int:
        return len(self.labels)


def difference(monkeypatch: pytest.MonkeyPatch, *found: tuple[str, list[int]]) -> list[str]:
    """What is said of computers that found these classes and labels."""
    seen: list[Any] = []
    monkeypatch.setattr(Processes, "gathered", lambda _, own: (seen.append(own), seen)[1])
    try:
        for number, (classes, labels) in enumerate(found):
            monkeypatch.setattr(same_everywhere.socket, "gethostname", lambda n=number: f"host{n}")
            must_be_same_everywhere(classes, {"train": Part(labels)}, "images", Processes(0, 2))
    except SpecError as error:
        (said,) = error.diagnostics
        return [said.message, *said.notes]
    return []


def test_the_first_difference_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    own = ("ab", [0, 1, 1])
    where = "the data is not the same on host0 and on host1"
    assert difference(monkeypatch, own, own) == []
    assert difference(monkeypatch, own, ("ac", [0, 1, 1]))[0] == where
    fewer = difference(monkeypatch, own, ("ab", [0, 1]))
    assert fewer == [where, "images for train: 3; there 2"]
    moved = difference(monkeypatch, own, ("ab", [1, 0, 1]))
    assert moved == [where, "images for train: as many, with other labels or in another order"]
