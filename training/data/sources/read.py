"""Reads the data set that the `data` line names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from ....compiler.plan.data import (
    ArraysInMemory,
    Coco,
    Data,
    Digits,
    Folder,
    HuggingFace,
    Idx,
    Named,
    NoData,
    NpyFolder,
    Npz,
    SeriesText,
    Shards,
    TableData,
)
from ....compiler.shapes import Shape
from ...tasks.answer import NO_CHANNELS, NO_OUTPUTS
from ..diagnostic import listed, problem
from ..loader.image_source import Arrays, Contents, ImageSource
from ..packs.count_pack import packed_folder
from ..packs.open_pack import opened_pack, pack_contents
from .coco import coco
from .digits import digits
from .file_names import clean, resolve
from .folder import folder
from .hugging_face import hugging_face
from .idx import idx_groups, read_group
from .image_folder import image_folder
from .images_wanted import ImagesWanted
from .named import named
from .npy_folder import npy
from .npz import image_npz, npz
from .series_text import series
from .several_inputs import Inputs, must_have_inputs
from .shards import shards
from .table import image_table, table


def contents(
    data: Data,
    base: Path,
    wanted: Shape,
    *,
    as_numbers: bool = False,
    outputs: Mapping[str, bool] = NO_OUTPUTS,
    pictures: Mapping[str, int] = NO_CHANNELS,
    as_images: ImagesWanted | None = None,
    inputs: Inputs = (),
    depth: int | None = None,
) -> Contents:
    """The data set of a `data` line; paths are relative to `base`. With `as_numbers`, whole
    labels are numbers, not classes; with `as_images`, what is to be answered are images. For a
    network with several outputs, `outputs` has their names, and whether each predicts numbers,
    and `pictures` the number of channels of those that answer with an image; for one with several
    inputs, `inputs` has those. Raises SpecError if the data does not exist or
    cannot be used. `depth` is the number of bits of a channel that arrays of images are read with,
    if it is not theirs.
    """
    if isinstance(data, Shards) and (packed := packed_folder(data, base)) is not None:
        return pack_contents(
            data, opened_pack(data, packed), as_numbers=as_numbers, outputs=outputs,
            pictures=pictures, as_images=as_images, inputs=inputs,
        )  # fmt: skip
    must_have_inputs(data, inputs)
    if as_images is not None:
        match data:
            case Folder():
                return image_folder(data, base, as_images)
            case TableData():
                return image_table(data, base, as_images)
            case Npz():
                return image_npz(data, base, as_images)
        return as_images.contents(data, contents(data, base, wanted))
    match data:
        case TableData():
            return table(
                data, base, wanted, as_numbers=as_numbers, outputs=outputs, pictures=pictures,
                inputs=inputs,
            )  # fmt: skip
        case Npz():
            return npz(
                data, base, wanted, as_numbers=as_numbers, outputs=outputs, inputs=inputs,
                depth=depth,
            )  # fmt: skip
    if outputs and not isinstance(data, ArraysInMemory | NoData):
        names = listed([f"`{name}`" for name in outputs])
        raise problem(
            "no-labels",
            f"`{data.word}` has one label for each image, and the network has {len(outputs)}"
            f" outputs: {names}",
            data,
            help='list images and labels in a table: `data table "labels.csv"`, with a column for'
            " each output",
        )
    match data:
        case Digits():
            return digits()
        case Folder():
            return folder(data, base, wanted, inputs)
        case Coco():
            return coco(data, base)
        case HuggingFace():
            return hugging_face(data, base, as_numbers=as_numbers)
        case Shards():
            return shards(data, base, as_numbers=as_numbers)
        case NpyFolder():
            return npy(data, base, wanted, as_numbers=as_numbers, depth=depth)
        case SeriesText():
            return series(data, base, wanted, as_numbers=as_numbers)
        case Idx():
            return idx(data, base)
        case Named():
            return named(data, base)
    if isinstance(data, ArraysInMemory):
        raise problem(
            "no-data",
            "the run was trained on arrays that a program passed",
            data,
            help="pass them again: data=(images, labels); or name other data with --data",
        )
    raise problem(
        "no-data",
        "no training data is given",
        data,
        help='write `train { data folder "images" }`; the folder has one folder for each class',
    )


def idx(data: Idx, base: Path) -> Contents:
    """`data idx "mnist"`: files in the format of MNIST."""
    parts: dict[str, ImageSource] = {}
    for part, group in idx_groups(data, base).items():
        images, labels = read_group(data, group)
        pixels = torch.frombuffer(bytearray(images.numbers), dtype=torch.uint8).view(images.sizes)
        numbers = torch.frombuffer(bytearray(labels.numbers), dtype=torch.uint8).long()
        parts[part] = Arrays(pixels[:, None], numbers)
    count = 1 + max(int(source.labels.max()) for source in parts.values())
    name = clean(resolve(data.path, base).resolve().name)
    return Contents(name, tuple(map(str, range(count))), parts, origin=data.path)
