"""The images of networks with several inputs: a sample has the channels of all of them, one after
the other, so that all that moves, cuts or keeps an image does the same to each.

    image 3x224x224 and depth 1x224x224 are a sample of 4x224x224

- arrays: one for each input, by its name (`image_train`, `depth_train`; `{"image": …, "depth": …}`)
- a table: a column of files for each input
- a folder: `image/…` and `depth/…`, with files of the same names; also inside `train` and `val`
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....compiler.plan.data import ArraysInMemory, Data, Folder, NoData, Npz, TableData
from ....compiler.plan.plan import NamedInput
from ....compiler.shapes import Shape, by
from ....dsl.diagnostics import SpecError
from ..diagnostic import listed, plural_noun, problem
from ..left_out import BadFile
from .file_names import clean, resolve
from .folder_tree import files_below, folders, must_be_folder, parts_in
from .mask_folder import matched
from .unfit import Unfit

if TYPE_CHECKING:
    from torch import Tensor

    from ..loader.image_source import Contents, ImageSource

Inputs = Sequence[NamedInput]
"""Those of a network that has several; empty for others."""


def must_have_inputs(data: Data, inputs: Inputs) -> None:
    """Raises SpecError for data that has a single image for each label."""
    if not inputs or isinstance(data, Folder | TableData | Npz | ArraysInMemory | NoData):
        return
    raise problem(
        "no-inputs",
        f"`{data.word}` has one image for each label, and the network has {len(inputs)} inputs:"
        f" {_names(inputs)}",
        data,
        help="name the files in a table: `data table \"pairs.csv\"`, with a column for each input;"
        " or save arrays by the names of the inputs: `data npz \"pairs.npz\"`",
    )  # fmt: skip


def no_files_of_samples(data: Data, inputs: Inputs) -> SpecError:
    """The error for files of series or scans."""
    return problem(
        "no-inputs",
        f"series and scans of {len(inputs)} inputs are read from arrays, not from files of each",
        data,
        help='save them by the names of the inputs: `data npz "samples.npz"`',
    )


def _names(inputs: Inputs) -> str:
    return listed([f"`{each.name}`" for each in inputs])


def _no_pairs(first: Path, other: Path, files: Sequence[str]) -> SpecError:
    return problem(
        "no-inputs",
        f"no image in {clean(str(first))} has a file of its name in {clean(str(other))}",
        None,
        notes=(
            f"in the first: {listed([clean(each) for each in files[:3]])}",
            f"in the other: {listed([clean(each) for each in files_below(other)[:3]]) or 'none'}",
        ),
        help="the files of one sample have the same name, up to a beginning or an ending that all"
        " of an input have",
    )


# ---- arrays ------------------------------------------------------------------------------------


def stacked(arrays: Mapping[str, Any], inputs: Inputs, wanted: Shape, depth: int = 8) -> Tensor:
    """Arrays of images, series or scans, one for each input, as one of samples: `wanted` is the
    shape of such a sample. Raises Unfit, which names the input."""
    import torch

    from ..images.arrays import as_images
    from ..images.color_modes import in_channels
    from ..samples.sample_layout import as_samples, noun_of

    noun = noun_of(wanted)
    each: dict[str, Tensor] = {}
    for name, channels, _ in inputs:
        shape = (channels, *wanted[1:])
        try:
            if noun == "image":
                each[name] = in_channels(as_images(arrays[name], shape, depth), channels)
            else:
                each[name] = as_samples(arrays[name], shape)[0]
        except (Unfit, ValueError) as error:
            raise Unfit(f"those of `{name}`: {error}") from None
    (first, one), *others = each.items()
    for name, other in others:
        if len(one) != len(other):
            raise Unfit(f"there are {len(one):,} in `{first}`, and {len(other):,} in `{name}`")
        if one.shape[2:] != other.shape[2:]:
            raise Unfit(
                f"those of `{first}` have {by(one.shape[2:])}, and those of `{name}`"
                f" {by(other.shape[2:])}; the {plural_noun(noun)} of a sample have the same size"
            )
    return torch.cat(list(each.values()), 1)


def seen_alike(
    mean: Sequence[float], std: Sequence[float], inputs: Inputs
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The measured mean and deviation of each channel; inputs that the same weights see have those
    of all their images."""
    starts = dict(zip((each.name for each in inputs), _starts(inputs), strict=True))
    means, deviations = list(mean), list(std)
    for name in {each.like for each in inputs if each.like}:
        group = [starts[each.name] for each in inputs if name in (each.name, each.like)]
        channels = next(each.channels for each in inputs if each.name == name)
        for channel in range(channels):
            places = [start + channel for start in group]
            own = sum(mean[place] for place in places) / len(places)
            squares = sum(std[place] ** 2 + mean[place] ** 2 for place in places) / len(places)
            for place in places:
                means[place], deviations[place] = own, (squares - own**2) ** 0.5
    return tuple(means), tuple(deviations)


