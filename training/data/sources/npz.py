"""`data npz "file.npz"`: images and labels from a NumPy archive."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ....compiler.plan.data import Npz
from ....compiler.shapes import Shape
from ...untrusted.npz import NpzArrays
from ..diagnostic import problem
from ..images.arrays import ambiguity, as_images
from ..loader.image_source import Arrays, Contents, ImageSource
from .file_names import clean, resolve
from .labels import Unfit
from .npz_file import labels_of, named_pairs, opened


def npz(data: Npz, base: Path, wanted: Shape, *, as_numbers: bool = False) -> Contents:
    """The data set in a file; raises SpecError if the file is not one. With `as_numbers`, whole
    labels are numbers, not classes."""
    path = resolve(data.path, base)
    with opened(data, path) as archive:
        pairs = named_pairs(data, list(archive))
        labels = labels_of(data, archive, pairs, as_numbers=as_numbers)
        parts: dict[str, ImageSource] = {}
        notes: list[str] = []
        for (part, (images, label)), numbers in zip(pairs.items(), labels.numbers, strict=True):
            pixels, note = _pixels(data, archive, images, wanted)
            notes += [f"`{images}`: {note}"] if note else []
            if len(pixels) != len(numbers):
                raise problem(
                    "data-shape",
                    f"{data.path} has {len(pixels):,} images in `{images}`, but {len(numbers):,}"
                    f" labels in `{label}`",
                    data,
                )
            parts[part] = Arrays(pixels, torch.from_numpy(numbers))
    return Contents(
        clean(path.stem),
        labels.classes,
        parts,
        origin=data.path,
        notes=tuple(notes),
        task=labels.task,
    )


def _pixels(data: Npz, archive: NpzArrays, name: str, wanted: Shape) -> tuple[Tensor, str]:
    """The images, and a note on how they were read."""
    array = archive[name]
    try:
        return as_images(array, wanted), ambiguity(array, wanted)
    except Unfit as error:
        message = f"`{name}` in {data.path} cannot be images: {error}"
        raise problem("data-shape", message, data, argument="images") from None
