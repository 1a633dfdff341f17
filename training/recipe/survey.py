"""Looks at a data set before a spec is written for it: its labels, its parts, a sample of images.

The labels are read by the same functions as for training, so what training refuses is refused here,
with the same words. A new kind of inputs needs one function here, in `_LOOKS`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from ...compiler.plan.data import (
    UNLABELLED,
    Data,
    Folder,
    NamedArrays,
    NpyFolder,
    Npz,
    SeriesText,
    Split,
    TableData,
)
from ...compiler.shapes import Shape
from ..data.diagnostic import counted, problem
from ..data.images.array_file import array_in
from ..data.images.bit_depth import Depth, depth_of
from ..data.images.decode import Pixels, decode
from ..data.images.image_file import BadImage, picture
from ..data.images.mask_file import mask_values
from ..data.left_out import BadFile
from ..data.loader.image_source import Arrays, Contents, Files, ImageSource, MaskFiles, class_counts
from ..data.loader.memory_budget import cores
from ..data.loader.order import sample
from ..data.loader.store import with_mask
from ..data.loader.thread_pool import each
from ..data.samples.sample_endings import ARRAYS, TEXTS
from ..data.samples.sample_endings import SOUND as SOUND_ENDINGS
from ..data.samples.sample_file import series_in_lines
from ..data.samples.sample_source import Samples
from ..data.sources.array_masks import ArrayFile
from ..data.sources.divide import divide
from ..data.sources.file_names import is_image, resolve
from ..data.sources.npy_files import opened_folder
from ..data.sources.npz_file import named_pairs, opened
from ..data.sources.read import contents
from ..data.sources.table import answer_columns
from ..tasks.known_tasks import several_tasks, task_of
from ..tasks.multi_task import MultiTask, One
from ..tasks.task import Task
from ..tasks.task_recipe import TaskRecipe
from ..untrusted.bad_file import BadFile as UnreadableFile
from .pairs import Pairs, pairs_in

MOST_FILES = 512
"""Files that are decoded: all of a small data set, a random sample of a large one."""
MOST_PIXELS = 10**8
"""No further files are decoded after this many pixels, but `LEAST_FILES` always are."""
LEAST_FILES = 24
MOST_BAD = 0.5
"""The share of files that cannot be used from which something else must be wrong."""
MOST_MASKS, MOST_VALUES = 64, 2
"""Masks that are looked at for values without a class, and such values that may be left out."""

Size = tuple[int, ...]


@dataclass(frozen=True)
class Inputs:
    """What the inputs of a data set are like, by those that were looked at."""

    sizes: tuple[Size, ...]
    """Height and width of each; of series, the length."""
    channels: int
    """Those that a network needs: 1 for images without color, however they are saved."""
    what: str
    """In words: `photographs`, `gray images`."""
    remarks: tuple[str, ...] = ()
    looked: int = 0
    bad: tuple[BadFile, ...] = ()
    """Files that cannot be used."""
    pixels: tuple[int, ...] = ()
    """Of masks: the pixels of each class."""
    depth: int = 8
    """The bits of a channel, or 32 for numbers in units of their own."""

    @property
    def counts(self) -> Counter[Size]:
        return Counter(self.sizes)


@dataclass(frozen=True)
class Survey:
    """What was found in a data set."""

    task: Task
    parts: Mapping[str, int]
    """The number of images of each part that the data has by itself."""
    counts: tuple[int, ...]
    """Training images of each class; of masks, pixels of each class in the sample."""
    inputs: Inputs
    total: int
    """Images of all parts."""
    bad: int
    """Further images, whose labels cannot be used."""
    notes: tuple[str, ...]
    groups: bool
    """Whether images belong to groups that are not split apart."""
    noun: str = "image"
    """What an input is called."""
    ignored: tuple[int, ...] = ()
    """Values of masks that stand for no label, though neither the data nor the user says so."""
    pairs: Pairs | None = None
    """Of pairs of images: what they are like."""

    @property
    def training(self) -> int:
        return self.parts["train"]

    @property
    def answers(self) -> tuple[One, ...]:
        """What a network with several outputs answers; empty if it has one."""
        return tuple(self.task.each) if isinstance(self.task, MultiTask) else ()

    @property
    def recipe(self) -> TaskRecipe:
        """What the labels ask for; of several answers, that of the one that bears least."""
        each = [one.task.recipe for one in self.answers] or [self.task.recipe]
        return min(each, key=lambda recipe: (recipe.mirrored, recipe.least_crop or 0))


def survey(data: Data, base: Path) -> Survey:
    """What is in a data set; raises SpecError if it cannot be learned from."""
    pairs = pairs_in(data, base)
    if pairs is not None:
        divide(pairs.contents, data, Split.make())
        return _of_pairs(pairs)
    outputs = answer_columns(data, base) if isinstance(data, TableData) else {}
    whole = contents(data, base, expected_shape(data, base), outputs=outputs)
    ignored = _values_without_class(whole)
    if ignored and isinstance(data, Folder | TableData):
        data = data.replace(ignore=(*(data.ignore or ()), *ignored))
        whole = contents(data, base, expected_shape(data, base))
    divide(whole, data, Split.make())  # refused here as in training, if there are too few
    inputs = _looked_at(whole, data)
    train = whole.parts["train"]
    if whole.answers:
        task: Task = several_tasks(whole.answers)
    else:
        task = task_of(whole.task, whole.classes, whole.scale)
    counts = inputs.pixels if task.dense else _label_counts(task, train.labels)
    return Survey(
        task,
        {part: len(source) for part, source in whole.parts.items()},
        counts,
        inputs,
        sum(map(len, whole.parts.values())),
        len(whole.bad),
        whole.notes,
        bool(whole.groups),
        whole.noun,
        ignored,
    )


def _label_counts(task: Task, labels: Tensor) -> tuple[int, ...]:
    unknown = task.numbers or isinstance(task, MultiTask)
    return () if unknown else class_counts(labels, len(task.classes))


def _of_pairs(pairs: Pairs) -> Survey:
    whole = pairs.contents
    what = "images" if pairs.channels == 3 else "gray images"
    inputs = Inputs(pairs.sizes, pairs.channels, what, (), pairs.looked, pairs.bad)
    parts = {part: len(source) for part, source in whole.parts.items()}
    task = task_of(whole.task, whole.classes)
    return Survey(task, parts, (), inputs, sum(parts.values()), 0, whole.notes, False, pairs=pairs)


IMAGE: Shape = (3, 64, 64)
SOUND: Shape = (1, 16_000)


def expected_shape(data: Data, base: Path) -> Shape:
    """The shape of an input that tells how the data is read: its number of axes, and channels."""
    match data:
        case Npz():
            with opened(data, resolve(data.path, base)) as archive:
                return _expected_of_arrays(data, archive)
        case NpyFolder():
            with opened_folder(data, base) as files:
                return _expected_of_arrays(data, files)
        case SeriesText():
            return SOUND
        case Folder():
            return _expected_of_files(resolve(data.path, base))
    return IMAGE


def _expected_of_arrays(data: NamedArrays, arrays: ArrayFile) -> Shape:
    """Scans have three axes, and no end that could be colors. Numbers that are not pixels, along
    one axis, are series, whose shorter axis is the channels; so is what has a label for each
    step."""
    pairs = named_pairs(data, list(arrays))
    if "train" not in pairs:
        return IMAGE
    images, labels = pairs["train"]
    shape, marked = arrays.shape(images)[1:], arrays.shape(labels)[1:]
    if len(shape) > 2:
        return _expected_of_axes(shape, marked)
    series = (1, *shape) if len(shape) == 1 else (min(shape), max(shape))
    if len(marked) == 1 and shape and marked[0] == max(shape) > series[0]:
        return series
    array = arrays.mapped(images)[:_FIRST]
    if array.dtype.kind not in "fi" or not array.size:
        return IMAGE
    pixels = numpy.nanmin(array) >= 0 and numpy.nanmax(array) <= 255
    return IMAGE if pixels or (array.dtype.kind == "i" and len(shape) == 2) else series


_FIRST = 256
"""Of so many samples, the numbers are looked at."""
_COLORS = (1, 3)
_DEEP = 8
"""The least slices of a scan of which nothing else says that it is one."""


def _expected_of_axes(shape: Shape, marked: Shape) -> Shape:
    """Of samples of three axes or four: images, or scans. `marked` is the shape of a label."""
    first, last = shape[0], shape[-1]
    if len(shape) == 3:
        if len(marked) == 3 and marked == shape:
            return (1, *shape)
        if first in _COLORS:
            return shape
        return (1, *shape) if min(first, last) >= _DEEP and len(marked) < 2 else IMAGE
    return shape if first <= last else (last, *shape[:-1])


def _expected_of_files(root: Path) -> Shape:
    """Folders of sound, arrays and tables of numbers, by the first file that is found."""
    for number, (folder, _, names) in enumerate(os.walk(root)):
        if any(name.lower().endswith(SOUND_ENDINGS) for name in names):
            return SOUND
        if any(map(is_image, names)) or number > MOST_FILES:
            break
        numbers = sorted(name for name in names if name.lower().endswith((*ARRAYS, *TEXTS)))
        if numbers and number:  # in a folder of a class
            return _expected_of_sample(Path(folder) / numbers[0])
    return IMAGE


def _expected_of_sample(path: Path) -> Shape:
    try:
        text = path.suffix.lower() in TEXTS
        shape = tuple((series_in_lines(path) if text else array_in(path)).shape)
    except (BadImage, UnreadableFile):
        return IMAGE  # the error is said where all files are read
    if len(shape) > 2:
        return (1, *shape) if len(shape) == 3 else _expected_of_axes(shape, ())
    return (1, *shape) if len(shape) == 1 else (min(shape), max(shape))


def _looked_at(whole: Contents, data: Data) -> Inputs:
    train = whole.parts["train"]
    look = next((look for kind, look in _LOOKS.items() if isinstance(train, kind)), None)
    found = look(list(whole.parts.values()), len(whole.classes)) if look is not None else None
    if found is None:
        raise problem(
            "no-recipe",
            f"`cnn new --data` writes no specs for {whole.noun}s like these",
            data,
            help="start from a network of the gallery: `cnn new NAME --like NETWORK`",
        )
    if len(found.bad) > MOST_BAD * found.looked:
        raise problem(
            "bad-files",
            f"{len(found.bad):,} of {counted(found.looked, 'file')} that were looked at cannot be"
            " used",
            data,
            notes=tuple(f"{bad.name}: {bad.reason}" for bad in found.bad[:5]),
            help="repair or remove them; expected are images (JPEG, PNG, WebP, BMP, TIFF, PPM, GIF)"
            " and, of masks, masks of their size",
        )
    return found


def _values_without_class(whole: Contents) -> tuple[int, ...]:
    """Values that masks have in many places, and no class: pixels that were left unlabeled."""
    train = whole.parts["train"]
    readers = train.mask_files if isinstance(train, Files) else ()
    if len(readers) != 1 or not isinstance(masks := readers[0], MaskFiles):
        return ()
    if masks.code.colors is not None:
        return ()
    chosen = sample(len(train), MOST_MASKS).tolist()
    known = {*range(masks.code.classes), *masks.code.ignored, UNLABELLED}
    having: Counter[int] = Counter()

    def values(place: int) -> set[int]:
        try:
            path = os.path.join(masks.root, masks.paths[chosen[place]])
            return set(numpy.unique(mask_values(path)).tolist()) - known
        except BadImage:
            return set()

    for strange in each(values, len(chosen), cores(), ""):
        having.update(strange)
    many = [value for value, count in having.items() if count > len(chosen) / 20]
    return tuple(sorted(many)) if len(many) <= MOST_VALUES and all(v < 256 for v in many) else ()


# ---- one function for each kind of inputs ----------------------------------------------------


def _of_arrays(parts: Sequence[ImageSource], classes: int) -> Inputs:
    """Images or series in memory, all of one size."""
    (images, masks) = next((p.images, p.masks) for p in parts if isinstance(p, Arrays))
    if images.ndim != 4:
        some = images[sample(len(images), MOST_FILES)]
        of_masks = _pixels_of(some[:, -1], classes) if masks else ()
        shape = (images.shape[1] - masks, *images.shape[2:])
        return _samples([shape] * len(images), sum(map(len, parts)), (), of_masks)
    pixels = images[sample(len(images), MOST_FILES)]
    counts: tuple[int, ...] = ()
    if masks:
        counts = _pixels_of(pixels[:, -1], classes)
        pixels = pixels[:, :-masks]
    channels = pixels.shape[1]
    gray = channels == 3 and bool((pixels == pixels[:, :1]).all())
    size = (int(pixels.shape[2]), int(pixels.shape[3]))
    what = "images" if channels > 1 and not gray else "gray images"
    return Inputs(
        (size,) * len(pixels),
        1 if gray else channels,
        what,
        ("saved in color, though all are gray",) if gray else (),
        sum(map(len, parts)),
        pixels=counts,
    )


def _of_samples(parts: Sequence[ImageSource], classes: int) -> Inputs:
    """Series or scans that are read one by one: a sample of them is read."""
    samples = [part for part in parts if isinstance(part, Samples)]
    places = [(part, index) for part in samples for index in range(len(part))]
    chosen = sample(len(places), MOST_FILES).tolist()

    counts = torch.zeros(classes, dtype=torch.int64)

    def look(number: int) -> tuple[Size, tuple[int, ...]] | BadFile:
        part, index = places[chosen[number]]
        try:
            found = part.read(index)
        except BadImage as error:
            return BadFile(part.name(index), error.reason)
        channels, *size = found.shape
        of_mask = _pixels_of(found[-1], classes) if part.masks else ()
        return (channels - part.masks, *size), of_mask

    seen = each(look, len(chosen), cores(), "")
    good = [one for one in seen if not isinstance(one, BadFile)]
    for _, of_mask in good:
        counts += torch.tensor(of_mask or [0] * classes)
    bad = tuple(one for one in seen if isinstance(one, BadFile))
    of_masks = tuple(counts.tolist()) if any(part.masks for part in samples) else ()
    return _samples([shape for shape, _ in good], len(seen), bad, of_masks)


def _pixels_of(masks: Tensor, classes: int) -> tuple[int, ...]:
    """The pixels, steps or voxels of each class in masks."""
    return class_counts(masks.flatten().to(torch.uint8).long(), 256)[:classes]


def _samples(
    shapes: Sequence[Size], looked: int, bad: tuple[BadFile, ...], pixels: tuple[int, ...]
) -> Inputs:
    channels = shapes[0][0] if shapes else 1
    what = "scans" if shapes and len(shapes[0]) == 4 else "series"
    sizes = tuple(shape[1:] for shape in shapes)
    return Inputs(sizes, channels, what, (), looked, bad, pixels)


@dataclass(frozen=True)
class _Seen:
    """One file."""

    size: Size
    gray: bool
    mode: str
    pixels: Tensor | None
    """Of a mask: the pixels of each class."""


def _of_files(parts: Sequence[ImageSource], classes: int) -> Inputs:
    """Image files: a sample of all parts is decoded, with their masks."""
    files = [part for part in parts if isinstance(part, Files)]
    depth = depth_of(files[0]) if files else Depth()
    files = [replace(part, depth=depth.kept) for part in files]
    bands = depth.channels
    places = [(part, index) for part in files for index in range(len(part))]
    chosen = [places[number] for number in sample(len(places), MOST_FILES).tolist()]
    seen: list[_Seen] = []
    bad: list[BadFile] = []
    done = pixels = 0
    while done < len(chosen) and (pixels < MOST_PIXELS or done < LEAST_FILES):
        some = chosen[done : done + LEAST_FILES]
        done += len(some)

        def look(index: int, some: list[tuple[Files, int]] = some) -> _Seen | BadFile:
            return _file(*some[index], classes, bands)

        for result in each(look, len(some), cores(), ""):
            if isinstance(result, BadFile):
                bad.append(result)
            else:
                seen.append(result)
                pixels += result.size[0] * result.size[1]
    gray = bool(seen) and not bands and all(one.gray for one in seen)
    remarks = []
    if gray and any(one.mode in ("RGB", "RGBA", "P") for one in seen):
        remarks.append("saved in color, though all are gray")
    if depth.kept == 16:
        remarks.append("of 16 bits")
    elif depth.kept > 16:
        remarks.append("of numbers in units of their own")
    masks = [one.pixels for one in seen if one.pixels is not None]
    return Inputs(
        tuple(one.size for one in seen),
        bands or (1 if gray else 3),
        "gray images" if gray else f"images of {bands} bands" if bands else "images",
        tuple(remarks),
        done,
        tuple(bad),
        tuple(torch.stack(masks).sum(0).tolist()) if masks else (),
        depth.kept,
    )


def _file(part: Files, index: int, classes: int, bands: int) -> _Seen | BadFile:
    """A file; `bands` is the number of its bands, if they are no colors."""
    try:
        source = part.photograph(index)
        mode = "" if bands or isinstance(source, Pixels) else picture(source).mode
        if part.masks:
            *channels, mask = with_mask(part, index, (bands or 3) + 1)
            counts = mask.flatten().long().bincount(minlength=256)[:classes]
        else:
            channels, counts = list(decode(part.photograph(index), bands or 3, part.depth)), None
    except BadImage as error:
        return BadFile(part.name(index), error.reason)
    first = channels[0]
    gray = not bands and all(torch.equal(first, one) for one in channels)
    return _Seen((int(first.shape[0]), int(first.shape[1])), gray, mode, counts)


Look = Callable[[Sequence[ImageSource], int], Inputs]

_LOOKS: dict[type[Any], Look] = {Arrays: _of_arrays, Files: _of_files, Samples: _of_samples}
"""How inputs of each kind are looked at."""
