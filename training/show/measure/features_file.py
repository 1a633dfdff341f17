"""Writes features as a table: .csv, .npz or .parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from importlib.util import find_spec

from ....dsl.diagnostics import Diagnostic, SpecError
from .features import Features

SPECIAL = ("file", "part", "label")
"""The columns before the numbers, which are named 0, 1, 2, …"""
MOST_COLUMNS = 10_000
"""In a .parquet file, more numbers are one column of lists: it is slow with so many columns."""


def as_csv(features: Features) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*SPECIAL, *map(str, range(features.values.shape[1]))])
    told = zip(features.files, features.parts, features.labels, strict=True)
    for row, numbers in zip(told, features.values, strict=True):
        writer.writerow([*row, *(f"{number:.7g}" for number in numbers.tolist())])
    return text.getvalue().encode("utf-8", "surrogateescape")


def as_npz(features: Features) -> bytes:
    import numpy

    file = io.BytesIO()
    numpy.savez_compressed(
        file,
        x=features.values.numpy(),
        files=numpy.array(features.files),
        parts=numpy.array(features.parts),
        labels=numpy.array(features.labels),
    )
    return file.getvalue()


def must_be_possible(ending: str) -> None:
    """Raises SpecError if a package is missing for this kind of file."""
    if ending == ".parquet" and find_spec("pyarrow") is None:
        message = "a .parquet file needs pyarrow, which is not installed here"
        help = "pip install pyarrow, or write a .csv"
        raise SpecError([Diagnostic("missing-package", message, help=help)])


def as_parquet(features: Features) -> bytes:
    import pyarrow
    import pyarrow.parquet

    columns: dict[str, object] = {name: list(getattr(features, f"{name}s")) for name in SPECIAL}
    numbers = features.values.numpy()
    if numbers.shape[1] <= MOST_COLUMNS:
        columns.update({str(n): numbers[:, n] for n in range(numbers.shape[1])})
    else:
        flat = pyarrow.array(numbers.reshape(-1))
        columns["numbers"] = pyarrow.FixedSizeListArray.from_arrays(flat, numbers.shape[1])
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


FORMATS: dict[str, Callable[[Features], bytes]] = {
    ".csv": as_csv,
    ".npz": as_npz,
    ".parquet": as_parquet,
}
"""By the ending of the file."""
