"""`data table "labels.csv"`: a row for each image, with its file and its labels.

Which columns are meant is found by their names and contents unless the spec names them, and is said
in a note. Labels are classes, several classes, numbers or masks, as the values say. A row that
cannot be used is left out and named, as a bad image is.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ....compiler.plan.data import PARTS, TableData
from ..dataset import BadFile
from ..diagnostic import listed, problem
from .file_names import clean, is_image, resolve
from .folder_tree import files_below
from .mask_folder import Pairs, read_table, scanned, table_in
from .table_file import Column, Table, column_of, read_table_file

if TYPE_CHECKING:
    from ..images.mask_file import MaskCode
    from ..loader.image_source import Contents, ImageSource

_IMAGE_NAMES = (
    "image", "file", "filename", "file_name", "path", "filepath", "img", "image_path", "image_id",
    "id", "picture", "photo",
)  # fmt: skip
_LABEL_NAMES = (
    "label", "labels", "class", "classes", "target", "targets", "y", "category", "tags", "mask",
    "class_name", "label_name", "breed", "species",
)  # fmt: skip
_PART_NAMES = ("split", "part", "subset", "set", "fold_name")
_SEPARATORS = "|;,"
"""Between several classes in one cell."""
_SAMPLE = 200


@dataclass
class TableLabels:
    """The images of a table with what they are labeled with, part by part."""

    task: str
    classes: tuple[str, ...]
    root: str
    images: dict[str, list[str]] = field(default_factory=dict)
    """Paths relative to `root`."""
    labels: dict[str, list[object]] = field(default_factory=dict)
    """A class number, a row of numbers, or the path of a mask, for each image."""
    groups: list[str] = field(default_factory=list)
    """The group of each training image, if the table has groups."""
    bad: list[BadFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def table(data: TableData, base: Path, *, as_numbers: bool = False) -> Contents:
    """The data set of a table; raises SpecError."""
    import torch

    from ..loader.image_source import Contents, Files, MaskFiles
    from ..loader.packed_strings import Strings

    found = read_labels(data, base, as_numbers=as_numbers)
    masks = found.task == "segmentation"
    classes, code = (found.classes, None) if not masks else _mask_code(data, found)
    parts: dict[str, ImageSource] = {}
    for part, images in found.images.items():
        labels = found.labels[part]
        if masks:
            assert code is not None
            files = MaskFiles(found.root, Strings(map(str, labels)), code)
            numbers = torch.zeros(len(images), dtype=torch.int64)
            parts[part] = Files(found.root, Strings(images), numbers, files)
        else:
            kind = torch.int64 if found.task == "classification" else torch.float32
            parts[part] = Files(found.root, Strings(images), torch.tensor(labels, dtype=kind))
    return Contents(
        clean(Path(data.path).stem),
        classes,
        parts,
        origin=data.path,
        notes=tuple(found.notes),
        task=found.task,
        groups=found.groups,
        bad=tuple(found.bad),
    )


def classes_of_table(data: TableData, base: Path, *, as_numbers: bool = False) -> tuple[str, ...]:
    """The classes of a table, or its numbers. No file is read, except masks to find classes."""
    found = read_labels(data, base, as_numbers=as_numbers)
    return found.classes if found.task != "segmentation" else _mask_code(data, found)[0]


def _mask_code(data: TableData, found: TableLabels) -> tuple[tuple[str, ...], MaskCode]:
    """The classes of masks, and what the values in them stand for."""
    from ..images.mask_file import MaskCode

    listed_in = table_in(Path(found.root))
    pairs = [
        Pairs(found.root, tuple(found.images[part]), tuple(map(str, labels)))
        for part, labels in found.labels.items()
    ]
    known = scanned(data, pairs) if listed_in is None else read_table(data, listed_in)
    return known.names, MaskCode(len(known.names), data.ignored, known.colors, known.two_valued)


def read_labels(data: TableData, base: Path, *, as_numbers: bool = False) -> TableLabels:
    """The images and labels of a table; raises SpecError. With `as_numbers`, whole numbers are
    numbers, not classes."""
    path = resolve(data.path, base)
    table = read_table_file(data, path, data.path)
    root = resolve(data.root, base) if data.root is not None else path.parent
    files = _Files(root)
    image = _image_column(data, table, files)
    part = _part_column(data, table)
    columns = _label_columns(data, table, files, {image.name, part.name if part else ""})
    reader = _reader(data, columns, files, as_numbers)
    group = column_of(data, table, "group", data.group) if data.group is not None else None
    found = TableLabels(reader.task, reader.classes, str(root))
    found.notes.append(_said(image, columns, reader, part))
    for place, number in enumerate(table.rows):
        file = files.path(image.values[place])
        label = reader.label(place)
        in_part = part.values[place] if part is not None else "train"
        into = _part(in_part)
        reason = label.why if isinstance(label, Unusable) else ""
        if file is None:
            reason = f"there is no image {clean(image.values[place]) or '(empty)'}"
        elif into is None:
            reason = f"`{clean(in_part)}` is no part of a data set"
        if file is None or into is None or reason:
            found.bad.append(BadFile(f"row {number} of {clean(path.name)}", reason))
            continue
        found.images.setdefault(into, []).append(file)
        found.labels.setdefault(into, []).append(label)
        if into == "train" and group is not None:
            found.groups.append(group.values[place])
    if not found.images.get("train"):
        raise problem(
            "no-images",
            f"{data.path} has no row that can be trained on",
            data,
            notes=tuple(f"{bad.name}: {bad.reason}" for bad in found.bad[:5]),
        )
    return found


class _Files:
    """The image files below a folder, found by what a table calls them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder = str(root)
        self._known: dict[str, str] | None = None

    def path(self, name: str) -> str | None:
        """The path of an image relative to the folder: of its path, of its name in any folder, or
        of its name without an ending; None if there is none, or if there are several."""
        if not name:
            return None
        if is_image(name) and os.path.isfile(os.path.join(self._folder, name)):
            return name
        return self._all().get(name.replace("\\", "/").removeprefix("./")) or None

    def _all(self) -> dict[str, str]:
        if self._known is None:
            known: dict[str, str] = {}
            for file in files_below(self.root):
                stem = os.path.splitext(file)[0]
                for key in {file, stem, os.path.basename(file), os.path.basename(stem)}:
                    known[key] = "" if key in known else file  # ambiguous names mean nothing
            self._known = known
        return self._known

    def share(self, column: Column) -> float:
        """The share of a column's first values that are images. A name without an ending counts a
        little less: it may be a number by chance."""
        values = [value for value in column.values[:_SAMPLE] if value]
        found = [value for value in values if self.path(value) is not None]
        return sum(1.0 if is_image(value) else 0.9 for value in found) / max(1, len(values))


