"""How images meet the network: `evaluate { resize 256, crop 224, normalize imagenet }`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ...dsl.diagnostics import Edit
from ..language.problems import Problem
from ..language.signature import ArgumentError, choice, custom, flag
from ..shapes import by
from .around import Around
from .directive import Directive
from .fields import exact, real_number, size, tuple_of
from .pixels import Normalize

LARGE = 96
"""Inputs with such a side and above get images that are a seventh larger, 256 for 224,
and the border cut off: what is to be seen mostly stands in the middle."""

MODES = ("bilinear", "bicubic", "nearest")
MODE_DOC = "how pixels between pixels are found"


def usual_side(around: Around) -> Any:
    """What images are made: as large as the input or, where that is large, a little larger."""
    assert around.size is not None
    height, width = around.size
    if height != width:
        return height, width
    return round(height * 8 / 7) if height >= LARGE else height


class Resize(Directive):
    """The shorter side brought to a size, or both."""

    section = "evaluate"
    word = "resize"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "resize": "smallestmaxsize resizing image_size img_size target_size size"
    }

    side: Any = size("of the shorter side, or height and width like 256x192", example="256")
    mode: str = choice(MODE_DOC, MODES, "bilinear", keyword_only=True)

    @classmethod
    def usual(cls, around: Around) -> Resize | None:
        return cls.make(side=usual_side(around)) if around.size else None

    def problems(self, around: Around) -> Iterator[Problem]:
        place = self.place("side")
        if around.network is None or place is None:
            return
        if around.size is None:
            yield around.unfit(place, "only images have a size", "take `resize` out")
            return
        height, width = around.size
        exact_size = isinstance(self.side, tuple)
        have = self.side if exact_size else (self.side, self.side)
        if have[0] < height or have[1] < width:
            least = by(around.size) if exact_size else str(max(around.size))
            yield around.unfit(
                place,
                f"images of {by(have) if exact_size else self.side} are smaller than the input",
                f"write `resize {least}`, or more",
                (Edit(place, least),),
            )


class CentreCrop(Directive):
    """The middle of an image."""

    section = "evaluate"
    word = "crop"
    elsewhere: ClassVar[Mapping[str, str]] = {"crop": "centercrop center_crop centrecrop"}

    side: Any = size("its height and width; the network's input")

    @classmethod
    def usual(cls, around: Around) -> CentreCrop | None:
        return cls(side=around.size) if around.size else None

    def settle(self, around: Around) -> CentreCrop:
        if isinstance(self.side, int):
            return self.replace(side=(self.side, self.side))
        return self

    def problems(self, around: Around) -> Iterator[Problem]:
        yield from fits_input(self, self.side, around)


def fits_input(directive: Directive, side: Any, around: Around) -> Iterator[Problem]:
    """A crop gives what the network takes."""
    place = directive.place("side")
    if around.network is None or place is None or side is None:
        return
    if around.size is None:
        yield around.unfit(place, "only images can be cropped", f"take `{directive.word}` out")
        return
    found = side if isinstance(side, tuple) else (side, side)
    if found != around.size:
        height, width = around.size
        right = str(height) if height == width else by(around.size)
        yield around.unfit(
            place,
            f"a crop of {by(found)} is not what the network takes",
            f"write `crop {right}`, or change the input",
            (Edit(place, right),),
        )


# ---- several looks at an image ---------------------------------------------------------------


def _crops(value: object) -> int:
    if isinstance(value, bool) or value not in (1, 5, 10):
        raise ArgumentError("other numbers have no usual places")
    return int(value)


def _scale(value: object) -> float:
    found = real_number(value)
    if not 0.1 <= found <= 10:
        raise ArgumentError(f"{found:g} is not")
    return found


class Tta(Directive):
    """An image is looked at several times, and the answers are averaged."""

    section = "evaluate"
    word = "tta"
    may_be_off = True
    elsewhere: ClassVar[Mapping[str, str]] = {
        "tta": "test_time_augmentation ttach",
        "tta crops=10": "tencrop ten_crop",
        "tta crops=5": "fivecrop five_crop",
    }

    crops: int = custom(
        "1: the middle; 5: and the corners; 10: all of them mirrored, too",
        _crops,
        "1, 5 or 10",
        1,
        write=str,
    )
    flip: bool = flag("mirrored, too")
    scales: tuple[float, ...] = tuple_of(
        "at several sizes", _scale, "factors from 0.1 to 10, like [0.9, 1, 1.1]", (1.0,),
        keyword_only=True, write=lambda value: f"[{', '.join(map(exact, value))}]",
    )  # fmt: skip

    def check(self) -> None:
        if self.crops == 1 and not self.flip and self.scales == (1.0,):
            raise ArgumentError(
                "this looks at an image once, as without it", "write `tta flip`, or `tta crops=10`"
            )

    def problems(self, around: Around) -> Iterator[Problem]:
        if around.network is not None and around.size is None and self.span is not None:
            yield around.unfit(self.span, "only images can be looked at in parts", "take `tta` out")


@dataclass(frozen=True)
class Evaluate:
    """How images meet the network; training begins with it, too."""

    resize: Resize | None
    """None where the network does not take images."""
    crop: CentreCrop | None
    normalize: Normalize
    tta: Tta | None
