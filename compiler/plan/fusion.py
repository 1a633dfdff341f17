"""The augmentation of a plan as few passes over the pixels: which directives are done together.

    passes = fuse(plan)

Directives that move pixels become one matrix for each image and one resampling; those that change
colours linearly become one pass, with a matrix for all that cannot leave 0..255 on the way. A
directive joins what stands directly before it, or
it does not, and then the pass that it begins says why. Nothing is put into another order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from .augment import (
    Augmentation,
    Blur,
    Color,
    Crop,
    CutMix,
    Elastic,
    Erase,
    Flip,
    Grayscale,
    Mixup,
    Noise,
    PcaColor,
    Perspective,
    RandAugment,
    Resize,
    Rotate,
    Scale,
    Shear,
    Shift,
    Trivial,
)
from .plan import TrainPlan

Size = tuple[int, int]
"""Height and width."""

Kind = Literal[
    "move", "warp", "resize", "colour", "hue", "noise", "blur", "erase", "policy", "mix"
]  # fmt: skip
"""What a pass does: `move` takes pixels over as they are, `warp` looks between them, `resize`
averages over many."""

FAMILIES: dict[Kind, str] = {
    "move": "geometry", "warp": "geometry", "resize": "geometry", "colour": "colour",
    "hue": "colour", "noise": "noise", "blur": "blur", "erase": "erase", "policy": "policy",
    "mix": "mix",
}  # fmt: skip

SHRINKS = 1.5
"""Up to what factor a bilinear look between four pixels stands for an average over all of them."""


class Step(NamedTuple):
    """A directive of the plan, or the part of it that belongs to a pass."""

    number: int
    """Its place among the directives: its random draws depend on it."""
    directive: Augmentation
    arrives: Size
    """How large images are before it …"""
    leaves: Size
    """… and after it."""


@dataclass(frozen=True)
class Cost:
    """Of a pass, for one image."""

    macs: int
    bytes: int
    """Read and written, numbers of four bytes."""


@dataclass(frozen=True)
class Pass:
    """Directives that are done in one go."""

    kind: Kind
    steps: tuple[Step, ...]
    channels: int
    why: str = ""
    """Why its first directive does not join the pass of its family before; empty where there is
    none."""
    normalizes: bool = False
    """What pixels become at the end is part of it."""

    @property
    def arrives(self) -> Size:
        return self.steps[0].arrives

    @property
    def leaves(self) -> Size:
        return self.steps[-1].leaves

    @property
    def family(self) -> str:
        return FAMILIES[self.kind]

    @property
    def clips(self) -> bool:
        """What has left 0..255 is cut off behind it."""
        return self.kind in ("colour", "noise")

    @property
    def fill(self) -> str | tuple[float, ...]:
        """What is put where nothing of the image is; `free` where that does not happen."""
        return next((fill for step in self.steps if (fill := filling(step)) != FREE), FREE)

    @property
    def cost(self) -> Cost:
        return _cost(self)


@dataclass(frozen=True)
class Fusion:
    """All of it."""

    passes: tuple[Pass, ...]
    read: tuple[Step, ...]
    """Directives that are done when images are read: a first `resize`."""
    arrives: Size
    """How large images are when they come."""
    channels: int

    @property
    def normalizes(self) -> bool:
        """Whether pixels become numbers in a pass of their own."""
        return not any(one.normalizes for one in self.passes)

    @property
    def cost(self) -> Cost:
        """Of all of it, what pixels become at the end included."""
        macs = sum(one.cost.macs for one in self.passes)
        bytes = sum(one.cost.bytes for one in self.passes)
        if self.normalizes:
            height, width = self.passes[-1].leaves if self.passes else self.arrives
            macs += height * width * self.channels
            bytes += 8 * height * width * self.channels
        return Cost(macs, bytes)


def fuse(plan: TrainPlan) -> Fusion:
    """The passes of a plan's augmentation, in order."""
    return fused(plan.augment, arriving(plan), plan.input[0])


