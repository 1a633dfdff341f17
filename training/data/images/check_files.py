"""Every image file is checked once before training: what cannot be used is known by then."""

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
"""By place in a source: why the file cannot be used."""


def unusable(
    files: Files,
    fit: Fit,
    threads: int,
    *,
    what: str = "checking files",
    progress: Progress = unwatched,
    cache: Path | None = None,
) -> Bad:
    """The files that cannot be decoded, with the reason; what is known already is not looked at."""
    checked = CheckedFiles(cache)
    known = checked.known(files.root)
    paths = [os.path.abspath(files.path(index)) for index in range(len(files))]
    marks = [mark(path) for path in paths]
    bad: Bad = {}
    todo = []
    for index, (path, here) in enumerate(zip(paths, marks, strict=True)):
        then = known.get(path)
        if here is None or then is None or then[0] != here:
            todo.append(index)
        elif then[1]:
            bad[index] = then[1]
    reasons = each(lambda i: _reason(paths[todo[i]], fit), len(todo), threads, what, progress)
    fresh: dict[str, tuple[Mark, str]] = {}
    for index, reason in zip(todo, reasons, strict=True):
        if reason:
            bad[index] = reason
        here = marks[index]
        if here is not None and mark(paths[index]) == here:  # nobody has written to it meanwhile
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
