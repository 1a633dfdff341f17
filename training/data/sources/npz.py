"""`data npz "file.npz"`: images, series or scans, and labels, from a NumPy archive."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ....compiler.plan.data import Npz
from ....compiler.shapes import Shape
from ...tasks.answer import NO_OUTPUTS
from ..dataset import BadFile
from ..diagnostic import counted, plural_noun, problem
from ..images.arrays import ambiguity, as_images
from ..loader.image_source import Arrays, Contents, ImageSource
from ..samples.sample_layout import noun_of
from .file_names import clean, resolve
from .labels import Labels, Unfit
from .npz_file import labels_of, named_pairs, opened, several_labels
from .sample_arrays import sample_arrays


def npz(
    data: Npz,
    base: Path,
    wanted: Shape,
    *,
    as_numbers: bool = False,
    outputs: Mapping[str, bool] = NO_OUTPUTS,
) -> Contents:
    """The data set in a file; raises SpecError if the file is not one. With `as_numbers`, whole
    labels are numbers, not classes. For a network with several outputs, each has an array."""
    path = resolve(data.path, base)
    with opened(data, path) as archive:
        pairs: dict[str, tuple[str, str]]
        labels: Labels
        if outputs:
            pairs, labels = several_labels(data, archive, outputs)
        else:
            pairs = named_pairs(data, list(archive))
            labels = labels_of(data, archive, pairs, as_numbers=as_numbers)
        parts: dict[str, ImageSource] = {}
        notes: list[str] = []
        bad: list[BadFile] = []
        noun = noun_of(wanted)
        for (part, (images, label)), numbers in zip(pairs.items(), labels.numbers, strict=True):
            source, wrong, note = _source(data, archive[images], images, numbers, wanted)
            notes += [f"`{images}`: {note}"] if note else []
            if len(source.images) + len(wrong) != len(numbers):
                raise problem(
                    "data-shape",
                    f"{data.path} has {counted(len(source.images), noun)} in `{images}`, but"
                    f" {counted(len(numbers), 'label')} in `{label}`",
                    data,
                )
            parts[part] = source
            bad += wrong
    return Contents(
        clean(path.stem),
        labels.classes,
        parts,
        origin=data.path,
        notes=tuple(notes),
        task=labels.task,
        bad=tuple(bad),
        noun=noun,
        answers=labels.answers,
    )


def _source(
    data: Npz, array: Any, name: str, numbers: Any, wanted: Shape
) -> tuple[Arrays, list[BadFile], str]:
    """The images, those that cannot be used, and a note on how they were read."""
    labels, noun = torch.from_numpy(numbers), noun_of(wanted)
    try:
        if noun != "image":
            return sample_arrays(array, labels, wanted, f"{name} ")
        return Arrays(as_images(array, wanted), labels), [], ambiguity(array, wanted)
    except Unfit as error:
        message = f"`{name}` in {data.path} cannot be {plural_noun(noun)}: {error}"
        raise problem("data-shape", message, data, argument="images") from None
