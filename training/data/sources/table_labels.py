"""What the labels of a table mean: one reader for each kind of label, found by the values.

A label that cannot be used is named with the reason; its row is then left out.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ....compiler.plan.data import Shards, TableData
from ....compiler.plan.loss import IMAGES
from ...tasks.answer import Answer
from ..diagnostic import listed, problem
from .class_name_file import class_names
from .file_names import clean, resolve
from .named_files import NamedFiles
from .table_file import PLURALS, Column

_SEPARATORS = "|;,"
"""Between several classes in one cell."""

YES, NO = frozenset({"1", "1.0", "true", "yes"}), frozenset({"0", "0.0", "false", "no"})


_UNKNOWN = frozenset({"", "nan", "na", "n/a", "none", "null"})
"""What a cell has where nothing is known, in lower case."""


def is_binary(column: Column) -> bool:
    """Whether a column has 0 and 1, or what stands for them: true and false, 1 and -1; and perhaps
    empty cells."""
    values = {value.lower() for value in column.values} - _UNKNOWN
    return bool(values) and (values <= YES | NO or values == {"1", "-1"})


@dataclass(frozen=True)
class Unusable:
    """In place of the label of a row that has none."""

    why: str


class LabelReader:
    """Reads the labels of rows."""

    task = ""
    classes: tuple[str, ...] = ()
    how = ""
    """How a cell has several classes, in words."""
    adds_up = False
    """Whether several rows of an image are its classes together."""
    columns: tuple[Column, ...] = ()
    answers: tuple[Answer, ...] = ()
    may_be_empty = False
    """Whether an empty cell is a label."""

    def label(self, row: int) -> object:
        raise NotImplementedError

    def files(self, row: int) -> tuple[str, ...]:
        """The files of labels that stand beside others."""
        return ()


def reader_of(
    data: TableData | Shards, columns: Sequence[Column], files: NamedFiles, as_numbers: bool
) -> LabelReader:
    kind = data.type
    if kind == "auto":
        kind = "numbers" if as_numbers else _kind_of(columns, files)
    match kind:
        case "numbers":
            return _Numbers(columns)
        case "masks":
            return Masks(columns[0], files)
        case "several":
            return _Rows(columns) if len(columns) > 1 else _Several(columns[0])
    if len(columns) > 1 and all(map(is_binary, columns)):
        return _OneOfColumns(columns)
    if len(columns) > 1:
        names = listed([f"`{column.name}`" for column in columns])
        raise problem(
            "no-labels",
            f"{names} are neither numbers nor columns of 0 and 1",
            data,
            argument="label",
            help="name one column of classes",
        )
    return _Classes(columns[0])


def _kind_of(columns: Sequence[Column], files: NamedFiles) -> str:
    if len(columns) > 1:
        if all(map(is_binary, columns)):
            return "several"
        return "numbers" if all(is_numeric(column) for column in columns) else "class"
    (column,) = columns
    values = {value for value in column.values if value}
    if has_files(column, files):
        return "masks"
    if is_numeric(column):
        numbers = [number for value in values if (number := number_in(value)) is not None]
        return (
            "numbers" if any(n != n.__trunc__() for n in numbers if math.isfinite(n)) else "class"
        )
    return "several" if _separator(column, _SEPARATORS + _blank(column)) else "class"


def has_files(column: Column, files: NamedFiles) -> bool:
    """Whether most values are the names of image files."""
    values = {value for value in column.values if value}
    return sum(map(files.wanted, values)) > len(values) / 2 and files.share(column) > 0.5


def _blank(column: Column) -> str:
    """A blank may be between several classes if the name of a column says that there are several:
    it may also be a part of a class' name."""
    return " " if column.name.lower() in PLURALS else ""


def _separator(column: Column, marks: str) -> str:
    """What is between several classes in a cell; `[` if cells are lists; empty if a cell has one
    class. Commas and blanks may be parts of a class' name: only if the same pieces occur again and
    again are they classes."""
    values = [value for value in column.values if value]
    if sum(map(_is_list, values)) > len(values) / 2:
        return "["
    counts = {mark: sum(mark in value for value in values) for mark in marks.replace(" ", "")}
    most = max(counts, key=lambda mark: counts[mark])
    if most in "|;" and counts[most]:
        return most
    for mark in (most, " "):
        if mark not in marks or not any(mark in value for value in values):
            continue
        wholes = set(values)
        pieces = {piece.strip() for value in wholes for piece in value.split(mark)}
        if len(pieces - {""}) <= len(wholes):
            return mark
    return ""


def _is_list(value: str) -> bool:
    return value[:1] == "[" and value[-1:] == "]"


