"""Reads a table of images and labels: CSV with any separator, TSV, or Parquet. Needs no torch.

Rows are text, as in the file. Numbers of rows are those of the lines in a text file, so that a row
can be found: the first one after the header is 2.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ....compiler.plan.data import Data, TableData
from ...untrusted.bad_file import BadFile, damaged
from ...untrusted.open_file import read_bytes
from ..diagnostic import listed, problem
from .file_names import clean

MAX_BYTES = 2**30
MAX_MISSING = 10**7
"""Cells that rows may lack: a small file with a long header and many short rows fills memory."""
_SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class Column:
    name: str
    values: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A table by columns; an empty text is a missing value."""

    path: Path
    columns: tuple[Column, ...]
    rows: tuple[int, ...]
    """The number of each row in its file."""
    notes: tuple[str, ...] = ()
    """How the file was read, if that is unusual."""
    with_commas: tuple[str, ...] = ()
    """Columns whose numbers have decimal commas in the file; here they have points."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def column(self, name: str) -> Column | None:
        """A column by its name, in any case."""
        exact = next((each for each in self.columns if each.name == name), None)
        same = [each for each in self.columns if each.name.casefold() == name.casefold()]
        return exact or (same[0] if len(same) == 1 else None)


def read_table_file(data: Data, path: Path, written: str) -> Table:
    """The table in a file; raises SpecError."""
    if path.suffix.lower() in (".parquet", ".pq"):
        return _parquet(data, path, written)
    try:
        text, notes = _decoded(read_bytes(path, MAX_BYTES))
    except BadFile as error:
        code = "no-such-file" if error.kind == "missing" else "unreadable"
        message = f"there is no file {written}" if error.kind == "missing" else f"{written} {error}"
        notes = (f"looked for at {clean(str(path.absolute()))}",) if error.kind == "missing" else ()
        raise problem(code, message, data, notes=notes) from None
    return replace(_of_text(data, path, written, text.removeprefix("\ufeff")), notes=notes)


def _decoded(data: bytes) -> tuple[str, tuple[str, ...]]:
    """The text of a file, and how it was read if it is not UTF-8: as spreadsheets save it. Raises
    BadFile."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16"), ("the table is UTF-16",)
        except UnicodeDecodeError as error:
            raise damaged(f"its byte {error.start:,} is not UTF-16") from None
    try:
        return data.decode("utf-8"), ()
    except UnicodeDecodeError as error:
        start = error.start
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        text = "\0"
    if any(sign < " " and sign not in "\t\n\r" for sign in {*text}):
        raise damaged(f"its byte {start:,} is not UTF-8")
    return text, ("the table is not UTF-8, and is read as Windows-1252",)


def _separator(text: str) -> tuple[str, str]:
    """What is between columns, and the text without the line by which Excel says it."""
    first, _, rest = text.partition("\n")
    if first.startswith("sep=") and len(first.rstrip()) == len("sep=;"):
        return first[4], rest
    separator = max(_SEPARATORS, key=first.count)
    if separator not in first:
        lines = [line.split() for line in text[:_SAMPLE].splitlines()[:20] if line.strip()]
        if len({*map(len, lines)}) == 1 and len(lines[0]) > 1:
            return " ", text
    return separator, text


_SAMPLE = 2**16
"""The beginning of a text in which blanks are looked for."""


def without_header(table: Table, is_image: Callable[[str], bool]) -> Table:
    """The table itself; or, if its first line is a row like the others, as it names an image, with
    this row, and columns called `1`, `2` and so on."""
    if not any(map(is_image, table.names)):
        return table
    columns = tuple(
        Column(str(number), [one.name, *one.values]) for number, one in enumerate(table.columns, 1)
    )
    note = f"the first line does not name columns: they are called 1 to {len(columns)}"
    return replace(table, columns=columns, rows=(1, *table.rows), notes=(*table.notes, note))


