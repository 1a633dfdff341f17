"""Reads the file of a spec: regular files only, of limited size, in UTF-8."""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from .closest import closest
from .diagnostics import Diagnostic, SpecError
from .lexer import MAX_CHARACTERS
from .source import Source, Span

# A character has at most four bytes.
_MAX_BYTES = 4 * MAX_CHARACTERS

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
"""Kinds of directory entries that are not regular files."""


def read_file(path: Path, name: str = "", at: Span | None = None) -> Source:
    """The text of a file; raises SpecError, placed at the import statement if there is one."""
    name = name or str(path)
    try:
        data = _read_bytes(path, name, at)
    except FileNotFoundError:
        help = _similar(path)
        raise _problem("no-such-file", f"there is no file {name}", name, at, help) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _problem("unreadable", f"cannot read {name}: {reason}", name, at) from None
    except ValueError:  # a NUL in the name
        raise _problem("unreadable", f"{name!r} is not a file name", name, at) from None
    return decode(data, name, path)


def _similar(path: Path) -> str:
    """Suggests a spec in the same folder with a similar name, or a folder: a run is one."""
    close = closest_spec(path.name, specs_in(path.parent))
    if not close and path.suffix != ".cnn":
        close = closest(path.name, _folders_in(path.parent), cutoff=0.7)
    return f"did you mean {path.with_name(close)}?" if close else ""


def _folders_in(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in islice(folder.iterdir(), 1000) if path.is_dir())
    except (OSError, ValueError):
        return []


def specs_in(folder: Path) -> list[str]:
    """The names of the specs in a folder, sorted; of a huge folder, only some."""
    try:
        return sorted(path.name for path in islice(folder.iterdir(), 1000) if _is_spec(path))
    except (OSError, ValueError):
        return []


def _is_spec(path: Path) -> bool:
    return path.suffix == ".cnn" and path.is_file()


def closest_spec(name: str, names: Iterable[str]) -> str:
    """The most similar name; the ending `.cnn`, which all share, is not compared."""
    stems = {other.removesuffix(".cnn").casefold(): other for other in names}
    stem = name.removesuffix(".cnn").casefold()
    return stems.get(closest(stem, stems, cutoff=0.7), "")


def decode(data: bytes, name: str, path: Path | None = None) -> Source:
    """UTF-8, with or without a byte-order mark; raises SpecError at the first byte that is not."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        message = f"{name} is written in UTF-16, not in UTF-8"
        raise _problem("encoding", message, name, help="save it as UTF-8")
    if len(data) > _MAX_BYTES:
        raise _too_large(len(data), name)
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return Source(name, data.decode("utf-8"), path)
    except UnicodeDecodeError as error:
        valid = data[: error.start].decode("utf-8")
        # Nothing after the first invalid byte is worth showing.
        source = Source(name, valid + "\N{REPLACEMENT CHARACTER}", path)
        byte = data[error.start]
        raise SpecError(
            [
                Diagnostic(
                    "encoding",
                    f"the byte 0x{byte:02x} is not UTF-8 here",
                    Span(source, len(valid), len(valid) + 1),
                    help="is this a text file? save it as UTF-8",
                )
            ]
        ) from None


def _read_bytes(path: Path, name: str, at: Span | None) -> bytes:
    # Without O_NONBLOCK, opening a named pipe blocks until somebody writes to it.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        status = os.fstat(descriptor)
        kind = KINDS.get(stat.S_IFMT(status.st_mode))
        if kind:
            help = "use `-` to read a spec from standard input" if "pipe" in kind and not at else ""
            raise _problem("not-a-file", f"{name} is {kind}, not a file", name, at, help)
        if status.st_size > _MAX_BYTES:
            raise _too_large(status.st_size, name, at)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(_MAX_BYTES + 1)
    finally:
        os.close(descriptor)


def _too_large(size: int, name: str, at: Span | None = None) -> SpecError:
    message = f"{name} has {size:,} bytes; a spec has at most {MAX_CHARACTERS:,} characters"
    return _problem("limit", message, name, at, "is this a spec? split a long one with `import`")


def _problem(
    code: str, message: str, name: str, at: Span | None = None, help: str = ""
) -> SpecError:
    return SpecError([Diagnostic(code, message, at, help=help, file=name)])
