"""Checks every image file once, before training starts, and finds those that cannot be used."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from ..loader.image_source import Files
from ..loader.read_ahead import ahead_of
from ..loader.thread_pool import Progress, each, unwatched
from .checked_files import CheckedFiles, Mark
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
    share: slice = slice(None),
    read: Callable[[int], Tensor] | None = None,
    reader: str = "",
) -> Bad:
    """The files that cannot be decoded, with the reasons; files in the cache are not read again.
    `share`: only some of them are checked. `read` reads images that are not photographs alone: with
    their masks, or with more channels or bits; `reader` says how."""
    indices = range(len(files))[share]
    paths = [os.path.abspath(files.path(index)) for index in indices]
    checked = CheckedFiles(cache, reader)
    known = checked.known(files.root, set(paths))

    def check(place: int) -> Checked:
        path, index = paths[place], indices[place]
        before, cached = files.mark(index), known.get(path)
        if cached is not None and cached[0] == before:
            return Checked(cached[1], None)

        def looked() -> str:
            try:
                if read is None:
                    return _reason(files.photograph(index), fit)
                fit.must_be_bounded(*read(index).shape[-2:])
            except BadImage as error:
                return error.reason
            return ""

        reason = looked()
        if reason and files.forget(index):  # wrong bytes came from elsewhere
            reason = looked()
        unchanged = before is not None and files.mark(index) == before
        return Checked(reason, before if unchanged else None)

    results = each(ahead_of(files, indices, check), len(paths), threads, what, progress)
    checked.remember({
        path: (result.fresh, result.reason)
        for path, result in zip(paths, results, strict=True)
        if result.fresh is not None
    })  # fmt: skip
    return {
        index: result.reason
        for index, result in zip(indices, results, strict=True)
        if result.reason
    }


def unfit_sizes(files: Files, sizes: Tensor, fit: Fit) -> Bad:
    """Of images that are known to be readable, and to have these sizes: those that would become too
    large, or are too small."""
    wrong = {}
    for height, width in sizes.tolist():
        try:
            fit.must_be_bounded(height, width)
        except BadImage as error:
            wrong[height, width] = error.reason
    if not wrong:
        return {}
    each = enumerate(files.sizes_of_all())
    return {index: wrong[size] for index, size in each if size in wrong}


class Checked(NamedTuple):
    reason: str
    """Why the file cannot be used; empty if it can."""
    fresh: Mark | None
    """Of a file that was read, and did not change in the meantime: what to remember it by."""


def _reason(source: str | bytes, fit: Fit) -> str:
    try:
        image = picture(source)
        plain(image, 3)
        fit.must_be_bounded(image.height, image.width)
    except BadImage as error:
        return error.reason
    except DAMAGE as error:
        return f"damaged: {error}"
    return ""