def arriving(plan: TrainPlan) -> Size:
    """How large training images are before they are augmented. Where parts are cut out of them,
    that is all that the resize leaves, as a square."""
    sized = [one for one in plan.augment if isinstance(one, (Resize, Crop))]
    height, width = plan.input[1:] if len(plan.input) == 3 else (1, 1)
    if not sized:
        return height, width
    first = sized[0]
    if isinstance(first, Resize):
        side = first.side
    else:
        side = plan.evaluate.resize.side if plan.evaluate.resize else (height, width)
    return side if isinstance(side, tuple) else (side, side)


def fused(directives: tuple[Augmentation, ...], arrives: Size, channels: int) -> Fusion:
    """The same for directives by themselves."""
    passes: list[Pass] = []
    read: list[Step] = []
    for step in _steps(directives, arrives):
        if isinstance(step.directive, Resize) and step.leaves == step.arrives:
            read.append(step)
            continue
        for kind in _kinds(step):
            _take(passes, kind, step, channels)
    if passes and passes[-1].kind == "colour":
        passes[-1] = replace(passes[-1], normalizes=True)
    return Fusion(tuple(passes), tuple(read), arrives, channels)


def separate(directives: tuple[Augmentation, ...], arrives: Size, channels: int) -> Fusion:
    """Every directive by itself, with the same random draws: what being done together is held
    against."""
    passes = [
        Pass(kind, (step,), channels)
        for step in _steps(directives, arrives)
        for kind in _kinds(step)
    ]
    return Fusion(tuple(passes), (), arrives, channels)


def only(number: int, directives: tuple[Augmentation, ...], arrives: Size, channels: int) -> Fusion:
    """One of the directives, with what is drawn for it, as if the others were not there."""
    directive = directives[number]
    step = Step(number, directive, arrives, size_after(directive, arrives))
    if isinstance(directive, Resize) and step.leaves == step.arrives:
        return Fusion((), (step,), arrives, channels)
    passes = [Pass(kind, (step,), channels) for kind in _kinds(step)]
    return Fusion(tuple(passes), (), arrives, channels)


def _steps(directives: tuple[Augmentation, ...], arrives: Size) -> Iterator[Step]:
    for number, directive in enumerate(directives):
        leaves = size_after(directive, arrives)
        yield Step(number, directive, arrives, leaves)
        arrives = leaves


def size_after(directive: Augmentation, size: Size) -> Size:
    """How large images are after a directive."""
    if isinstance(directive, Crop):
        side = directive.side or size
        return side if isinstance(side, tuple) else (side, side)
    if isinstance(directive, Resize):
        if isinstance(directive.side, tuple):
            return directive.side
        height, width = size
        if height <= width:
            return directive.side, int(directive.side * width / height)
        return int(directive.side * height / width), directive.side
    return size


# ---- which pass ------------------------------------------------------------------------------


def _take(passes: list[Pass], kind: Kind, step: Step, channels: int) -> None:
    """Puts a step into the last pass, or into a new one that says why."""
    last = passes[-1] if passes else None
    if last is not None and FAMILIES[kind] == last.family:
        why = _apart(last, kind, step)
        if not why:
            joint: Kind = kind if kind == last.kind else "warp"
            passes[-1] = Pass(joint, (*last.steps, step), channels, last.why)
            return
    else:
        why = _between(passes, kind)
    passes.append(Pass(kind, (step,), channels, why))


def _kinds(step: Step) -> Iterator[Kind]:
    """What a directive is made of."""
    match step.directive:
        case Flip():
            yield "move"
        case Crop():
            yield _crop_kind(step)
        case Resize():
            yield "resize"
        case Rotate() | Scale() | Shift() | Shear() | Perspective() | Elastic():
            yield "warp"
        case Color() as color:
            if color.brightness or color.contrast or color.saturation:
                yield "colour"
            if color.hue:
                yield "hue"
        case Grayscale() | PcaColor():
            yield "colour"
        case Noise():
            yield "noise"
        case Blur():
            yield "blur"
        case Erase():
            yield "erase"
        case Mixup() | CutMix():
            yield "mix"
        case RandAugment() | Trivial():
            yield "policy"
        case other:
            raise AssertionError(other.word)


