"""`data series "GunPoint"`: series as text, a series in each line and the class first."""

from __future__ import annotations

from pathlib import Path

import numpy
import torch

from ....compiler.plan.data import SeriesText
from ....compiler.shapes import Shape, text
from ..diagnostic import problem
from ..loader.image_source import Contents, ImageSource
from ..samples.sample_source import ListOfSamples, Samples
from .file_names import clean, resolve
from .series_lines import Lines, files_of, labels_of_lines, read_lines


def series(data: SeriesText, base: Path, wanted: Shape, *, as_numbers: bool = False) -> Contents:
    """The data set of text files; raises SpecError if they hold no series for this input."""
    if len(wanted) != 2 or wanted[0] != 1:
        raise problem(
            "unfit-input",
            f"a line of text is one series of one channel, and the network takes {text(wanted)}",
            data,
            help="write `input 1x150`, or the length of your series; series of several channels go"
            " into `data npz`",
        )
    files = files_of(data, base)
    parts = {part: read_lines(data, file) for part, file in files.items()}
    for part, lines in list(parts.items()):
        if not lines.series:
            notes = tuple(f"{bad.name}: {bad.reason}" for bad in lines.bad[:5])
            message = f"{clean(files[part].name)} has no series"
            raise problem("no-images", message, data, notes=notes)
    labels = labels_of_lines(data, list(parts.values()), as_numbers=as_numbers)
    sources: dict[str, ImageSource] = {}
    for (part, lines), numbers in zip(parts.items(), labels.numbers, strict=True):
        reader = _reader(lines)
        sources[part] = Samples(
            reader, torch.arange(len(lines.series)), torch.from_numpy(numpy.array(numbers))
        )
    return Contents(
        clean(resolve(data.path, base).resolve().stem),
        labels.classes,
        sources,
        origin=data.path,
        task=labels.task,
        bad=tuple(bad for lines in parts.values() for bad in lines.bad),
        noun="series",
    )


def _reader(lines: Lines) -> ListOfSamples:
    name = clean(lines.file.name)
    return ListOfSamples(
        [torch.from_numpy(values)[None] for values in lines.series],
        [f"{name}:{number}" for number in lines.numbers],
        str(lines.file.absolute()),
    )
