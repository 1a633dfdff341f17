"""Opens the data of a plan: reads, splits, checks and decodes it, and measures mean and std.

Images and their files are decoded here; series and scans in samples/sample_store.py.

data = open_data(plan, folder_of_the_spec, device=device, progress=show)
for images, labels, indices in data.training(seed=1)(epoch):
    outputs = network(data.preparation.prepare(images))
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ...compiler.language.values import percent
from ...compiler.plan.data import (
    UNLABELLED,
    Coco,
    Folder,
    HuggingFace,
    NpyFolder,
    SeriesText,
    TableData,
)
from ...compiler.plan.loss import IMAGES, Loss
from ...compiler.plan.number_loss import NumberLoss
from ...compiler.plan.plan import TrainPlan
from ...compiler.plan.spectrogram import Mel
from ...compiler.shapes import axes_of, text
from ..augment.random_crop import RandomCrop
from ..masks.tiling import Tiling
from ..restoration.input_and_target import InputAndTarget, as_stored, scale_of
from ..runtime.process_group import ALONE, Processes
from ..tasks.answer import Answer
from ..tasks.known_tasks import several_tasks, task_of
from ..tasks.multi_label import MultiLabel
from ..tasks.multi_task import MultiTask, parts_of
from ..tasks.regression import Regression
from ..tasks.segmentation import Segmentation
from ..tasks.task import Task
from .dataset import Dataset, Part, bad_lines
from .diagnostic import counted, in_nouns, plural_noun, problem, said_of
from .images.bit_depth import bit_depth_note
from .images.check_files import Bad, unusable
from .images.pixel_statistics import measured
from .images.preprocessing import Preparation
from .images.resize import Fit, evaluation_fit, larger, training_fit
from .left_out import BadFile
from .loader.batches import Batches, Sharing
from .loader.image_source import Arrays, Contents, Files, ImageSource, class_counts, outline
from .loader.memory_budget import ORDER, Where, cores, place
from .loader.order import sample, shared, spans
from .loader.shared_memory import shared_memory
from .loader.store import (
    InMemory,
    OnDisk,
    Store,
    bytes_of,
    decoded,
    estimated_bytes,
    fitted,
    whole_in_memory,
    without,
)
from .loader.thread_pool import Progress, unwatched
from .samples.sample_fit import SampleFit
from .samples.sample_layout import noun_of
from .samples.sample_sizes import sample_notes
from .samples.sample_statistics import measured as measured_samples
from .samples.sample_store import SampleStoring
from .sources.arrays_given import ArrayData
from .sources.divide import Divided, divide
from .sources.file_names import clean
from .sources.images_wanted import ImagesWanted
from .sources.read import contents
from .sources.standardize import each_standardized, standardized

MOST_WORKERS = 16


@dataclass(frozen=True, eq=False)
class Opened:
    """A data set that is ready for training and evaluation."""

    plan: TrainPlan
    dataset: Dataset
    preparation: Preparation
    stores: Mapping[str, Store]
    """`train`, `val` and, if there is one, `test`."""
    where: Where
    device: torch.device
    local_world: int = 1
    """The number of processes on this machine, which share its memory and its cores."""
    thresholds: tuple[float, ...] = ()
    """Those of a trained network that predicts several classes; empty while training."""
    pairs: InputAndTarget | None = None
    """How the input of the network and its target are made, where the target is an image."""

    @property
    def task(self) -> Task:
        """What the network learns from the labels."""
        described = self.dataset
        if described.answers:
            return several_tasks(described.answers, self.plan.train.losses)
        return task_of(
            described.task,
            described.classes,
            described.scale,
            self.thresholds,
            self.plan.ends_in,
        )

    @property
    def tiling(self) -> Tiling | None:
        """The tiles by which whole images are answered; None if images are brought to the size of
        the network's input."""
        return Tiling.of(self.plan)

    @property
    def loss(self) -> Loss:
        """The loss of the plan, or, if it names none, that which is usual for the task. Where the
        network has several outputs, the task knows the loss of each."""
        return self.task.loss_for(self.plan.train.loss)

    def training(
        self,
        *,
        batch: int | None = None,
        seed: int | None = None,
        sharing: Sharing = ALONE.sharing,
    ) -> Batches:
        """The training batches, shuffled; batch size and seed are the plan's unless given."""
        train = self.plan.train
        size = train.batch.size if batch is None else batch
        self._must_be_shared(size, sharing)
        return Batches(
            self.stores["train"],
            size,
            self.device,
            shuffle=True,
            seed=train.seed.value if seed is None else seed,
            drop_last=train.batch.drop_last,
            sharing=sharing,
            workers=self._workers(),
            local=self.local_world,
            random_crops=True,
            pairs=self.pairs,
        )

    def evaluation(
        self,
        part: str = "val",
        *,
        batch: int | None = None,
        sharing: Sharing = ALONE.sharing,
        random_crops: bool = False,
    ) -> Batches:
        """The batches of a part for evaluation: all images, once and in order; if there are tiles,
        each by itself, as a whole. With `random_crops`, images are cut as for training, if that is
        done when they are read."""
        size = self.plan.train.batch.size if batch is None else batch
        whole = self.tiling is not None and not random_crops
        return Batches(
            self.stores[part],
            sharing.world if whole else size,  # whole images differ in size
            self.device,
            shuffle=False,
            sharing=sharing,
            # Tiles keep a network busy for longer than reading their image takes, and what workers
            # read ahead would be large.
            workers=0 if whole else self._workers(),
            local=self.local_world,
            random_crops=random_crops,
            pairs=self.pairs,
        )

    def training_images(self, indices: Sequence[int], epoch: int) -> tuple[Tensor, Tensor]:
        """Training images and their labels before the augmentation of batches: with the random
        crops of an epoch, if that is done when they are read. On the CPU."""
        store = self.stores["train"]
        if isinstance(store, InMemory):
            images = torch.stack([store.read(index) for index in indices])
        else:
            images = store.read_batch(indices, epoch)
        masks = store.source.masks
        if self.pairs is not None:
            return self.pairs.split(images)
        if masks:
            return images[:, :-masks], images[:, -masks:].squeeze(1)
        return images, store.labels.cpu()[indices]

    def image(self, part: str, index: int) -> Tensor:
        """One image of a part as the network gets it, before normalization: resized and cropped,
        uint8, on the CPU."""
        if self.pairs is not None:
            return self.input_and_target(part, index)[0]
        return self.stores[part].read(index)[: self.preparation.channels]

    def input_and_target(self, part: str, index: int) -> tuple[Tensor, Tensor]:
        """The input of the network and the image to answer: uint8, on the CPU."""
        assert self.pairs is not None
        image = self.stores[part].read(index)[None]
        inputs, targets = self.pairs.evaluated(image, torch.tensor([index]))
        return inputs[0], targets[0]

    def mask(self, part: str, index: int) -> Tensor:
        """The mask of one image, where labels are masks: uint8, on the CPU."""
        return self.stores[part].read(index)[-1]

    def name(self, part: str, index: int) -> str:
        """The name of an image, to be shown."""
        return self.stores[part].source.name(index)

    def _workers(self) -> int:
        wanted = self.plan.train.workers.count
        if isinstance(wanted, int):
            return wanted
        return max(1, min(MOST_WORKERS, cores() // self.local_world))

    def _must_be_shared(self, batch: int, sharing: Sharing) -> None:
        directive, count = self.plan.train.batch, len(self.stores["train"])
        noun = self.dataset.noun
        sizes = [span.stop - span.start for span in spans(count, batch, 0, directive.drop_last)]
        if not sizes:
            raise problem(
                "batch-too-large",
                f"the training set has {counted(count, noun)}, fewer than a batch of {batch:,},"
                " and `drop_last` drops incomplete batches",
                directive,
                argument="size",
                help=f"write `batch {count}`, or remove `drop_last`",
            )
        if min(sizes) < sharing.world:
            raise problem(
                "batch-too-small",
                f"{counted(min(sizes), noun)} cannot be divided among {sharing.world} processes",
                directive,
                argument="size",
                help=f"write `batch {4 * sharing.world}` or more, or start fewer processes",
            )


def open_data(
    plan: TrainPlan,
    base: Path,
    *,
    device: torch.device | str = "cpu",
    progress: Progress = unwatched,
    processes: Processes = ALONE,
    budget: int | None = None,
    threads: int | None = None,
    cache: Path | None = None,
    arrays: ArrayData | None = None,
    known: Task | None = None,
) -> Opened:
    """Opens the data of a plan; raises SpecError with the errors in it.

    `base` is the folder of the spec. `processes` are those that open the same data, each a share of
    its files; an error of one is raised in all. `budget` is the memory in bytes that images may
    use, and `cache` the folder of the cache of checked files; both have defaults. `arrays` are
    images and labels that a program passes in place of the data that the plan names. `known` is
    what a network has learned on other data: numbers are standardized as they were there.
    """
    with said_of(noun_of(plan.sample)):
        return _opened(
            plan, base, torch.device(device), progress, processes, budget, threads, cache, arrays,
            known,
        )  # fmt: skip


def _opened(
    plan: TrainPlan,
    base: Path,
    device: torch.device,
    progress: Progress,
    processes: Processes,
    budget: int | None,
    threads: int | None,
    cache: Path | None,
    arrays: ArrayData | None,
    known: Task | None,
) -> Opened:
    data = plan.train.data
    _must_be_samples(plan)

    as_images = ImagesWanted.of(plan) if plan.learns_images else None

    def read() -> Contents:
        as_numbers = as_images is None and (
            isinstance(known, Regression) or isinstance(plan.train.loss, NumberLoss)
        )
        losses = plan.train.losses if len(plan.train.losses) > 1 else ()
        outputs = {str(loss.output): isinstance(loss, NumberLoss) for loss in losses}
        if isinstance(known, MultiTask):
            outputs = {one.name: isinstance(one.task, Regression) for one in known.each}
        if arrays and outputs:
            return arrays.for_outputs(outputs).contents(plan.sample)
        if arrays:
            of_arrays = arrays.as_numbers() if as_numbers else arrays
            found = of_arrays.contents(plan.sample)
            return found if as_images is None else as_images.contents(data, found)
        return contents(
            data, base, plan.sample, as_numbers=as_numbers, outputs=outputs, as_images=as_images
        )

    names = Folder | TableData | Coco | HuggingFace | NpyFolder | SeriesText
    whole = _read_by_each(read, processes, only_names=isinstance(data, names))
    _must_have_rate(plan, whole)
    divided = divide(whole, data, plan.train.split)
    if whole.task == Regression.word:
        scale = known.scale if isinstance(known, Regression) else None
        whole, divided = standardized(whole, divided, scale)
    elif whole.answers:
        scales = known.scales if isinstance(known, MultiTask) else {}
        whole, divided = each_standardized(whole, divided, scales)
    parts = divided.parts
    threads = threads or max(1, cores() // processes.local_world)
    pairs, stored, step, channels = None, plan, 1, plan.sample[0]
    if as_images is not None:
        plan = as_images.sized(plan, parts["train"])
        whole = replace(whole, notes=(*whole.notes, *as_images.cut(plan, parts["train"])))
        pairs = InputAndTarget.of(plan, pairs=parts["train"].targets > 0)
        channels = pairs.stored_channels
        stored = as_stored(plan, channels)
        step = pairs.enlarges if pairs.pairs else 1
    notes = [in_nouns(note, whole.noun) for note in (*whole.notes, *divided.notes)]
    if depth := bit_depth_note(divided.parts["train"]):
        notes.append(depth)
    if plan.has_samples:
        samples = SampleStoring(
            SampleFit.of(plan), channels, plan.train.seed.value,
            device, threads, progress, processes, budget,
            what=lambda part: f"reading the {plural_noun(whole.noun)} for {_USES[part]}",
        ).stores(parts)  # fmt: skip
        where, stores, wrong, sizes = samples
        notes += sample_notes(plan, whole, sizes)
    else:
        fits = {part: evaluation_fit(stored) for part in parts} | {"train": training_fit(stored)}
        _must_have_channels(stored, parts, channels)
        crop = RandomCrop.of(stored, step)
        channels += parts["train"].further
        uncropped = plan.evaluate.tiles is not None
        where, stores, wrong = _Storing(
            channels, device, threads, progress, processes, budget, cache, crop, uncropped
        ).stores(parts, fits)
    prefix = _folders(parts)
    unread = [replace(each, reason=in_nouns(each.reason, whole.noun)) for each in whole.bad]
    bad = unread + [
        BadFile(prefix[part] + parts[part].name(index), reason)
        for part in parts
        for index, reason in wrong[part].items()
    ]
    _must_be_usable(plan, whole, bad, sum(map(len, parts.values())) + len(whole.bad))
    weighted = plan.train.weights.classes != "equal"
    dataset = _described(whole, divided, stores, bad, notes, weighted)
    _must_be_left(plan, whole, dataset)

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    pixels = plan.evaluate.normalize.pixels
    if pixels.mean is None:
        if plan.has_samples:
            transform = Preparation.of(plan, mean, std).transform
            mean, std = measured_samples(
                stores["train"], pixels.scale, threads, progress, processes, transform
            )
        else:
            mean, std = measured(stores["train"], pixels.scale, threads, progress, processes)
        if pixels.order == "bgr":
            mean, std = mean[::-1], std[::-1]
    preparation = Preparation.of(plan, mean, std, whole.rate)
    if pairs is not None:
        dataset = replace(dataset, scale=scale_of(preparation, pairs.target_channels))
    local_world = processes.local_world
    return Opened(
        plan, dataset, preparation, stores, where, device, local_world=local_world, pairs=pairs
    )


def _read_by_each(
    read: Callable[[], Contents], processes: Processes, *, only_names: bool
) -> Contents:
    """The data set in each process. Names of files are read by all at the same time. Anything else
    is read, and downloaded if need be, by one process of each machine; if it is arrays, the others
    get them without their pixels, which will be in shared memory; else they read it afterwards."""
    found: list[Contents] = []
    first = only_names or processes.local.rank == 0

    def read_once(turn: bool) -> None:
        if turn and not found:
            found.append(read())

    processes.together(partial(read_once, first))
    if not only_names and not processes.alone:
        shared = shared_memory(1, processes) is not None
        outlines = processes.gathered(outline(found[0]) if found and shared else None)
        theirs = outlines[processes.rank - processes.local.rank]
        if not first and theirs is not None:
            found.append(theirs)
        processes.together(partial(read_once, True))
    return found[0]


@dataclass(frozen=True, eq=False)
class _Storing:
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

    def stores(
        self, parts: Mapping[str, ImageSource], fits: Mapping[str, Fit]
    ) -> tuple[Where, dict[str, Store], dict[str, Bad]]:
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
        return places["train"], stores, bad

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
            place = memory.view(len(source), self.channels, *fit.crop)
        if isinstance(source, Arrays):
            return self._of_arrays(source, fit, kept, place), {}
        assert isinstance(source, Files)
        crop = self.crop if self._is_cut(part) else None
        share = shared(0, len(source), *self.processes.local)
        if where == "files":
            bad = self._merged(lambda: unusable(
                source,
                fit if crop is None or crop.fit is None else larger(fit, crop.fit),
                self.threads,
                what=f"checking the files for {_USES[part]}",
                progress=self.progress,
                cache=self.cache,
                share=share,
            ))  # fmt: skip
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
                what=f"reading the images for {_USES[part]}",
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
                what=f"reading the images for {_USES[part]}",
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
        return self._in_memory(lambda: images, _without(source, bad), kept), bad

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
            return self._in_memory(own, source, kept)

        def put() -> None:
            if self.processes.local.rank == 0:
                fitted(source, fit, self.channels, place)

        self.processes.together(put)
        return self._in_memory(lambda: place, source.without_pixels(), kept)

    def _in_memory(
        self, images: Callable[[], Tensor], source: ImageSource, kept: torch.device
    ) -> InMemory:
        """The images on the device where they are kept. If one process has no room for them there,
        all raise the error."""
        stores: list[InMemory] = []

        def copy() -> None:
            stores.append(InMemory(images().to(kept), source.labels.to(kept), source))

        self.processes.together(copy)
        return stores[0]

    def _merged(self, work: Callable[[], Bad]) -> Bad:
        """The bad files that any process has found: all must leave out the same."""
        found = self.processes.together(work)
        return dict(sorted({i: why for bad in reversed(found) for i, why in bad.items()}.items()))


def _folders(parts: Mapping[str, ImageSource]) -> dict[str, str]:
    """A prefix for the file names of each part, `val/`, if the parts are in different folders."""
    roots = {
        part: "" if isinstance(source, Arrays) else source.root for part, source in parts.items()
    }
    if len(set(roots.values())) == 1:
        return dict.fromkeys(roots, "")
    return {part: clean(os.path.basename(root)) + "/" for part, root in roots.items()}


def _without(source: Files, bad: Bad) -> Files:
    if not bad:
        return source
    good = [index for index in range(len(source)) if index not in bad]
    return source.select(torch.tensor(good, dtype=torch.int64))


_USES = {"train": "training", "val": "validation", "test": "testing"}


# ---- errors ----------------------------------------------------------------------------------


def _must_be_samples(plan: TrainPlan) -> None:
    """Raises SpecError for a network that takes a vector."""
    if axes_of(plan.input):
        return
    raise problem(
        "unfit-input",
        f"the network takes {text(plan.input)}; images are channels x height x width",
        plan.train.data,
        help="write `input 3x224x224`, or your image size, and `flatten` before the first `fc`",
    )


def _must_have_channels(plan: TrainPlan, parts: Mapping[str, ImageSource], channels: int) -> None:
    """Raises SpecError if the images cannot have the channels of the input. Files can be read with
    one or three channels; arrays keep the channels that they have."""
    for source in parts.values():
        have = source.images.shape[1] - source.further if isinstance(source, Arrays) else 3
        if have == channels or (have == 3 and channels == 1) or (have == 1 and channels == 3):
            continue
        size = "x".join(map(str, plan.input[1:]))
        if isinstance(source, Arrays):
            message = (
                f"the images have {counted(have, 'channel')}, but the network takes {channels}"
            )
            help = f"write `input {have}x{size}`"
        else:
            message = f"image files have 1 or 3 channels, but the network takes {channels}"
            help = f"write `input 3x{size}`; arrays with other channels go into `data npz`"
        raise problem("unfit-input", message, plan.train.data, help=help)


def _must_have_rate(plan: TrainPlan, data_set: Contents) -> None:
    """Raises SpecError if `mel` takes frequencies for others than those of the sound."""
    mel, rate = plan.evaluate.spectrogram, data_set.rate
    if rate is None or not isinstance(mel, Mel) or mel.hertz == rate:
        return
    raise problem(
        "unfit-rate",
        f"the sound has {rate:,} samples in a second, and `mel` takes it for sound of"
        f" {mel.hertz:,}: its frequencies would be wrong",
        mel,
        argument="rate",
        help=f"write `mel {mel.bands} rate={rate}`, or `rate={mel.hertz}` after `data`, which"
        " brings sound to that",
    )


def _must_be_usable(plan: TrainPlan, data_set: Contents, bad: list[BadFile], count: int) -> None:
    """Raises SpecError if more files are bad than the plan tolerates."""
    data = plan.train.data
    if len(bad) <= data.bad * count:
        return
    share = len(bad) / count
    what = "file" if data_set.noun == "image" else data_set.noun
    leave = f", or write `bad={_rounded_up(share)}%` to leave them out" if share < 1 else ""
    raise problem(
        "bad-files",
        f"{len(bad):,} of {counted(count, what)} in {data_set.origin} cannot be used; the"
        f" limit is {percent(data.bad)}",
        data,
        argument="bad",
        notes=tuple(line.strip() for line in bad_lines(tuple(bad)))[1:],
        help=f"repair or remove them{leave}",
    )


def _rounded_up(share: float) -> int:
    return min(100, int(share * 100) + 1)


def _must_be_left(plan: TrainPlan, data_set: Contents, dataset: Dataset) -> None:
    """Raises SpecError if all images of a part or of a class were left out."""
    for part in dataset.parts:
        if not part.count:
            every = "files" if data_set.noun == "image" else plural_noun(data_set.noun)
            message = f"no {data_set.noun} is left for {_USES[part.name]}: all {every} are unusable"
            raise problem("no-images", message, plan.train.data)
    lost = [
        name for name, count in zip(dataset.classes, dataset.train.counts, strict=True) if not count
    ]
    if lost and dataset.bad and data_set.task != Segmentation.word:
        message = f"no {data_set.noun} is left of the class `{lost[0]}`: all its files are unusable"
        raise problem("empty-class", message, plan.train.data, notes=(data_set.origin,))


def _counts(store: Store, data_set: Contents) -> tuple[int, ...]:
    """The number of images of each class, or of those that have each number; of masks, the number
    of pixels, from a sample of them."""
    classes = len(data_set.classes)
    if data_set.answers:
        known = parts_of(data_set.answers, ~store.labels.isnan())
        return tuple(int(each.any(1).sum()) for each in known)
    if data_set.task == IMAGES:
        return (len(store),) * classes
    if data_set.task == Regression.word:
        return tuple((~store.labels.isnan()).sum(0).tolist())
    if not store.source.masks:
        return class_counts(store.labels, classes)
    chosen = sample(len(store), _MASKS).tolist()
    counted = torch.zeros(UNLABELLED + 1, dtype=torch.int64)
    read = store.read if isinstance(store, InMemory) else store.read_whole
    for index in chosen:
        counted += read(index)[-1].flatten().bincount(minlength=UNLABELLED + 1)
    return tuple(counted[:classes].tolist())


_MASKS = 512
"""At most so many masks are looked at for the shares of classes."""


def _counted(answers: Sequence[Answer], labels: Tensor) -> Iterator[Answer]:
    """What labels are, with the number of training images of each class."""
    for answer, own in zip(answers, parts_of(answers, labels) if answers else (), strict=True):
        known = own[~own.isnan().any(1)]
        if answer.task == Regression.word:
            counts = tuple((~own.isnan()).sum(0).tolist())
        elif answer.labels == 1 and answer.task != MultiLabel.word:
            counts = class_counts(known[:, 0].long(), len(answer.classes))
        else:
            counts = class_counts(known, len(answer.classes))
        yield answer._replace(counts=counts)


def _described(
    data_set: Contents,
    divided: Divided,
    stores: Mapping[str, Store],
    bad: list[BadFile],
    notes: list[str],
    weighted: bool,
) -> Dataset:
    order = [name for name in ("train", "val", "test") if name in stores]
    return Dataset(
        data_set.name,
        data_set.classes,
        tuple(Part(name, len(stores[name]), _counts(stores[name], data_set)) for name in order),
        data_set.origin,
        data_set.licence,
        data_set.task,
        tuple(_counted(data_set.answers, stores["train"].labels)),
        data_set.scale,
        weighted,
        tuple(bad),
        tuple(notes),
        divided.drawn,
        data_set.noun,
    )