def _crop_kind(step: Step) -> Kind:
    crop = step.directive
    assert isinstance(crop, Crop)
    if crop.scale is None:
        return "move"
    return "resize" if largest_part(step) > SHRINKS else "warp"


def largest_part(step: Step) -> float:
    """How many pixels become one, each way, where a scaled crop takes in as much as it can."""
    crop, (height, width) = step.directive, step.arrives
    assert isinstance(crop, Crop)
    assert crop.scale is not None
    ratio = crop.ratio or (0.75, 4 / 3)
    area = crop.scale[1] * height * width
    tall = min(height, math.sqrt(area / ratio[0]))
    wide = min(width, math.sqrt(area * ratio[1]))
    return max(tall / step.leaves[0], wide / step.leaves[1])


FREE = "free"


def filling(step: Step) -> str | tuple[float, ...]:
    """How a step fills what is not of the image; `free` where it always finds something."""
    directive = step.directive
    if isinstance(directive, Crop):
        if directive.scale is not None or not (directive.pad or _smaller(step)):
            return FREE
        return _colour(directive.fill)
    if isinstance(directive, (Rotate, Scale, Shift, Shear, Perspective, Elastic)):
        return _colour(directive.fill)
    return FREE


def _smaller(step: Step) -> bool:
    return step.arrives[0] < step.leaves[0] or step.arrives[1] < step.leaves[1]


def _colour(fill: str | tuple[float, ...]) -> str | tuple[float, ...]:
    return (0.0,) if fill == "zero" else fill


def _apart(last: Pass, kind: Kind, step: Step) -> str:
    """Why a step does not join a pass of its family directly before it; empty where it does."""
    word, before = step.directive.word, last.steps[-1].directive
    if "resize" in (kind, last.kind):
        shrinking = word if kind == "resize" else before.word
        return f"`{shrinking}` averages over many pixels, a warp looks at four"
    if last.family == "geometry":
        if isinstance(before, Elastic):
            return "what `elastic` does to a place is no matrix"
        own = filling(step)
        if FREE not in (own, last.fill) and own != last.fill:
            return f"it fills with {_told(own)}, those before with {_told(last.fill)}"
        return ""
    if kind == "hue" or last.kind == "hue":
        return "turning hues is not linear"
    if kind == "colour":
        return ""
    if last.family == "mix":
        return f"`{before.word}` has mixed the images before"
    return _AGAIN[kind]


_AGAIN: dict[Kind, str] = {
    "noise": "what the first one drives out of 0..255 is cut off before",
    "blur": "each image has a bell of its own, and bells are done one after the other",
    "erase": "parts are blotted out one after the other",
    "policy": "what is drawn there is only known for each image",
}


def _told(fill: str | tuple[float, ...]) -> str:
    if isinstance(fill, str):
        return fill
    return "zero" if not any(fill) else f"({', '.join(f'{level:g}' for level in fill)})"


def _between(passes: list[Pass], kind: Kind) -> str:
    """What stands between a new pass and the last one of its family."""
    found = [index for index, one in enumerate(passes) if one.family == FAMILIES[kind]]
    if not found:
        return ""
    between = passes[found[-1] + 1 :]
    words = list(dict.fromkeys(f"`{step.directive.word}`" for one in between for step in one.steps))
    cut = any(one.clips for one in between) and FAMILIES[kind] == "colour"
    stands = "stands" if len(words) == 1 else "stand"
    tail = ", and what leaves 0..255 is cut off there" if cut else ""
    listed = " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
    return f"{listed} {stands} between{tail}"


# ---- colours ---------------------------------------------------------------------------------


class Shade(NamedTuple):
    """One linear change of colours."""

    step: Step
    what: Literal["brightness", "contrast", "saturation", "grayscale", "light"]
    most: float
    """The greatest factor; what is above 1 may drive numbers out of 0..255."""


