"""Fusion: combines the directives of an augmentation into few passes over the pixels.

    passes = fuse(plan)

Directives that move pixels become one matrix per image and one interpolation; linear color changes
become one pass, with one matrix for all changes that cannot leave 0..255 in between. A directive
joins the pass directly before it, or begins a new one that records why. The order never changes.
Directives declare their kind of pass themselves (`augment/`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import NamedTuple

from ..shapes import Shape
from .augment.augmentation import Augmentation, file_crop
from .augment.passes import (
    COLOR,
    HUE,
    INSIDE,
    MOVE,
    RESIZE,
    WARP,
    ColorChange,
    Cost,
    Fill,
    PassKind,
    Size,
    numbers,
)
from .augment.resizing import Crop
from .evaluate import Resize
from .plan import TrainPlan
from .spectrogram import TimeFrequency


class Step(NamedTuple):
    """A directive of the plan, or the part of it that belongs to a pass."""

    number: int
    """Its index among the directives: its random numbers depend on it."""
    directive: Augmentation
    input_size: Size
    """The size of images before it."""
    kind: PassKind
    """The kind of pass that it belongs to."""
    series: bool = False
    """Whether it changes series, their spectrograms, or scans."""

    @property
    def output_size(self) -> Size:
        """The size of images after it."""
        return self.directive.size_after(self.input_size)

    @property
    def fill(self) -> Fill:
        """Its fill for the area outside the image; `INSIDE` if that is never visible."""
        return self.directive.fill_beyond(self.input_size)


@dataclass(frozen=True)
class Pass:
    """Directives that are computed together."""

    kind: PassKind
    steps: tuple[Step, ...]
    channels: int
    why: str = ""
    """Why its first directive does not join the previous pass of its family; "" if there is none.
    """
    normalizes: bool = False
    """Whether it includes the normalization, which comes last."""

    @property
    def input_size(self) -> Size:
        return self.steps[0].input_size

    @property
    def output_size(self) -> Size:
        return self.steps[-1].output_size

    @property
    def fill(self) -> Fill:
        """The fill for the area outside the image; `INSIDE` if that is never visible."""
        return next((step.fill for step in self.steps if step.fill != INSIDE), INSIDE)

    @property
    def cost(self) -> Cost:
        return _cost(self)


@dataclass(frozen=True)
class Fusion:
    """The fused augmentation of a plan."""

    passes: tuple[Pass, ...]
    read: tuple[Step, ...]
    """Directives done when images are read: a first `resize`, a first `crop` of image files."""
    input_size: Size
    """The size of images before the first pass."""
    channels: int
    after: tuple[Augmentation, ...] = ()
    """Directives that depend on the epoch, after all passes."""
    sample: Shape = ()
    """The shape of samples that are series or scans."""
    spectrogram: TimeFrequency | None = None
    """What is computed of series, before the last passes and the normalization."""
    on_spectrogram: int = 0
    """The number of passes after it."""
    input: Shape = ()
    """For those: the shape of the network's input."""

    @property
    def normalizes(self) -> bool:
        """Whether normalization is a separate pass."""
        return not any(pass_.normalizes for pass_ in self.passes)

    @property
    def cost(self) -> Cost:
        """The total cost, normalization included; without that of a spectrogram."""
        macs = sum(pass_.cost.macs for pass_ in self.passes)
        bytes = sum(pass_.cost.bytes for pass_ in self.passes)
        if self.normalizes:
            last = self.passes[-1].output_size if self.passes else self.input_size
            count = prod(self.input) if self.sample else numbers(last, self.channels)
            macs += count
            bytes += 8 * count
        return Cost(macs, bytes)


def fuse(plan: TrainPlan) -> Fusion:
    """Fuses the augmentation of a plan into passes."""
    if plan.has_samples:
        return fused_series(plan)
    crop = crop_when_read(plan)
    numbers = crop.numbers if crop else frozenset[int]()
    passes = fused(plan.augment, size_when_read(plan), plan.input[0], when_read=numbers)
    # Of several inputs, colors are changed in some, and all are normalized.
    return without_normalization(passes) if plan.inputs else passes


def without_normalization(fusion: Fusion) -> Fusion:
    """The same passes; the normalization is left to the end."""
    return replace(fusion, passes=tuple(replace(one, normalizes=False) for one in fusion.passes))


def fused_series(plan: TrainPlan) -> Fusion:
    """The augmentation of series and scans: each directive is a pass of its own. Those from the
    first on that changes spectrograms come after the spectrogram is computed, if there is one."""
    spectrogram = plan.evaluate.spectrogram
    maps = [number for number, directive in enumerate(plan.augment) if directive.on_spectrogram]
    count = len(plan.augment)
    before = min(maps, default=count) if spectrogram is not None else count
    passes: list[Pass] = []
    for number, directive in enumerate(plan.augment):
        channels, *axes = plan.sample if number < before else plan.input
        size = (prod(axes[:-1]), axes[-1])
        (kind,) = directive.pass_kinds(size)
        passes.append(Pass(kind, (Step(number, directive, size, kind, series=True),), channels))
    channels, *axes = plan.sample
    return Fusion(
        tuple(passes),
        (),
        (prod(axes[:-1]), axes[-1]),
        channels,
        sample=plan.sample,
        spectrogram=spectrogram,
        on_spectrogram=count - before,
        input=plan.input,
    )


