"""Decides which images are in which tar file. That depends on the data and the options alone, so
that packing can be interrupted, and done by any number of workers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from ..data.images.image_file import BadImage
from ..data.loader.image_source import Arrays, Files, ImageSource
from .sample_members import MemberMaker
from .tar_writer import stored_bytes

_SAMPLE = 32
"""The images whose bytes say how many go into a shard, where files do not say it."""
MOST_SAMPLES = 1_000_000


class PlannedShard(NamedTuple):
    """A tar file that is to be written."""

    part: str
    number: int
    start: int
    stop: int
    """The images of the part that are in it, before those that cannot be read are left out."""

    @property
    def name(self) -> str:
        return f"{self.part}-{self.number:05d}"


def planned(part: str, maker: MemberMaker, size: int, threads: int) -> list[PlannedShard]:
    """The shards of a part, each of at most about `size` bytes."""
    source = maker.source
    sizes = _sizes(source, maker, threads)
    shards: list[PlannedShard] = []
    start = used = 0
    for index, own in enumerate(sizes):
        if index > start and (used + own > size or index - start >= MOST_SAMPLES):
            shards.append(PlannedShard(part, len(shards), start, index))
            start, used = index, 0
        used += own
    if len(sizes) > start or not shards:
        shards.append(PlannedShard(part, len(shards), start, len(sizes)))
    return shards


def _sizes(source: ImageSource, maker: MemberMaker, threads: int) -> Sequence[int]:
    """About the bytes that each image takes in a tar file."""
    count = len(source)
    alone = type(source) is Files and not source.further and source.first_input is None
    if alone and maker.prepare.kind == "jpeg":
        with ThreadPoolExecutor(max(8, threads)) as pool:
            return list(pool.map(_size_of_file(source), range(count), chunksize=256))
    known = []
    chosen = range(0, count, max(1, count // _SAMPLE))
    for index in chosen[:1] if isinstance(source, Arrays) else chosen:
        try:
            contents = maker(index).contents.values()
        except BadImage:
            continue
        known.append(sum(stored_bytes(len(each)) for each in contents))
    mean = sum(known) // len(known) if known else 1
    return [mean + _LABEL] * count


_LABEL = 1024


def _size_of_file(files: ImageSource) -> Callable[[int], int]:
    def size(index: int) -> int:
        try:
            return stored_bytes(os.stat(files.path(index)).st_size) + _LABEL
        except OSError:  # it is named when it is read
            return 0

    return size