def _image_column(data: TableData, table: Table, files: _Files) -> Column:
    if data.image is not None:
        return column_of(data, table, "image", data.image)
    shares = {column.name: files.share(column) for column in table.columns}
    best = max(shares.values())
    good = [column for column in table.columns if shares[column.name] == best]
    if best > 0:
        named = [column for name in _IMAGE_NAMES for column in good if column.name.lower() == name]
        return (named or good)[0]
    raise problem(
        "no-images",
        f"no column of {data.path} has the names of images in {clean(str(files.root))}",
        data,
        notes=(f"its columns are {listed([f'`{clean(each)}`' for each in table.names], 20)}",),
        help='name the folder of the images: `root="…"`, and their column: `image=…`',
    )


def _part_column(data: TableData, table: Table) -> Column | None:
    if data.part is not None:
        return column_of(data, table, "part", data.part)
    for name in _PART_NAMES:
        column = table.column(name)
        if column is not None and all(map(_part, set(column.values))):
            return column
    return None


@lru_cache(256)
def _part(value: str) -> str | None:
    return next((part for part, names in PARTS.items() if value.lower() in names), None)


def _label_columns(
    data: TableData, table: Table, files: _Files, used: set[str]
) -> tuple[Column, ...]:
    if data.label is not None:
        return tuple(column_of(data, table, "label", name) for name in data.label)
    used = used | {name for name in (data.group, data.image, data.part) if name is not None}
    others = [column for column in table.columns if column.name not in used]
    named = [column for name in _LABEL_NAMES for column in others if column.name.lower() == name]
    if named:
        return (named[0],)
    if len(others) == 1 or (others and all(_is_binary(column) for column in others)):
        return tuple(others)
    shown = listed([f"`{clean(column.name)}`" for column in others], 20)
    raise problem(
        "no-labels",
        f"{data.path} has {len(others)} columns that may be labels" if others else
        f"{data.path} has no column of labels",
        data,
        notes=(f"they are {shown}",) if others else (),
        help="name one of them, or several: `label=…`, `label=(…, …)`" if others else "",
    )  # fmt: skip


def _is_binary(column: Column) -> bool:
    return {value for value in column.values if value} <= {"0", "1", "0.0", "1.0"}


# ---- what labels mean ------------------------------------------------------------------------


@dataclass(frozen=True)
class Unusable:
    """In place of the label of a row that has none."""

    why: str


