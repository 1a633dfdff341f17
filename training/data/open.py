"""Opens the data of a plan: reads, splits, checks and decodes it, and measures mean and std.

What is opened is in opened.py, errors in unfit_data.py. Images and their files are decoded in
images/image_store.py, series and scans in samples/sample_store.py.

data = open_data(plan, folder_of_the_spec, device=device, progress=show)
for images, labels, indices in data.training(seed=1)(epoch):
    outputs = network(data.preparation.prepare(images))
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from math import isnan
from pathlib import Path

import torch

from ...compiler.plan.data import (
    Coco,
    Folder,
    HuggingFace,
    NpyFolder,
    SeriesText,
    TableData,
)
from ...compiler.plan.number_loss import NumberLoss
from ...compiler.plan.plan import TrainPlan
from ..augment.random_crop import RandomCrop
from ..restoration.input_and_target import InputAndTarget, as_stored, scale_of
from ..runtime.process_group import ALONE, Processes
from ..tasks.answer import Answer
from ..tasks.image_to_image import ImageToImage
from ..tasks.multi_task import MultiTask
from ..tasks.regression import Regression
from ..tasks.task import Task
from .dataset import USES, bands_in
from .describe_data import described
from .diagnostic import in_nouns, plural_noun, said_of
from .images.bit_depth import Depth, depth_of
from .images.image_store import ImageStoring
from .images.pixel_statistics import measured
from .images.preprocessing import Preparation
from .images.resize import Fit, evaluation_fit, training_fit
from .left_out import BadFile
from .loader.fold_stores import FoldStores
from .loader.image_source import Arrays, Contents, Files, ImageSource, outline
from .loader.memory_budget import cores
from .loader.shared_memory import shared_memory
from .loader.thread_pool import Progress, unwatched
from .opened import Opened
from .same_everywhere import must_be_same_everywhere
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
from .sources.several_inputs import seen_alike
from .sources.shard_window import window_of
from .sources.standardize import each_standardized, standardized
from .unfit_data import (
    must_be_left,
    must_be_readable,
    must_be_samples,
    must_be_usable,
    must_bear,
    must_have_channels,
    must_have_rate,
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
    bits: int | None = None,
    folds: FoldStores | None = None,
) -> Opened:
    """Opens the data of a plan; raises SpecError with the errors in it.

    `base` is the folder of the spec. `processes` are those that open the same data, each a share of
    its files; an error of one is raised in all. `budget` is the memory in bytes that images may
    use, and `cache` the folder of the cache of checked files; both have defaults. `arrays` are
    images and labels that a program passes in place of the data that the plan names. `known` is
    what a network has learned on other data: numbers are standardized as they were there. `bits`
    are those of a channel that it was trained with. `folds` is what the folds of a cross-validation
    share: given the same for each of them, files are read and decoded once.
    """
    with said_of(noun_of(plan.sample)):
        return _opened(
            plan, base, torch.device(device), progress, processes, budget, threads, cache, arrays,
            known, bits, folds,
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
    bits: int | None,
    folds: FoldStores | None,
) -> Opened:
    data = plan.train.data
    must_be_samples(plan)

    as_images = ImagesWanted.of(plan) if plan.learns_images else None
    read = partial(_contents, plan, base, arrays, known, as_images, bits)
    names = Folder | TableData | Coco | HuggingFace | NpyFolder | SeriesText
    read_by_each = partial(_read_by_each, read, processes, only_names=isinstance(data, names))
    whole = read_by_each() if folds is None else folds.read(read_by_each)
    must_have_rate(plan, whole)
    divided = _divided(whole, plan, processes)
    if whole.task == Regression.word:
        scale = known.scale if isinstance(known, Regression) else None
        whole, divided = standardized(whole, divided, scale)
    elif whole.answers:
        scales = known.scales if isinstance(known, MultiTask) else {}
        whole, divided = each_standardized(whole, divided, scales)
    if any(answer.is_map for answer in whole.answers):
        whole = replace(whole, answers=tuple(map(partial(_as_map, plan), whole.answers)))
    parts, depth = divided.parts, Depth(whole.depth, whole.depth, whole.origin)
    nouns = plural_noun(whole.noun)
    must_be_same_everywhere(whole.classes, parts, nouns, processes)
    if isinstance(parts["train"], Files):
        answers_images = as_images is not None or any(each.is_image for each in whole.answers)
        depth = depth_of(parts["train"], keeps=not answers_images)
        must_be_readable(data, depth)
        depth = depth if bits is None else depth._replace(kept=bits)
        parts = {
            part: replace(source, depth=depth.kept) if isinstance(source, Files) else source
            for part, source in parts.items()
        }
    threads = threads or max(1, cores() // processes.sharing_cores)
    pairs, stored, step, channels = None, plan, 1, plan.sample[0]
    if as_images is not None:
        plan = as_images.sized(plan, parts["train"])
        whole = replace(whole, notes=(*whole.notes, *as_images.cut(plan, parts["train"])))
        pairs = InputAndTarget.of(plan, pairs=parts["train"].targets > 0)
        channels = pairs.stored_channels
        stored = as_stored(plan, channels)
        step = pairs.enlarges if pairs.pairs else 1
    notes = [in_nouns(note, whole.noun) for note in (*whole.notes, *divided.notes)]
    must_bear(plan, depth)
    if depth.note:
        notes.append(depth.note)
    uncropped = plan.evaluate.tiles is not None
    fits: Mapping[str, Fit | SampleFit]
    if plan.has_samples:
        fits = dict.fromkeys(parts, SampleFit.of(plan))
        storing = SampleStoring(
            SampleFit.of(plan), channels + parts["train"].further, plan.train.seed.value,
            device, threads, progress, processes, budget,
            uncropped=uncropped,
            what=lambda part: f"reading the {plural_noun(whole.noun)} for {USES[part]}",
        ).stores  # fmt: skip
    else:
        of_images = {part: evaluation_fit(stored) for part in parts}
        fits = of_images = of_images | {"train": training_fit(stored)}
        must_have_channels(stored, parts, channels, depth)
        storing = partial(
            ImageStoring(
                channels + parts["train"].further, device, threads, progress, processes, budget,
                cache, RandomCrop.of(stored, step), uncropped,
            ).stores,
            fits=of_images,
        )  # fmt: skip
    if folds is None:
        found = storing(parts)
    else:
        found = folds.stores(storing, parts, divided.places, fits, depth.kept)
    where, stores, wrong, sizes = found
    must_be_same_everywhere(whole.classes, stores, nouns, processes)  # what could be read
    if plan.has_samples:
        notes += sample_notes(plan, whole, sizes)
    prefix = _folders(parts)
    unread = [replace(each, reason=in_nouns(each.reason, whole.noun)) for each in whole.bad]
    bad = unread + [
        BadFile(prefix[part] + parts[part].name(index), reason)
        for part in parts
        for index, reason in wrong[part].items()
    ]
    must_be_usable(plan, whole, bad, sum(map(len, parts.values())) + len(whole.bad))
    weighted = plan.train.weights.classes != "equal"
    dataset = described(whole, divided, stores, bad, notes, weighted)
    must_be_left(plan, whole, dataset)
    dataset = replace(dataset, window=window_of(data, stores["train"].source))

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    pixels = plan.normalization
    missing = pixels.mean is None or any(map(isnan, pixels.mean))
    if missing and plan.has_samples:
        transform = Preparation.of(plan, mean, std).transform
        mean, std = measured_samples(
            stores["train"], pixels.scale, threads, progress, processes, transform
        )
    elif missing:
        pixels_of = measured(stores["train"], pixels.scale, threads, progress, processes)
        mean, std = pixels_of.mean, pixels_of.std
        dataset = replace(dataset, bands=bands_in(pixels_of, pixels.scale, depth.kept))
    if pixels.order == "bgr":
        mean, std = mean[::-1], std[::-1]
    if missing:
        mean, std = seen_alike(mean, std, plan.inputs)
    preparation = Preparation.of(plan, mean, std, whole.rate, depth.kept)
    if pairs is not None:
        dataset = replace(dataset, scale=scale_of(preparation, pairs.target_channels))
    return Opened(
        plan, dataset, preparation, stores, where, device,
        local_world=processes.local_world,
        sharing_cores=processes.sharing_cores, machine=processes.machine(), pairs=pairs,
    )  # fmt: skip


def contents_of(plan: TrainPlan, base: Path) -> Contents:
    """The data set of a plan as its source provides it; raises SpecError."""
    as_images = ImagesWanted.of(plan) if plan.learns_images else None
    return _contents(plan, base, None, None, as_images, None)


def _contents(
    plan: TrainPlan,
    base: Path,
    arrays: ArrayData | None,
    known: Task | None,
    as_images: ImagesWanted | None,
    bits: int | None,
) -> Contents:
    """The data set of a plan, before it is divided."""
    train = plan.train
    data = train.data
    as_numbers = as_images is None and (
        isinstance(known, Regression) or isinstance(train.loss, NumberLoss)
    )
    losses = train.losses if len(train.losses) > 1 else ()
    outputs = {str(loss.output): isinstance(loss, NumberLoss) for loss in losses}
    if isinstance(known, MultiTask):
        numeric = (Regression, ImageToImage)
        outputs = {one.name: isinstance(one.task, numeric) for one in known.each}
    pictures = {each.name: each.shape[0] for each in plan.maps if outputs.get(each.name)}
    read = partial(contents, data, base) if arrays is None else arrays.contents
    return read(
        plan.sample, as_numbers=as_numbers, outputs=outputs, pictures=pictures,
        as_images=as_images, inputs=plan.inputs, depth=8 if pictures else bits,
    )  # fmt: skip


def _as_map(plan: TrainPlan, answer: Answer) -> Answer:
    """An answer with the size of its map, if it is one, and what its output ends in."""
    if not answer.is_map:
        return answer
    ends = {each.name: each.ends_in for each in plan.maps}
    return answer._replace(size=evaluation_fit(plan).crop, ends_in=ends.get(answer.output, ""))


def _read_by_each(
    read: Callable[[], Contents], processes: Processes, *, only_names: bool
) -> Contents:
    """The data set in each process. Names of files are read by all at the same time. Anything else
    is read, and downloaded or indexed if need be, by one process of each machine; if it is arrays,
    the others get them without their pixels, which will be in shared memory; else they read it
    afterwards."""
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


def _divided(whole: Contents, plan: TrainPlan, processes: Processes) -> Divided:
    """The parts of the data set in each process. Where what was drawn is kept, one process of each
    machine draws, and the others find it."""
    found: list[Divided] = []

    def once(turn: bool) -> None:
        if turn and not found:
            found.append(divide(whole, plan.train.data, plan.train.split))

    if whole.kept is not None:
        processes.together(partial(once, processes.local.rank == 0))
    processes.together(partial(once, True))
    return found[0]


def _folders(parts: Mapping[str, ImageSource]) -> dict[str, str]:
    """A prefix for the file names of each part, `val/`, if the parts are in different folders."""
    roots = {
        part: "" if isinstance(source, Arrays) else source.root for part, source in parts.items()
    }
    if len(set(roots.values())) == 1:
        return dict.fromkeys(roots, "")
    return {part: clean(os.path.basename(root)) + "/" for part, root in roots.items()}