def _of_text(data: Data, path: Path, written: str, text: str) -> Table:
    separator, text = _separator(text)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=separator == " "
    )
    lines = _lines(reader)
    try:
        header = next(lines, None)
        if header is None or len(header[1]) < 2:
            raise problem(
                "data-shape",
                f"{written} is not a table: its first line has one column, or none",
                data,
                help="the first line names the columns, separated by commas: `image,label`",
            )
        names = [name.strip() for name in header[1]]
        missing = 0
        rows: list[int] = []
        cells: list[list[str]] = [[] for _ in names]
        for number, row in lines:
            if len(row) > len(names):
                raise problem(
                    "data-shape",
                    f"row {number} of {written} has {len(row)} columns, its header {len(names)}",
                    data,
                    help="put texts that contain the separator between double quotes",
                )
            missing += len(names) - len(row)
            if missing > MAX_MISSING:
                raise problem(
                    "data-shape",
                    f"rows of {written} have fewer than the {len(names):,} columns of its header",
                    data,
                    help="write the names of the columns in the first line, and a cell for each of"
                    " them in every row",
                )
            rows.append(number)
            for place, into in enumerate(cells):
                into.append(row[place].strip() if place < len(row) else "")
    except csv.Error as error:
        message = f"{written} cannot be read as a table: row {reader.line_num}: {error}"
        raise problem("data-damaged", message, data) from None
    if not rows:
        raise problem("no-images", f"{written} has a header and no rows", data)
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise problem("data-shape", f"{written} has two columns `{clean(twice)}`", data)
    columns = tuple(Column(name, values) for name, values in zip(names, cells, strict=True))
    lists = isinstance(data, TableData) and data.type == "several"
    with_commas = () if lists else tuple(one.name for one in columns if _has_decimal_commas(one))
    columns = tuple(_with_points(one) if one.name in with_commas else one for one in columns)
    return Table(path, columns, tuple(rows), with_commas=with_commas)


PLURALS = ("tags", "labels", "classes", "categories", "attributes", "keywords")
"""Names of columns whose cells have several classes."""
_NUMBER_WITH_COMMA = re.compile(r"[+-]?\d+(?:,\d+)?(?:[eE][+-]?\d+)?")


def _has_decimal_commas(column: Column) -> bool:
    """Whether its numbers are written as many spreadsheets do, `12,5`: nearly all values are such
    numbers, most have a comma, and none has two, as a list of classes would.
    """
    values = [value for value in column.values if value]
    if column.name.lower() in PLURALS or any(value.count(",") > 1 for value in values):
        return False
    numbers = [value for value in values if _NUMBER_WITH_COMMA.fullmatch(value)]
    commas = sum("," in value for value in numbers)
    return len(values) - len(numbers) <= len(values) / 5 and commas > len(values) / 2


def _with_points(column: Column) -> Column:
    return Column(column.name, [value.replace(",", ".") for value in column.values])


def _lines(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, with their numbers."""
    for row in reader:
        if any(cell.strip() for cell in row):
            yield reader.line_num, row


def _parquet(data: Data, path: Path, written: str) -> Table:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise problem(
            "not-installed",
            f"{written} is a Parquet file, which needs pyarrow",
            data,
            help="pip install pyarrow; or save the table as CSV",
        ) from None
    if not path.is_file():
        raise problem("no-such-file", f"there is no file {written}", data)
    try:
        read = parquet.read_table(str(path))
    except Exception as error:  # noqa: BLE001 - whatever pyarrow raises for a damaged file
        reason = str(error).partition("\n")[0]
        raise problem("data-damaged", f"{written} cannot be read: {reason}", data) from None
    columns = tuple(
        Column(name, ["" if value is None else str(value) for value in read[name].to_pylist()])
        for name in read.column_names
    )
    return Table(path, columns, tuple(range(1, len(read) + 1)))


def column_of(data: Data, table: Table, argument: str, name: str) -> Column:
    """The column that an argument names; raises SpecError if there is none."""
    found = table.column(name)
    if found is not None:
        return found
    raise problem(
        "no-such-column",
        f"the table has no column `{name}`",
        data,
        argument=argument,
        notes=(f"it has {listed([f'`{clean(each)}`' for each in table.names], 20)}",),
        help="name one of them",
    )
