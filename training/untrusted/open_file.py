"""Opens files that somebody else wrote: only regular files, and only up to a given size.

Otherwise the program could wait for ever on a named pipe, or read /dev/zero until memory is full.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from ...dsl.files import KINDS
from .bad_file import BadFile, damaged, too_large, unreadable

_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
"""Without O_NONBLOCK, opening a named pipe would wait until something is written to it."""


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Opens a file for reading; raises BadFile if it does not exist or is not a regular file."""
    try:
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        raise BadFile("does not exist", "missing") from None
    except IsADirectoryError:  # on Windows, folders cannot be opened
        raise BadFile("is a folder, not a file", "not-a-file") from None
    except OSError as error:
        raise unreadable(error) from None
    except ValueError:  # a NUL in the name
        raise BadFile("is not a valid file name", "unreadable") from None
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
    if kind != stat.S_IFREG:
        os.close(descriptor)
        what = KINDS.get(kind, "something else")
        raise BadFile(f"is {what}, not a file", "not-a-file")
    return open(descriptor, "rb")


LFS = b"version https://git-lfs"
"""The beginning of a pointer of Git LFS, which stands for a file until it is fetched."""


def refuse_pointer(start: bytes) -> None:
    """Raises BadFile for the beginning of a pointer of Git LFS."""
    if start.startswith(LFS):
        raise damaged("it is a pointer of Git LFS: `git lfs pull` fetches the file itself")


def size_of(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def read_bytes(path: str | os.PathLike[str], most: int) -> bytes:
    """Reads a file of at most `most` bytes; raises BadFile."""
    with open_regular(path) as file:
        size = size_of(file)
        if size > most:
            raise too_large(f"has {size:,} bytes, more than the limit of {most:,}")
        try:
            # One byte more than its size: it may have grown, and files in /proc claim to be empty.
            data = file.read(most + 1 if not size else size + 1)
        except OSError as error:
            raise unreadable(error) from None
    if len(data) > most:
        raise too_large(f"has more than {most:,} bytes")
    return data


def read_text(path: Path, most: int) -> str:
    """Reads a text file of at most `most` bytes; raises BadFile if it is not UTF-8."""
    data = read_bytes(path, most)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise damaged(f"its byte {error.start:,} is not UTF-8") from None