class _Reader:
    """Reads the labels of rows."""

    task = ""
    classes: tuple[str, ...] = ()

    def label(self, row: int) -> object:
        raise NotImplementedError


def _reader(data: TableData, columns: Sequence[Column], files: _Files, as_numbers: bool) -> _Reader:
    kind = data.type
    if kind == "auto":
        kind = "numbers" if as_numbers else _kind_of(columns, files)
    match kind:
        case "numbers":
            return _Numbers(columns)
        case "masks":
            return _Masks(columns[0], files)
        case "several":
            return _Rows(columns) if len(columns) > 1 else _Several(columns[0])
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


def _kind_of(columns: Sequence[Column], files: _Files) -> str:
    if len(columns) > 1:
        if all(map(_is_binary, columns)):
            return "several"
        return "numbers" if all(_is_numeric(column) for column in columns) else "class"
    (column,) = columns
    values = [value for value in column.values if value]
    if sum(map(is_image, values)) > len(values) / 2 and files.share(column) > 0.5:
        return "masks"
    if _is_numeric(column):
        return (
            "numbers" if any(not float(v).is_integer() for v in values if _number(v)) else "class"
        )
    separated = sum(any(mark in value for mark in _SEPARATORS) for value in values)
    return "several" if separated else "class"


def _is_numeric(column: Column) -> bool:
    """Whether nearly all values are numbers: a few may be wrong."""
    values = [value for value in column.values if value]
    wrong = sum(_number(value) is None for value in values)
    return bool(values) and wrong <= len(values) / 5


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


class _Classes(_Reader):
    task = "classification"

    def __init__(self, column: Column) -> None:
        self._column = column
        values = {value for value in column.values if value}
        numbers = all(value.lstrip("-").isdecimal() for value in values)
        self.classes = tuple(sorted(values, key=int if numbers else None))
        self._index = {name: number for number, name in enumerate(self.classes)}

    def label(self, row: int) -> object:
        value = self._column.values[row]
        return self._index[value] if value else Unusable(f"`{self._column.name}` is empty")


class _Several(_Reader):
    """Several classes in a cell: `beach|sunset`."""

    task = "multi_label"

    def __init__(self, column: Column) -> None:
        self._column = column
        counts = {mark: sum(mark in value for value in column.values) for mark in _SEPARATORS}
        self._mark = max(counts, key=lambda mark: counts[mark]) if any(counts.values()) else " "
        names = {name for value in column.values for name in self._names(value)}
        self.classes = tuple(sorted(names))
        self._index = {name: number for number, name in enumerate(self.classes)}

    def _names(self, value: str) -> Iterator[str]:
        return filter(None, (name.strip() for name in value.split(self._mark)))

    def label(self, row: int) -> object:
        """An empty cell is an image without any of the classes."""
        line = [0.0] * len(self.classes)
        for name in self._names(self._column.values[row]):
            line[self._index[name]] = 1.0
        return line


class _Columns(_Reader):
    """A number of each of several columns."""

    wanted = "a number"

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
        return Unusable("it has no number") if all(map(math.isnan, line)) else line

    def value(self, text: str) -> float | None:
        """The number in a cell; None if it has none."""
        raise NotImplementedError


class _Rows(_Columns):
    """A column of 0 and 1 for each class."""

    task = "multi_label"
    wanted = "0 or 1"

    def value(self, text: str) -> float | None:
        number = _number(text)
        return number if number in (0.0, 1.0) else None


class _Numbers(_Columns):
    """Numbers; an empty cell is a missing one, and a row without any number is left out."""

    task = "regression"

    def value(self, text: str) -> float | None:
        number = _number(text) if text else math.nan
        return None if number is None or math.isinf(number) else number


class _Masks(_Reader):
    task = "segmentation"

    def __init__(self, column: Column, files: _Files) -> None:
        self._column, self._files = column, files

    def label(self, row: int) -> object:
        name = self._column.values[row]
        return self._files.path(name) or Unusable(f"there is no mask {clean(name) or '(empty)'}")


def _said(image: Column, columns: Sequence[Column], reader: _Reader, part: Column | None) -> str:
    """What was found in the table."""
    names = listed([f"`{clean(column.name)}`" for column in columns])
    what = {
        "classification": f"the class in {names}",
        "multi_label": f"the classes in {names}",
        "regression": f"the numbers in {names}",
        "segmentation": f"the masks in {names}",
    }[reader.task]
    parts = f", and their part in `{clean(part.name)}`" if part is not None else ""
    return f"images are in the column `{clean(image.name)}`, {what}{parts}"