def _starts(inputs: Inputs) -> Iterator[int]:
    start = 0
    for each in inputs:
        yield start
        start += each.channels


# ---- folders -----------------------------------------------------------------------------------


def input_folders(
    data: Folder, root: Path, base: Path, names: Sequence[str]
) -> dict[str, tuple[Path, ...]]:
    """The folders of all inputs, for each part. Raises SpecError if an input has none."""
    found = _of_parts(data, root, names)
    if isinstance(data.val, str):
        place = resolve(data.val, base)
        must_be_folder(place, data.val, data, "val")
        found["val"] = _each_in(data, place, names)
    return found


def _of_parts(data: Folder, root: Path, names: Sequence[str]) -> dict[str, tuple[Path, ...]]:
    parts = parts_in(root)
    if "train" in parts:
        return {part: _each_in(data, folder, names) for part, folder in parts.items()}
    whole = _each_in(data, root, names)
    below = [parts_in(folder) for folder in whole]
    if "train" not in below[0]:
        return {"train": whole}
    for folder, inside in zip(whole, below, strict=True):
        for part in below[0]:
            if part not in inside:
                raise _no_folder(data, folder, part)
    return {part: tuple(inside[part] for inside in below) for part in below[0]}


def _each_in(data: Folder, folder: Path, names: Sequence[str]) -> tuple[Path, ...]:
    by_name = {each.lower(): Path(path) for each, path in folders(str(folder))}
    found = []
    for name in names:
        own = by_name.get(name.lower()) or by_name.get(f"{name.lower()}s")
        if own is None:
            raise _no_folder(data, folder, name)
        found.append(own)
    return tuple(found)


def _no_folder(data: Folder, inside: Path, name: str) -> SpecError:
    there = [f"`{clean(each)}`" for each, _ in folders(str(inside))]
    return problem(
        "no-inputs",
        f"{clean(str(inside))} has no folder `{clean(name)}`",
        data,
        notes=(f"it has {listed(there, 12)}",) if there else (),
        help="each input of the network has a folder of its name, with files of the same names;"
        " also inside `train` and `val`",
    )


def with_further_inputs(
    places: Mapping[str, tuple[Path, ...]], found: Contents, inputs: Inputs
) -> Contents:
    """A data set of the files of the first input, with those of the others. Images that have none
    are left out and named."""
    import torch

    from ..loader.image_source import Files, InputFiles
    from ..loader.packed_strings import Strings

    parts: dict[str, ImageSource] = {}
    bad = list(found.bad)
    for part, source in found.parts.items():
        assert isinstance(source, Files)
        first, *others = places[part]
        own = [os.path.relpath(source.path(index), first) for index in range(len(source))]
        beside: list[InputFiles] = []
        lacking: dict[int, str] = {}
        for each, folder in zip(inputs[1:], others, strict=True):
            pairs = matched(own, files_below(folder))
            place = os.path.join(folder.parent.name, folder.name)
            for index, file in enumerate(own):
                if file not in pairs:
                    lacking.setdefault(index, f"it has no `{each.name}` in {clean(place)}")
            files = Strings(pairs.get(file, "") for file in own)
            beside.append(InputFiles(each, str(folder), files))
        if len(lacking) == len(own):
            raise _no_pairs(first, others[0], own)
        bad += [BadFile(source.name(index), why) for index, why in sorted(lacking.items())]
        good = torch.tensor([i for i in range(len(own)) if i not in lacking]).long()
        whole = replace(source, first_input=inputs[0], input_files=tuple(beside))
        parts[part] = whole.select(good)
    note = f"inputs are files of the same names in {_names(inputs)}"
    return replace(found, parts=parts, bad=tuple(bad), notes=(*found.notes, note))
