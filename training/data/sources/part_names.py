"""The part of a data set that a file is of, by its name or those of its folders."""

from __future__ import annotations

import re
from pathlib import PurePath

from ....compiler.plan.data import PARTS


def part_of_word(word: str) -> str | None:
    return next((part for part, names in PARTS.items() if word.lower() in names), None)


def part_of_file(root: PurePath, file: PurePath) -> str | None:
    """`train-00000.tar` or `train/0000.tar` below `root`; None if neither names a part."""
    *folders, name = file.relative_to(root).parts
    begin = re.match(r"[a-z]+", name.lower())
    words = [begin[0] if begin else "", *reversed(folders)]
    return next(filter(None, map(part_of_word, words)), None)