def matrices(one: Pass) -> tuple[tuple[Shade, ...], ...]:
    """The changes of a pass over colours, those together that become one matrix. Behind one that
    may leave 0..255 that is cut off, so that nothing can be multiplied across it."""
    found: list[list[Shade]] = [[]]
    for step in one.steps:
        for shade in _shades(step):
            if found[-1] and found[-1][-1].most > 1:
                found.append([])
            found[-1].append(shade)
    return tuple(map(tuple, found))


def _shades(step: Step) -> Iterator[Shade]:
    directive = step.directive
    if isinstance(directive, Color):
        if directive.brightness:
            yield Shade(step, "brightness", directive.brightness[1])
        if directive.contrast:
            yield Shade(step, "contrast", directive.contrast[1])
        if directive.saturation:
            yield Shade(step, "saturation", directive.saturation[1])
    elif isinstance(directive, Grayscale):
        yield Shade(step, "grayscale", 1.0)
    else:
        yield Shade(step, "light", math.inf)


def mixes_channels(shades: tuple[Shade, ...]) -> bool:
    """Whether colours of a pixel depend on each other."""
    return any(shade.what in ("saturation", "grayscale") for shade in shades)


def needs_mean(shades: tuple[Shade, ...]) -> bool:
    """Whether the mean of an image has to be known first."""
    return any(shade.what == "contrast" for shade in shades)


# ---- what it costs ---------------------------------------------------------------------------


def frames(one: Pass) -> int:
    """Borders within a pass beyond which nothing counts as image, beside that of what arrives: the
    resampling itself sees to that one."""
    inside = [step for step in one.steps if not isinstance(step.directive, Flip)]
    return sum(filling(step) != FREE for step in inside[1:])


_BILINEAR = 4 + 4
"""Four weights for each place, and for each channel four products."""
_POLICY = 12
"""Of the dearest things on the lists: a 3 x 3 neighbourhood, and what goes with it."""


def _cost(one: Pass) -> Cost:
    channels = one.channels
    before = one.arrives[0] * one.arrives[1] * channels
    place = one.leaves[0] * one.leaves[1]
    after = place * channels
    touched = 4 * (before + after)
    match one.kind:
        case "move":
            return Cost(0, touched)
        case "warp":
            homography = any(isinstance(step.directive, Perspective) for step in one.steps)
            elastic = [step.directive for step in one.steps if isinstance(step.directive, Elastic)]
            smooth = sum(4 * bell_size(each.sigma, 8) for each in elastic)
            coordinates = 6 if homography else 4
            macs = place * (coordinates * (1 + frames(one)) + 4 + 4 * channels + smooth)
            return Cost(macs, touched + 4 * place * (2 + frames(one)))
        case "resize":
            factor = max(1.0, one.arrives[0] / one.leaves[0])
            return Cost(int(after * _BILINEAR * factor), touched)
        case "colour":
            macs = moved = 0
            for shades in matrices(one):
                mean = needs_mean(shades)
                macs += after * ((channels if mixes_channels(shades) else 1) + mean)
                moved += touched + 4 * after * mean
            return Cost(macs, moved)
        case "hue":
            return Cost(after * 8, touched)
        case "noise":
            return Cost(after, touched + 4 * after)
        case "blur":
            widest = max(
                step.directive.sigma[1] for step in one.steps if isinstance(step.directive, Blur)
            )
            return Cost(after * 2 * bell_size(widest, 6), 2 * touched)
        case "erase":
            return Cost(0, 4 * after)
        case "mix":
            return Cost(after * 2, touched + 4 * after)
        case "policy":
            often = sum(
                step.directive.n if isinstance(step.directive, RandAugment) else 1
                for step in one.steps
            )
            return Cost(after * _POLICY * often, touched * often)
    raise AssertionError(one.kind)


def bell_size(sigma: float, times: float) -> int:
    """Over how many pixels a bell goes, an odd number: `times` its deviation."""
    return int(times * sigma + 1) | 1
