"""The files of a plug-in: one Python file, or a folder with `__init__.py`, which is a package.

A plug-in is known by its main file: the Python file, or the `__init__.py` of the folder.
"""

from __future__ import annotations

import hashlib
import os
import sys
import traceback
from pathlib import Path

from ...dsl.diagnostics import SpecError
from ...dsl.files import read_file
from ...dsl.source import Source, Span

INIT = "__init__.py"


def is_package(main: Path) -> bool:
    return main.name == INIT


def main_of(path: Path) -> Path:
    """The main file of what a user names: a file, a folder, or the `__init__.py` of one."""
    return path / INIT if path.is_dir() else path


def given_as(main: Path) -> Path:
    """What a user names: the file, or the folder."""
    return main.parent if is_package(main) else main


def name_of(main: Path) -> str:
    return main.parent.name if is_package(main) else main.stem


def file_name(main: Path) -> str:
    """How messages and records call it: `mine.py`, `mine/`."""
    return f"{main.parent.name}/" if is_package(main) else main.name


def files_of(main: Path) -> list[Path]:
    """All its Python files, without those of hidden folders."""
    if not is_package(main):
        return [main]
    folder = main.parent
    return sorted(
        file
        for file in folder.rglob("*.py")
        if not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )


def belongs(main: Path, file: str) -> bool:
    """Whether a file is one of the plug-in."""
    return file == str(main) or (is_package(main) and main.parent in Path(file).parents)


def digest(main: Path) -> str:
    """The hash of a file; of a package, that of all its Python files with their names."""
    if not is_package(main):
        return hashlib.sha256(main.read_bytes()).hexdigest()
    whole = hashlib.sha256()
    for file in files_of(main):
        whole.update(f"{file.relative_to(main.parent).as_posix()}\0".encode())
        whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()


def source_of(main: Path, source: Source, file: str | None) -> Source:
    """The text of one of its files, `source` that of the main one; that as well for files that
    cannot be read."""
    if file is None or file == str(main) or not belongs(main, file):
        return source
    inside = Path(file).relative_to(main.parent)
    try:
        return read_file(Path(file), os.fspath(Path(source.name).parent / inside))
    except SpecError:
        return source


def place_in(main: Path, source: Source, error: BaseException) -> Span | None:
    """The line of its files where an error arose, or that it passed through last; None if it
    passed through none."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [(each.filename, each.lineno) for each in frames if belongs(main, each.filename)]
    if isinstance(error, SyntaxError) and belongs(main, error.filename or str(main)):
        lines.append((error.filename or str(main), error.lineno))
    if not lines:
        return None
    file, number = lines[-1]
    return line_span(source_of(main, source, file), number or 1)


def modules_of(name: str) -> list[str]:
    """The names of the imported modules of a plug-in: its own, and those inside of it."""
    return [each for each in sys.modules if each == name or each.startswith(f"{name}.")]


def line_span(source: Source, number: int) -> Span:
    """A line of a text, without the blanks around it."""
    number = min(max(number, 1), source.line_count)
    text = source.line(number)
    start = source.line_starts[number - 1] + len(text) - len(text.lstrip())
    return Span(source, start, max(start + len(text.strip()), start + 1))
