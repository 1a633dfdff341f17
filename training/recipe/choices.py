"""Chooses what a spec says, by what was found in the data and by the machine: each choice has its
reason, which becomes a comment of the spec.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log, prod, sqrt
from statistics import median
from typing import NamedTuple

from ...compiler.analysis import Setting, analyse
from ...compiler.analysis.setting import OPTIMIZERS
from ...compiler.language.values import percent
from ...compiler.network import Network
from ..data.dataset import UNEVEN, USES
from ..data.diagnostic import counted, in_nouns, listed, plural_noun, point_of
from .machine import Machine
from .networks import (
    SMALL,
    Choice,
    for_images,
    for_masks,
    for_pairs,
    for_points,
    for_scans,
    for_series,
    levels_for,
    nearest,
)
from .pairs import Pairs
from .survey import Size, Survey

SIDES = {"small": 128, "medium": 224}
"""The largest side of images that are answered as a whole."""
AREAS = {"small": 240 * 192, "medium": 512 * 384}
"""The largest area of images whose pixels are answered."""


class Line(NamedTuple):
    """A line of a section, and why it is there."""

    text: str
    why: str


@dataclass(frozen=True)
class Input:
    channels: int
    size: Size
    why: str
    evaluate: tuple[Line, ...] = ()

    @property
    def text(self) -> str:
        return "x".join(map(str, (self.channels, *self.size)))


# ---- input -----------------------------------------------------------------------------------


def choose_input(survey: Survey, budget: str) -> Input:
    """The size of the images that the network gets."""
    sizes = survey.inputs.sizes
    if survey.pairs is not None:
        return _input_of_pairs(survey, survey.pairs, budget)
    if len(sizes[0]) != 2:
        return _input_of_points(survey, budget) if survey.task.dense else _input_of_samples(survey)
    if survey.task.dense:
        return _input_of_masks(survey, budget)
    shape = _shape(sizes)
    same = len(set(sizes)) == 1
    if same and max(sizes[0]) <= SMALL:
        return _input(survey, sizes[0], "The size of all images, which are used as they are.")
    short = median(min(size) for size in sizes)
    most = SIDES[budget]
    step = 32 if min(short, most) >= 96 else 16 if min(short, most) >= 32 else 4
    side = max(step, step * int(min(short, most) // step))
    why = f"Half of the images have shorter sides of {short:g} pixels and more"
    if short > most:
        why += f"; `--size {budget}` takes up to {most}, since larger inputs cost more time"
    if shape is not None and abs(log(shape)) > log(1.15) and max(shape, 1 / shape) <= 4:
        step = min(step, 16)
        high, wide = nearest(side / sqrt(shape), step), nearest(side * sqrt(shape), step)
        if high != wide:
            why = f"Images have the same shape, {_ratio(shape)}, which is kept. {why}."
            return _input(survey, (high, wide), why)
    if same and sizes[0] == (side, side):
        why = "The size of all images, of which nothing is cut off."
        return _input(survey, (side, side), why, (Line(f"resize {side}", "As they are."),))
    return _input(survey, (side, side), f"{why}.", _whole(survey, side))


def _input(survey: Survey, size: Size, why: str, evaluate: tuple[Line, ...] = ()) -> Input:
    return Input(survey.inputs.channels, size, why, evaluate)


def _whole(survey: Survey, side: int) -> tuple[Line, ...]:
    """The line that keeps whole images, if the middle part is too little for the labels."""
    ratio = median(min(size) / max(size) for size in survey.inputs.sizes)
    left = ratio * (49 / 64 if side >= 96 else 1)
    least = survey.recipe.least_crop
    if least is not None and left >= least:
        return ()
    why = (
        f"Whole images, squeezed: their middle would be {percent(round(left, 2))} of them, and what"
        " labels say may be elsewhere."
    )
    return (Line(f"resize {side}x{side}", why),)


def _input_of_pairs(survey: Survey, pairs: Pairs, budget: str) -> Input:
    least = tuple(map(min, zip(*pairs.sizes, strict=True)))
    height, width = (min(side, PARTS[budget] // pairs.enlarges) for side in least)
    if not pairs.in_files or (height, width) == least == _largest(pairs.sizes):
        return _input(survey, (least[0], least[1]), "The size of all images.")
    side = min(height, width)
    why = "Training sees random parts of this size; the trained network answers for images of any."
    return _input(survey, (side, side), why)


def _largest(sizes: Sequence[Size]) -> Size:
    return tuple(map(max, zip(*sizes, strict=True)))


PARTS = {"small": 48, "medium": 96}
"""The largest side of parts of images to answer."""


def _input_of_samples(survey: Survey) -> Input:
    """Whole series or scans, which are not resized."""
    sizes, many = survey.inputs.sizes, plural_noun(survey.noun)
    middle = tuple(sorted(lengths)[len(lengths) // 2] for lengths in zip(*sizes, strict=True))
    series = len(middle) == 1
    if len(set(sizes)) == 1:
        return _input(survey, middle, f"The {'length' if series else 'size'} of all {many}.")
    least, most = (tuple(map(of, zip(*sizes, strict=True))) for of in (min, max))
    if series:
        why = f"Lengths are {least[0]:,} to {most[0]:,}; half of the series are as long, or longer."
    else:
        why = f"Sizes are {_pixels(least)} to {_pixels(most)}; along each axis, that of the middle."
    filled = f"Shorter {many} are filled up with zeros; of longer ones, a part is seen."
    return _input(survey, middle, why, (Line("pad", filled),))


def _input_of_points(survey: Survey, budget: str) -> Input:
    """Parts of series or scans, each step or voxel of which is answered."""
    sizes, many = survey.inputs.sizes, plural_noun(survey.noun)
    middle = tuple(sorted(lengths)[len(lengths) // 2] for lengths in zip(*sizes, strict=True))
    side = LENGTHS[budget] if len(middle) == 1 else VOXELS[budget]
    limited = tuple(min(length, side) for length in middle)
    multiple = 2 ** levels_for(*limited)
    size = tuple(max(multiple, length // multiple * multiple) for length in limited)
    if set(sizes) == {size}:
        return _input(survey, size, f"The size of all {many}.")
    halved = f"multiples of {multiple}, since the network halves them"
    why = f"Parts of {many} of {_pixels(middle)}, {halved}; training sees random ones."
    tiled = Line("tiles", "All of each is answered, in parts of this size that overlap.")
    short = any(have < want for each in sizes for have, want in zip(each, size, strict=True))
    filled = Line("pad", "Shorter ones are filled up with zeros, which have no label.")
    return _input(survey, size, why, (filled, tiled) if short else (tiled,))


LENGTHS = {"small": 4096, "medium": 16_384}
"""The longest part of a series whose steps are answered."""
VOXELS = {"small": 48, "medium": 96}
"""The largest side of a part of a scan whose voxels are answered."""


def _input_of_masks(survey: Survey, budget: str) -> Input:
    sizes = survey.inputs.sizes
    shape = _shape(sizes)
    area = median(height * width for height, width in sizes)
    scale = min(1.0, sqrt(AREAS[budget] / area))
    if shape is None:
        side = scale * sqrt(area)
        multiple = 2 ** levels_for(int(side), int(side))
        square = nearest(side, multiple)
        why = (
            "Images have different shapes: training sees random parts, and an answer is put"
            " together from tiles of this size."
        )
        line = Line(f"resize {square}", "The shorter side, so that shapes are kept.")
        return _input(survey, (square, square), why, (line,))
    wanted = scale * sqrt(area / shape), scale * sqrt(area * shape)
    multiple = 2 ** levels_for(int(wanted[0]), int(wanted[1]))
    height, width = (nearest(length, multiple) for length in wanted)
    halved = f"multiples of {multiple}, since the network halves them"
    if scale < 1:
        why = f"`--size {budget}` takes about {AREAS[budget]:,} pixels; {halved}."
    elif (height, width) == sizes[0] and len(set(sizes)) == 1:
        why = "The size of all images."
    else:
        why = f"Close to {_pixels(_middle(sizes))}, the size of the images; {halved}."
    return _input(survey, (height, width), why)


def _shape(sizes: Sequence[Size]) -> float | None:
    """Width by height, if it is about the same for nearly all images."""
    ratios = sorted(width / height for height, width in sizes)
    low, high = ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10]
    return median(ratios) if high / low <= 1.2 else None


def _middle(sizes: Sequence[Size]) -> Size:
    return sorted(sizes, key=lambda size: size[0] * size[1])[len(sizes) // 2]


def _ratio(shape: float) -> str:
    return f"{shape:.2g} times as wide as high" if shape > 1 else f"{1 / shape:.2g} times as high"


def _pixels(size: Size) -> str:
    """Width x height of an image; of a scan, depth x height x width."""
    return "x".join(map(str, size[::-1] if len(size) == 2 else size))


# ---- network ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sized:
    """A network, what it costs, and how it is trained on this machine."""

    choice: Choice | None
    """None if the user names the network."""
    network: Network
    params: int
    macs: int
    seconds: float
    """Of an epoch, about."""
    batch: int
    epochs: int
    memory: int
    """Bytes of a training step."""
    wanted: int
    """Epochs, if time were no matter."""


def candidates(survey: Survey, size: Size, budget: str) -> list[Choice]:
    """The networks to choose from, small to large."""
    if survey.pairs is not None:
        pairs = survey.pairs
        offered = for_pairs(pairs.channels, pairs.answered, pairs.enlarges)
    elif len(size) != 2 and survey.task.dense:
        offered = for_points(size)
    elif len(size) == 1:
        offered = for_series(*size)
    elif len(size) == 3:
        offered = for_scans()
    else:
        height, width = size
        offered = (for_masks if survey.task.dense else for_images)(height, width)
    return [choice for choice in offered if not choice.medium or budget == "medium"]


def sized(
    choice: Choice | None,
    network: Network,
    survey: Survey,
    machine: Machine,
    minutes: float,
    *,
    tuned: bool = False,
) -> Sized:
    """What a network costs for this data on this machine; `tuned`, if only a head is trained."""
    analysis = analyse(network, Setting(optimizer=OPTIMIZERS["adamw"]))
    totals, memory = analysis.totals, analysis.memory
    count = training_images(survey)
    validated = sum(survey.parts.values()) - count
    each = machine.seconds(totals.macs, totals.activations)
    seconds = each * (count * (1 / 3 if tuned else 1) + validated / 3)
    wanted = min(_wanted_epochs(count), HEAD_EPOCHS if tuned else 120)
    if len(survey.inputs.sizes[0]) == 1:
        wanted = max(wanted, min(SERIES_EPOCHS, _nice(SERIES_STEPS * 16 / count)))
    epochs = max(LEAST_EPOCHS, min(wanted, _nice(minutes * 60 / seconds)))
    fits = max(1, memory.fit(machine.memory))
    return Sized(
        choice,
        network,
        totals.params,
        totals.macs,
        seconds,
        batch := min(_batch(count, survey.task.dense), 2 ** (fits.bit_length() - 1)),
        epochs,
        memory.needed(batch),
        wanted,
    )


LEAST_EPOCHS = 3
SERIES_EPOCHS, SERIES_STEPS = 400, 4000
"""Series are small, and often few: they are shown many times."""
HEAD_EPOCHS = 20
"""Enough for a new head on features that are trained already."""
PARAMETERS_PER_IMAGE = 20_000
"""The most parameters for each training image: a larger network would memorize them."""


def best(options: Sequence[Sized], survey: Survey, minutes: float) -> tuple[Sized, str]:
    """The largest network that fits, and why no larger one."""
    count = training_images(survey)
    taken, why = options[0], "the smallest that is offered"
    for option in options[1:]:
        if option.params > max(PARAMETERS_PER_IMAGE * count, 100_000):
            return taken, f"a larger one would memorize {count:,} images"
        if option.epochs < ENOUGH * option.wanted:
            return taken, f"a larger one would not see them often enough in {_minutes(minutes)}"
        taken, why = option, "the largest that is offered for this size"
    return taken, why


ENOUGH = 0.7
"""The share of the epochs that are wanted below which a network is too slow."""


def training_images(survey: Survey) -> int:
    """The training images that are left after the split."""
    return max(1, round(survey.training * (1 - (validation(survey) or 0))))


def validation(survey: Survey) -> float | None:
    """The share of images for validation; None if the data has a part for it."""
    if "val" in survey.parts:
        return None
    return 0.1 if survey.training >= 5000 else 0.2


def _wanted_epochs(count: int) -> int:
    """Few images are shown many times: 100 times for 250 images, 25 for 8,000, 10 for a million."""
    return max(10, min(120, _nice(900 * count**-0.4)))


def _nice(number: float) -> int:
    """A number that people write: rounded down to two digits, of which the last is even."""
    whole = max(1, int(number))
    if whole <= 10:
        return whole
    return whole // 2 * 2 if whole < 30 else whole // 10 * 10


def _batch(count: int, dense: bool) -> int:
    """Ten steps an epoch at least, within what is usual."""
    least, most = (4, 8) if dense else (8, 128 if count >= 20_000 else 64)
    fitting: int = 2 ** max(0, (count // 10).bit_length() - 1)
    return max(least, min(most, fitting))


# ---- sections --------------------------------------------------------------------------------


def train_lines(
    survey: Survey, machine: Machine, chosen: Sized, data: str, *, tuned: bool
) -> Iterator[Line]:
    """The `train` section; with `tuned`, only a new head is trained."""
    share = validation(survey)
    yield Line(_data_line(survey, data, share), _why_data(survey, share))
    count = training_images(survey)
    steps = -(-count // chosen.batch)
    yield Line(
        f"batch {chosen.batch}",
        f"{counted(steps, 'step')} an epoch. A step takes {_bytes(chosen.memory)} of the"
        f" {_bytes(machine.memory)} that training may use.",
    )
    each = f", {_time(chosen.seconds)} each" if chosen.seconds >= 5 else ""
    epochs = counted(chosen.epochs, "epoch")
    why = (
        f"By what the network costs, {epochs} take about {_time(chosen.seconds * chosen.epochs)} on"
        f" {machine.name}{each}."
    )
    if chosen.epochs < chosen.wanted:
        why += f" {chosen.wanted} would be better for {counted(count, survey.noun)}: `--minutes`."
    else:
        why += f" For {counted(count, survey.noun)}, more bring little."
    yield Line(f"epochs {chosen.epochs}", why)
    yield from _optimizer(survey, chosen, tuned=tuned)
    recipe = survey.recipe
    if not survey.answers:
        yield Line(recipe.loss, in_nouns(recipe.why_loss, survey.noun))
    for one in survey.answers:
        own = one.task.recipe
        loss = own.loss.replace("loss ", f"loss {one.name} ", 1)
        yield Line(loss, in_nouns(own.why_loss, survey.noun))
    weights = _weights(survey)
    if weights:
        yield Line("weights balanced", weights)


def _data_line(survey: Survey, data: str, share: float | None) -> str:
    if share is not None and " val=" not in data:
        data += f" val={percent(share)}"
    if survey.ignored:
        values = ", ".join(map(str, survey.ignored))
        data += f" ignore={values}" if len(survey.ignored) == 1 else f" ignore=({values})"
    bad = _bad_share(survey)
    return f"{data} bad={bad}%" if bad and " bad=" not in data else data


def _bad_share(survey: Survey) -> int:
    """The tolerated share of bad files in percent, if it has to be higher than usual."""
    looked = max(1, survey.inputs.looked)
    seen = len(survey.inputs.bad) / looked
    if looked < survey.total and seen:
        seen += 2 * sqrt(seen * (1 - seen) / looked)  # others may be among those not looked at
    share = (seen * survey.total + survey.bad) / (survey.total + survey.bad)
    return min(100, int(100 * share) + 1) if share > 0.01 else 0


def _why_data(survey: Survey, share: float | None) -> str:
    many = plural_noun(survey.noun)
    parts = [f"{count:,} {many} for {USES[part]}" for part, count in survey.parts.items()]
    why = listed(parts)
    if share is not None and "test" in survey.parts:
        why += f"; {percent(share)} of those for training validate, and the test {many} stay unseen"
    elif share is not None:
        why += f", of which {percent(share)} validate"
    why += "; a group is never split apart." if survey.groups else "."
    if survey.ignored:
        values = listed([str(value) for value in survey.ignored])
        why += f" Masks have the value {values}, which no class has: it stands for no label."
    bad = len(survey.inputs.bad) + survey.bad
    if bad:
        first = next(iter(survey.inputs.bad), None)
        some = f", like {_said(first.name)} ({first.reason})" if first is not None else ""
        why += f" {counted(bad, 'file')} of those looked at cannot be used{some}."
    return why


def _optimizer(survey: Survey, chosen: Sized, *, tuned: bool) -> Iterator[Line]:
    norms = any(node.op.kind == "norm" for node in chosen.network.nodes)
    if tuned:
        optimizer, why = "sgd lr=0.005 momentum=0.9", "Small: the features are trained already."
    elif survey.task.dense or survey.task.numbers or survey.noun != "image":
        optimizer = f"adamw lr={'1e-3' if norms else '3e-4'} weight_decay=1e-2"
        why = "A rate that suits networks of any size."
    else:
        rate = (0.05 if norms else 0.01) * min(1.0, max(0.25, chosen.batch / 64))
        spelled = f"{rate:.4f}".rstrip("0")
        optimizer = f"sgd lr={spelled} momentum=0.9 nesterov weight_decay=5e-4"
        why = f"In proportion to the batch, {'0.05' if norms else '0.01, without norms,'} for 64."
    yield Line(f"optimizer {optimizer}", why)
    if chosen.epochs > 1:
        why = "It rises at first, and falls to zero at the end."
        yield Line("schedule cosine warmup=5%", why)


def _weights(survey: Survey) -> str:
    """Why classes get weights; empty if they get none."""
    counts = survey.counts
    if not survey.recipe.balanced or not counts or not min(counts):
        return ""
    if max(counts) <= UNEVEN * min(counts):
        return ""
    names = survey.task.classes
    few, many = (names[counts.index(of(counts))] for of in (min, max))
    uneven = f"{max(counts):,} images of {_said(many)}, {min(counts):,} of {_said(few)}"
    return f"{uneven}: rare classes count more."


def augment_lines(survey: Survey, size: Size) -> Iterator[Line]:
    """Random changes that the labels bear; none of series, of which nothing is known, and of scans
    none that moves them."""
    if len(size) == 1:
        return
    if len(size) == 3:
        yield Line("scale 0.9..1.1", "Brightness differs from scan to scan.")
        yield Line("noise 0..5%", "A little, of the deviation of the scan.")
        yield Line("", "Not mirrored: nothing is known of its sides (`flip all`).")
        return
    if survey.pairs is not None:
        if survey.pairs.in_files:
            yield Line("crop", "Another part of each in every epoch, at its full resolution.")
        yield Line("flip horizontal", "Images are mirrored with their targets.")
        return
    recipe = survey.recipe
    side = max(size)
    along = "; masks move along" if survey.task.dense else ""
    if recipe.least_crop is not None:
        if side > SMALL or survey.task.dense:
            yield Line(f"crop scale={percent(recipe.least_crop)}..100%",
                       f"A random part, resized to the input{along}.")  # fmt: skip
        else:
            yield Line(f"crop pad={max(1, side // 8)}", "Shifts it by some pixels.")
        still = _why_not_mirrored(survey)
        if still:
            yield Line("", f"Not mirrored: {still}.")
        else:
            yield Line("flip horizontal", f"Nothing says that left and right differ{along}.")
    else:
        yield Line("", f"Neither moved nor mirrored: {recipe.why_still}.")
    if survey.inputs.depth > 16:
        yield Line("", "Its light stays as it is: the numbers have units of their own.")
        return
    color = " saturation=0.2" if survey.inputs.channels == 3 else ""
    yield Line(f"color brightness=0.2 contrast=0.2{color}", "Light differs from image to image.")


_SIDES = re.compile(r"(^|[^a-z])(left|right|links?|rechts?|gauche|droite)([^a-z]|$)", re.IGNORECASE)


def _why_not_mirrored(survey: Survey) -> str:
    """Why images are not mirrored; empty if they may be."""
    names = survey.task.classes
    sided = [name for name in names if _SIDES.search(name)]
    if not survey.recipe.mirrored:
        return survey.recipe.why_still
    if sided:
        return f"the name of {_said(sided[0])} has a side"
    letters = [name for name in names if len(name) == 1 and name.isalpha()]
    if len(letters) > len(names) / 2:
        return f"classes are called {_said(letters[0])}, …: they may be characters"
    if survey.inputs.channels == 1 and not survey.task.dense and all(map(str.isdecimal, names)):
        return "gray images of classes that are called by numbers may be characters"
    return ""


# ---- words -----------------------------------------------------------------------------------


def found(survey: Survey) -> Iterator[str]:
    """What was found, in sentences."""
    inputs = survey.inputs
    if survey.pairs is not None:
        yield from _found_pairs(survey, survey.pairs)
        return
    yield from _said_of_labels(survey)
    sizes = inputs.counts
    unit = f"{point_of(survey.noun)}s"
    if len(sizes) == 1:
        of = f"all of {_pixels(next(iter(sizes)))} {unit}"
    else:
        ordered = sorted(sizes, key=prod)
        of = f"of {len(sizes):,} sizes, {_pixels(ordered[0])} to {_pixels(ordered[-1])} {unit}"
    color = "in color" if inputs.channels == 3 else ""
    if survey.noun != "image":
        color = counted(inputs.channels, "channel")
    sample = f" ({inputs.looked:,} were looked at)" if inputs.looked < survey.total else ""
    described = ", ".join(filter(None, (color, of, *inputs.remarks)))
    yield f"{survey.total:,} {inputs.what}{sample}, {described}."
    yield from (f"{note[:1].upper()}{note[1:]}." for note in survey.notes)


def _said_of_labels(survey: Survey) -> Iterator[str]:
    of = "" if survey.task.dense else f" for each of the {plural_noun(survey.noun)}"
    each = [(f"`{one.name}` is", one.task) for one in survey.answers]
    for subject, task in each or [("Labels are", survey.task)]:
        labels = in_nouns(task.labels, survey.noun)
        names = listed([_said(name) for name in task.classes], 8)
        if not task.numbers or len(task.classes) > 1:
            yield f"{subject} {labels}{of}, {len(task.classes):,} in all: {names}."
        elif each:
            yield f"{subject} a number{of}."
        else:
            yield f"{subject} a number{of}: {names}."


def _found_pairs(survey: Survey, pairs: Pairs) -> Iterator[str]:
    larger = f", {pairs.enlarges} times as large" if pairs.enlarges > 1 else ""
    ordered = sorted(survey.inputs.counts, key=prod)
    if len(ordered) == 1:
        of = f"all of {_pixels(ordered[0])} pixels"
    else:
        of = f"of {len(ordered):,} sizes, {_pixels(ordered[0])} to {_pixels(ordered[-1])} pixels"
    into = "one in color" if pairs.answered == 3 else "a gray one"
    yield f"{survey.total:,} pairs: {survey.inputs.what}, {of}, each with {into} to answer{larger}."
    yield from (f"{note[:1].upper()}{note[1:]}." for note in survey.notes)


def _said(name: str) -> str:
    """The name of a class, in a comment."""
    plain = "".join(sign if sign.isprintable() else "?" for sign in name)
    return plain if len(plain) <= 40 else plain[:40] + "…"


def _time(seconds: float) -> str:
    if seconds < 1:
        return "less than a second"
    if seconds < 90:
        return f"{seconds:.0f} seconds" if round(seconds) > 1 else "1 second"
    minutes = seconds / 60
    return f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"


def _minutes(minutes: float) -> str:
    return "a minute" if minutes == 1 else f"{minutes:g} minutes"


def _bytes(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**29 else f"{max(1, round(count / 2**20))} MiB"
