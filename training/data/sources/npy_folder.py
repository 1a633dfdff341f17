"""`data npy "folder"`: .npy files that are mapped into memory, for sets larger than memory."""

from __future__ import annotations

from pathlib import Path

import numpy
import torch

from ....compiler.plan.data import NpyFolder
from ....compiler.shapes import Shape
from ..diagnostic import counted, plural_noun, problem
from ..images.arrays import as_images, depth_of_array
from ..images.image_file import BadImage
from ..loader.image_source import Arrays, Contents, ImageSource
from ..samples.mapped_masks import MappedMasks, MaskedSamples
from ..samples.sample_layout import layout_of, must_be_numbers, noun_of
from ..samples.sample_source import MappedSamples, SampleReader, Samples, mapped
from .array_masks import masks_in, must_fit
from .file_names import clean, resolve
from .labels import Labels
from .npy_files import opened_folder
from .npz_file import class_names, labels_of, named_pairs
from .unfit import Unfit


def npy(
    data: NpyFolder,
    base: Path,
    wanted: Shape,
    *,
    as_numbers: bool = False,
    depth: int | None = None,
) -> Contents:
    """The data set in a folder of arrays; raises SpecError if it is not one. `depth` is the number
    of bits of a channel of images, if it is not theirs."""
    noun = noun_of(wanted)
    parts: dict[str, ImageSource] = {}
    notes: list[str] = []
    with opened_folder(data, base) as arrays:
        pairs = named_pairs(data, list(arrays))
        masks = masks_in(data, arrays, pairs, class_names(data, arrays), wanted)
        if masks is not None:
            zeros = [numpy.zeros(len(each), numpy.int64) for each in masks.parts.values()]
            labels = Labels(zeros, masks.classes, "segmentation")
        else:
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
                    depth = depth_of_array(rows) if depth is None else depth  # of those to train on
                    images = as_images(rows, wanted, depth)
                    if masks is not None:
                        of_part = masks.parts[part]
                        must_fit(data, name, label, (len(images), *images.shape[2:]), of_part.shape)
                        own = torch.from_numpy(masks.numbers.of(of_part))
                        images = torch.cat([images, own[:, None].to(images.dtype)], 1)
                    parts[part] = Arrays(
                        images, torch.from_numpy(numbers), masks=int(masks is not None)
                    )
                    continue
                must_be_numbers(rows.dtype)
                layout = layout_of(rows.shape[1:], wanted)
            except (Unfit, BadImage) as error:
                message = f"`{name}` in {data.path} cannot be {plural_noun(noun)}: {error}"
                raise problem("data-shape", message, data, argument="images") from None
            notes += [f"`{name}`: {layout.note}"] if layout.note else []
            reader: SampleReader = MappedSamples(file, layout)
            if masks is not None:
                sizes = layout.arranged(rows[0]).shape[1:] if len(rows) else ()
                must_fit(data, name, label, (len(rows), *sizes), masks.parts[part].shape)
                file = str(arrays.files[label].absolute())
                reader = MaskedSamples(reader, MappedMasks(file, masks.numbers))
            parts[part] = Samples(
                reader,
                torch.arange(len(rows)),
                torch.from_numpy(numbers),
                masks=int(masks is not None),
            )
    return Contents(
        clean(resolve(data.path, base).resolve().name),
        labels.classes,
        parts,
        origin=data.path,
        notes=tuple(notes),
        task=labels.task,
        noun=noun,
        depth=depth or 8,
    )
