"""Augmentations that change the size of images: resize, crop."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from ...language.evaluate import Evaluated
from ...language.kinds import Range, between, choice, share, size, whole
from ...language.problems import Problem
from ...language.signature import ArgumentError
from ...language.values import Interval
from .. import evaluate
from ..data import Data
from ..directive import Context, conflict
from ..evaluate import MODE_DOC, MODES, fits_input
from ..loss import ends_in_map, maps_of
from ..other_sizes import difference
from .augmentation import Augmentation, file_crop, filling
from .geometric import fill_levels
from .passes import INSIDE, MOVE, RESIZE, WARP, Cost, Fill, PassKind, Size, numbers

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
        first = Evaluated(node.named("start"), value.low)
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

    def needs_one_input(self) -> str:
        return "it changes the size of a single input" if self.by_epoch else ""

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

    def enlarged(self, factor: int) -> Resize:
        if isinstance(self.side, tuple):
            return self.replace(side=tuple(factor * side for side in self.side))
        return self.replace(side=factor * self.side)

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
                    self.span,
                    unlike,
                    "choose sides that the network can halve and double again, or take this out"
                    if ends_in_map(context)
                    else "end the maps in `pool avg global`, or take this out",
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
    usage = "crop side scale=… ratio=… pad=0 fill=zero balanced=0%"
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
    fill: Any = filling()
    balanced: float = share(
        "for masks: the share of crops around a pixel of a class that is drawn with equal chances"
        " among those in the mask, so that small objects are seen as often as large ones", 0.0,
        keyword_only=True,
        elsewhere="oversample_foreground_percent class_balanced rare foreground",
    )  # fmt: skip

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
        if resize is not None and resize.keeps:
            return True
        if self.scale is not None:
            return True
        return resize is not None and resize.side >= max(self.size_after((resize.side,) * 2))

    def enlarged(self, factor: int) -> Crop:
        sides = None if self.side is None else tuple(factor * side for side in self.side)
        return self.replace(side=sides, pad=factor * self.pad)

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
        if self.balanced:
            yield from self._balanced_problems(context)

    def _balanced_problems(self, context: Context) -> Iterator[Problem]:
        place = self.place("balanced")
        if context.network is None or place is None:
            return
        if not ends_in_map(context):
            yield context.unfit(
                place,
                "only masks give pixels a class",
                "take `balanced` out; `weights balanced` makes the classes of images count alike",
            )
            return
        if len(maps_of(context) - {None}) > 1:
            yield context.unfit(
                place,
                "crops are balanced by the classes of one mask, and the network answers with"
                " several",
                "take `balanced` out",
            )
            return
        cut = file_crop(context.all(Augmentation), context.find(evaluate.Resize))
        if not context.get(Data).image_files or cut is None or cut.crop is not self or not cut.cuts:
            yield context.unfit(
                place,
                "crops are only balanced where they are cut out of image files when these are read",
                "write `crop` first, without `pad`, and `evaluate { tiles }` or `resize` with the"
                " shorter side",
            )
