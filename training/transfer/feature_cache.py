"""`cache features`: what frozen layers compute is computed once, kept in a file, and read again in
later epochs and runs.

A file is mapped into memory, and holds a row of numbers for each image and each augmented version
of it. What the frozen layers are in evaluation they are here: the same numbers, if batches are as
large as those that are learned from.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy
import torch
from numpy.lib.format import open_memmap
from torch import Tensor, nn

from ...compiler.network import Network
from ...compiler.plan.transfer import Cache
from ...compiler.report.figures import data_size
from ...dsl.diagnostics import Diagnostic, SpecError
from ..checkpoint.run_folder import shown
from ..data.images.preprocessing import Preparation
from ..data.loader.batches import Batch, Batches, Sharing
from ..data.loader.order import shared
from ..data.loader.store import InMemory
from ..data.open import Opened
from ..data.sources.file_names import resolve
from ..optim.precision import Precision
from ..runtime.process_group import Processes
from ..trainer.callbacks import Callback
from ..untrusted.bad_file import BadFile, guarded
from ..untrusted.open_file import open_regular
from .cache_key import keys_of
from .compute_features import Computing
from .split_network import Cut, cut_at

FOLDER = "features"
"""Beside the folders of runs."""
SPARE = 0.05
"""Of a disk: what is left free."""


class _Ready(Preparation):
    """Of what is computed already."""

    def prepare(self, images: Tensor) -> Tensor:
        return images


class _Batches(Batches):
    """Each epoch has its version of the images."""

    passes: tuple[InMemory, ...]

    def __call__(self, epoch: int = 0, position: int = 0) -> Iterator[Batch]:
        self.store = self.passes[epoch % len(self.passes)]
        return super().__call__(epoch, position)


@dataclass(frozen=True, eq=False)
class CachedFeatures:
    """The same data as features; `cut` says what they are features of."""

    cut: Cut
    data: Opened
    passes: tuple[InMemory, ...]

    def training(self, seed: int, sharing: Sharing) -> Batches:
        train = self.data.plan.train
        found = _Batches(
            self.passes[0],
            train.batch.size,
            self.data.device,
            shuffle=True,
            seed=seed,
            drop_last=train.batch.drop_last,
            sharing=sharing,
        )
        found.passes = self.passes
        return found


@dataclass(frozen=True, eq=False, kw_only=True)
class FeatureCache:
    """All that is needed to compute features, or to find them."""

    directive: Cache
    network: Network
    module: nn.Module
    frozen: frozenset[int]
    data: Opened
    precision: Precision
    base: Path
    """The folder from which the spec's paths begin."""
    run: Path
    callback: Callback
    processes: Processes

    def open(self) -> CachedFeatures:
        """Raises SpecError where nothing can be kept, or there is no room for it."""
        cut = None
        if not self.network.aux:
            cut = cut_at(self.network, self.module, self.frozen, self.precision)
        if cut is None:
            raise SpecError([self._not_to_be_cut()])
        early = cut.early(self.module)
        changes: dict[str, tuple[str, ...]] = {"train": self._changes(), "val": ()}
        keys = keys_of(early, self.data, self.precision, changes)
        folder = self._folder()
        files = {part: folder / f"{key}.npy" for part, key in keys.items()}
        self._fill(early, cut, files)
        rows = {part: _mapped(file, self._wanted(part, cut)) for part, file in files.items()}
        stores = self.data.stores
        passes = tuple(
            InMemory(each[:, :, None, None], stores["train"].labels.cpu(), stores["train"].source)
            for each in rows["train"]
        )
        val = InMemory(rows["val"][0][:, :, None, None], stores["val"].labels.cpu(),
                       stores["val"].source)  # fmt: skip
        known = self.data.preparation
        ready = _Ready(**{field.name: getattr(known, field.name) for field in fields(known)})
        opened = replace(self.data, stores={"train": passes[0], "val": val}, preparation=ready)
        return CachedFeatures(cut, opened, passes)

    # ---- where, and how much ----

    @property
    def _passes(self) -> int:
        return (self.directive.passes or 1) if self.data.plan.augment else 1

    def _changes(self) -> tuple[str, ...]:
        """What happens to images that are learned from, and is drawn by the plan's seed."""
        plan = self.data.plan
        if not plan.augment:
            return ()
        return (*map(str, plan.augment), str(plan.train.seed), str(self._passes))

    def _folder(self) -> Path:
        if self.directive.folder is not None:
            return resolve(self.directive.folder, self.base)
        return self.run.parent / FOLDER

    def _wanted(self, part: str, cut: Cut) -> tuple[int, int, int]:
        passes = self._passes if part == "train" else 1
        return passes, len(self.data.stores[part]), cut.numbers

    def _fill(self, early: nn.Module, cut: Cut, files: Mapping[str, Path]) -> None:
        """Raises SpecError in all processes, whichever of them has a reason."""
        missing: dict[str, Path] = {}

        def look() -> None:
            for part, file in files.items():
                if not _is_whole(file, self._wanted(part, cut)):
                    missing[part] = file
            if missing:
                self._must_have_room(cut, missing)
                return
            size = sum(file.stat().st_size for file in files.values())
            line = f"features: {data_size(size)}, read back from {shown(self._folder())}"
            self.callback.note(line)

        self._together(look, mine=self.processes.writes)
        missing = self.processes.told(missing)
        if missing:
            began = time.perf_counter()
            self._compute(early, cut, missing)
            self.callback.note(f"features: computed in {time.perf_counter() - began:.1f} s")

    def _together(self, work: Callable[..., None], *about: Any, mine: bool = True) -> None:
        """Done by those whose work it is; what goes wrong with one of them ends all."""
        wrong: tuple[Diagnostic, ...] = ()
        try:
            if mine:
                work(*about)
        except SpecError as error:
            wrong = error.diagnostics
        except OSError as error:
            wrong = (self._unwritable(error),)
        wrong = next(filter(None, self.processes.gathered(wrong)), ())
        if wrong:
            raise SpecError(wrong)

    def _must_have_room(self, cut: Cut, missing: Mapping[str, Path]) -> None:
        """Says first how much it will be."""
        folder = self._folder()
        wanted = [self._wanted(part, cut) for part in missing]
        size = sum(4 * passes * images * numbers for passes, images, numbers in wanted)
        folder.mkdir(parents=True, exist_ok=True)
        disk = shutil.disk_usage(folder)
        images = " + ".join(
            f"{passes} x {images:,}" if passes > 1 else f"{images:,}"
            for passes, images, _ in wanted
        )
        self.callback.note(
            f"features: {images} images, {cut.numbers:,} numbers each, are {data_size(size)} in"
            f" {shown(folder)}, where {data_size(disk.free)} are free"
        )
        if not self.processes.alone:
            size *= 2  # the shares are there until they have been put together
        if size > disk.free - SPARE * disk.total:
            message = (
                f"features take {data_size(size)}, and the disk of {shown(folder)} has"
                f" {data_size(disk.free)} free"
            )
            help = (
                'name a folder on another disk: `cache features folder="…"`; freeze up to a'
                " later part, after which feature maps are smaller; or take `cache` out"
            )
            raise SpecError([Diagnostic("no-room", message, self.directive.span, help=help)])

    def _compute(self, early: nn.Module, cut: Cut, files: Mapping[str, Path]) -> None:
        """Each file whole or not at all. Each process writes its share into a file of its own."""
        mine = f"{self.processes.rank}.{os.getpid()}.partial"
        own = {part: file.with_suffix(f".{mine}") for part, file in files.items()}
        maps: dict[str, numpy.memmap[Any, Any]] = {}

        def begin() -> None:
            for part, path in own.items():
                passes, images, numbers = self._wanted(part, cut)
                share = shared(0, images, *self.processes.sharing)
                shape = (passes, share.stop - share.start, numbers)
                maps[part] = open_memmap(path, "w+", numpy.float32, shape)

        def compute(part: str) -> None:
            computing.part(part)
            maps[part].flush()

        try:
            self._together(begin)
            rows = {part: torch.from_numpy(each) for part, each in maps.items()}
            computing = Computing(
                early, self.data, self.precision, rows, self.callback, self.processes.sharing
            )
            for part, file in files.items():
                self._together(compute, part)
                shares = self.processes.gathered(own[part])
                self._together(_join, shares, file, mine=self.processes.writes)
        except KeyboardInterrupt:
            self.callback.note("interrupted before training started; the features are incomplete")
            raise
        finally:
            for path in own.values():
                path.unlink(missing_ok=True)

    # ---- what may be wrong ----

    def _not_to_be_cut(self) -> Diagnostic:
        if self.network.aux:
            message = (
                "features cannot be cached for a network with auxiliary heads, which are "
                "active in training"
            )
            help = "take `cache` out"
        else:
            message = "no layers from the input on are frozen, so there are no features to cache"
            help = "freeze from the input on: `freeze until …`"
        return Diagnostic("no-features", message, self.directive.span, help=help)

    def _unwritable(self, error: OSError) -> Diagnostic:
        reason = error.strerror or type(error).__name__
        message = f"cannot write features to {shown(self._folder())}: {reason}"
        help = 'name another folder: `cache features folder="…"`'
        return Diagnostic("unwritable", message, self.directive.span, help=help)


def _join(shares: Sequence[Path], file: Path) -> None:
    """One after the other; the first is removed where it is all there is."""
    whole = shares[0]
    if len(shares) > 1:
        whole = file.with_suffix(f".{os.getpid()}.partial")
        parts = [numpy.load(share, mmap_mode="r") for share in shares]
        images = sum(part.shape[1] for part in parts)
        rows = open_memmap(whole, "w+", numpy.float32, (len(parts[0]), images, parts[0].shape[2]))
        try:
            numpy.concatenate(parts, axis=1, out=rows)
            rows.flush()
        except OSError:
            whole.unlink(missing_ok=True)
            raise
    os.replace(whole, file)


def _is_whole(file: Path, shape: tuple[int, int, int]) -> bool:
    try:
        open_regular(file).close()
        with guarded():
            rows = numpy.load(file, mmap_mode="r", allow_pickle=False)
        return bool(rows.shape == shape and rows.dtype == numpy.float32)
    except BadFile:
        return False


def _mapped(file: Path, shape: tuple[int, int, int]) -> Tensor:
    """Its pages are read when they are needed; what is changed in memory is not written."""
    rows = numpy.load(file, mmap_mode="c")
    assert rows.shape == shape
    return torch.from_numpy(rows)
