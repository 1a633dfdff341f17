"""`data npy "folder"`: .npy files that are mapped into memory, for sets larger than memory."""

from __future__ import annotations

from pathlib import Path

import torch

from ....compiler.plan.data import NpyFolder
from ....compiler.shapes import Shape
from ..diagnostic import counted, plural_noun, problem
from ..images.arrays import as_images
from ..images.image_file import BadImage
from ..loader.image_source import Arrays, Contents, ImageSource
from ..samples.sample_layout import layout_of, must_be_numbers, noun_of
from ..samples.sample_source import MappedSamples, Samples, mapped
from .file_names import clean, resolve
from .labels import Unfit
from .npy_files import opened_folder
from .npz_file import labels_of, named_pairs


def npy(data: NpyFolder, base: Path, wanted: Shape, *, as_numbers: bool = False) -> Contents:
    """The data set in a folder of arrays; raises SpecError if it is not one."""
    noun = noun_of(wanted)
    parts: dict[str, ImageSource] = {}
    notes: list[str] = []
    with opened_folder(data, base) as arrays:
        pairs = named_pairs(data, list(arrays))
        labels = labels_of(data, arrays, pairs, as_numbers=as_numbers)
        for (part, (name, label)), numbers in zip(pairs.items(), labels.numbers, strict=True):
            file = str(arrays.files[name].absolute())
            try:
                rows = mapped(file)
                if rows.ndim and len(rows) != len(numbers):
                    raise Unfit(
                        f"it has {counted(len(rows), noun)}, and `{label}` has"
                        f" {counted(len(numbers), 'label')}"
                    )
                if noun == "image":
                    parts[part] = Arrays(as_images(rows, wanted), torch.from_numpy(numbers))
                    continue
                must_be_numbers(rows.dtype)
                layout = layout_of(rows.shape[1:], wanted)
            except (Unfit, BadImage) as error:
                message = f"`{name}` in {data.path} cannot be {plural_noun(noun)}: {error}"
                raise problem("data-shape", message, data, argument="images") from None
            notes += [f"`{name}`: {layout.note}"] if layout.note else []
            reader = MappedSamples(file, layout)
            parts[part] = Samples(reader, torch.arange(len(rows)), torch.from_numpy(numbers))
    return Contents(
        clean(resolve(data.path, base).resolve().name),
        labels.classes,
        parts,
        origin=data.path,
        notes=tuple(notes),
        task=labels.task,
        noun=noun,
    )
