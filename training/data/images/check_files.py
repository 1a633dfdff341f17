"""Checks every image file once, before training starts, and finds those that cannot be used."""

from __future__ import annotations

import os
from pathlib import Path

from ..loader.image_source import Files
from ..loader.thread_pool import Progress, each, unwatched
from .checked_files import CheckedFiles, Mark, mark
from .color_modes import plain
from .image_file import DAMAGE, BadImage, picture
from .resize import Fit

Bad = dict[int, str]
"""Index of a bad file in its source: the reason why it cannot be used."""


def unusable(
    files: Files,
    fit: Fit,
    threads: int,
    *,
    what: str = "checking files",
    progress: Progress = unwatched,
    cache: Path | None = None,
) -> Bad:
    """The files that cannot be decoded, with the reasons; files in the cache are not read again."""
    checked = CheckedFiles(cache)
    known = checked.known(files.root)
    paths = [os.path.abspath(files.path(index)) for index in range(len(files))]
    marks = [mark(path) for path in paths]
    bad: Bad = {}
    todo = []
    for index, (path, here) in enumerate(zip(paths, marks, strict=True)):
        cached = known.get(path)
        if here is None or cached is None or cached[0] != here:
            todo.append(index)
        elif cached[1]:
            bad[index] = cached[1]
    reasons = each(lambda i: _reason(paths[todo[i]], fit), len(todo), threads, what, progress)
    fresh: dict[str, tuple[Mark, str]] = {}
    for index, reason in zip(todo, reasons, strict=True):
        if reason:
            bad[index] = reason
        here = marks[index]
        if here is not None and mark(paths[index]) == here:  # it has not changed in the meantime
            fresh[paths[index]] = here, reason
    checked.remember(fresh)
    return dict(sorted(bad.items()))


def _reason(path: str, fit: Fit) -> str:
    try:
        image = picture(path)
        plain(image, 3)
        fit.must_be_bounded(image.height, image.width)
    except BadImage as error:
        return error.reason
    except DAMAGE as error:
        return f"damaged: {error}"
    return ""
