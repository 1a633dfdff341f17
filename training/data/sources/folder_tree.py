"""Lists the classes and image files in a folder. Needs neither torch nor Pillow."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ....compiler.plan.data import PARTS, Data
from ....dsl.closest import closest
from ..diagnostic import listed, problem
from .file_names import clean, hidden, is_image

MAX_DEPTH = 40
PHOTOGRAPHS = {
    ".heic",
    ".heif",
    ".avif",
    ".jxl",
    ".dng",
    ".cr2",
    ".cr3",
    ".nef",
    ".arw",
    ".orf",
    ".raf",
}
"""Endings of photographs, by phones and cameras, in formats that are not read."""

Wanted = Callable[[str], bool]
"""Whether a file of this name is looked for."""


class Unreadable(Exception):
    """A folder that cannot be listed."""

    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(f"cannot read {clean(path)}: {error.strerror or type(error).__name__}")


@dataclass
class ImageTree:
    """The image files of a part by class: paths relative to the part's folder, sorted."""

    root: str
    classes: dict[str, list[str]] = field(default_factory=dict)
    others: dict[str, Counter[str]] = field(default_factory=dict)
    """Files of other kinds, by class and ending."""

    @property
    def other_files(self) -> str:
        """The other files of all classes, in words: `3 of .txt and 1 of .heic`."""
        return by_ending(self._others())

    @property
    def unread_photographs(self) -> str:
        """What to do with photographs of phones and cameras among them; empty if there are none."""
        endings = [f"`{ending}`" for ending in sorted(self._others()) if ending in PHOTOGRAPHS]
        if not endings:
            return ""
        files = (
            "is a photograph, in a format" if len(endings) == 1 else "are photographs, in formats"
        )
        return f"{listed(endings)} {files} that is not read: convert them to JPEG"

    def _others(self) -> Counter[str]:
        return sum(self.others.values(), Counter())


def must_be_folder(path: Path, written: str, data: Data | None, argument: str = "path") -> None:
    """Raises SpecError if `path` is not a folder; `written` is the path as the spec has it."""
    try:
        if path.is_dir():
            return
        there = path.exists()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a file name"
        raise problem(
            "unreadable", f"cannot read {written}: {reason}", data, argument=argument
        ) from None
    if there:
        packed = path.suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")
        help = "unpack it, and name the folder" if packed else "name the folder that it is in"
        message = f"{written} is a file, not a folder of images"
        raise problem("not-a-folder", message, data, argument=argument, help=help)
    raise problem(
        "no-such-folder",
        f"there is no folder {written}",
        data,
        argument=argument,
        notes=(f"looked for at {clean(str(path.absolute()))}",),
        help=did_you_mean_beside(path) or _elsewhere(written),
    )


def _elsewhere(written: str) -> str:
    if Path(written).expanduser().is_absolute():
        return "if it was moved, name its new place: --data FOLDER"
    return "paths are relative to the folder of the spec; `--data FOLDER` names another place"


def did_you_mean_beside(path: Path) -> str:
    """Help that names a similar folder beside a missing `path`; empty if none is."""
    close = similar_name(path)
    return f"did you mean `{close}`, beside it?" if close else ""


def similar_name(path: Path) -> str:
    """The name of a folder beside a missing `path` that is similar; empty if none is."""
    try:
        beside = [clean(entry.name) for entry in os.scandir(path.parent) if entry.is_dir()]
    except (OSError, ValueError):
        return ""
    return closest(clean(path.name), beside)


def parts_in(root: Path) -> dict[str, Path]:
    """The folders of `train`, `val` and `test` that a folder has."""
    by_name = {name.lower(): path for name, path in folders(str(root))}
    parts: dict[str, Path] = {}
    for part, names in PARTS.items():
        for name in names:
            if name in by_name:
                parts.setdefault(part, Path(by_name[name]))
    return parts


def classes_in(root: Path) -> list[str]:
    """The classes of a folder: the names of its folders, sorted."""
    return sorted({clean(name) for name, _ in folders(str(root))})


def images_in(root: Path, wanted: Wanted = is_image) -> ImageTree:
    """All image files of a part, in the folders of their classes and in folders below these; or the
    files that are `wanted`."""
    tree = ImageTree(str(root))
    for name, path in folders(str(root)):
        files = tree.classes.setdefault(clean(name), [])
        others = tree.others.setdefault(clean(name), Counter())
        _collect(path, name, files, others, {_identity(str(root))}, 0, wanted)
    for files in tree.classes.values():
        files.sort(key=lambda file: (clean(file), file))
    tree.classes = dict(sorted(tree.classes.items()))
    return tree


def files_below(root: Path, wanted: Wanted = is_image) -> list[str]:
    """All image files in a folder and below it, or those that are `wanted`: paths relative to it,
    sorted."""
    files: list[str] = []
    _collect(str(root), "", files, Counter(), set(), 0, wanted)
    return sorted((file.removeprefix("/") for file in files), key=lambda file: (clean(file), file))


def folders(root: str) -> list[tuple[str, str]]:
    """The names and paths of the folders in a folder, without hidden ones."""
    return [(entry.name, entry.path) for entry in _entries(root) if _is_dir(entry)]


def loose_images(root: str, wanted: Wanted = is_image) -> int:
    """The number of images directly in a folder."""
    return sum(wanted(entry.name) and not _is_dir(entry) for entry in _entries(root))


def by_ending(others: Counter[str]) -> str:
    """Counts of files by ending, in words: `3 of .txt and 1 of .heic`."""
    return listed(
        [f"{count:,} of {ending or 'no ending'}" for ending, count in others.most_common()]
    )


def _collect(
    folder: str,
    prefix: str,
    files: list[str],
    others: Counter[str],
    seen: set[tuple[int, int]],
    depth: int,
    wanted: Wanted,
) -> None:
    """Collects the files of a folder and of those below it. Each real folder is visited once, so
    links cannot lead into an endless loop."""
    here = _identity(folder)
    if here in seen or depth > MAX_DEPTH:
        return
    seen.add(here)
    for entry in _entries(folder):
        name = f"{prefix}/{entry.name}"
        if _is_dir(entry):
            _collect(entry.path, name, files, others, seen, depth + 1, wanted)
        elif wanted(entry.name):
            files.append(name)
        else:
            others[os.path.splitext(entry.name)[1].lower()] += 1


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((e for e in entries if not hidden(e.name)), key=lambda e: e.name)
    except OSError as error:
        raise Unreadable(folder, error) from None


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that points to itself
        return False


def _identity(folder: str) -> tuple[int, int]:
    try:
        status = os.stat(folder)
    except OSError as error:
        raise Unreadable(folder, error) from None
    return status.st_dev, status.st_ino
