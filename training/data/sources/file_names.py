"""File names: which files are images, which are hidden, and how names are shown."""

from __future__ import annotations

import os
from pathlib import Path
from unicodedata import normalize

ENDINGS = frozenset(
    ".jpg .jpeg .jpe .jfif .png .webp .bmp .dib .tif .tiff .ppm .pgm .pbm .pnm .gif".split()
)
"""The endings of image files; the format is then determined by the contents."""

_SYSTEM = {"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "lost+found", "@eadir"}
"""Files and folders that operating systems create by themselves."""


def clean(name: str) -> str:
    """A file name as valid text: bytes that are not UTF-8 are replaced, and accents, which some
    systems decompose, are composed (NFC)."""
    if name.isascii():
        return name
    return normalize("NFC", os.fsencode(name).decode("utf-8", "replace"))


def hidden(name: str) -> bool:
    """Whether a file is ignored: `.git`, `._photo.jpg`, `__MACOSX`."""
    return name.startswith(".") or name.lower() in _SYSTEM


def is_image(name: str) -> bool:
    dot = name.rfind(".")
    return dot > 0 and name[dot:].lower() in ENDINGS and name[dot - 1] not in "/."


def is_mask(name: str) -> bool:
    """Whether a file may be a mask: an image, or an array of class numbers."""
    return is_image(name) or (name.lower().endswith(".npy") and len(name) > len(".npy"))


def resolve(path: str, base: Path) -> Path:
    """A path in a spec, which is relative to the folder of the spec."""
    return base / Path(path).expanduser()
