"""Reads series as text: a series in each line, the class first, as in the UCR archive (`NAME_TRAIN`
and `NAME_TEST`). Needs numpy, not torch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy

from ....compiler.plan.data import PARTS, SeriesText
from ...untrusted.bad_file import BadFile as BadContents
from ...untrusted.open_file import read_text
from ..diagnostic import listed, problem
from ..left_out import BadFile
from .file_names import clean, hidden, resolve
from .labels import Labels, as_labels
from .unfit import Unfit

MAX_BYTES = 2**31
ENDINGS = (".tsv", ".csv", ".txt", "")
"""Those of files that may hold series; the archive of 2015 gave them none."""
_PART = re.compile(r"[_-](train|training|test|testing|val|valid|validation|dev)$", re.IGNORECASE)
_MISSING = {"", "?", "nan", "na", "null", "none"}
_SEPARATORS = ("\t", ",", ";")


@dataclass
class Lines:
    """The series of a file."""

    file: Path
    labels: list[str] = field(default_factory=list)
    series: list[Any] = field(default_factory=list)
    """float32, of any length: missing numbers at the end are left out, others are NaN."""
    numbers: list[int] = field(default_factory=list)
    """The line of each."""
    bad: list[BadFile] = field(default_factory=list)


def files_of(data: SeriesText, base: Path) -> dict[str, Path]:
    """The file of each part. Raises SpecError if there is none, or if there are several sets."""
    path = resolve(data.path, base)
    if path.is_file():
        part = _part_of(path)
        beside = _in_folder(path.parent) if part == "train" else {}
        return next((files for files in beside.values() if path in files.values()), {"train": path})
    if not path.is_dir():
        raise problem(
            "no-such-file",
            f"there is no file and no folder {data.path}",
            data,
            notes=(f"looked for at {clean(str(path.absolute()))}",),
            help="paths are relative to the folder of the spec; `--data PATH` names another place",
        )
    sets = {name: files for name, files in _in_folder(path).items() if "train" in files}
    if len(sets) == 1:
        return next(iter(sets.values()))
    message = f"{data.path} has no file of training series, such as `NAME_TRAIN.tsv`"
    if sets:
        message = f"{data.path} has {len(sets)} sets: {listed(sorted(sets))}"
    first = min((clean(files["train"].name) for files in sets.values()), default="NAME_TRAIN.tsv")
    raise problem("no-data-files", message, data, help=f"name a file: `{data.path}/{first}`")


def _in_folder(folder: Path) -> dict[str, dict[str, Path]]:
    """The parts of each set in a folder."""
    sets: dict[str, dict[str, Path]] = {}
    for file in sorted(folder.iterdir()):
        part = _part_of(file)
        if part and not hidden(file.name) and file.suffix.lower() in ENDINGS and file.is_file():
            sets.setdefault(_PART.sub("", _stem(file)), {}).setdefault(part, file)
    return sets


def _stem(file: Path) -> str:
    return file.stem if file.suffix.lower() in ENDINGS else file.name


def _part_of(file: Path) -> str:
    match = _PART.search(_stem(file))
    if match is None:
        return ""
    return next(part for part, names in PARTS.items() if match[1].lower() in names)


def read_lines(data: SeriesText, file: Path) -> Lines:
    """The series of a file; raises SpecError if it cannot be read at all."""
    try:
        text = read_text(file, MAX_BYTES).removeprefix("\ufeff")
    except BadContents as error:
        raise problem("unreadable", f"{clean(file.name)} {error}", data) from None
    found = Lines(file)
    rows = text.splitlines()
    separator = next((mark for mark in _SEPARATORS if rows and mark in rows[0]), None)
    for number, row in enumerate(rows, 1):
        cells = [cell.strip() for cell in row.split(separator)]
        if not any(cells):
            continue
        values = _values(cells[1:])
        if values is None and not found.series and number == 1:
            continue  # the names of columns
        reason = ""
        if values is None:
            wrong = next(cell for cell in cells[1:] if _value(cell) is None)
            reason = f"`{clean(wrong)[:40]}` is not a number"
        elif not len(values):
            reason = "it has a class, but no series"
        elif cells[0].lower() in _MISSING:
            reason = "it has no class"
        if reason:
            found.bad.append(BadFile(f"line {number} of {clean(file.name)}", reason))
            continue
        found.labels.append(cells[0])
        found.series.append(values)
        found.numbers.append(number)
    return found


def _values(cells: list[str]) -> Any:
    """The numbers of a line without missing ones at its end; None if one is not a number."""
    try:
        values = numpy.array(cells, dtype=numpy.float64)
    except ValueError:
        numbers = [_value(cell) for cell in cells]
        if any(number is None for number in numbers):
            return None
        values = numpy.array(numbers, dtype=numpy.float64)
    known = numpy.flatnonzero(~numpy.isnan(values))
    with numpy.errstate(over="ignore"):
        return values[: known[-1] + 1 if len(known) else 0].astype(numpy.float32)


def _value(cell: str) -> float | None:
    if cell.lower() in _MISSING:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        return None


def labels_of_lines(data: SeriesText, parts: list[Lines], *, as_numbers: bool = False) -> Labels:
    """The labels of all parts; raises SpecError."""
    arrays: list[Any] = [_plain(lines.labels) for lines in parts]
    if any(array.dtype.kind == "U" for array in arrays):
        arrays = [numpy.array(lines.labels) for lines in parts]
    try:
        return as_labels(arrays, (), as_numbers=as_numbers)
    except Unfit as error:
        message = f"the first column of {data.path} cannot be labels: {error}"
        raise problem("data-shape", message, data) from None


def _plain(labels: list[str]) -> Any:
    """Numbers as numbers: `1.0000e+00` is the class 1."""
    try:
        values = numpy.array(labels, dtype=numpy.float64)
    except ValueError:
        return numpy.array(labels)
    whole = bool((numpy.isfinite(values) & (values == numpy.rint(values))).all())
    return values.astype(numpy.int64) if whole else values


def count_in_lines(data: SeriesText, base: Path, *, as_numbers: bool = False) -> int:
    """The number of classes of a set."""
    parts = [read_lines(data, file) for file in files_of(data, base).values()]
    return len(labels_of_lines(data, parts, as_numbers=as_numbers).classes)
