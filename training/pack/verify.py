"""Checks a pack: that every file is there and no other, that the index fits the tar files, and that
every member has the bytes that were written."""

from __future__ import annotations

import filecmp
import tarfile
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from ...compiler.commands.terminal import CommandError
from ..data.diagnostic import counted
from ..data.loader.thread_pool import Progress, unwatched
from ..data.packs.columns import FOLDER, make_columns, stamp_of
from ..data.packs.pack_index import (
    INDEX,
    STATE,
    PackedSample,
    PackIndex,
    Shard,
    ShardIndex,
    load_index,
    load_shard,
)
from ..data.sources.file_names import clean
from ..untrusted.bad_file import BadFile
from ..untrusted.open_file import open_regular, size_of

_PIECE = 2**20


@dataclass
class Verified:
    """What was checked, and what is wrong, a line for each fault."""

    shards: int = 0
    samples: int = 0
    bytes: int = 0
    wrong: list[str] = field(default_factory=list)


def verify(folder: Path, *, workers: int = 1, progress: Progress = unwatched) -> Verified:
    """Checks a pack; raises CommandError if there is none."""
    if (folder / STATE).exists():
        raise CommandError(
            f"{clean(str(folder))} is not complete: the `cnn pack` that began it goes on with it"
        )
    if folder.is_dir() and not (folder / INDEX).exists() and not any(folder.glob("*-00000.json")):
        raise CommandError(f"{clean(str(folder))} is not a pack: it has no {INDEX}")
    try:
        index, digest = load_index(folder)
    except BadFile as error:
        raise CommandError(f"{clean(str(folder / INDEX))} {error}") from None
    shards = [shard for each in index.parts.values() for shard in each]
    found = Verified(len(shards))
    progress("checking", 0, len(shards))
    with ThreadPoolExecutor(workers) as pool:
        for done, (shard, wrong) in enumerate(
            zip(shards, pool.map(partial(_wrong_in, folder, index), shards), strict=True), start=1
        ):
            found.samples += shard.samples
            found.bytes += shard.bytes
            found.wrong += wrong
            progress("checking", done, len(shards))
    found.wrong += _extra(folder, shards)
    if not found.wrong:
        found.wrong += _wrong_columns(folder, index, digest)
    return found


def _wrong_columns(folder: Path, index: PackIndex, digest: str) -> list[str]:
    """The columns that are not what the JSON files, which are intact, say."""
    place = folder / FOLDER
    if stamp_of(place) != digest:
        return []  # they are made again before they are read
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch) / FOLDER
        make_columns(fresh, index, digest, partial(load_shard, folder))
        # What is lacking is computed, or all are made again.
        names = sorted(path.name for path in fresh.iterdir() if (place / path.name).exists())
        _, differ, unread = filecmp.cmpfiles(place, fresh, names, shallow=False)
    again = f"remove the folder {FOLDER}, which is made again"
    return [f"{FOLDER}/{name}: it is not what was written; {again}" for name in differ + unread]


def _extra(folder: Path, shards: list[Shard]) -> list[str]:
    known = {shard.tar for shard in shards} | {shard.json for shard in shards} | {INDEX}
    there = sorted(path.name for path in folder.iterdir() if path.suffix in (".tar", ".json"))
    return [f"{clean(name)}: {INDEX} does not list it" for name in there if name not in known]


def _wrong_in(folder: Path, index: PackIndex, shard: Shard) -> list[str]:
    """What is wrong with a tar file and its index."""
    try:
        entries = load_shard(folder, shard)
    except BadFile as error:
        return [f"{shard.json}: {error}"]
    if len(entries.samples) != shard.samples:
        many = counted(len(entries.samples), "sample")
        return [f"{shard.json}: it has {many}, and {INDEX} says {shard.samples:,}"]
    try:
        with open_regular(folder / shard.tar) as file:
            if size_of(file) != shard.bytes:
                return [f"{shard.tar}: it has {size_of(file):,} bytes, not {shard.bytes:,}"]
            if _digest(file) == shard.sha256 == entries.sha256:
                return _misplaced(file, shard, entries)
            return _damaged(file, shard, entries)
    except BadFile as error:
        return [f"{shard.tar}: {error}"]
    except OSError as error:
        return [f"{shard.tar}: cannot be read: {error.strerror}"]


def _digest(file: BinaryIO) -> str:
    digest = sha256()
    while piece := file.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _misplaced(file: BinaryIO, shard: Shard, entries: ShardIndex) -> list[str]:
    """Members of a tar file that are elsewhere than the index says."""
    file.seek(0)
    expected = {
        f"{sample.key}.{ending}": place[:2]
        for sample in entries.samples
        for ending, place in sample.members.items()
    }
    wrong = []
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                place = expected.pop(member.name, None)
                if place is None:
                    wrong.append(f"{shard.tar}: {shard.json} does not list {clean(member.name)}")
                elif place != (member.offset_data, member.size):
                    wrong.append(f"{shard.tar}: {member.name} is not where {shard.json} says")
    except tarfile.TarError as error:
        wrong.append(f"{shard.tar}: it is not a tar file: {error}")
    return wrong + [f"{shard.tar}: {name} is not in it" for name in expected]


def _damaged(file: BinaryIO, shard: Shard, entries: ShardIndex) -> list[str]:
    """The samples of a tar file whose bytes are not those that were written."""
    wrong = []
    for sample in entries.samples:
        for ending, place in sample.members.items():
            file.seek(place.offset)
            if zlib.crc32(file.read(place.size)) != place.crc32:
                wrong.append(_of_sample(shard, sample, ending))
    if wrong:
        return wrong
    return [f"{shard.tar}: bytes between its members are not those that were written"]


def _of_sample(shard: Shard, sample: PackedSample, ending: str) -> str:
    name = clean(sample.name)
    return f"{shard.tar}: {sample.key}.{ending} ({name}) is not what was written"
