"""Names of files: the same on every machine, and fit to be shown."""

from __future__ import annotations

import os
from pathlib import Path
from unicodedata import normalize

ENDINGS = frozenset(
    ".jpg .jpeg .jpe .jfif .png .webp .bmp .dib .tif .tiff .ppm .pgm .pbm .pnm .gif".split()
)
"""Of the files that are taken for images; what they are is then decided by what is in them."""

_SYSTEM = {"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "lost+found", "@eadir"}
"""What systems put into folders of themselves."""


def clean(name: str) -> str:
    """A file's name as text that can be written down anywhere: bytes that are no UTF-8 replaced,
    and accents composed, which some systems take apart."""
    if name.isascii():
        return name
    return normalize("NFC", os.fsencode(name).decode("utf-8", "replace"))


def hidden(name: str) -> bool:
    """Whether nobody means it: `.git`, `._photo.jpg`, `__MACOSX`."""
    return name.startswith(".") or name.lower() in _SYSTEM


def is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in ENDINGS


def resolve(path: str, base: Path) -> Path:
    """A path of a spec: relative to the folder that the spec lies in."""
    return base / Path(path).expanduser()
