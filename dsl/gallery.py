"""Finds a spec by path or by its plain name in the gallery: `net.cnn`, `resnet50`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from .closest import closest
from .diagnostics import Diagnostic, SpecError
from .files import read_file
from .program import GALLERY
from .source import Source


def open_spec(name: str | Path) -> Source:
    """The text of a spec; raises SpecError with the closest gallery name if there is none."""
    text = str(name)
    if os.path.lexists(text):
        return read_file(Path(text), text)
    plain = not any(sign in text for sign in ("/", os.sep, "\0"))
    found = find(text) if plain else None
    try:
        return read_file(found or Path(text), text)
    except SpecError as error:
        raise SpecError([_with_suggestion(error, text)] if plain else error.diagnostics) from None


def names() -> list[str]:
    """The names of all networks in the gallery; files that only define blocks are left out."""
    with_network = re.compile(r"^network ", re.MULTILINE)
    return [path.stem for path in _specs() if with_network.search(path.read_text("utf-8"))]


def in_gallery(name: str) -> str:
    """The gallery's spec for a name of another tool, `mobilenet_v2` for MobileNetV2; "" if there is
    none.
    """
    return _stems().get(name.lower().replace("_", "").replace("-", ""), "")


def find(name: str) -> Path | None:
    """The path of the gallery spec of this name, with or without `.cnn`."""
    file = name.removesuffix(".cnn") + ".cnn"
    with os.scandir(GALLERY) as entries:  # its folders hold no further ones
        folders = sorted(entry.path for entry in entries if entry.is_dir())
    paths = [GALLERY / file, *(Path(folder, file) for folder in folders)]
    return next((path for path in paths if os.path.isfile(path)), None)


@cache
def _specs() -> Sequence[Path]:
    return sorted(GALLERY.rglob("*.cnn"))


@cache
def _stems() -> dict[str, str]:
    """The gallery's names, by what is left of them without underscores."""
    return {path.stem.replace("_", ""): path.stem for path in reversed(_specs())}


def _with_suggestion(error: SpecError, name: str) -> Diagnostic:
    (diagnostic,) = error.diagnostics
    if diagnostic.code != "no-such-file" or diagnostic.help:
        return diagnostic
    stems = [path.stem for path in _specs()]
    close = closest(name.removesuffix(".cnn"), stems, cutoff=0.7)
    help = f"did you mean `{close}`, from the gallery?" if close else "`cnn gallery` lists specs"
    return replace(diagnostic, help=help)
