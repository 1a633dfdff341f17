"""Opens a pack: the data set that `data shards "shards/"` names, if the folder has an index. No
header of a tar file is read, and no image: `cnn pack` has checked every one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ....compiler.plan.data import UNLABELLED, Data, Shards
from ....compiler.plan.loss import IMAGES
from ....compiler.plan.plan import NamedInput
from ...tasks.answer import NO_CHANNELS, NO_OUTPUTS, Answer
from ...tasks.regression import Regression
from ...untrusted.bad_file import BadFile as Unreadable
from ..diagnostic import counted, listed, problem
from ..images.mask_file import MaskCode
from ..left_out import BadFile
from ..loader.image_source import Absent, Contents, ImageSource
from ..loader.shard_files import Members
from ..remote.address import is_remote, shown
from ..sources.images_wanted import ImagesWanted
from .columns import PackGroups, PackNames, open_columns
from .count_pack import unusable_pack
from .kept_results import KeptResults
from .opened_pack import Pack
from .pack_index import IMAGE, PackIndex, load_index, load_shard
from .packed_files import (
    NOTHING,
    PackFiles,
    PackInputs,
    PackMaps,
    PackMasks,
    PackMembers,
    PackTargets,
)
from .remote_pack import remote_pack

Inputs = Sequence[NamedInput]


def local_pack(folder: Path) -> Pack:
    """The pack in a folder; raises BadFile."""
    index, digest = load_index(folder)
    columns = open_columns(folder, index, digest, partial(load_shard, folder))
    return Pack(str(folder), index, columns, KeptResults(digest))


def opened_pack(data: Data, folder: Path) -> Pack:
    """The same for the `data` line that names it; raises SpecError."""
    try:
        if isinstance(data, Shards) and is_remote(data.path):
            return remote_pack(data, data.path, folder)
        pack = local_pack(folder)
        _must_be_whole(folder, pack.index)
        return pack
    except Unreadable as error:
        raise unusable_pack(data, folder.name, error) from None


def _must_be_whole(folder: Path, index: PackIndex) -> None:
    """Raises BadFile for a tar file that is cut short, or gone, before training needs it: whoever
    reads behind the end of a mapped file is killed by the system."""
    for shard in chain.from_iterable(index.parts.values()):
        try:
            size = os.stat(folder / shard.tar).st_size
        except OSError as error:
            raise Unreadable(f"{shard.tar} cannot be read: {error.strerror}") from None
        if size != shard.bytes:
            was = f"{shard.bytes:,} when it was packed"
            raise Unreadable(f"{shard.tar} has {size:,} bytes, and had {was}")


def pack_contents(
    data: Shards,
    pack: Pack,
    *,
    as_numbers: bool = False,
    outputs: Mapping[str, bool] = NO_OUTPUTS,
    pictures: Mapping[str, int] = NO_CHANNELS,
    as_images: ImagesWanted | None = None,
    inputs: Inputs = (),
) -> Contents:
    """The data set of a pack; the arguments are those of `read.contents`. Raises SpecError."""
    index = pack.index
    _must_fit(data, index, outputs, as_images, inputs)
    make = _Parts(pack, pictures, as_images, {each.name: each for each in inputs})
    parts: dict[str, ImageSource] = {part: make.part(part) for part in index.parts}
    if not len(parts["train"]):
        raise problem("no-images", f"{data.path} has no image to train on", data)
    train, about = pack.columns["train"], index.about
    shards = sum(map(len, index.parts.values()))
    found = Contents(
        index.origin or Path(pack.root).name,
        index.classes,
        parts,
        origin=shown(data.path),
        notes=(f"{index.kind} pack of {counted(shards, 'tar file')}", *about.get("notes", ())),
        task=index.task,
        answers=_answers(index),
        groups=() if train.groups is None else PackGroups(train.groups, train.group_names),
        kept=pack.kept,
        bad=tuple(BadFile(name, why) for name, why in index.left_out),
        absent=_absent(index),
    )
    if as_images is not None:
        if index.task == IMAGES:
            return replace(found, classes=as_images.channels)
        return as_images.contents(data, found)
    if as_numbers and index.task == "classification":
        return _with_numbers(data, found)
    return found


def _absent(index: PackIndex) -> Absent | None:
    if not index.absent:
        return None
    return Absent(
        tuple(each.name for each in index.absent),
        torch.tensor([each.label or 0 for each in index.absent]),
        tuple(each.group for each in index.absent) if index.about.get("groups") else (),
    )


def _must_fit(
    data: Shards,
    index: PackIndex,
    outputs: Mapping[str, bool],
    as_images: ImagesWanted | None,
    inputs: Inputs,
) -> None:
    """Raises SpecError if a network asks for what the pack does not have."""
    for argument in ("image", "label", "names"):
        if data.arguments.get(argument) is not None:
            message = f"a pack has its own labels and images; `{argument}` says nothing to it"
            help = f"take `{argument}` out"
            raise problem("conflict", message, data, argument=argument, help=help)
    if isinstance(data.val, str):
        message = "a pack has its own parts; another one cannot be its validation part"
        raise problem("conflict", message, data, argument="val")
    if "train" not in index.parts:
        message = f"the pack has no images for training; it has {listed([*index.parts])}"
        raise problem("no-training-folder", message, data)
    known = [answer.output for answer in _answers(index)]
    if sorted(known) != sorted(outputs):
        has = f"labels of the outputs {listed(known)}" if known else "one label for each image"
        wants = f"the outputs {listed([*outputs])}" if outputs else "one output"
        raise problem("no-labels", f"the pack has {has}, and the network has {wants}", data)
    names = index.about.get("inputs", [])
    wanted = [each.name for each in inputs]
    if names != wanted:
        has = f"images of the inputs {listed(names)}" if names else "one image for each sample"
        wants = f"the inputs {listed(wanted)}" if wanted else "one input"
        raise problem("no-inputs", f"the pack has {has}, and the network has {wants}", data)
    if index.task == IMAGES and as_images is None:
        message = "the pack has pairs of images, and the network does not answer with an image"
        raise problem("no-labels", message, data)


def _answers(index: PackIndex) -> tuple[Answer, ...]:
    return tuple(
        Answer.from_json(entry)._replace(complete=bool(entry.get("complete", True)))
        for entry in index.about.get("answers", ())
    )


def _with_numbers(data: Data, found: Contents) -> Contents:
    """A data set whose classes are called by numbers, as numbers."""
    try:
        values = torch.tensor([float(name) for name in found.classes])
    except ValueError:
        message = f"the classes of the pack are not numbers: {listed([*found.classes])}"
        raise problem("no-labels", message, data) from None
    parts = {
        part: replace(source, labels=values[source.labels][:, None])
        for part, source in found.parts.items()
    }
    return replace(found, classes=("label",), parts=parts, task=Regression.word)


@dataclass(frozen=True)
class _Parts:
    """Makes the sources of images from columns."""

    pack: Pack
    pictures: Mapping[str, int]
    as_images: ImagesWanted | None
    inputs: Mapping[str, NamedInput]

    def part(self, part: str) -> PackFiles:
        index, columns = self.pack.index, self.pack.columns[part]
        shards = tuple(f"{self.pack.root}/{shard.tar}" for shard in index.parts[part])
        reader = None if self.pack.reader is None else self.pack.reader(shards)
        arrays = index.kind == "raw"

        def members(role: str) -> Members:
            places = tensor(columns.places[role])
            if reader is None:
                return Members(shards, places)
            # What comes through a network is checked; int32, since torch selects no rows of uint32.
            return Members(shards, places, reader, tensor(columns.crc32[role].view("int32")))

        masks, maps, inputs, targets = [], [], [], None
        for role in index.roles:
            if role == IMAGE:
                continue
            name, _, what = role.rpartition(".")
            source = PackMembers(members(role), arrays)
            if what == "seg":
                code = MaskCode(self._classes(name), (UNLABELLED,))
                masks.append(PackMasks(source, code, name))
            elif what == "input":
                inputs.append(PackInputs(self.inputs[name], source))
            elif name:
                maps.append(PackMaps("", NOTHING, self.pictures[name], name, source))
            elif self.as_images is not None:
                wanted = self.as_images
                channels, enlarges = wanted.output[0], wanted.enlarges
                targets = PackTargets("", NOTHING, channels, enlarges, source)
        first = next(iter(self.inputs.values()), None)
        return PackFiles(
            self.pack.root,
            PackNames(columns.names, columns.name_ends),  # type: ignore[arg-type]
            tensor(columns.labels),
            tuple(masks),
            None if columns.weights is None else tensor(columns.weights),
            targets,
            first_input=first,
            input_files=tuple(inputs),
            image_maps=tuple(maps),
            members=members(IMAGE),
            arrays=arrays,
            numbered=index.numbered,
            pixels=tensor(columns.pixels),
            sizes=tensor(columns.sizes),
            part=part,
            kept=self.pack.kept,
        )

    def _classes(self, output: str) -> int:
        answers = {answer.output: answer for answer in _answers(self.pack.index)}
        return len(answers[output].classes if output in answers else self.pack.index.classes)


def tensor(column: Any) -> Tensor:
    """A column as a tensor, which shares its memory."""
    return torch.from_numpy(column)
