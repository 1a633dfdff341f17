"""`cache features`: the outputs of frozen layers, computed once and kept in files for all epochs.

Later runs with the same frozen layers read them, too. A file is mapped into memory, or copied to a
GPU if it fits; it has one row of numbers for each image and each augmented version of it, and with
them its mask or the image to answer, which augmentation moves along. The
frozen layers are in evaluation mode, and batches have the training batch size, so the numbers are
the same as without a cache.

In distributed training, each process computes its share. On machines without a common disk, each
gets a file of its own, and one that lacks a file gets the numbers from a machine that has it.
"""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy
import torch
from numpy.lib.format import open_memmap
from torch import Tensor, nn

from ...compiler.network import Network
from ...compiler.plan.directive import Directive
from ...compiler.plan.transfer import Cache
from ...compiler.report.figures import data_size
from ...dsl.diagnostics import Diagnostic, SpecError
from ..checkpoint.run_folder import shown
from ..data.images.preprocessing import Preparation
from ..data.loader.batches import Batch, Batches
from ..data.loader.memory_budget import device_budget
from ..data.loader.order import Sharing, shared
from ..data.loader.store import InMemory
from ..data.opened import Opened
from ..data.sources.file_names import resolve
from ..optim.precision import Precision
from ..runtime.process_group import Processes
from ..trainer.callbacks import Callback
from ..untrusted.bad_file import BadFile, guarded
from ..untrusted.open_file import open_regular
from .cache_key import keys_of
from .compute_features import Computing, answer_shape
from .split_network import Cut, cut_at

FOLDER = "features"
"""The name of the folder beside the run folders."""
SPARE = 0.05
"""The share of a disk that is left free."""
_SENT = 1024
"""Images whose numbers are sent together to other machines."""


class _Unchanged(Preparation):
    """The preprocessing of features: none."""

    def prepare(self, images: Tensor) -> Tensor:
        return images


class _Features(InMemory):
    """Features of images; their labels are not among their channels."""

    masks = maps = 0


class _Batches(Batches):
    """Batches of features; each epoch uses one of the augmented versions of the images."""

    passes: tuple[InMemory, ...]

    def __call__(self, epoch: int = 0, position: int = 0) -> Generator[Batch]:
        self.store = self.passes[epoch % len(self.passes)]
        return super().__call__(epoch, position)


@dataclass(frozen=True, eq=False)
class CachedFeatures:
    """The data as features; `cut` is the place where the network was split."""

    cut: Cut
    data: Opened
    passes: tuple[InMemory, ...]

    def training(self, seed: int, sharing: Sharing) -> Batches:
        train = self.data.plan.train
        batches = _Batches(
            self.passes[0],
            train.batch.size,
            self.data.device,
            shuffle=True,
            seed=seed,
            drop_last=train.batch.drop_last,
            sharing=sharing,
        )
        batches.passes = self.passes
        return batches


