"""`data npz "file.npz"`: images, series or scans, and labels, from a NumPy archive. Arrays that a
program passes are read in the same way (`arrays_given.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ....compiler.plan.data import Npz
from ....compiler.shapes import Shape
from ...tasks.answer import NO_OUTPUTS
from ..diagnostic import counted, listed, plural_noun, problem
from ..images.arrays import ambiguity, as_images, depth_of_array
from ..left_out import BadFile
from ..loader.image_source import Arrays, Contents, ImageSource
from ..samples.sample_layout import noun_of
from .array_masks import ArrayMasks, masks_in, must_fit
from .file_names import clean, resolve
from .images_wanted import ImagesWanted
from .labels import Labels
from .npz_file import (
    Archive,
    OutputMasks,
    arrays_of_inputs,
    class_names,
    labels_of,
    named_images,
    named_pairs,
    opened,
    several_labels,
)
from .sample_arrays import sample_arrays
from .several_inputs import Inputs, stacked
from .unfit import Unfit


def npz(
    data: Npz,
    base: Path,
    wanted: Shape,
    *,
    as_numbers: bool = False,
    outputs: Mapping[str, bool] = NO_OUTPUTS,
    inputs: Inputs = (),
    depth: int | None = None,
) -> Contents:
    """The data set in a file; raises SpecError if the file is not one. With `as_numbers`, whole
    labels are numbers, not classes. For a network with several inputs or outputs, each has an
    array. `depth` is the number of bits of a channel, if it is not that of the images."""
    path = resolve(data.path, base)
    with opened(data, path) as archive:
        found = labelled(
            data,
            archive,
            wanted,
            as_numbers=as_numbers,
            outputs=outputs,
            inputs=inputs,
            depth=depth,
        )
    return replace(found, name=clean(path.stem))


def labelled(
    data: Npz,
    archive: Archive,
    wanted: Shape,
    *,
    as_numbers: bool,
    outputs: Mapping[str, bool],
    inputs: Inputs,
    depth: int | None = None,
) -> Contents:
    """The images and labels of an archive."""
    names = [each.name for each in inputs]
    pairs: dict[str, tuple[str, str]]
    labels: Labels
    of_outputs: dict[str, OutputMasks] = {}
    if outputs:
        pairs, labels, of_outputs = several_labels(data, archive, outputs, wanted, names)
    else:
        pairs = named_pairs(data, list(archive), names)
        masks = masks_in(data, archive, pairs, class_names(data, archive), wanted)
        if masks is not None:
            depth = _depth(data, archive, pairs, inputs, wanted) if depth is None else depth
            of_parts = _stacks(data, archive, inputs, wanted, depth)
            return _with_masks(data, archive, pairs, masks, wanted, of_parts, depth)
        labels = labels_of(data, archive, pairs, as_numbers=as_numbers)
    parts: dict[str, ImageSource] = {}
    notes: list[str] = []
    bad: list[BadFile] = []
    noun = noun_of(wanted)
    depth = _depth(data, archive, pairs, inputs, wanted) if depth is None else depth
    stacks = _stacks(data, archive, inputs, wanted, depth)
    for (part, (images, label)), numbers in zip(pairs.items(), labels.numbers, strict=True):
        array = stacks[part] if inputs else archive[images]
        source, wrong, note = _source(data, array, images, numbers, wanted, depth)
        notes += [f"`{images}`: {note}"] if note else []
        if len(source.images) + len(wrong) != len(numbers):
            raise problem(
                "data-shape",
                f"{data.path} has {counted(len(source.images), noun)} in `{images}`, but"
                f" {counted(len(numbers), 'label')} in `{label}`",
                data,
            )
        for each in of_outputs.values():
            of_output = torch.from_numpy(each.parts[part])
            have = (len(source.images), *source.images.shape[2:])
            must_fit(data, images, each.names[part], have, tuple(of_output.shape))
            both = torch.cat([source.images, of_output.unsqueeze(1).to(source.images.dtype)], 1)
            source = replace(source, images=both, masks=source.masks + 1)
        parts[part] = source
        bad += wrong
    return Contents(
        data.path,
        labels.classes,
        parts,
        origin=data.path,
        notes=tuple(notes),
        task=labels.task,
        bad=tuple(bad),
        noun=noun,
        depth=depth,
        answers=labels.answers,
    )


def _depth(
    data: Npz,
    archive: Archive,
    pairs: Mapping[str, tuple[str, str]],
    inputs: Inputs,
    wanted: Shape,
) -> int:
    """The bits of a channel of the training images."""
    if noun_of(wanted) != "image":
        return 8
    names = _arrays(data, archive, inputs)["train"].values() if inputs else [pairs["train"][0]]
    return max(depth_of_array(archive[name]) for name in names)


def _stacks(
    data: Npz, archive: Archive, inputs: Inputs, wanted: Shape, depth: int
) -> dict[str, Tensor]:
    """The samples of each part for a network with several inputs; empty for others."""
    stacks = {}
    for part, arrays in _arrays(data, archive, inputs).items():
        try:
            named = {name: archive[array] for name, array in arrays.items()}
            stacks[part] = stacked(named, inputs, wanted, depth)
        except Unfit as error:
            noun = plural_noun(noun_of(wanted))
            message = f"the {noun} for {part} in {data.path} cannot be used: {error}"
            raise problem("data-shape", message, data) from None
    return stacks


def _arrays(data: Npz, archive: Archive, inputs: Inputs) -> Mapping[str, Mapping[str, str]]:
    names = [each.name for each in inputs]
    return arrays_of_inputs(data, list(archive), names) if inputs else {}


def _with_masks(
    data: Npz,
    archive: Archive,
    pairs: Mapping[str, tuple[str, str]],
    found: ArrayMasks,
    wanted: Shape,
    stacks: Mapping[str, Tensor],
    depth: int,
) -> Contents:
    """A data set whose labels are masks. `stacks` are the samples of a network with several
    inputs."""
    parts: dict[str, ImageSource] = {}
    notes = [f"`{images}` have masks in `{label}`" for images, label in pairs.values()]
    noun = noun_of(wanted)
    bad: list[BadFile] = []
    for part, (images, label) in pairs.items():
        masks = torch.from_numpy(found.numbers.of(found.parts[part]))
        labels = torch.zeros(len(masks), dtype=torch.int64)
        array = stacks[part] if stacks else archive[images]
        source, wrong, note = _source(data, array, images, labels.numpy(), wanted, depth)
        notes += [f"`{images}`: {note}"] if note else []
        bad += wrong
        pixels = source.images
        have = (len(pixels) + len(wrong), *pixels.shape[2:])
        must_fit(data, images, label, have, tuple(masks.shape))
        masks = masks if source.numbers is None else masks[source.numbers]
        both = torch.cat([pixels, masks.unsqueeze(1).to(pixels.dtype)], 1)
        parts[part] = replace(source, images=both, masks=1)
    return Contents(
        data.path,
        found.classes,
        parts,
        origin=data.path,
        notes=tuple(notes),
        task="segmentation",
        bad=tuple(bad),
        noun=noun,
        depth=depth,
    )


def image_npz(data: Npz, base: Path, wanted: ImagesWanted) -> Contents:
    """The images in a file and, if it has them, the images that are to be answered."""
    path = resolve(data.path, base)
    with opened(data, path) as archive:
        return replace(image_pairs(data, archive, wanted), name=clean(path.stem))


def image_pairs(data: Npz, archive: Archive, wanted: ImagesWanted) -> Contents:
    """The images of an archive and, if it has them, those that are to be answered."""
    targets: dict[str, Tensor] = {}
    notes: list[str] = []
    parts: dict[str, ImageSource] = {}
    for part, (images, target) in named_images(data, list(archive)).items():
        array = archive[target] if target else None
        pairs = array is not None and array.ndim > 2
        if data.labels and not pairs:
            raise problem(
                "data-shape",
                f"`{data.labels}` in {data.path} cannot be target images: it has"
                f" {'x'.join(map(str, array.shape)) if array is not None else 'no'} numbers",
                data,
                argument="labels",
                help="take `labels` out: the images themselves are learned then",
            )
        pixels = _pixels(data, archive, images, wanted.input if pairs else wanted.output)
        parts[part] = Arrays(pixels, torch.zeros(len(pixels), dtype=torch.int64))
        if pairs:
            targets[part] = _pixels(data, archive, target, wanted.output)
            notes.append(f"{part}: the targets of `{images}` are `{target}`")
    found = Contents(data.path, (), parts, origin=data.path, notes=tuple(notes))
    if not targets:
        return wanted.contents(data, found)
    if lacking := [part for part in parts if part not in targets]:
        message = f"{data.path} has targets for {listed(list(targets))}, and none for {lacking[0]}"
        raise problem("no-targets", message, data)
    return wanted.paired(data, found, targets)


def _pixels(data: Npz, archive: Archive, name: str, wanted: Shape) -> Tensor:
    try:
        return as_images(archive[name], wanted)
    except Unfit as error:
        message = f"`{name}` in {data.path} cannot be images: {error}"
        raise problem("data-shape", message, data, argument="images") from None


def _source(
    data: Npz, array: Any, name: str, numbers: Any, wanted: Shape, depth: int
) -> tuple[Arrays, list[BadFile], str]:
    """The images, those that cannot be used, and a note on how they were read."""
    labels, noun = torch.from_numpy(numbers), noun_of(wanted)
    try:
        if isinstance(array, Tensor):
            if noun == "image":
                return Arrays(array, labels), [], ""
            array = array.numpy()
        if noun != "image":
            return sample_arrays(array, labels, wanted, f"{name} ")
        return Arrays(as_images(array, wanted, depth), labels), [], ambiguity(array, wanted)
    except Unfit as error:
        message = f"`{name}` in {data.path} cannot be {plural_noun(noun)}: {error}"
        raise problem("data-shape", message, data, argument="images") from None
