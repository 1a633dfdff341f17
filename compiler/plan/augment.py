"""Directives of the augment section: random changes to training images, in the order written. A
directive declares everything here except the computation itself: its arguments, the passes over a
batch that it is part of (for `fusion.py`), the size and border of the images after it, and its
cost. The computation is registered for its class under training/augment, with `@implements`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, NamedTuple

from ...dsl.diagnostics import Edit
from ..language.binding import Evaluated
from ..language.kinds import (
    Range,
    about_one,
    between,
    choice,
    custom,
    flag,
    number,
    ranged,
    real_number,
    share,
    size,
    whole,
)
from ..language.problems import Problem
from ..language.signature import ArgumentError
from ..language.values import Interval, Word, interval, show, spelled
from . import evaluate
from .directive import Context, Directive, conflict, taken_out
from .evaluate import MODE_DOC, MODES, fits_input
from .loss import Focal, Loss
from .other_sizes import difference

Size = tuple[int, int]
"""Height and width."""

Fill = str | tuple[float, ...]
"""`nearest`, `reflect`, `mirror`, or levels from 0 to 255, one or one for each channel."""

INSIDE = "inside"
"""Instead of a fill: pixels outside the image are never read."""


class PassKind(NamedTuple):
    """A kind of pass over a batch of images."""

    name: str
    family: str
    """Directives join a directly preceding pass of the same family, or `explain` says why not."""
    title: str
    clips: bool = False
    """Whether values are clipped to 0..255 after it."""
    alone: str = ""
    """Why two in a row of this kind are two passes; "" if they are combined.

    `{before}` is the word of the first.
    """


MOVE = PassKind("move", "geometry", "pixels are moved without interpolation")
WARP = PassKind(
    "warp", "geometry", "pixels are moved: one matrix and one interpolation for each image"
)
RESIZE = PassKind("resize", "geometry", "images are resized, averaging over pixels")
COLOR = PassKind("color", "color", "colors", clips=True)
HUE = PassKind("hue", "color", "hues are rotated")
NOISE = PassKind(
    "noise", "noise", "noise", clips=True,
    alone="values are clipped to 0..255 after the first one",
)  # fmt: skip
BLUR = PassKind(
    "blur", "blur", "blur",
    alone="each image has its own kernel, and images are blurred one after the other",
)  # fmt: skip
ERASE = PassKind(
    "erase", "erase", "a rectangle is erased", alone="rectangles are erased one after the other"
)
POLICY = PassKind(
    "policy", "policy", "random operations from a list",
    alone="the operations are drawn separately for each image",
)  # fmt: skip
MIX = PassKind(
    "mix", "mix", "images are mixed, and their labels",
    alone="`{before}` mixes the images first",
)  # fmt: skip


class Cost(NamedTuple):
    """The cost of a pass, for one image."""

    macs: int
    bytes: int
    """Bytes read and written, with four bytes per element."""


class ColorChange(NamedTuple):
    """A linear change of colors, which can be combined into a matrix."""

    name: str
    largest: float
    """Its largest factor: if above 1, values may leave 0..255."""
    mixes_channels: bool = False
    """Whether it mixes the channels of a pixel."""
    needs_mean: bool = False
    """Whether it needs the mean of the image."""


def numbers(size: Size, channels: int) -> int:
    """The number of elements of an image."""
    return size[0] * size[1] * channels


def kernel_size(sigma: float, times: float) -> int:
    """The width in pixels of a Gaussian kernel, an odd number: `times` the standard deviation."""
    return int(times * sigma + 1) | 1


def _p(default: float = 1.0, **options: Any) -> float:
    return share("probability", default, keyword_only=True, elsewhere="prob", **options)  # type: ignore[no-any-return]


_FILLS = ("zero", "nearest", "reflect", "mirror")
_FILLS_ELSEWHERE = {
    "constant": "zero", "black": "zero", "zeros": "zero", "border": "nearest", "edge": "nearest",
    "replicate": "nearest", "symmetric": "reflect", "reflection": "reflect",
    "reflect_101": "mirror", "reflect101": "mirror",
    "white": "255", "mean": "(124, 116, 104)",
}  # fmt: skip


def _level(value: object) -> float:
    number = real_number(value)
    if not 0 <= number <= 255:
        raise ArgumentError(f"{number:g} is not from 0 to 255")
    return number


def _fill(value: object) -> Any:
    if isinstance(value, Word):
        if value in _FILLS:
            return str(value)
        raise ArgumentError(
            f"{show(value)} is not one of them", instead=_FILLS_ELSEWHERE.get(value.lower(), "")
        )
    if isinstance(value, (tuple, list)) and not isinstance(value, Interval) and value:
        return tuple(map(_level, value))
    return (_level(value),)


def _write_fill(value: Any) -> str:
    if isinstance(value, str):
        return value
    return spelled(value[0]) if len(value) == 1 else spelled(value)


def _filling() -> Any:
    return custom(
        "what fills the area outside the image; `reflect` repeats the pixels at the border,"
        " `mirror` (`reflect` in torch) does not",
        _fill,
        "`zero`, `nearest`, `reflect`, `mirror`, or a color like (124, 116, 104), each from 0 to"
        " 255",
        "zero",
        takes_words=True,
        keyword_only=True,
        words=_FILLS,
        write=_write_fill,
        elsewhere="fill_mode cval value padding_mode fillcolor border_mode",
    )


class Augmentation(Directive):
    """A random change to training images."""

    section = "augment"
    several = True

    works_on: ClassVar[Literal["anything", "images", "colors"]] = "images"
    pass_kind: ClassVar[PassKind]
    projective: ClassVar[bool] = False
    """For a warp: its matrix is a homography, not only affine."""
    displaces: ClassVar[bool] = False
    """For a warp: it displaces each pixel individually, which ends the pass."""
    keeps_border: ClassVar[bool] = False
    """It maps the image onto itself, so that nothing outside the border becomes visible."""
    when_read: ClassVar[bool] = False
    """If it is first, it is done when images are read."""
    title_when_read: ClassVar[str] = ""
    """What is done when it is done while images are read, if that is random."""
    advice: ClassVar[Mapping[str, str]] = {
        "leave it out: `normalize` in `evaluate` converts pixels to numbers": "ToTensor ToImage"
        " PILToTensor ToDtype ToTensorV2 Compose",
        "write its parts: `rotate`, `shift`, `scale`, `shear`": "RandomAffine Affine"
        " ShiftScaleRotate aug_transforms",
    }

    @property
    def sets_size(self) -> bool:
        """It sets the size of images, the same in all epochs."""
        return False

    @property
    def by_epoch(self) -> bool:
        """It depends on the epoch, and comes after all passes."""
        return False

    def sides(self, epochs: int) -> list[int]:
        """The shorter side of images in each epoch, if it depends on that."""
        raise NotImplementedError(self.word)

    # ---- its passes (for fusion.py) ----

    def pass_kinds(self, input_size: Size) -> tuple[PassKind, ...]:
        """The passes that it needs for images of a size; usually one."""
        return (self.pass_kind,)

    def written_in(self, kind: PassKind) -> str:
        """The part of the directive that a pass of this kind does; "" if all of it."""
        return ""

    def size_after(self, input_size: Size) -> Size:
        """The size of images after it."""
        return input_size

    def fill_beyond(self, input_size: Size) -> Fill:
        """Its fill for the area outside the image; `INSIDE` if that is never visible."""
        return INSIDE

    def resize_when_read(self, evaluated: evaluate.Resize | None) -> evaluate.Resize | None:
        """How images are resized when read, if this is the first directive to set a size."""
        return evaluated

    def resize_of_file(
        self, written: evaluate.Resize | None, evaluated: evaluate.Resize | None
    ) -> evaluate.Resize | None:
        """How an image file is resized before it is cut, if `cuts_files`; None if it is not.
        `written` is the directive `resize` before this one, `evaluated` that of evaluation."""
        return written

    def cuts_files(self, resize: evaluate.Resize | None) -> bool:
        """Whether it can be done when an image file of any size is read and resized like this."""
        return False

    def color_changes(self) -> tuple[ColorChange, ...]:
        """Its contributions to a color matrix, in this order."""
        return ()

    def smoothing_note(self, input_size: Size) -> str:
        """For a resize: a note on antialiasing."""
        return "antialiased if it makes images smaller"

    def warp_macs(self) -> int:
        """Multiply-adds per position of a warp, beside the product with its matrix."""
        return 0

    def cost(self, kind: PassKind, input_size: Size, channels: int) -> Cost:
        """The cost as a pass of its own."""
        raise NotImplementedError(self.word)

    def _touched(self, input_size: Size, channels: int) -> int:
        """Bytes of an image before and after it."""
        output_size = self.size_after(input_size)
        return 4 * (numbers(input_size, channels) + numbers(output_size, channels))

    # ---- errors ----

    def fill_problem(self, context: Context) -> Iterator[Problem]:
        """The error for a fill color with another number of values than the image has channels."""
        fill, place = getattr(self, "fill", ""), self.place("fill")
        if not isinstance(fill, tuple) or not context.channels or place is None:
            return
        if len(fill) not in (1, context.channels):
            yield context.unfit(
                place, f"this color has {len(fill)} numbers", "write one for each channel"
            )

    def needs_colors(self) -> bool:
        return self.works_on == "colors"

    def problems(self, context: Context) -> Iterator[Problem]:
        if context.network is None or self.span is None:
            return
        if context.size is None and self.works_on != "anything":
            yield context.unfit(
                self.span,
                f"`{self.word}` works on images",
                "take it out, or make the input channels x height x width",
                (Edit(self.span, ""),),
            )
        elif context.channels not in (None, 3) and self.needs_colors():
            yield self.colorless(context)
        yield from self.fill_problem(context)

    def colorless(self, context: Context) -> Problem:
        assert self.span is not None
        return context.unfit(
            self.span,
            f"`{self.word}` works on the three colors of an image",
            "take it out",
            (Edit(self.span, ""),),
        )


# ---- geometry --------------------------------------------------------------------------------


class Flip(Augmentation):
    """Mirror images at random."""

    word = "flip"
    pass_kind = MOVE
    keeps_border = True
    elsewhere: ClassVar[Mapping[str, str]] = {
        "flip horizontal": "RandomHorizontalFlip HorizontalFlip horizontal_flip fliplr hflip"
        " RandomFlip FlipItem do_flip mirror rand_mirror random_mirror Fliplr left_right",
        "flip vertical": "RandomVerticalFlip VerticalFlip Flipud rand_flip up_down vertical_flip"
        " flipud vflip flip_vert",
    }

    axis: str = choice(
        "`horizontal` swaps left and right, `vertical` top and bottom, `both` draws for each",
        ("horizontal", "vertical", "both"),
        elsewhere={"lr": "horizontal", "ud": "vertical", "h": "horizontal", "v": "vertical"},
    )
    alternate: bool = flag(
        "mirror each image in every second epoch: at random in the first, then in turn"
    )
    p: float = _p(0.5)

    def check(self) -> None:
        if self.alternate and self.p != 0.5:
            raise ArgumentError(
                "with `alternate` an image is mirrored in every second epoch, whatever `p` is",
                "take one of them out",
                drop="p",
            )
        if self.alternate and self.axis == "both":
            raise ArgumentError(
                "`alternate` mirrors along one axis: of four views, an image would have two",
                "write `flip horizontal alternate`",
                drop="alternate",
            )


class Warp(Augmentation):
    """Base of directives that move pixels by a matrix; the area outside the image is filled."""

    pass_kind = WARP

    def fill_beyond(self, input_size: Size) -> Fill:
        return fill_levels(self.arguments["fill"])


def fill_levels(fill: Fill) -> Fill:
    return (0.0,) if fill == "zero" else fill


class Rotate(Warp):
    """Rotate about the center by a random angle."""

    word = "rotate"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "rotate": "angle Rotate turn RandomRotate max_rotation RandomRotation rotation_range"
        " rotation SafeRotate max_rotate degrees",
    }

    degrees: Range = ranged("largest angle, counter-clockwise", 180, "degrees", example="20",
                           elsewhere="limit angle angles max_angle factor")  # fmt: skip
    p: float = _p()
    fill: Any = _filling()


class Scale(Warp):
    """Zoom in or out about the center."""

    word = "scale"
    synonyms = ("zoom",)
    elsewhere: ClassVar[Mapping[str, str]] = {
        "scale": "RandomZoomOut ScaleX ScaleY stretch aspect_scale RandomZoom zoom_range"
        " RandomScale ScaleJitter max_zoom min_zoom zoomout",
    }

    factor: Range = about_one("the factor; above 1 enlarges", above=True, example="0.9..1.1")
    p: float = _p()
    fill: Any = _filling()


class Shift(Warp):
    """Translate images by a random distance."""

    word = "shift"
    example = "shift 10%"
    usage = "shift by x=… y=… p=100% fill=zero"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "shift": "translate RandomTranslation Translate",
        "shift x=10%": "width_shift_range TranslateX shift_x",
        "shift y=10%": "height_shift_range TranslateY shift_y",
    }

    by: Range | None = ranged("in both directions, as a share of width and height", 1, "", None)
    x: Range | None = ranged(
        "to the right only, as a share of the width", 1, "", None, keyword_only=True
    )
    y: Range | None = ranged("down only, as a share of the height", 1, "", None, keyword_only=True)
    p: float = _p()
    fill: Any = _filling()

    def check(self) -> None:
        if self.by is None and self.x is None and self.y is None:
            raise ArgumentError("no distance is given", "write `shift 10%`")
        if self.by is not None and self.x is not None and self.y is not None:
            raise ArgumentError("both directions are given twice", "take `by` out", drop="by")


class Shear(Warp):
    """Shear images by a random angle."""

    word = "shear"
    elsewhere: ClassVar[Mapping[str, str]] = {"shear": "skew ShearX Shear shear_range RandomShear"}

    x: Range = ranged("shear angle of columns", 89, "degrees", example="10")
    y: Range = ranged("shear angle of rows", 89, "degrees", (0.0, 0.0), keyword_only=True)
    p: float = _p()
    fill: Any = _filling()


class Perspective(Warp):
    """Change the viewpoint by a random homography."""

    word = "perspective"
    projective = True
    elsewhere: ClassVar[Mapping[str, str]] = {
        "perspective": "PerspectiveTransform RandomPerspective Perspective max_warp"
        " distortion_scale warp warping",
    }

    distortion: float = share("how far corners may move, as a share of half the image", 0.5)
    p: float = _p(0.5)
    fill: Any = _filling()


class Elastic(Warp):
    """Elastic deformation by a smooth random displacement field (Simard et al., 2003)."""

    word = "elastic"
    displaces = True
    elsewhere: ClassVar[Mapping[str, str]] = {
        "elastic": "OpticalDistortion RandomElasticTransform ElasticTransformation2d local_warp"
        " ElasticTransformation PiecewiseAffine ElasticTransform GridDistortion",
    }

    alpha: float = number("strength of the displacement, in pixels", 50.0, minimum=0,
                          maximum=10_000)  # fmt: skip
    sigma: float = number(
        "standard deviation of the Gaussian that smooths it, in pixels", 5.0,
        minimum=0, above=True, maximum=1_000,
    )  # fmt: skip
    p: float = _p()
    fill: Any = _filling()

    def warp_macs(self) -> int:
        """The smoothing: a separable kernel over both displacements."""
        return 4 * kernel_size(self.sigma, 8)


_BILINEAR = 4 + 4
"""Four weights for each position, and four products for each channel."""


class Resizing(Augmentation):
    """Base of directives that change the size of images."""

    @property
    def sets_size(self) -> bool:
        return not self.by_epoch

    def cost(self, kind: PassKind, input_size: Size, channels: int) -> Cost:
        output_size = self.size_after(input_size)
        factor = max(1.0, input_size[0] / output_size[0])
        macs = int(numbers(output_size, channels) * _BILINEAR * factor)
        return Cost(macs, self._touched(input_size, channels))

    def is_last_size(self, context: Context) -> bool:
        """Whether its size is the final one, which the network gets."""
        return [other for other in context.all(Augmentation) if other.sets_size][-1] is self


class Resize(Resizing):
    """Resize images, before a random crop: the shorter side, or height and width.

    With a range, `resize 128..192 by=epoch`, as the last directive: early epochs see smaller
    images, the last ones those of the network's input (progressive resizing).
    """

    word = "resize"
    example = "resize 256, crop"
    usage = "resize side mode=bilinear or resize 128..192 by=epoch step=32 mode=bilinear"
    pass_kind = RESIZE
    when_read = True
    elsewhere: ClassVar[Mapping[str, str]] = {
        "resize": "LongestMaxSize RandomResize RandomShortestSize Resizing SmallestMaxSize",
    }

    side: Any = size("length of the shorter side, or height and width like 256x192", example="256")
    mode: str = choice(MODE_DOC, MODES, "bilinear", keyword_only=True)
    start: int | None = whole("side in the first epoch: the start of a range", None)
    by: str | None = choice("what a range follows", ("epoch",), None, keyword_only=True)
    step: int | None = whole(
        "difference between two sides, for a range; by default 32", None, keyword_only=True
    )

    @classmethod
    def arranged(cls, arguments: Sequence[Evaluated]) -> Sequence[Evaluated]:
        """A range is the sides of the first and the last epoch."""
        if not arguments or not isinstance(arguments[0].value, Interval):
            return arguments
        (node, value), *others = arguments
        first = Evaluated(replace(node, name="start"), value.low)
        return [Evaluated(node, value.high), first, *others]

    def check(self) -> None:
        if self.start is None:
            if self.by is not None:
                raise ArgumentError(
                    "`by=epoch` needs a range of sides", "write `resize 128..192 by=epoch`",
                    drop="by",
                )  # fmt: skip
            return
        if self.by is None:
            raise ArgumentError(
                "a range of sides follows the epochs", "write `resize 128..192 by=epoch`"
            )
        if not isinstance(self.side, int) or self.start >= self.side:
            raise ArgumentError("images grow from epoch to epoch", "write `resize 128..192`")
        if (self.side - self.start) % self._step:
            step = math.gcd(self.side - self.start, self._step)
            raise ArgumentError(
                f"steps of {self._step} do not lead from {self.start} to {self.side}",
                f"write `step={step}`",
            )

    @property
    def by_epoch(self) -> bool:
        return self.start is not None

    @property
    def _step(self) -> int:
        return self.step or 32

    def sides(self, epochs: int) -> list[int]:
        """For a range, the side in each epoch: each side has the same number of epochs, about."""
        assert self.start is not None
        sides = range(self.start, self.side + 1, self._step)
        if epochs == 1:
            return [self.side]
        if epochs < len(sides):
            last = epochs - 1
            return [sides[-1 - (len(sides) - 1) * (last - e) // last] for e in range(epochs)]
        return [sides[epoch * len(sides) // epochs] for epoch in range(epochs)]

    def remark(self) -> str:
        return super().remark() if self.start is None else "smaller images in early epochs"

    def __str__(self) -> str:
        if self.start is None:
            return super().__str__()
        return f"resize {self.start}..{self.side} by=epoch mode={self.mode} step={self._step}"

    def resize_when_read(self, evaluated: evaluate.Resize | None) -> evaluate.Resize:
        return evaluate.Resize(side=self.side, mode=self.mode)

    def size_after(self, input_size: Size) -> Size:
        if isinstance(self.side, tuple):
            return self.side
        height, width = input_size
        if height <= width:
            return self.side, int(self.side * width / height)
        return int(self.side * height / width), self.side

    def problems(self, context: Context) -> Iterator[Problem]:
        yield from super().problems(context)
        place = self.place("side")
        if self.start is not None:
            yield from self._by_epoch(context)
            return
        fits = not context.size or self.side == context.size
        if not fits and place is not None and self.is_last_size(context):
            message = "images are not of the input's size after this"
            yield context.unfit(place, message, "write `crop` after it")

    def _by_epoch(self, context: Context) -> Iterator[Problem]:
        """Errors of a range of sides."""
        if context.network is None or context.size is None or self.span is None:
            return
        if context.all(Augmentation)[-1] is not self:
            yield conflict(
                "this changes the size of batches, after everything else",
                self,
                context.all(Augmentation)[-1],
                help="write it last",
                drop=False,
            )
            return
        largest = min(context.size)
        if self.side != largest:
            yield context.unfit(
                self.span,
                "in the last epochs, images have the size of the input",
                f"write `resize {self.start}..{largest} by=epoch`, or change the input",
            )
            return
        for side in sorted({*self.sides(10**6)} - {self.side}):
            height, width = (each * side // self.side for each in context.size)
            unlike = difference(context.network, (context.shape[0], height, width))
            if unlike:
                yield context.unfit(
                    self.span, unlike, "end the maps in `pool avg global`, or take this out"
                )
                return


SHRINKS = 1.5
"""Up to this factor, bilinear interpolation replaces an average over all pixels."""


class Crop(Resizing):
    """Crop a random part; with `scale`, one of random size, resized to the input.

    If images come from files, it is cut out of the whole image when that is read, unless there is
    padding, or another directive than `flip` or `resize` before it.
    """

    word = "crop"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "crop scale=8%..100%": "RandomResizedCrop",
        "crop": "RandomCrop RandomSizedCrop RandomCropNear randomresizedcropgpu",
    }
    usage = "crop side scale=… ratio=… pad=0 fill=zero"
    title_when_read = "random crops of whole images"

    side: Any = size("height and width of the result; by default the network's input", None)
    scale: Range | None = between(
        "share of the image's area that is cut out, before resizing", 0, 1, None,
        keyword_only=True,
    )  # fmt: skip
    ratio: Range | None = between(
        "aspect ratio of what is cut out: width / height", 0.01, 100, None, keyword_only=True
    )
    pad: int = whole(
        "pixels of padding around the image, before cropping", 0, minimum=0, maximum=10_000,
        keyword_only=True, elsewhere="padding",
    )  # fmt: skip
    fill: Any = _filling()

    def check(self) -> None:
        if self.ratio is not None and self.scale is None:
            raise ArgumentError(
                "`ratio` is for crops of random size", "write `scale=8%..100%`, too", drop="ratio"
            )
        if self.pad and self.scale is not None:
            raise ArgumentError(
                "`pad` is for crops of a fixed size", "take `pad` or `scale` out", drop="pad"
            )
        if self.scale is not None and self.scale[1] == 0:
            raise ArgumentError("a crop of area zero", "write `scale=35%..100%`")

    def pass_kinds(self, input_size: Size) -> tuple[PassKind, ...]:
        if self.scale is None:
            return (MOVE,)
        return (RESIZE,) if self.shrinks_by(input_size) > SHRINKS else (WARP,)

    def resize_of_file(
        self, written: evaluate.Resize | None, evaluated: evaluate.Resize | None
    ) -> evaluate.Resize | None:
        return written or (evaluated if self.scale is None else None)

    def cuts_files(self, resize: evaluate.Resize | None) -> bool:
        """A pair of sides has made all images equal: nothing is gained then."""
        if self.pad or (resize is not None and isinstance(resize.side, tuple)):
            return False
        if self.scale is not None:
            return True
        return resize is not None and resize.side >= max(self.size_after((resize.side,) * 2))

    def size_after(self, input_size: Size) -> Size:
        side = self.side or input_size
        return side if isinstance(side, tuple) else (side, side)

    def fill_beyond(self, input_size: Size) -> Fill:
        height, width = self.size_after(input_size)
        smaller = input_size[0] < height or input_size[1] < width
        beyond = self.scale is None and (self.pad or smaller)
        return fill_levels(self.fill) if beyond else INSIDE

    def shrinks_by(self, input_size: Size) -> float:
        """The number of pixels that become one along a side, for the largest possible crop."""
        assert self.scale is not None
        height, width = input_size
        output_size = self.size_after(input_size)
        ratio = self.ratio or (0.75, 4 / 3)
        area = self.scale[1] * height * width
        tall = min(height, math.sqrt(area / ratio[0]))
        wide = min(width, math.sqrt(area * ratio[1]))
        return max(tall / output_size[0], wide / output_size[1])

    def smoothing_note(self, input_size: Size) -> str:
        return (
            f"up to {self.shrinks_by(input_size):.2g} pixels become one along each side; bilinear"
            f" interpolation reads four, so it is used up to a factor of {SHRINKS:g}"
        )

    def settle(self, context: Context) -> Crop:
        side = (self.side, self.side) if isinstance(self.side, int) else self.side
        ratio = (0.75, 4 / 3) if self.scale and self.ratio is None else self.ratio
        return self.replace(side=side or context.size, ratio=ratio)

    def problems(self, context: Context) -> Iterator[Problem]:
        yield from super().problems(context)
        if context.size and self.is_last_size(context):
            yield from fits_input(self, self.side, context)


# ---- colors ---------------------------------------------------------------------------------


class Color(Augmentation):
    """Jitter brightness, contrast, saturation and hue."""

    word = "color"
    example = "color brightness=0.2 contrast=0.2"
    synonyms = ("colour",)
    elsewhere: ClassVar[Mapping[str, str]] = {
        "color": "RandomColorJitter RandomPhotometricDistort PhotometricDistort ColorJiggle"
        " RGBShift color_distort ColorJitter color_jitter",
        "color brightness=0.2": "Multiply Brightness exposure random_brightness brightness"
        " brightness_range RandomBrightness",
        "color contrast=0.2": "LinearContrast ContrastNormalization random_contrast contrast"
        " RandomContrast",
        "color brightness=0.2 contrast=0.2": "max_lighting RandomBrightnessContrast",
        "color saturation=0.2": "saturation RandomSaturation RandomColorDegeneration",
        "color hue=0.05": "AddToHueAndSaturation random_hue hue RandomHue HueSaturationValue",
    }

    brightness: Range | None = about_one("factor of the brightness", None, keyword_only=True)
    contrast: Range | None = about_one(
        "factor of the distance from the mean gray of the image", None, keyword_only=True
    )
    saturation: Range | None = about_one(
        "factor of the distance from the gray of each pixel", None, keyword_only=True
    )
    hue: Range | None = ranged("rotation of the hues", 0.5, "turns", None, keyword_only=True)
    p: float = _p()

    def check(self) -> None:
        if not any(map(self.arguments.get, ("brightness", "contrast", "saturation", "hue"))):
            raise ArgumentError("no argument is given", "write `color brightness=0.2 contrast=0.2`")

    def color_changes(self) -> tuple[ColorChange, ...]:
        changes = []
        if self.brightness:
            changes.append(ColorChange("brightness", self.brightness[1]))
        if self.contrast:
            changes.append(ColorChange("contrast", self.contrast[1], needs_mean=True))
        if self.saturation:
            changes.append(ColorChange("saturation", self.saturation[1], mixes_channels=True))
        return tuple(changes)

    def pass_kinds(self, input_size: Size) -> tuple[PassKind, ...]:
        linear = (COLOR,) if self.color_changes() else ()
        return (*linear, HUE) if self.hue else linear

    def written_in(self, kind: PassKind) -> str:
        if not self.hue or not self.color_changes():
            return ""
        return f"color hue={interval(self.hue)}" if kind == HUE else str(self.replace(hue=None))

    def cost(self, kind: PassKind, input_size: Size, channels: int) -> Cost:
        """The cost of the hue: conversion to an angle and back."""
        return Cost(numbers(input_size, channels) * 8, self._touched(input_size, channels))

    def needs_colors(self) -> bool:
        return self.saturation is not None or self.hue is not None

    def colorless(self, context: Context) -> Problem:
        name = "saturation" if self.saturation is not None else "hue"
        place = self.place(name)
        assert place is not None
        return context.unfit(
            place, f"only color images have a {name}", f"take `{name}` out", taken_out(place)
        )


class Grayscale(Augmentation):
    """Remove colors at random, leaving three equal channels."""

    word = "grayscale"
    synonyms = ("greyscale",)
    works_on = "colors"
    pass_kind = COLOR
    elsewhere: ClassVar[Mapping[str, str]] = {"grayscale": "RandomGrayscale ToGray RandomGrayScale"}

    p: float = _p(0.1)

    def color_changes(self) -> tuple[ColorChange, ...]:
        return (ColorChange("grayscale", 1.0, mixes_channels=True),)


class PcaColor(Augmentation):
    """Shift colors along the principal components of ImageNet (Krizhevsky et al., 2012)."""

    word = "pca_color"
    works_on = "colors"
    pass_kind = COLOR
    elsewhere: ClassVar[Mapping[str, str]] = {
        "pca_color": "lighting pca pca_jitter pca_noise lighting_noise PCA FancyPCA pca_lighting"
    }

    deviation: float = number("standard deviation of the shift", 0.1, minimum=0, maximum=10)
    p: float = _p()

    def color_changes(self) -> tuple[ColorChange, ...]:
        return (ColorChange("light", math.inf),)


class Noise(Augmentation):
    """Add Gaussian noise to each pixel."""

    word = "noise"
    works_on = "anything"
    pass_kind = NOISE
    elsewhere: ClassVar[Mapping[str, str]] = {
        "noise": "SaltAndPepper Spatter AdditiveGaussianNoise gaussian_noise RandomNoise"
        " MultiplicativeNoise GaussNoise GaussianNoise RandomGaussianNoise ISONoise",
    }

    deviation: Range = between(
        "standard deviation, where white is 1", 0, 1, example="0.05", elsewhere="sigma std stddev"
    )
    p: float = _p()

    def cost(self, kind: PassKind, input_size: Size, channels: int) -> Cost:
        count = numbers(input_size, channels)
        return Cost(count, self._touched(input_size, channels) + 4 * count)


class Blur(Augmentation):
    """Blur with a Gaussian kernel."""

    word = "blur"
    pass_kind = BLUR
    elsewhere: ClassVar[Mapping[str, str]] = {
        "blur": "AdvancedBlur ZoomBlur GlassBlur gaussian_blur MedianBlur Defocus AverageBlur"
        " GaussianBlur RandomGaussianBlur MotionBlur",
    }

    sigma: Range = between("standard deviation of the kernel, in pixels", 0, 100, (0.1, 2.0))
    p: float = _p()

    def cost(self, kind: PassKind, input_size: Size, channels: int) -> Cost:
        macs = numbers(input_size, channels) * 2 * kernel_size(self.sigma[1], 6)
        return Cost(macs, 2 * self._touched(input_size, channels))


class Erase(Augmentation):
    """Erase a random rectangle (Zhong et al., arXiv:1708.04896)."""

    word = "erase"
    pass_kind = ERASE
    elsewhere: ClassVar[Mapping[str, str]] = {
        "erase": "GridDropout PixelDropout ChannelDropout erasing cut_out GridMask Dropout"
        " CoarseDropoutV2 RandomErasing Cutout CoarseDropout random_erasing reprob random_cutout",
    }

    scale: Range = between("share of the image's area", 0, 1, (0.02, 0.33), keyword_only=True)
    ratio: Range = between("aspect ratio: width / height", 0.01, 100, (0.3, 3.3), keyword_only=True)
    fill: Any = custom(
        "what the rectangle is filled with",
        lambda value: _erasing(value),
        "`zero`, `noise`, or a color like (124, 116, 104), each from 0 to 255",
        "zero",
        takes_words=True,
        keyword_only=True,
        words=("zero", "noise"),
        write=_write_fill,
        elsewhere="value",
    )
    p: float = _p(0.25)

    def cost(self, kind: PassKind, input_size: Size, channels: int) -> Cost:
        return Cost(0, 4 * numbers(input_size, channels))


def _erasing(value: object) -> Any:
    if isinstance(value, Word):
        if value in ("zero", "noise"):
            return str(value)
        habit = {"random": "noise", "pixel": "noise", "black": "zero", "const": "zero"}
        raise ArgumentError(
            f"{show(value)} is not one of them", instead=habit.get(value.lower(), "")
        )
    return _fill(value)


# ---- mixing images, and published policies ----------------------------------------------------


class Mixing(Augmentation):
    """Base of directives that mix two images and their labels."""

    several = False
    pass_kind = MIX

    def cost(self, kind: PassKind, input_size: Size, channels: int) -> Cost:
        count = numbers(input_size, channels)
        return Cost(count * 2, self._touched(input_size, channels) + 4 * count)

    def problems(self, context: Context) -> Iterator[Problem]:
        yield from super().problems(context)
        if self.origin is None:
            return
        loss = context.find(Loss)
        if isinstance(loss, Focal):
            message = f"`{self.word}` gives an image two classes; `loss focal` takes one"
            yield conflict(message, self, loss, help="write `loss cross_entropy`, or take this out")


class Mixup(Mixing):
    """Blend pairs of images and their labels (Zhang et al., arXiv:1710.09412)."""

    word = "mixup"
    works_on = "anything"
    elsewhere: ClassVar[Mapping[str, str]] = {"mixup": "mixup_alpha mix_up"}

    alpha: float = number(
        "parameter of Beta(alpha, alpha), from which the weights are drawn; if small, one image"
        " dominates", 0.2,
        minimum=0, above=True, maximum=100,
    )  # fmt: skip
    p: float = _p()


class CutMix(Mixing):
    """Paste a rectangle of another image, and mix the labels (Yun et al., arXiv:1905.04899)."""

    word = "cutmix"
    elsewhere: ClassVar[Mapping[str, str]] = {"cutmix": "cutmix_alpha cut_mix"}

    alpha: float = number(
        "parameter of Beta(alpha, alpha), from which the areas are drawn", 1.0,
        minimum=0, above=True, maximum=100,
    )  # fmt: skip
    p: float = _p()


class OfAList(Augmentation):
    """Random operations from a published list."""

    pass_kind = POLICY

    def cost(self, kind: PassKind, input_size: Size, channels: int) -> Cost:
        """The most expensive operations of the lists read a neighborhood of 3 x 3."""
        count = numbers(input_size, channels)
        return Cost(count * 12 * self.rounds, self._touched(input_size, channels) * self.rounds)

    @property
    def rounds(self) -> int:
        """The number of operations per image."""
        return 1


class RandAugment(OfAList):
    """Apply random operations of one strength (Cubuk et al., arXiv:1909.13719)."""

    word = "randaugment"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "randaugment": "auto_aug aa rand_augment AutoAugment auto_augment AugMix rand_m9_mstd0.5"
    }

    n: int = whole("number of operations for each image", 2, maximum=100, elsewhere="num_ops")
    magnitude: int = whole("strength, of 30", 9, minimum=0, maximum=30, elsewhere="m")
    fill: Any = _filling()

    @property
    def rounds(self) -> int:
        return self.n


class Trivial(OfAList):
    """Apply one operation of random strength (Müller and Hutter, arXiv:2103.10158)."""

    word = "trivial"
    elsewhere: ClassVar[Mapping[str, str]] = {"trivial": "TrivialAugmentWide trivialaugment"}

    fill: Any = _filling()
