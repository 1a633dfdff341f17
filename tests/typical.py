"""Which networks of the gallery slow tests look at: one of those that differ in numbers alone.

ResNet-50, 101 and 152 repeat the same blocks more often, so that what holds for one of them holds
for all. benchmarks/equality.py and benchmarks/zoo.py run every network.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path

from dotcnn.dsl.program import GALLERY
from support import ROOT

with (ROOT / "tests" / "specs" / "published.csv").open(encoding="utf-8", newline="") as file:
    TORCHVISION = [row["model"] for row in csv.DictReader(file) if row["gmacs"]]
    """The classifiers that torchvision has, too."""


@cache
def _smallest() -> dict[tuple[Path, frozenset[str]], str]:
    """By folder and words that are written there: the network with the smallest numbers."""
    found: dict[tuple[Path, frozenset[str]], tuple[float, str]] = {}
    for path in sorted(GALLERY.rglob("*.cnn")):
        code, networks = re.subn(r"\nnetwork \w+", "", re.sub("#.*", "", path.read_text("utf-8")))
        if networks:  # otherwise it is a file of blocks
            key = path.parent, frozenset(re.findall(r"\b[a-z_]\w*", code))
            size = sum(float(number) for number in re.findall(r"\b\d+(?:\.\d+)?\b", code))
            found[key] = min((size, path.stem), found.get(key, (size, path.stem)))
    return {key: name for key, (_, name) in found.items()}


def typical() -> list[str]:
    return sorted(_smallest().values())


def one_per_folder() -> list[str]:
    """Of each folder the one that is written with the most words."""
    richest: dict[Path, tuple[int, str]] = {}
    for (folder, words), name in _smallest().items():
        richest[folder] = max((len(words), name), richest.get(folder, (0, "")))
    return sorted(name for _, name in richest.values())


def typical_of_torchvision() -> list[str]:
    return [name for name in typical() if name in TORCHVISION]