class CropWhenRead(NamedTuple):
    """A random crop that is cut out of whole images when their files are read."""

    step: Step
    resize: Resize | None
    """How a whole image is resized before; None if not at all."""
    numbers: frozenset[int]
    """The indices of the directives that are done: `crop`, and `resize` if it is written."""
    size: Size
    """The size of the result."""


def crop_when_read(plan: TrainPlan) -> CropWhenRead | None:
    """The random crop of a plan that is done when images are read; None if there is none.

    Of image files, which differ in size, a batch can hold only a square. A crop out of that would
    never see the rest of a long image. Flips before it can as well come after it.
    """
    if not plan.train.data.image_files or len(plan.input) != 3:
        return None
    found = file_crop(plan.augment, plan.evaluate.resize)
    if found is None:
        return _any_part(plan)
    if not found.cuts:
        return None
    size = found.crop.size_after(plan.input[1:])
    step = Step(found.number, found.crop, size, found.crop.pass_kinds(size)[0])
    keeps = found.resize is not None and found.resize.keeps
    return CropWhenRead(step, None if keeps else found.resize, found.done, size)


def _any_part(plan: TrainPlan) -> CropWhenRead | None:
    """Of images that keep their size, each epoch sees another part, also where no `crop` is
    written."""
    resize = plan.evaluate.resize
    if resize is None or resize.side != "none":
        return None
    _, height, width = plan.input
    size = height, width
    crop = Crop.make(side=size)
    step = Step(len(plan.augment), crop, size, crop.pass_kinds(size)[0])
    return CropWhenRead(step, None, frozenset(), size)


def size_when_read(plan: TrainPlan) -> Size:
    """The size of training images before augmentation.

    If crops are cut out of them, it is the whole resized image, taken as a square.
    """
    crop = crop_when_read(plan)
    if crop is not None:
        return crop.size
    resize = resize_when_read(plan)
    if resize is None or resize.keeps:
        return plan.input[1:] if len(plan.input) == 3 else (1, 1)
    return resize.side if isinstance(resize.side, tuple) else (resize.side, resize.side)


def resize_when_read(plan: TrainPlan) -> Resize | None:
    """The resize that sets the size of training images before augmentation; None if there is none:
    then they are read as in evaluation.
    """
    first = next((directive for directive in plan.augment if directive.sets_size), None)
    if first is None:
        return None
    return first.resize_when_read(plan.evaluate.resize)


def fused(
    directives: Sequence[Augmentation],
    input_size: Size,
    channels: int,
    *,
    when_read: Collection[int] = (),
) -> Fusion:
    """Fuses directives without a plan. `when_read` has the indices of those that are done when
    images are read, beside a first `resize`."""
    passes: list[Pass] = []
    read: list[Step] = []
    for step in _steps(directives, input_size):
        if step.number in when_read or _when_read(step):
            read.append(step)
        else:
            _take(passes, step, channels)
    if passes and passes[-1].kind == COLOR:
        passes[-1] = replace(passes[-1], normalizes=True)
    after = tuple(directive for directive in directives if directive.by_epoch)
    return Fusion(tuple(passes), tuple(read), input_size, channels, after)


def separate(directives: Sequence[Augmentation], input_size: Size, channels: int) -> Fusion:
    """Every directive as a pass of its own, with the same random numbers: the reference for tests
    of fusion.
    """
    steps = _steps(directives, input_size)
    passes = [Pass(step.kind, (step,), channels) for step in steps]
    return Fusion(tuple(passes), (), input_size, channels)


def only(
    number: int, directives: Sequence[Augmentation], input_size: Size, channels: int
) -> Fusion:
    """Only one of the directives, with its own random numbers."""
    directive = directives[number]
    if directive.by_epoch:
        return Fusion((), (), input_size, channels)
    steps = [Step(number, directive, input_size, kind) for kind in directive.pass_kinds(input_size)]
    if _when_read(steps[0]):
        return Fusion((), tuple(steps), input_size, channels)
    passes = [Pass(step.kind, (step,), channels) for step in steps]
    return Fusion(tuple(passes), (), input_size, channels)


def _steps(directives: Sequence[Augmentation], input_size: Size) -> Iterator[Step]:
    for number, directive in enumerate(directives):
        if directive.by_epoch:
            continue
        for kind in directive.pass_kinds(input_size):
            yield Step(number, directive, input_size, kind)
        input_size = directive.size_after(input_size)


def _when_read(step: Step) -> bool:
    return step.directive.when_read and step.output_size == step.input_size