@dataclass(frozen=True, eq=False, kw_only=True)
class FeatureCache:
    """Computes features, or finds those of an earlier run."""

    directive: Cache
    network: Network
    module: nn.Module
    frozen: frozenset[int]
    data: Opened
    precision: Precision
    base: Path
    """The folder that paths in the spec are relative to."""
    run: Path
    callback: Callback
    processes: Processes

    def open(self) -> CachedFeatures:
        """The features, computed if necessary. Raises SpecError if there is nothing to cache, or
        not enough disk space."""
        cut = None
        if not self.network.aux:
            cut = cut_at(self.network, self.module, self.frozen, self.precision)
        if cut is None:
            raise SpecError([self._cannot_split()])
        early = cut.early(self.module)
        degrade = self.data.plan.train.degrade
        changes = {"train": self._changes(), "val": tuple(map(str, degrade))}
        keys = self.processes.from_first(lambda: keys_of(early, self.data, self.precision, changes))
        folder = self._folder()
        files = {part: folder / f"{key}.npy" for part, key in keys.items()}
        self._fill(early, cut, files)
        mapped = {part: _mapped(file, self._shape(part, cut)) for part, file in files.items()}
        rows = on_device(mapped, self.data.device)
        if rows is not mapped:
            self.callback.note("features stay on the device")
        passes, (val,) = ([self._store(part, each, cut) for each in rows[part]] for part in files)
        known = self.data.preparation
        unchanged = _Unchanged(
            **{field.name: getattr(known, field.name) for field in fields(known)}
        )
        stores = {"train": passes[0], "val": val}
        opened = replace(self.data, stores=stores, preparation=unchanged, pairs=None)
        return CachedFeatures(cut, opened, tuple(passes))

    def _store(self, part: str, rows: Tensor, cut: Cut) -> InMemory:
        images = self.data.stores[part]
        features, answers = rows[:, : cut.numbers, None, None], rows[:, cut.numbers :]
        labels = images.labels.to(rows.device)
        if self._answer:
            labels = answers.view(len(answers), *self._answer)
            labels = labels.to(torch.uint8) if images.masks and images.labels.ndim == 1 else labels
        return _Features(features, labels, images.source)

    @cached_property
    def _answer(self) -> tuple[int, ...]:
        return answer_shape(self.data)

    # ---- where, and how much ----

    @property
    def _passes(self) -> int:
        return (self.directive.passes or 1) if self._changed else 1

    @property
    def _changed(self) -> tuple[Directive, ...]:
        """What changes the images at random in training."""
        return (*self.data.plan.augment, *self.data.plan.train.degrade)

    def _changes(self) -> tuple[str, ...]:
        """What changes training images, and its seed, in words."""
        seed = self.data.plan.train.seed
        return (*map(str, self._changed), str(seed), str(self._passes)) if self._changed else ()

    def _folder(self) -> Path:
        if self.directive.folder is not None:
            return resolve(self.directive.folder, self.base)
        return self.run.parent / FOLDER

    def _shape(self, part: str, cut: Cut) -> tuple[int, int, int]:
        """The shape of the features of a part: passes, images, numbers for each image."""
        passes = self._passes if part == "train" else 1
        return passes, len(self.data.stores[part]), cut.numbers + math.prod(self._answer or (0,))

    @property
    def _keeps(self) -> bool:
        """Whether this process looks after the files of its machine."""
        return self.processes.local.rank == 0

    def _fill(self, early: nn.Module, cut: Cut, files: Mapping[str, Path]) -> None:
        """Computes the files that no machine has, and sends the others to machines that lack them.
        If one process fails, all of them raise SpecError."""
        held: list[str] = []

        def look() -> None:
            held.extend(part for part in files if _is_complete(files[part], self._shape(part, cut)))
            lacking = {part: file for part, file in files.items() if part not in held}
            if lacking:
                self._must_have_room(cut, lacking)
                return
            size = sum(file.stat().st_size for file in files.values())
            line = f"features: {data_size(size)}, read back from {shown(self._folder())}"
            self.callback.note(line)

        self._together(look, mine=self._keeps)
        everywhere = self.processes.gathered(held if self._keeps else None)
        of_machines = {rank: parts for rank, parts in enumerate(everywhere) if parts is not None}
        missing = {
            part: file
            for part, file in files.items()
            if not any(part in parts for parts in of_machines.values())
        }
        if missing:
            began = time.perf_counter()
            self._compute(early, cut, missing)
            self.callback.note(f"features: computed in {time.perf_counter() - began:.1f} s")
        for part, file in files.items():
            having = [rank for rank, parts in of_machines.items() if part in parts]
            if part not in missing and len(having) < len(of_machines):
                shape = self._shape(part, cut)
                rows = _mapped(file, shape) if part in held else None
                self._send({having[0]: slice(0, shape[1])}, rows, file, shape)

    def _together(self, work: Callable[..., None], *about: Any, mine: bool = True) -> None:
        """Runs `work` in the processes for which `mine` is true. An error in one of them is raised
        in all."""
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
        """Notes the size of the features; raises SpecError if the disk has not enough space."""
        folder = self._folder()
        shapes = [self._shape(part, cut) for part in missing]
        size = sum(4 * passes * images * numbers for passes, images, numbers in shapes)
        folder.mkdir(parents=True, exist_ok=True)
        disk = shutil.disk_usage(folder)
        images = " + ".join(
            f"{passes} x {images:,}" if passes > 1 else f"{images:,}"
            for passes, images, _ in shapes
        )
        self.callback.note(
            f"features: {images} images with {cut.numbers:,} numbers each take {data_size(size)} in"
            f" {shown(folder)} ({data_size(disk.free)} free)"
        )
        if not self.processes.alone:
            size *= 2  # the files of all processes exist until they have been joined
        if size > disk.free - SPARE * disk.total:
            message = (
                f"features take {data_size(size)}, but the disk of {shown(folder)} has only"
                f" {data_size(disk.free)} free"
            )
            help = (
                'name a folder on another disk: `cache features folder="…"`; freeze up to a'
                " later part, after which feature maps are smaller; or remove `cache`"
            )
            raise SpecError([Diagnostic("no-room", message, self.directive.span, help=help)])

    def _compute(self, early: nn.Module, cut: Cut, files: Mapping[str, Path]) -> None:
        """Computes the files; each appears only when it is complete. Each process writes its share
        into a file of its own."""
        mine = f"{self.processes.rank}.{os.getpid()}.partial"
        own = {part: file.with_suffix(f".{mine}") for part, file in files.items()}
        maps: dict[str, numpy.memmap[Any, Any]] = {}

        def create_files() -> None:
            for part, path in own.items():
                passes, images, numbers = self._shape(part, cut)
                share = shared(0, images, *self.processes.sharing)
                shape = (passes, share.stop - share.start, numbers)
                maps[part] = open_memmap(path, "w+", numpy.float32, shape)

        def compute(part: str) -> None:
            computing.part(part)
            maps[part].flush()

        try:
            self._together(create_files)
            rows = {part: torch.from_numpy(each) for part, each in maps.items()}
            computing = Computing(
                early,
                self.data,
                self.precision,
                rows,
                cut.numbers,
                self.callback,
                self.processes.sharing,
            )
            for part, file in files.items():
                self._together(compute, part)
                self._gather(own[part], rows[part], file, self._shape(part, cut))
        except KeyboardInterrupt:
            self.callback.note("interrupted before training started; the features are incomplete")
            raise
        finally:
            for path in own.values():
                path.unlink(missing_ok=True)

    def _gather(self, own: Path, rows: Tensor, file: Path, shape: tuple[int, int, int]) -> None:
        """Joins the shares of all processes: one of them does, if it sees the files of all; else
        each machine gets the numbers of the others."""
        shares = self.processes.gathered(own)
        one_disk = all(self.processes.gathered(all(share.exists() for share in shares)))
        if one_disk:
            self._together(_join, shares, file, mine=self.processes.writes)
            return
        world = self.processes.world
        places = {rank: shared(0, shape[1], rank, world) for rank in range(world)}
        self._send(places, rows, file, shape)

    def _send(
        self,
        places: Mapping[int, slice],
        own: Tensor | None,
        file: Path,
        shape: tuple[int, int, int],
    ) -> None:
        """Sends rows from the processes that have them to all; the first one of each machine writes
        them to its file, unless it has it already. `places` are those of the images, by process,
        and `own` the rows of this one."""
        passes, _, numbers = shape
        whole = file.with_suffix(f".all.{self.processes.rank}.{os.getpid()}.partial")
        writes = self._keeps and not _is_complete(file, shape)
        into: list[Tensor] = []

        def create_file() -> None:
            into.append(torch.from_numpy(open_memmap(whole, "w+", numpy.float32, shape)))

        def finish() -> None:
            into.clear()
            os.replace(whole, file)

        try:
            self._together(create_file, mine=writes)
            for rank, place in places.items():
                for number in range(passes):
                    for start in range(place.start, place.stop, _SENT):
                        stop = min(start + _SENT, place.stop)
                        rows = torch.empty(stop - start, numbers)
                        if own is not None and rank == self.processes.rank:
                            rows.copy_(own[number, start - place.start : stop - place.start])
                        self.processes.send(rows, rank)
                        for target in into:
                            target[number, start:stop] = rows
            self._together(finish, mine=writes)
        finally:
            whole.unlink(missing_ok=True)

    # ---- errors ----

    def _cannot_split(self) -> Diagnostic:
        if self.network.aux:
            message = (
                "features cannot be cached for a network with auxiliary heads, which are active in"
                " training"
            )
            help = "remove `cache`"
        else:
            message = "the first layers are not frozen, so there are no features to cache"
            help = "freeze the layers up to a part: `freeze until …`"
        return Diagnostic("no-features", message, self.directive.span, help=help)

    def _unwritable(self, error: OSError) -> Diagnostic:
        reason = error.strerror or type(error).__name__
        message = f"cannot write features to {shown(self._folder())}: {reason}"
        help = 'name another folder: `cache features folder="…"`'
        return Diagnostic("unwritable", message, self.directive.span, help=help)


def _join(shares: Sequence[Path], file: Path) -> None:
    """Joins the files of all processes; a single file is just renamed."""
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


def _is_complete(file: Path, shape: tuple[int, int, int]) -> bool:
    try:
        open_regular(file).close()
        with guarded():
            rows = numpy.load(file, mmap_mode="r", allow_pickle=False)
        return bool(rows.shape == shape and rows.dtype == numpy.float32)
    except BadFile:
        return False


def on_device(rows: Mapping[str, Tensor], device: torch.device) -> Mapping[str, Tensor]:
    """The features of all parts on a GPU if they fit there, so that no batch has to be copied;
    else, and on a CPU, as they are."""
    size = sum(each.nbytes for each in rows.values())
    if device.type == "cpu" or size > device_budget(device):
        return rows
    return {part: each.to(device) for part, each in rows.items()}


def _mapped(file: Path, shape: tuple[int, int, int]) -> Tensor:
    """A file mapped into memory: pages are read on demand, and changes are not written back."""
    rows = numpy.load(file, mmap_mode="c")
    assert rows.shape == shape
    return torch.from_numpy(rows)