def is_numeric(column: Column) -> bool:
    """Whether nearly all values are numbers: a few may be wrong."""
    values = [value for value in column.values if value]
    wrong = sum(number_in(value) is None for value in values)
    return bool(values) and wrong <= len(values) / 5


def number_in(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


class _Classes(LabelReader):
    task = "classification"

    def __init__(self, column: Column) -> None:
        self._column = column
        names = {value: value for value in column.values if value}
        numbers = all(value.lstrip("-").isdecimal() for value in names)
        if not numbers and all(number_in(value) is not None for value in names):
            # As tools write them where a number is missing: `1.0`, `nan`.
            numbers = True
            values = {value: float(value) for value in names}
            names = {text: f"{one:.0f}" for text, one in values.items() if math.isfinite(one)}
        self.classes = tuple(sorted(set(names.values()), key=int if numbers else None))
        index = {name: number for number, name in enumerate(self.classes)}
        self._index = {value: index[name] for value, name in names.items()}

    def label(self, row: int) -> object:
        value = self._column.values[row]
        if value in self._index:
            return self._index[value]
        said = f"`{clean(value)}` in `{self._column.name}` is not a class" if value else ""
        return Unusable(said or f"`{self._column.name}` is empty")

    def name(self, names: Mapping[int, str]) -> bool:
        """Gives classes that are numbers their names; returns whether all of them have one. Numbers
        may count from 1."""
        if not all(text.isdecimal() for text in self.classes):
            return False
        numbers = {int(text) for text in self.classes}
        if not numbers <= {*names} and numbers <= {number + 1 for number in names}:
            names = {number + 1: name for number, name in names.items()}
        if not numbers <= {*names} or len({*names.values()}) < len(names):
            return False
        places = {number: place for place, number in enumerate(sorted(names))}
        old = self.classes
        self._index = {value: places[int(old[place])] for value, place in self._index.items()}
        self.classes = tuple(names[number] for number in sorted(names))
        return True


def with_names(
    data: TableData | Shards, reader: LabelReader, beside: Path | None, base: Path
) -> LabelReader:
    """The reader with the names of its classes, if they are numbers and a file has their names: the
    one that the spec names, or the usual one `beside` the data.
    Raises SpecError if the file that the spec names does not have them all."""
    file = beside if data.names is None else resolve(data.names, base)
    if not isinstance(reader, _Classes) or file is None:
        return reader
    if data.names is None and not file.is_file():
        return reader
    names = class_names(data, file)
    if reader.name(names):
        reader.how = f", and the names of classes in {clean(file.name)}"
    elif data.names is not None:
        shown = listed([f"`{clean(name)}`" for name in reader.classes], 8)
        raise problem(
            "no-classes",
            f"{data.names} names {len(names):,} classes, and the labels are {shown}",
            data,
            argument="names",
            help="labels are the numbers of lines, from 0 or from 1",
        )
    return reader


class _OneOfColumns(LabelReader):
    """A column of 0 and 1 for each class, of which an image has exactly one."""

    task = "classification"

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self.classes = tuple(column.name for column in columns)

    def label(self, row: int) -> object:
        marked = [
            place for place, column in enumerate(self._columns) if column.values[row].lower() in YES
        ]
        return marked[0] if len(marked) == 1 else Unusable(f"it has {len(marked)} classes, not one")


class _Several(LabelReader):
    """Several classes in a cell: `beach|sunset`, or a list like `["beach", "sunset"]`."""

    task = "multi_label"
    adds_up = True
    may_be_empty = True

    def __init__(self, column: Column) -> None:
        self._column = column
        self._mark = _separator(column, _SEPARATORS + " ")
        if not self._mark:
            self._mark = " " if _blank(column) else "\0"
        if self._mark != "\0":
            between = {" ": "blanks", "[": ""}.get(self._mark, f"`{self._mark}`")
            self.how = f", divided by {between}" if between else ", as lists"
        names = {name for value in column.values for name in self._names(value)}
        self.classes = tuple(sorted(names))
        self._index = {name: number for number, name in enumerate(self.classes)}

    def _names(self, value: str) -> Iterator[str]:
        if self._mark == "[":
            return iter(_listed(value) or ())
        return filter(None, (name.strip() for name in value.split(self._mark)))

    def label(self, row: int) -> object:
        """An empty cell is an image without any of the classes."""
        line = [0.0] * len(self.classes)
        cell = self._column.values[row]
        if self._mark == "[" and cell and _listed(cell) is None:
            return Unusable(f"`{clean(cell)}` in `{self._column.name}` is not a list of classes")
        for name in self._names(self._column.values[row]):
            line[self._index[name]] = 1.0
        return line


@lru_cache(4096)
def _listed(cell: str) -> tuple[str, ...] | None:
    """The classes of a list as JSON or Python writes it, or NumPy, without commas; None if it is
    not one."""
    for read in (json.loads, ast.literal_eval):
        try:
            items = read(cell)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(items, list) and all(isinstance(item, str | int) for item in items):
            return tuple(name for item in items if (name := str(item).strip()))
    inside = cell[1:-1].strip() if _is_list(cell) else "["
    if re.search(r"[\[\]{}'\"]", inside):
        return None
    return tuple(name for piece in re.split(r"[\s,;|]+", inside) if (name := piece.strip()))


class _Columns(LabelReader):
    """A number of each of several columns."""

    wanted = "a number"
    noun = "number"

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self.classes = tuple(column.name for column in columns)

    def label(self, row: int) -> object:
        line = []
        for column in self._columns:
            text = column.values[row]
            value = self.value(text)
            if value is None:
                return Unusable(f"`{clean(text)}` in `{column.name}` is not {self.wanted}")
            line.append(value)
        return Unusable(f"it has no {self.noun}") if all(map(math.isnan, line)) else line

    def value(self, text: str) -> float | None:
        """The number in a cell; None if it has none."""
        raise NotImplementedError


class _Rows(_Columns):
    """A column of 0 and 1 for each class. An empty cell counts for nothing: it is not known whether
    the image has the class."""

    task = "multi_label"
    wanted = "0 or 1"
    noun = "label"

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__(columns)
        values = {value.lower() for column in columns for value in set(column.values)}
        if values & _UNKNOWN:
            self.how = "; empty cells count for nothing"
        marked = zip(*(column.values for column in columns), strict=True)
        if all(sum(value.lower() in YES for value in row) == 1 for row in marked):
            self.how += "; each image has one of them: `type=class` makes them exclude one another"
        self._no = NO | {"-1"} if "-1" in values and not values & NO else NO

    def value(self, text: str) -> float | None:
        word = text.lower()
        if word in _UNKNOWN:
            return math.nan
        return 1.0 if word in YES else 0.0 if word in self._no else None


class _Numbers(_Columns):
    """Numbers; an empty cell is a missing one, and a row without any number is left out."""

    task = "regression"

    def value(self, text: str) -> float | None:
        number = number_in(text) if text else math.nan
        return None if number is None or math.isinf(number) else number


class Together(LabelReader):
    """The labels of several outputs, one after the other. An empty cell is a missing label, and a
    row without any label is left out."""

    task = "multi_task"

    def __init__(self, readers: Mapping[str, tuple[Sequence[Column], LabelReader]]) -> None:
        self._readers = tuple(readers.values())
        self.columns = tuple(column for columns, _ in self._readers for column in columns)
        self.answers = tuple(
            Answer(name, reader.task, reader.classes) for name, (_, reader) in readers.items()
        )
        self.classes = tuple(readers)

    def label(self, row: int) -> object:
        line: list[float] = []
        for answer, (columns, reader) in zip(self.answers, self._readers, strict=True):
            if answer.is_map:
                path = self._path(row, columns[0], reader)
                if isinstance(path, Unusable):
                    return path
                line.append(0.0 if path else math.nan)
                continue
            if not reader.may_be_empty and not any(column.values[row] for column in columns):
                line += [math.nan] * answer.labels
                continue
            own = reader.label(row)
            if isinstance(own, Unusable):
                return own
            line += own if isinstance(own, list) else [own]  # type: ignore[list-item]
        return Unusable("it has no label") if all(map(math.isnan, line)) else line

    def files(self, row: int) -> tuple[str, ...]:
        """The path of each mask and image of a row; empty if it has none."""
        each = zip(self.answers, self._readers, strict=True)
        return tuple(
            str(self._path(row, columns[0], reader))
            for answer, (columns, reader) in each
            if answer.is_map
        )

    @staticmethod
    def _path(row: int, column: Column, reader: LabelReader) -> str | Unusable:
        if column.values[row].lower() in _UNKNOWN:
            return ""
        path = reader.label(row)
        return path if isinstance(path, Unusable) else str(path)


class Masks(LabelReader):
    task = "segmentation"

    def __init__(self, column: Column, files: NamedFiles) -> None:
        self._column, self._files = column, files

    def label(self, row: int) -> object:
        name = self._column.values[row]
        return self._files.path(name) or Unusable(f"there is no mask {clean(name) or '(empty)'}")


class Targets(LabelReader):
    task = IMAGES

    def __init__(self, column: Column, files: NamedFiles) -> None:
        self._column, self._files = column, files

    def label(self, row: int) -> object:
        name = self._column.values[row]
        return self._files.path(name) or Unusable(f"there is no target {clean(name) or '(empty)'}")


class Nothing(LabelReader):
    """Of images that are learned themselves."""

    def label(self, row: int) -> object:
        return ""
