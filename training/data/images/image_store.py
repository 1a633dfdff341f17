"""Keeps images in memory, or leaves them in their files; finds those that cannot be used.

Each process of a machine decodes, or checks, a share of them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...augment.random_crop import RandomCrop
from ...runtime.process_group import Processes
from ..dataset import USES
from ..loader.image_source import Arrays, Files, ImageSource, MaskFiles
from ..loader.memory_budget import ORDER, Where, place
from ..loader.order import shared
from ..loader.shared_memory import shared_memory
from ..loader.store import (
    InMemory,
    OnDisk,
    Store,
    bytes_of,
    decoded,
    estimated_bytes,
    fitted,
    whole_in_memory,
    with_mask,
    without,
)
from ..loader.thread_pool import Progress
from ..remote.notes import say
from ..remote.remote_settings import cache_size
from ..samples.sample_source import Samples
from ..samples.sample_store import Found
from .check_files import Bad, unfit_sizes, unusable
from .resize import Fit, larger


@dataclass(frozen=True, eq=False)
class ImageStoring:
    """Decodes images, or checks their files: each process of a machine does a share."""

    channels: int
    """Those of images and masks."""
    device: torch.device
    threads: int
    progress: Progress
    processes: Processes
    budget: int | None
    cache: Path | None
    crop: RandomCrop | None
    """The random crop of training images that is done when they are read."""
    uncropped: bool
    """Whether evaluation is on whole images, which differ in size."""

    def stores(self, parts: Mapping[str, ImageSource], fits: Mapping[str, Fit]) -> Found:
        """Where images are kept, and the images and the bad files of each part."""
        sizes = {
            part: bytes_of(each, fits[part], self.channels)
            for part, each in parts.items()
            if not self._differs(part)
        }
        on_disk = any(isinstance(source, Files) for source in parts.values())
        memory = shared_memory(sum(sizes.values()), self.processes)
        copies = self.processes.local_world if memory is None else 1
        where = place(sum(sizes.values()), self.device, on_disk, copies, self.budget)
        where = max(self.processes.gathered(where), key=ORDER.index)  # memory changes all the time
        pieces: dict[str, Tensor] = {}
        if memory is not None:
            pieces.update(zip(sizes, torch.split(memory, [*sizes.values()]), strict=True))
        del memory
        stores: dict[str, Store] = {}
        bad: dict[str, Bad] = {}
        places = dict.fromkeys(parts, where)
        whole = 0
        for part in filter(self._differs, parts):
            places[part], more = self._place_of_whole(parts[part], sum(sizes.values()) + whole)
            whole += more
        for part in parts:
            stores[part], bad[part] = self._store(
                part, parts[part], fits[part], places[part], pieces.pop(part, None)
            )
        return Found(places.get("train", where), stores, bad, {})

    def _reading(self, source: Files) -> dict[str, Any]:
        """How files that are not photographs alone are checked, with their masks or targets; what
        is remembered of a check depends on it."""
        masks = source.mask_files
        alone = not source.further and source.first_input is None
        if alone and source.depth == 8 and self.channels in (1, 3):
            return {}
        code = "".join(repr(each.code) for each in masks if isinstance(each, MaskFiles))
        how = f"{self.channels} {source.depth} {zlib.crc32(code.encode())}"
        return {"read": lambda index: with_mask(source, index, self.channels), "reader": how}

    def _is_cut(self, part: str) -> bool:
        return self.crop is not None and part == "train"

    def _differs(self, part: str) -> bool:
        """Whether images of a part are kept in their own sizes."""
        return self.uncropped or self._is_cut(part)

    def _place_of_whole(self, source: ImageSource, others: int) -> tuple[Where, int]:
        """Where images are kept that differ in size, so that each process would have a copy of its
        own; and the memory that they take, beside that of `others`."""
        assert isinstance(source, Files)
        if not self.processes.alone:
            return "files", 0
        size = estimated_bytes(source, self.channels)
        in_memory = place(others + size, torch.device("cpu"), True, 1, self.budget) != "files"
        return ("memory", size) if in_memory else ("files", 0)

    def _store(
        self, part: str, source: ImageSource, fit: Fit, where: Where, memory: Tensor | None
    ) -> tuple[Store, Bad]:
        kept = self.device if where == "device" else torch.device("cpu")
        place = None
        if memory is not None:
            assert not isinstance(source, Samples)
            place = memory.view(source.dtype).view(len(source), self.channels, *fit.crop)
        if isinstance(source, Arrays):
            return self._of_arrays(source, fit, kept, place), {}
        assert isinstance(source, Files)
        crop = self.crop if self._is_cut(part) else None
        share = shared(0, len(source), *self.processes.local)
        if where == "files" and _too_many_to_check(source):
            say(
                f"the images for {USES[part]} are more than half of the cache, and are not checked"
                " before training: one that cannot be read ends it",
                f"unchecked {part}",
            )
            return OnDisk(source, fit, self.channels, crop, uncropped=self.uncropped), {}
        if where == "files":
            largest = fit if crop is None or crop.fit is None else larger(fit, crop.fit)
            bad = self._merged(lambda: self._unusable(part, source, largest, share))
            left = _without(source, bad)
            return OnDisk(left, fit, self.channels, crop, uncropped=self.uncropped), bad
        if self._differs(part):
            return whole_in_memory(
                source,
                fit,
                self.channels,
                crop,
                self.threads,
                uncropped=self.uncropped,
                what=f"reading the images for {USES[part]}",
                progress=self.progress,
            )
        images = torch.empty(0)

        def decode() -> Bad:
            nonlocal images
            images, bad = decoded(
                source,
                fit,
                self.channels,
                self.threads,
                what=f"reading the images for {USES[part]}",
                progress=self.progress,
                into=place,
                share=share if place is not None else slice(None),
            )
            return bad

        bad = self._merged(decode)
        if place is None:
            images = without(images, bad)
        else:  # one process moves the images together for all

            def move() -> None:
                if self.processes.local.rank == 0:
                    without(place, bad)

            self.processes.together(move)
            images = place[: len(source) - len(bad)]
        return InMemory.kept(
            lambda: images, _without(source, bad), kept, self.processes.together
        ), bad

    def _unusable(self, part: str, source: Files, fit: Fit, share: slice) -> Bad:
        if source.known_sizes is not None:
            return unfit_sizes(source, source.known_sizes, fit)
        return unusable(
            source,
            fit,
            self.threads,
            what=f"checking the files for {USES[part]}",
            progress=self.progress,
            cache=self.cache,
            share=share,
            **self._reading(source),
        )

    def _of_arrays(
        self, source: Arrays, fit: Fit, kept: torch.device, place: Tensor | None
    ) -> InMemory:
        """Arrays, resized and cropped: at a place that all processes of this machine see, where the
        first of them puts them, or in this process alone."""

        def own() -> Tensor:
            if source.images.is_meta:
                raise MemoryError("there is not enough shared memory for the images")
            return fitted(source, fit, self.channels)

        if place is None:
            return InMemory.kept(own, source, kept, self.processes.together)

        def put() -> None:
            if self.processes.local.rank == 0:
                fitted(source, fit, self.channels, place)

        self.processes.together(put)
        return InMemory.kept(lambda: place, source.without_pixels(), kept, self.processes.together)

    def _merged(self, work: Callable[[], Bad]) -> Bad:
        """The bad files that any process has found: all must leave out the same."""
        found = self.processes.together(work)
        return dict(sorted({i: why for bad in reversed(found) for i, why in bad.items()}.items()))


def _too_many_to_check(source: Files) -> bool:
    """Whether checking images elsewhere would fetch them in vain: the cache would not keep them."""
    if not source.elsewhere:
        return False
    return float(source.bytes_of(torch.arange(len(source))).sum()) > cache_size() / 2


def _without(source: Files, bad: Bad) -> Files:
    if not bad:
        return source
    good = [index for index in range(len(source)) if index not in bad]
    return source.select(torch.tensor(good, dtype=torch.int64))
