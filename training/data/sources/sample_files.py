"""Series and scans of files, in folders of their classes or in a table: sound of one sample rate,
arrays, and text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from ....compiler.plan.data import Folder, TableData
from ....compiler.shapes import Shape
from ....dsl.diagnostics import SpecError
from ..diagnostic import counted, listed, plural_noun, problem
from ..loader.image_source import Contents, Files, ImageSource
from ..samples.sample_endings import SOUND
from ..samples.sample_file import SampleFormat
from ..samples.sample_layout import noun_of
from ..samples.sample_source import FilesOfSamples, Samples
from ..samples.sound import rate_in


def of_sample_files(data: Folder | TableData, contents: Contents, shape: Shape) -> Contents:
    """A data set of files with their samples read as series or scans. Raises SpecError if sound has
    several sample rates, and the spec names none."""
    parts: dict[str, ImageSource] = {}
    files: dict[str, Files] = {}
    for part, source in contents.parts.items():
        assert isinstance(source, Files)
        files[part] = source
    rates = _rates(files)
    rate = data.rate
    if rate is None and len(rates) > 1:
        raise _several_rates(data, rates)
    if rate is None and rates:
        (rate,) = rates
    for part, source in files.items():
        reader = FilesOfSamples(source.root, source.paths, SampleFormat(shape, rate))
        places = torch.arange(len(source))
        parts[part] = Samples(reader, places, source.labels, weights=source.weights)
    noun = "clip" if rates else noun_of(shape)
    notes = [note.replace("files that are not images", f"files that are not {plural_noun(noun)}")
             for note in contents.notes]  # fmt: skip
    if rates:
        notes.append(_said(rates, rate))
    return replace(contents, parts=parts, noun=noun, rate=rate, notes=tuple(notes))


def _rates(files: Mapping[str, Files]) -> dict[int, list[str]]:
    """The files of each sample rate; those that cannot be read are found later."""
    rates: dict[int, list[str]] = {}
    for source in files.values():
        for index in range(len(source)):
            path = source.path(index)
            if path.lower().endswith(SOUND):
                rate = rate_in(path)
                if rate is not None:
                    rates.setdefault(rate, []).append(source.name(index))
    return rates


def _said(rates: Mapping[int, list[str]], rate: int | None) -> str:
    assert rate is not None
    others = [each for each in rates if each != rate]
    resampled = f", to which {counted(sum(len(rates[each]) for each in others), 'file')}"
    verb = "is" if sum(len(rates[each]) for each in others) == 1 else "are"
    return f"sound of {rate:,} Hz" + (f"{resampled} {verb} brought" if others else "")


def _several_rates(data: Folder | TableData, rates: Mapping[int, list[str]]) -> SpecError:
    most = max(rates, key=lambda rate: (len(rates[rate]), rate))
    return problem(
        "data-shape",
        f"the files of {data.path} have {len(rates)} sample rates",
        data,
        notes=tuple(
            f"{rate:,} Hz: {counted(len(names), 'file')}, {listed(names, 2)}"
            for rate, names in sorted(rates.items())
        ),
        help=f"write `rate={most}` to bring all of them to one",
    )