# ---- assigning directives to passes ----------------------------------------------------------


def _take(passes: list[Pass], step: Step, channels: int) -> None:
    """Adds a step to the last pass, or to a new one that records why."""
    last = passes[-1] if passes else None
    if last is not None and step.kind.family == last.kind.family:
        why = _apart(last, step)
        if not why:
            joint = step.kind if step.kind == last.kind else WARP
            passes[-1] = Pass(joint, (*last.steps, step), channels, last.why)
            return
    else:
        why = _between(passes, step.kind)
    passes.append(Pass(step.kind, (step,), channels, why))


def _apart(last: Pass, step: Step) -> str:
    """Why a step does not join the directly preceding pass of its family; "" if it does."""
    kind, before = step.kind, last.steps[-1].directive
    if RESIZE in (kind, last.kind):
        averaging = step.directive.word if kind == RESIZE else before.word
        return f"`{averaging}` averages over many pixels, but a warp interpolates between four"
    if before.displaces:
        return f"`{before.word}` displaces each pixel individually, which a matrix cannot do"
    if INSIDE not in (step.fill, last.fill) and step.fill != last.fill:
        return (
            f"it fills with {_fill_text(step.fill)}, the directives before with"
            f" {_fill_text(last.fill)}"
        )
    if HUE in (kind, last.kind):
        return "rotating hues is not linear"
    return kind.alone.format(before=before.word)


def _fill_text(fill: Fill) -> str:
    if isinstance(fill, str):
        return fill
    return "zero" if not any(fill) else f"({', '.join(f'{level:g}' for level in fill)})"


def _between(passes: Sequence[Pass], kind: PassKind) -> str:
    """The passes between a new pass and the last one of its family, in words."""
    same = [index for index, pass_ in enumerate(passes) if pass_.kind.family == kind.family]
    if not same:
        return ""
    between = passes[same[-1] + 1 :]
    words = list(
        dict.fromkeys(f"`{step.directive.word}`" for pass_ in between for step in pass_.steps)
    )
    clipped = any(pass_.kind.clips for pass_ in between) and kind.family == COLOR.family
    stands = "stands" if len(words) == 1 else "stand"
    tail = ", and values are clipped to 0..255 there" if clipped else ""
    listed = " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
    return f"{listed} {stands} between{tail}"


# ---- colors ---------------------------------------------------------------------------------


class StepChange(NamedTuple):
    """One linear change of colors, and its directive."""

    step: Step
    change: ColorChange


def color_matrices(pass_: Pass) -> tuple[tuple[StepChange, ...], ...]:
    """The color changes of a pass, grouped into matrices.

    After a change that may leave 0..255 values are clipped, so that matrices cannot be combined
    across it.
    """
    matrices: list[list[StepChange]] = [[]]
    for step in pass_.steps:
        for change in step.directive.color_changes():
            if matrices[-1] and matrices[-1][-1].change.largest > 1:
                matrices.append([])
            matrices[-1].append(StepChange(step, change))
    return tuple(map(tuple, matrices))


def mixes_channels(matrix: Sequence[StepChange]) -> bool:
    """Whether changes mix the channels of a pixel."""
    return any(each.change.mixes_channels for each in matrix)


def needs_mean(matrix: Sequence[StepChange]) -> bool:
    """Whether changes need the mean of an image."""
    return any(each.change.needs_mean for each in matrix)


# ---- cost ------------------------------------------------------------------------------------


def inner_borders(pass_: Pass) -> int:
    """The number of intermediate borders within a pass, outside of which pixels are filled.

    The border of the input image is not counted: the interpolation itself handles it.
    """
    inside = [step for step in pass_.steps if not step.directive.keeps_border]
    return sum(step.fill != INSIDE for step in inside[1:])


def _cost(pass_: Pass) -> Cost:
    directives = [step.directive for step in pass_.steps]
    place = numbers(pass_.output_size, 1)
    output_size = place * pass_.channels
    touched = 4 * (numbers(pass_.input_size, pass_.channels) + output_size)
    if pass_.kind == MOVE:
        return Cost(0, touched)
    if pass_.kind == WARP:  # four weights for each position, four products for each channel
        borders = inner_borders(pass_)
        matrix = (6 if any(each.projective for each in directives) else 4) * (1 + borders)
        own = sum(each.warp_macs() for each in directives)
        macs = place * (matrix + 4 + 4 * pass_.channels + own)
        return Cost(macs, touched + 4 * place * (2 + borders))
    if pass_.kind == COLOR:
        macs = moved = 0
        for matrix_of in color_matrices(pass_):
            mean = needs_mean(matrix_of)
            macs += output_size * ((pass_.channels if mixes_channels(matrix_of) else 1) + mean)
            moved += touched + 4 * output_size * mean
        return Cost(macs, moved)
    (directive,) = directives
    return directive.cost(pass_.kind, pass_.input_size, pass_.channels)
