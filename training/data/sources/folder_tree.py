"""Folders of images, as they lie on the disk. Needs neither torch nor Pillow."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ....compiler.plan.data import PARTS, Data
from ....dsl.closest import closest
from ..diagnostic import listed, problem
from .file_names import clean, hidden, is_image

MAX_DEPTH = 40


class Unreadable(Exception):
    """A folder that may not be looked into."""

    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(f"cannot read {clean(path)}: {error.strerror or type(error).__name__}")


@dataclass
class Found:
    """The images of a part: by class, each named from the part's folder on, in a settled order."""

    root: str
    classes: dict[str, list[str]] = field(default_factory=dict)
    others: dict[str, Counter[str]] = field(default_factory=dict)
    """Files of other kinds, by class and ending."""

    @property
    def other_files(self) -> str:
        """Those of all classes, in words: `3 of .txt and 1 of .heic`."""
        return by_ending(sum(self.others.values(), Counter()))


def is_folder(path: Path, said: str, data: Data | None, argument: str = "path") -> None:
    """Raises SpecError for anything else."""
    try:
        if path.is_dir():
            return
        there = path.exists()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a file name"
        raise problem(
            "unreadable", f"cannot read {said}: {reason}", data, argument=argument
        ) from None
    if there:
        packed = path.suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")
        help = "unpack it, and name the folder" if packed else "name the folder that it lies in"
        message = f"{said} is a file, not a folder of images"
        raise problem("not-a-folder", message, data, argument=argument, help=help)
    raise problem(
        "no-such-folder",
        f"there is no folder {said}",
        data,
        argument=argument,
        notes=(f"looked for at {clean(str(path.absolute()))}",),
        help=_similar(path) or "paths begin at the folder that the spec lies in",
    )


def _similar(path: Path) -> str:
    try:
        beside = [clean(entry.name) for entry in os.scandir(path.parent) if entry.is_dir()]
    except OSError:
        return ""
    close = closest(clean(path.name), beside)
    return f"did you mean `{close}`, beside it?" if close else ""


def parts_in(root: Path) -> dict[str, Path]:
    """`train`, `val` and `test`, as far as a folder has them."""
    there = {name.lower(): path for name, path in folders(str(root))}
    found: dict[str, Path] = {}
    for part, names in PARTS.items():
        for name in names:
            if name in there:
                found.setdefault(part, Path(there[name]))
    return found


def classes_in(root: Path) -> list[str]:
    """The classes that a folder has, one for each of its folders."""
    return sorted({clean(name) for name, _ in folders(str(root))})


def images_in(root: Path) -> Found:
    """All images of a part: in the folder of their class, or in folders below that."""
    found = Found(str(root))
    for name, path in folders(str(root)):
        files = found.classes.setdefault(clean(name), [])
        others = found.others.setdefault(clean(name), Counter())
        _collect(path, name, files, others, {_identity(str(root))}, 0)
    for files in found.classes.values():
        files.sort(key=lambda file: (clean(file), file))
    found.classes = dict(sorted(found.classes.items()))
    return found


def folders(root: str) -> list[tuple[str, str]]:
    """The folders in a folder that are meant, with their paths."""
    return [(entry.name, entry.path) for entry in _entries(root) if _is_dir(entry)]


def loose_images(root: str) -> int:
    """How many images lie in a folder itself."""
    return sum(is_image(entry.name) and not _is_dir(entry) for entry in _entries(root))


def by_ending(others: Counter[str]) -> str:
    """`3 of .txt and 1 of .heic`."""
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
) -> None:
    """Looks into each real folder once, so that links lead round in no circles."""
    here = _identity(folder)
    if here in seen or depth > MAX_DEPTH:
        return
    seen.add(here)
    for entry in _entries(folder):
        name = f"{prefix}/{entry.name}"
        if _is_dir(entry):
            _collect(entry.path, name, files, others, seen, depth + 1)
        elif is_image(entry.name):
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
    except OSError:  # a link that leads to itself
        return False


def _identity(folder: str) -> tuple[int, int]:
    try:
        status = os.stat(folder)
    except OSError as error:
        raise Unreadable(folder, error) from None
    return status.st_dev, status.st_ino
