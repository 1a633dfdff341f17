"""Keeps series and scans in memory, or leaves them in their files; finds those that cannot be used.

Samples of the size that the network takes are one tensor, on the device if there is room. Training
samples that are longer are kept whole, and cut at random for each batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from ....compiler.shapes import Shape
from ...augment.random_part import RandomPart
from ...runtime.process_group import Processes
from ..images.check_files import Bad
from ..images.image_file import BadImage
from ..loader.image_source import Arrays, ImageSource
from ..loader.memory_budget import ORDER, Where, place
from ..loader.order import shared
from ..loader.shared_memory import shared_memory
from ..loader.store import InMemory, Store, WholeImages
from ..loader.thread_pool import Progress, each
from .sample_fit import SampleFit
from .sample_source import Samples

_CHUNK = 1024
_ESTIMATED = 64
"""The samples that are read to estimate the size of all."""


@dataclass(frozen=True, eq=False)
class WholeSamples(WholeImages):
    """Samples that are cut, or padded, for each batch."""

    fit: SampleFit
    kept: Sequence[Tensor] | None
    """The samples in memory; None if they are read each time."""
    bytes_of_one: int
    """The bytes of a number."""

    @property
    def bytes_of_number(self) -> int:
        return self.bytes_of_one

    @property
    def in_memory(self) -> bool:
        return self.kept is not None

    def whole(self, index: int) -> Tensor:
        if self.kept is not None:
            return self.kept[index]
        assert isinstance(self.source, Samples)
        return self.source.read(index)

    def read_whole(self, index: int) -> Tensor:
        return self.fit.padded(super().read_whole(index), masks=self.source.masks)


class Found(NamedTuple):
    """The stores of all parts."""

    where: Where
    stores: dict[str, Store]
    bad: dict[str, Bad]
    sizes: dict[str, list[Shape]]
    """The sizes of all good samples of a part, along their axes."""


@dataclass(frozen=True, eq=False)
class SampleStoring:
    """Reads the samples of all parts."""

    fit: SampleFit
    channels: int
    """Those of a sample and of its mask."""
    seed: int
    """Of random crops."""
    device: torch.device
    threads: int
    progress: Progress
    processes: Processes
    budget: int | None
    uncropped: bool
    """Whether evaluation is on whole samples, which differ in size."""
    what: Callable[[str], str]
    """What is done for a part, in words for the progress: `reading the series for training`."""

    def stores(self, parts: Mapping[str, ImageSource]) -> Found:
        sizes = {part: self._bytes(source) for part, source in parts.items()}
        files = [s for s in parts.values() if isinstance(s, Samples) and not s.reader.in_memory]
        memory = shared_memory(
            sum(size for part, size in sizes.items() if isinstance(parts[part], Arrays)),
            self.processes,
        )
        copies = self.processes.local_world if memory is None or files else 1
        where = place(sum(sizes.values()), self.device, bool(files), copies, self.budget)
        where = max(self.processes.gathered(where), key=ORDER.index)
        found = Found(where, {}, {}, {})
        at = 0
        for part, source in parts.items():
            if isinstance(source, Arrays):
                piece = None
                if memory is not None:
                    piece = memory[at : at + sizes[part]].view(source.images.dtype)
                    at += sizes[part]
                store, bad, own = self._of_arrays(part, source, where, piece)
            else:
                assert isinstance(source, Samples)
                store, bad, own = self._of_samples(part, source, where)
            found.stores[part], found.bad[part], found.sizes[part] = store, bad, own
        in_batches = isinstance(found.stores.get("train"), InMemory)
        return found if where == "files" or in_batches else found._replace(where="memory")

    # ---- arrays ----

    def _of_arrays(
        self, part: str, source: Arrays, where: Where, memory: Tensor | None
    ) -> tuple[Store, Bad, list[Shape]]:
        size = tuple(source.images.shape[2:])
        samples = source.images
        if memory is not None:
            samples = memory.view(source.images.shape)
            self.processes.together(lambda: self._put(samples, source.images))
            source = source.without_pixels()
        elif samples.is_meta:
            raise MemoryError("there is not enough shared memory for the samples")
        if self.fit.too_short(size):
            return self._whole(part, source, samples), {}, [size] * len(source)
        if (part == "train" or self.uncropped) and size != self.fit.crop:
            return self._whole(part, source, samples), {}, [size] * len(source)
        return self._together(source, self._fitted(samples, source.masks), where), {}, [size]

    def _put(self, to: Tensor, samples: Tensor) -> None:
        if self.processes.local.rank == 0:
            to.copy_(samples)

    def _fitted(self, samples: Tensor, masks: int) -> Tensor:
        if tuple(samples.shape[2:]) == self.fit.crop and not self.fit.each:
            return samples
        parts = [self.fit(part, masks=masks) for part in torch.split(samples, _CHUNK)]
        return torch.cat(parts)

    # ---- samples that are read one by one ----

    def _of_samples(
        self, part: str, source: Samples, where: Where
    ) -> tuple[Store, Bad, list[Shape]]:
        keep = where != "files"
        mine = range(len(source)) if keep else range(len(source))[
            shared(0, len(source), *self.processes.local)
        ]  # fmt: skip

        def one(place: int) -> Tensor | Shape | str:
            try:
                sample = source.read(mine[place])
            except BadImage as error:
                return error.reason
            return sample if keep else tuple(sample.shape[1:])

        def read() -> list[Tensor | Shape | str]:
            return each(one, len(mine), self.threads, self.what(part), self.progress)

        if keep:
            results = read()
        else:
            gathered = self.processes.together(read)
            first = self.processes.rank - self.processes.local.rank
            together = gathered[first : first + self.processes.local_world]
            results = [result for share in together for result in share]
        bad = {index: result for index, result in enumerate(results) if isinstance(result, str)}
        good = torch.tensor([index for index in range(len(source)) if index not in bad]).long()
        source = source.select(good)
        if not keep:
            sizes = [result for result in results if isinstance(result, tuple)]
            return self._whole(part, source, None), bad, sizes
        kept = [result for result in results if isinstance(result, Tensor)]
        kinds = {sample.dtype for sample in kept}
        if len(kinds) > 1:
            kept = [sample.float() for sample in kept]
        sizes = [tuple(sample.shape[1:]) for sample in kept]
        same = all(size == self.fit.crop for size in sizes)
        apart = not same and (part == "train" or self.uncropped)
        if not kept or any(map(self.fit.too_short, sizes)) or apart:
            return self._whole(part, source, kept), bad, sizes
        samples = torch.stack([self.fit(sample, masks=source.masks) for sample in kept])
        return self._together(source, samples, where), bad, sizes

    # ---- stores ----

    def _whole(
        self, part: str, source: Arrays | Samples, kept: Tensor | Sequence[Tensor] | None
    ) -> WholeSamples:
        fit = self.fit
        if kept is not None and fit.each:
            kept = [fit.whole(sample, masks=source.masks) for sample in kept]
            fit = replace(fit, each=False)
        crop = RandomPart(fit, self.seed) if part == "train" else None
        return WholeSamples(
            source, fit, self.channels, crop,
            kept if kept is None else list(kept),
            kept[0].element_size() if kept is not None and len(kept) else 4,
            uncropped=self.uncropped,
        )  # fmt: skip

    def _together(self, source: Arrays | Samples, samples: Tensor, where: Where) -> InMemory:
        """The samples on the device where they are kept."""
        kept = self.device if where == "device" else torch.device("cpu")
        return InMemory.kept(lambda: samples, source, kept, self.processes.together)

    def _bytes(self, source: ImageSource) -> int:
        """The bytes of all samples: of arrays exactly, else about."""
        if isinstance(source, Arrays):
            return source.images.numel() * source.images.element_size()
        assert isinstance(source, Samples)
        chosen = range(0, len(source), max(1, len(source) // _ESTIMATED))
        sizes = []
        for index in chosen:
            with suppress(BadImage):
                sample = source.read(index)
                sizes.append(sample.numel() * sample.element_size())
        usual = self.channels * prod(self.fit.crop) * 4
        return round(sum(sizes) / max(1, len(sizes)) * len(source)) or usual * len(source)
