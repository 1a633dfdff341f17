"""Freed memory is kept for the next step until training ends."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from dotcnn.training.runtime import allocator

PAGES = """
import resource, torch
from contextlib import nullcontext
from dotcnn.training.runtime.allocator import freed_memory_kept

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(12_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

usually = faults()
with freed_memory_kept(torch.device("cpu")):
    faults()  # it takes a few until what is free fits
    kept = faults()
print(usually, kept)
"""


def pages(**environment: str) -> tuple[int, int]:
    """Got from the system for 20 tensors of 48 MB: usually, and while memory is kept."""
    found = subprocess.run(
        [sys.executable, "-c", PAGES], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": ":".join(sys.path), **environment},
    )  # fmt: skip
    usually, kept = map(int, found.stdout.split())
    return usually, kept


@pytest.mark.slow
@pytest.mark.skipif(allocator._glibc() is None, reason="another C library, or one set up otherwise")
def test_memory_is_kept_and_given_back() -> None:
    usually, kept = pages()
    assert kept < usually / 10


@pytest.mark.slow
def test_what_somebody_has_set_up_is_left_alone() -> None:
    usually, kept = pages(MALLOC_MMAP_THRESHOLD_="1000000")
    assert kept > usually / 2


@pytest.mark.parametrize("library", [object(), None])
def test_other_libraries_are_left_alone(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda _: library)
    with allocator.freed_memory_kept(torch.device("cpu")):
        pass
