"""Counts the classes of a pack; errors about its index. Needs no torch."""

from __future__ import annotations

from pathlib import Path

from ....compiler.plan.data import Data, Shards
from ....dsl.diagnostics import SpecError
from ...untrusted.bad_file import BadFile as Unreadable
from ..diagnostic import problem
from ..remote.address import is_remote
from ..sources.file_names import clean, resolve
from .pack_index import INDEX, STATE, PackIndex, is_pack, load_index
from .remote_pack import index_elsewhere


def packed_folder(data: Shards, base: Path) -> Path | None:
    """The folder of a pack with an index, or, for a pack elsewhere, one with a copy of its index;
    None if tar files have none. Raises SpecError."""
    if is_remote(data.path):
        return index_elsewhere(data)
    folder = resolve(data.path, base)
    if folder.name == INDEX and is_pack(folder.parent):
        folder = folder.parent
    if (folder / STATE).is_file():
        raise problem(
            "bad-file",
            f"the pack {clean(folder.name)} is not complete",
            data,
            help="run the `cnn pack` that began it again: it goes on with what is missing",
        )
    return folder if is_pack(folder) else None


def unusable_pack(data: Data, name: str, error: Unreadable) -> SpecError:
    return problem(
        "bad-file",
        f"the pack {name} cannot be read: it {error}",
        data,
        help=f"`cnn pack --verify {name}` says what is wrong with it",
    )


def pack_index(data: Data, folder: Path) -> PackIndex:
    """Its index alone; raises SpecError."""
    try:
        return load_index(folder)[0]
    except Unreadable as error:
        raise unusable_pack(data, folder.name, error) from None


def count_in_pack(data: Data, folder: Path, *, as_numbers: bool = False) -> int:
    """The number of classes, or of numbers for each image."""
    index = pack_index(data, folder)
    if as_numbers and index.task == "classification":
        return 1
    return len(index.classes)
