"""Writes a pack: the tar files that are not there yet, one after the other, then the index.

Each file is complete, or not there. As long as the index is not written, `packing.json` has a
checksum of what is packed and how: packing goes on only if it is the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import isnan
from pathlib import Path
from typing import Any

from torch import Tensor

from ...compiler.commands.terminal import CommandError, UsageError
from ...compiler.plan.loss import IMAGES
from ...dsl.atomic_file import write_whole, written
from ..checkpoint.run_lock import hold_lock
from ..data.loader.image_source import Arrays, Contents, Files
from ..data.loader.thread_pool import Progress, unwatched
from ..data.packs.columns import keep_columns
from ..data.packs.pack_index import (
    INDEX,
    MAX_SHARD_INDEX,
    STATE,
    LeftOut,
    PackedSample,
    PackIndex,
    Shard,
    ShardIndex,
    checksum,
    load_index,
    load_shard,
    read_shard,
    save_index,
    shard_json,
)
from ..data.packs.packed_files import PackFiles
from ..data.samples.sample_source import Samples
from ..data.sources.class_name_file import CLASS_NAMES
from ..data.sources.file_names import clean
from ..untrusted.bad_file import BadFile
from ..untrusted.open_file import read_bytes
from .prepare import Prepare
from .sample_members import MemberMaker, Members, roles_of
from .shard_plan import PlannedShard, planned
from .tar_writer import TarWriter
from .whole_set import WholeSet
from .workers import Workers, working

SHARD_SIZE = 256 * 10**6


@dataclass(frozen=True, eq=False)
class Packed:
    """What was packed."""

    folder: Path
    index: PackIndex
    written: int
    """The tar files that were written; the others were there."""

    @property
    def bytes(self) -> int:
        return sum(shard.bytes for shards in self.index.parts.values() for shard in shards)


def write_pack(
    whole: WholeSet,
    prepare: Prepare,
    folder: Path,
    *,
    size: int = SHARD_SIZE,
    workers: int = 1,
    progress: Progress = unwatched,
) -> Packed:
    """Packs a data set into a folder, which is new, empty, or has the beginning of the same pack.
    Raises CommandError."""
    request = _request(whole, prepare, size)
    made = not folder.exists()
    try:
        _must_be_ours(folder, request)
        folder.mkdir(parents=True, exist_ok=True)
        with hold_lock(folder, "packed"):
            _clear(folder)
            return _Packing(whole, prepare, folder, size, workers, progress, request).run()
    except OSError as error:
        if made:
            with suppress(OSError):
                folder.rmdir()  # nothing is in it
        raise CommandError(
            f"{clean(str(folder))} cannot be written to: {error.strerror or error}; what is there"
            " is complete, and the same command goes on from it"
        ) from None


def _must_be_ours(folder: Path, request: str) -> None:
    if not os.path.lexists(folder):
        return
    name = clean(str(folder))
    if not folder.is_dir():
        raise UsageError(f"{name} is a file, which is not overwritten")
    known = _request_in(folder)
    if known == request:
        return
    if known:
        raise UsageError(
            f"{name} has a pack of other data, or of other options, which is not overwritten: name"
            " another folder"
        )
    others = [entry.name for entry in folder.iterdir() if entry.name != ".lock"]
    if others:
        raise UsageError(
            f"{name} has other files ({clean(others[0])}), and is not written to: name a new folder"
        )


def _request_in(folder: Path) -> str:
    """What the pack in a folder, or its beginning, is of; empty if there is none."""
    with suppress(BadFile):
        return load_index(folder)[0].request or "?"
    with suppress(BadFile, ValueError):
        value = json.loads(read_bytes(folder / STATE, 4096))
        return str(value["request"]) if isinstance(value, dict) and "request" in value else ""
    for first in sorted(folder.glob("*-00000.json")):  # index.json is damaged, or was removed
        with suppress(BadFile):
            return read_shard(read_bytes(first, MAX_SHARD_INDEX)).request
    return ""


def _clear(folder: Path) -> None:
    """Removes what an interrupted write has left behind."""
    for entry in folder.iterdir():
        name = entry.name
        if name.startswith((".train-", ".val-", ".test-", ".columns.", f".{INDEX}", f".{STATE}")):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)


@dataclass
class _Packing:
    whole: WholeSet
    prepare: Prepare
    folder: Path
    size: int
    workers: int
    progress: Progress
    request: str
    done: int = 0
    """Images that are packed."""
    total: int = 0

    def run(self) -> Packed:
        contents = self.whole.contents
        if not (self.folder / INDEX).exists():
            self._begin()
        makers = {
            part: MemberMaker(source, self.prepare, self.prepare.fit(part), self.whole.inputs)
            for part, source in contents.parts.items()
        }
        plans = {
            part: planned(part, maker, self.size, self.workers) for part, maker in makers.items()
        }
        self.total = sum(map(len, contents.parts.values()))
        shards: dict[str, list[Shard]] = {}
        left_out = [(clean(bad.name), bad.reason) for bad in contents.bad]
        absent = [*_absent_before(contents)]
        count = 0
        self._say()
        with working(makers, self.workers) as workers:
            for part, plan in plans.items():
                for planned_shard in plan:
                    found = self._there(planned_shard)
                    if found is None:
                        self._begin()
                        found = self._write(planned_shard, workers)
                        count += 1
                    else:
                        self.done += planned_shard.stop - planned_shard.start
                        self._say()
                    entry, bad = found
                    shards.setdefault(part, []).append(entry)
                    left_out += [(each.name, each.reason) for each in bad]
                    absent += bad if part == "train" else ()
        index = self._index(shards, left_out, absent)
        if contents.classes and contents.task != IMAGES:
            names = "".join(f"{name}\n" for name in contents.classes)
            write_whole(self.folder / CLASS_NAMES, names.encode("utf-8", "replace"))
        save_index(self.folder, index)
        index, digest = load_index(self.folder)
        keep_columns(self.folder, index, digest, partial(load_shard, self.folder))
        (self.folder / STATE).unlink(missing_ok=True)
        return Packed(self.folder, index, count)

    def _begin(self) -> None:
        """Marks the pack as one that is not complete."""
        if not (self.folder / STATE).exists():
            state = json.dumps({"request": self.request}) + "\n"
            write_whole(self.folder / STATE, state.encode())
        (self.folder / INDEX).unlink(missing_ok=True)

    def _say(self) -> None:
        self.progress("packing", self.done, self.total)

    # ---- one tar file ----

    def _there(self, shard: PlannedShard) -> tuple[Shard, list[LeftOut]] | None:
        """A shard that is written already."""
        try:
            data = read_bytes(self.folder / f"{shard.name}.json", MAX_SHARD_INDEX)
            index = read_shard(data)
            tar = (self.folder / f"{shard.name}.tar").stat()
        except (BadFile, OSError):
            return None
        numbers = [int(sample.key) for sample in index.samples if sample.key.isdecimal()]
        if (
            tar.st_size != index.bytes
            # Files have another size than before, so that shards begin elsewhere.
            or len(numbers) + len(index.left_out) != shard.stop - shard.start
            or not all(shard.start <= number < shard.stop for number in numbers)
            or self._changed_since(tar.st_mtime_ns, shard)
        ):
            return None
        return _entry(shard, index, data), list(index.left_out)

    def _changed_since(self, time: int, shard: PlannedShard) -> bool:
        """Whether a file of a shard has changed since the shard was written; writing it again gives
        the same bytes if its contents are the same."""
        source = self.whole.contents.parts[shard.part]
        return type(source) is Files and any(
            _time_of(path) > time
            for index in range(shard.start, shard.stop)
            for path in (source.path(index), source.labels_file(index))
            if path
        )

    def _write(self, shard: PlannedShard, workers: Workers) -> tuple[Shard, list[LeftOut]]:
        samples: list[PackedSample] = []
        left_out: list[LeftOut] = []
        with written(self.folder / f"{shard.name}.tar") as path, open(path, "wb") as file:
            tar = TarWriter(file)
            for piece in workers.members(shard):
                for index, members in piece:
                    if isinstance(members, str):
                        left_out.append(self._left_out(shard.part, index, members))
                    else:
                        samples.append(self._sample(shard.part, index, members, tar))
                self.done += len(piece)
                self._say()
            digest = tar.end()
        found = ShardIndex(tar.bytes, digest, tuple(samples), tuple(left_out), self.request)
        data = shard_json(found)
        write_whole(self.folder / f"{shard.name}.json", data)
        return _entry(shard, found, data), left_out

    def _sample(self, part: str, index: int, members: Members, tar: TarWriter) -> PackedSample:
        key, label = f"{index:09d}", self._label(part, index)
        source = self.whole.contents.parts[part]
        assert not isinstance(source, Samples)
        name = _name(source, index)
        members_of = dict(members.contents)
        if isinstance(label, int):
            members_of["cls"] = str(label).encode("ascii")
        elif label is not None:
            text = json.dumps({"name": name, "label": label}, ensure_ascii=True)
            members_of["json"] = text.encode("ascii")
        places = {
            ending: tar.add(f"{key}.{ending}", content) for ending, content in members_of.items()
        }
        group = self._group(part, index)
        weight = None if source.weights is None else float(source.weights[index])
        return PackedSample(key, name, places, label, members.pixels, group, weight)

    def _left_out(self, part: str, index: int, reason: str) -> LeftOut:
        source, label = self.whole.contents.parts[part], self._label(part, index)
        assert not isinstance(source, Samples)
        known = label if isinstance(label, int) else None
        return LeftOut(_name(source, index), reason, known, self._group(part, index))

    def _group(self, part: str, index: int) -> str:
        groups = self.whole.contents.groups
        return groups[index] if groups and part == "train" else ""

    def _label(self, part: str, index: int) -> Any:
        """A class number, or a list of numbers; None for masks and images."""
        if self.whole.contents.task in ("segmentation", IMAGES):
            return None
        return plain_label(self.whole.contents.parts[part].labels[index])

    # ---- the index ----

    def _index(
        self,
        shards: Mapping[str, list[Shard]],
        bad: list[tuple[str, str]],
        absent: list[LeftOut],
    ) -> PackIndex:
        contents = self.whole.contents
        train = contents.parts["train"]
        assert not isinstance(train, Samples)
        about = self.prepare.about()
        if contents.answers:
            about["answers"] = [
                each.as_json() | {"complete": each.complete} for each in contents.answers
            ]
        if self.whole.inputs:
            about["inputs"] = [name for name, _ in self.whole.inputs]
        if contents.groups:
            about["groups"] = True
        if any(getattr(source, "weights", None) is not None for source in contents.parts.values()):
            about["weights"] = True
        numbers = train.labels.shape[1] if train.labels.ndim == 2 else 0
        return PackIndex(
            kind=self.prepare.kind,
            task=contents.task,
            classes=contents.classes,
            parts={part: tuple(each) for part, each in shards.items()},
            roles=roles_of(train),
            request=self.request,
            origin=clean(contents.name),  # no path of this computer
            numbered=not isinstance(train, Files)
            or (isinstance(train, PackFiles) and train.numbered),
            label_columns=numbers,
            about=about,
            left_out=tuple(bad),
            absent=tuple(absent),
        )


def _time_of(path: str) -> int:
    try:
        status = os.stat(path)
    except OSError:  # it is named when it is read
        return 0
    return max(status.st_mtime_ns, status.st_ctime_ns)


def _name(source: Arrays | Files, index: int) -> str:
    """What an image is called in the pack; the split is drawn by this name."""
    return clean(source.paths[index]) if isinstance(source, Files) else str(source.number(index))


def _absent_before(contents: Contents) -> Iterator[LeftOut]:
    """The images that a pack, which is packed again, lacks already."""
    absent = contents.absent
    if absent is not None:
        groups = absent.groups or ("",) * len(absent.keys)
        for key, label, group in zip(absent.keys, absent.labels.tolist(), groups, strict=True):
            yield LeftOut(key, "", label, group)


def _entry(shard: PlannedShard, index: ShardIndex, data: bytes) -> Shard:
    return Shard(shard.name, len(index.samples), index.bytes, index.sha256, checksum(data))


def plain_label(label: Tensor) -> Any:
    """A label as JSON has it."""
    value = label.tolist()
    if isinstance(value, list):
        return [None if isnan(number) else number for number in value]
    return value if isinstance(value, int) else [None if isnan(value) else value]


def _request(whole: WholeSet, prepare: Prepare, size: int) -> str:
    """A checksum of what is packed, and how."""
    contents = whole.contents
    digest = hashlib.sha256()

    def add(*values: object) -> None:
        digest.update(repr(values).encode("utf-8", "surrogatepass"))

    add(prepare.kind, prepare.quality, prepare.channels, prepare.depth, size, whole.inputs)
    add(*(sorted((part, str(fit)) for part, fit in (prepare.fits or {}).items())))
    add(contents.task, contents.classes, [answer.as_json() for answer in contents.answers])
    for part, source in contents.parts.items():
        add(part, len(source), roles_of(source))
        for key in source.keys():  # noqa: SIM118
            digest.update(key.encode("utf-8", "surrogatepass") + b"\0")
        digest.update(source.labels.contiguous().numpy().tobytes())
    for group in contents.groups:
        digest.update(group.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()
