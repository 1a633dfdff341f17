"""Errors for data that a network cannot be trained on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from ...compiler.language.values import percent
from ...compiler.plan.augment.passes import COLOR, HUE, POLICY
from ...compiler.plan.data import Data, TableData
from ...compiler.plan.plan import TrainPlan
from ...compiler.plan.spectrogram import Mel
from ...compiler.shapes import axes_of, text
from ..tasks.segmentation import Segmentation
from .dataset import USES, Dataset, bad_lines
from .diagnostic import counted, plural_noun, problem
from .images.bit_depth import Depth, channels_of
from .left_out import BadFile
from .loader.image_source import Arrays, Contents, Files, ImageSource


def must_be_samples(plan: TrainPlan) -> None:
    """Raises SpecError for a network that takes a vector."""
    if axes_of(plan.input):
        return
    raise problem(
        "unfit-input",
        f"the network takes {text(plan.input)}; images are channels x height x width",
        plan.train.data,
        help="write `input 3x224x224`, or your image size, and `flatten` before the first `fc`",
    )


def must_be_readable(data: Data, depth: Depth) -> None:
    """Raises SpecError if images have bands that only a package reads which is not installed."""
    if depth.channels and depth.lacks:
        raise problem(
            "not-installed",
            f"the images have {depth.lacks} ({depth.name}), which tifffile reads",
            data,
            help='pip install "dotcnn[tiff]"',
        )


def must_bear(plan: TrainPlan, depth: Depth) -> None:
    """Raises SpecError for an augmentation that would lose what images hold beyond 8 bits."""
    if depth.kept <= 8:
        return
    bound = (POLICY,) if depth.kept == 16 else (POLICY, COLOR, HUE)
    size = plan.input[1], plan.input[2]
    for directive in plan.augment:
        kinds = [kind for kind in directive.pass_kinds(size) if kind in bound]
        if not kinds:
            continue
        needs = "is for pixels of 8 bits" if kinds[0] == POLICY else "needs black and white"
        holds = "have 16 bits" if depth.kept == 16 else "hold numbers in units of their own"
        raise problem(
            "unfit-input",
            f"`{directive.word}` {needs}, and the images {holds} ({depth.name})",
            directive,
            argument="",
            help="take it out; `flip`, `rotate`, `scale`, `crop`, `noise`, `erase` and others work",
        )


def must_have_channels(
    plan: TrainPlan, parts: Mapping[str, ImageSource], channels: int, depth: Depth
) -> None:
    """Raises SpecError if the images cannot have the channels of the input. Files of colors can be
    read with one or three channels; arrays and other files keep the channels that they have."""
    for source in parts.values():
        if isinstance(source, Files) and source.first_input is not None:
            continue  # each file is read with the channels of its input
        name, convertible = "", True
        if isinstance(source, Arrays):
            have = source.images.shape[1] - source.further
        elif depth.channels:
            have, name, convertible = depth.channels, f" ({depth.name})", False
        elif channels in (1, 3):
            continue
        else:
            assert isinstance(source, Files)
            have, of = channels_of(source, channels)
            name = f" ({of})" if of else ""
        if have in (channels, 0) or (convertible and {have, channels} == {1, 3}):
            continue
        size = "x".join(map(str, plan.input[1:]))
        raise problem(
            "unfit-input",
            f"the images have {counted(have, 'channel')}{name}, but the network takes {channels}",
            plan.train.data,
            help=f"write `input {have}x{size}`",
        )


def must_have_rate(plan: TrainPlan, data_set: Contents) -> None:
    """Raises SpecError if `mel` takes frequencies for others than those of the sound."""
    mel, rate = plan.evaluate.spectrogram, data_set.rate
    if rate is None or not isinstance(mel, Mel) or mel.hertz == rate:
        return
    raise problem(
        "unfit-rate",
        f"the sound has {rate:,} samples in a second, and `mel` expects {mel.hertz:,}: its"
        " frequencies would be wrong",
        mel,
        argument="rate",
        help=f"write `mel {mel.bands} rate={rate}`, or `rate={mel.hertz}` after `data`, which"
        " resamples the sound",
    )


def must_be_usable(plan: TrainPlan, data_set: Contents, bad: list[BadFile], count: int) -> None:
    """Raises SpecError if more files are bad than the plan tolerates."""
    data = plan.train.data
    if len(bad) <= data.bad * count:
        return
    share = len(bad) / count
    what = "file" if data_set.noun == "image" else data_set.noun
    if isinstance(data, TableData):
        what = "row"
    reason, times = Counter(one.reason for one in bad).most_common(1)[0]
    ignore = re.search(r"`ignore=[^`]*`", reason) if times > len(bad) / 2 else None
    strange = re.match(r"`([^`]*)`: the mask has the class number", reason)
    image = f"; or `loss {strange[1]} l1`, if `{strange[1]}` is an image" if strange else ""
    leave = f", or write `bad={_rounded_up(share)}%` to leave them out" if share < 1 else ""
    raise problem(
        "bad-files",
        f"{len(bad):,} of {counted(count, what)} in {data_set.origin} cannot be used; the"
        f" limit is {percent(data.bad)}",
        data,
        argument="bad",
        notes=tuple(line.strip() for line in bad_lines(tuple(bad)))[1:],
        help=f"write {ignore[0]} after the {'table' if isinstance(data, TableData) else 'folder'},"
        f" if these pixels have no label{image}"
        if ignore
        else f"repair or remove them{leave}",
    )


def must_be_left(plan: TrainPlan, data_set: Contents, dataset: Dataset) -> None:
    """Raises SpecError if all images of a part or of a class were left out."""
    for part in dataset.parts:
        if not part.count:
            every = "files" if data_set.noun == "image" else plural_noun(data_set.noun)
            message = f"no {data_set.noun} is left for {USES[part.name]}: all {every} are unusable"
            raise problem("no-images", message, plan.train.data)
    lost = [
        name for name, count in zip(dataset.classes, dataset.train.counts, strict=True) if not count
    ]
    if lost and dataset.bad and data_set.task != Segmentation.word:
        message = f"no {data_set.noun} is left of the class `{lost[0]}`: all its files are unusable"
        raise problem("empty-class", message, plan.train.data, notes=(data_set.origin,))


def _rounded_up(share: float) -> int:
    return min(100, int(share * 100) + 1)
