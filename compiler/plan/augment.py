"""What is done to images in training so that no two are the same, in the order written.

Only batches that are learned from are changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from ...dsl.diagnostics import Edit
from ..language.problems import Problem
from ..language.signature import ArgumentError, choice, custom
from ..language.values import Interval, Word, show
from .around import Around, conflict, taken_out
from .directive import Directive
from .evaluate import MODE_DOC, MODES, fits_input
from .fields import (
    Range,
    about_one,
    between,
    number,
    ranged,
    real_number,
    share,
    size,
    spelled,
    whole,
)
from .loss import Focal, Loss


def _p(default: float = 1.0, **more: Any) -> float:
    return share("how often it is done", default, keyword_only=True, elsewhere="prob", **more)  # type: ignore[no-any-return]


_FILLS = ("zero", "nearest", "reflect")
_FILLS_ELSEWHERE = {
    "constant": "zero", "black": "zero", "zeros": "zero", "border": "nearest", "edge": "nearest",
    "replicate": "nearest", "mirror": "reflect", "symmetric": "reflect", "reflection": "reflect",
    "white": "255", "mean": "(124, 116, 104)",
}  # fmt: skip


def _level(value: object) -> float:
    found = real_number(value)
    if not 0 <= found <= 255:
        raise ArgumentError(f"{found:g} is not from 0 to 255")
    return found


def _fill(value: object) -> Any:
    if isinstance(value, Word):
        if value in _FILLS:
            return str(value)
        raise ArgumentError(
            f"{show(value)} is none of them", instead=_FILLS_ELSEWHERE.get(value.lower(), "")
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
        "what is put where nothing of the image is",
        _fill,
        "`zero`, `nearest`, `reflect`, or a colour like (124, 116, 104), each from 0 to 255",
        "zero",
        takes_words=True,
        keyword_only=True,
        words=_FILLS,
        write=_write_fill,
        elsewhere="fill_mode cval value padding_mode fillcolor border_mode",
    )


class Augmentation(Directive):
    """A change to images, drawn anew for each."""

    section = "augment"
    several = True

    works_on: ClassVar[Literal["anything", "images", "colours"]] = "images"
    advice: ClassVar[Mapping[str, str]] = {
        "leave it out: `normalize` in `evaluate` makes numbers of pixels": "ToTensor ToImage"
        " PILToTensor ToDtype ToTensorV2 Compose",
        "write what it consists of: `rotate`, `shift`, `scale`, `shear`": "RandomAffine Affine"
        " ShiftScaleRotate aug_transforms",
    }

    def fill_problem(self, around: Around) -> Iterator[Problem]:
        """A colour has as many numbers as the image has channels."""
        fill, place = getattr(self, "fill", ""), self.place("fill")
        if not isinstance(fill, tuple) or not around.channels or place is None:
            return
        if len(fill) not in (1, around.channels):
            yield around.unfit(
                place, f"this colour is of {len(fill)} numbers", "write one for each channel"
            )

    def needs_colours(self) -> bool:
        return self.works_on == "colours"

    def problems(self, around: Around) -> Iterator[Problem]:
        if around.network is None or self.span is None:
            return
        if around.size is None and self.works_on != "anything":
            yield around.unfit(
                self.span,
                f"`{self.word}` works on images",
                "take it out, or make the input channels x height x width",
                (Edit(self.span, ""),),
            )
        elif around.channels not in (None, 3) and self.needs_colours():
            yield self.colourless(around)
        yield from self.fill_problem(around)

    def colourless(self, around: Around) -> Problem:
        assert self.span is not None
        return around.unfit(
            self.span,
            f"`{self.word}` works on the three colours of an image",
            "take it out",
            (Edit(self.span, ""),),
        )


# ---- geometry --------------------------------------------------------------------------------


class Flip(Augmentation):
    """Mirrored."""

    word = "flip"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "flip horizontal": "RandomHorizontalFlip HorizontalFlip horizontal_flip fliplr hflip"
        " RandomFlip do_flip",
        "flip vertical": "RandomVerticalFlip VerticalFlip vertical_flip flipud vflip flip_vert",
    }

    axis: str = choice(
        "left and right, top and bottom, or each by itself",
        ("horizontal", "vertical", "both"),
        elsewhere={"lr": "horizontal", "ud": "vertical", "h": "horizontal", "v": "vertical"},
    )
    p: float = _p(0.5)


class Rotate(Augmentation):
    """Turned about the middle."""

    word = "rotate"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "rotate": "RandomRotation rotation_range rotation SafeRotate max_rotate degrees"
    }

    degrees: Range = ranged("by how much, anti-clockwise", 180, "degrees", example="20")
    p: float = _p()
    fill: Any = _filling()


class Scale(Augmentation):
    """Made larger or smaller about the middle."""

    word = "scale"
    synonyms = ("zoom",)
    elsewhere: ClassVar[Mapping[str, str]] = {
        "scale": "RandomZoom zoom_range RandomScale ScaleJitter max_zoom zoomout"
    }

    factor: Range = about_one("by what", above=True, example="0.9..1.1")
    p: float = _p()
    fill: Any = _filling()


class Shift(Augmentation):
    """Moved."""

    word = "shift"
    usage = "shift by x=… y=… p=100% fill=zero"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "shift": "translate RandomTranslation width_shift_range height_shift_range"
    }

    by: Range | None = ranged("both ways, in shares of the image", 1, "", None)
    x: Range | None = ranged("to the right alone", 1, "", None, keyword_only=True)
    y: Range | None = ranged("downwards alone", 1, "", None, keyword_only=True)
    p: float = _p()
    fill: Any = _filling()

    def check(self) -> None:
        if self.by is None and self.x is None and self.y is None:
            raise ArgumentError("it does not say how far", "write `shift 10%`")
        if self.by is not None and self.x is not None and self.y is not None:
            raise ArgumentError("both directions are given twice", "take `by` out", drop="by")


class Shear(Augmentation):
    """Slanted."""

    word = "shear"
    elsewhere: ClassVar[Mapping[str, str]] = {"shear": "shear_range RandomShear"}

    x: Range = ranged("rows pushed sideways", 89, "degrees", example="10")
    y: Range = ranged("columns pushed up and down", 89, "degrees", (0.0, 0.0), keyword_only=True)
    p: float = _p()
    fill: Any = _filling()


class Perspective(Augmentation):
    """Seen from another side."""

    word = "perspective"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "perspective": "RandomPerspective Perspective max_warp distortion_scale"
    }

    distortion: float = share("how far corners may move, as a share of half the image", 0.5)
    p: float = _p(0.5)
    fill: Any = _filling()


class Elastic(Augmentation):
    """Warped from place to place (Simard et al., 2003)."""

    word = "elastic"
    elsewhere: ClassVar[Mapping[str, str]] = {"elastic": "ElasticTransform GridDistortion"}

    alpha: float = number("how far pixels move", 50.0, minimum=0, maximum=10_000)
    sigma: float = number("over how many pixels the warp is even", 5.0, minimum=0, above=True,
                          maximum=1_000)  # fmt: skip
    p: float = _p()
    fill: Any = _filling()


class Resize(Augmentation):
    """The shorter side brought to a size, or both, before a crop."""

    word = "resize"
    elsewhere: ClassVar[Mapping[str, str]] = {"resize": "Resizing SmallestMaxSize"}

    side: Any = size("of the shorter side, or height and width like 256x192", example="256")
    mode: str = choice(MODE_DOC, MODES, "bilinear", keyword_only=True)

    def problems(self, around: Around) -> Iterator[Problem]:
        yield from super().problems(around)
        place = self.place("side")
        sized = [one for one in around.all(Augmentation) if isinstance(one, (Resize, Crop))]
        if around.size and place is not None and sized[-1] is self and self.side != around.size:
            yield around.unfit(
                place, "this does not end in images as large as the input", "write `crop` behind it"
            )


class Crop(Augmentation):
    """A part from anywhere; with `scale`, of any size, made as large as the input."""

    word = "crop"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "crop scale=8%..100%": "RandomResizedCrop",
        "crop": "RandomCrop RandomSizedCrop RandomCropNear randomresizedcropgpu",
    }
    usage = "crop side scale=… ratio=… pad=0 fill=zero"

    side: Any = size("its height and width; without, the input's", None)
    scale: Range | None = between(
        "how much of the image's area it takes in", 0, 1, None, keyword_only=True
    )
    ratio: Range | None = between("its width by its height", 0.01, 100, None, keyword_only=True)
    pad: int = whole(
        "pixels put around the image before", 0, minimum=0, maximum=10_000, keyword_only=True,
        elsewhere="padding",
    )  # fmt: skip
    fill: Any = _filling()

    def check(self) -> None:
        if self.ratio is not None and self.scale is None:
            raise ArgumentError(
                "`ratio` is that of parts of any size", "write `scale=8%..100%`, too", drop="ratio"
            )
        if self.pad and self.scale is not None:
            raise ArgumentError(
                "`pad` is for parts as large as the input", "take `pad` or `scale` out", drop="pad"
            )
        if self.scale is not None and self.scale[1] == 0:
            raise ArgumentError("a part of no size at all", "write `scale=35%..100%`")

    def settle(self, around: Around) -> Crop:
        side = (self.side, self.side) if isinstance(self.side, int) else self.side
        ratio = (0.75, 4 / 3) if self.scale and self.ratio is None else self.ratio
        return self.replace(side=side or around.size, ratio=ratio)

    def problems(self, around: Around) -> Iterator[Problem]:
        yield from super().problems(around)
        sized = [one for one in around.all(Augmentation) if isinstance(one, (Resize, Crop))]
        if around.size and sized[-1] is self:
            yield from fits_input(self, self.side, around)


# ---- colours ---------------------------------------------------------------------------------


class Color(Augmentation):
    """Brighter or darker, stronger or paler, shifted in hue."""

    word = "color"
    synonyms = ("colour",)
    elsewhere: ClassVar[Mapping[str, str]] = {
        "color": "ColorJitter color_jitter",
        "color brightness=0.2": "brightness brightness_range RandomBrightness",
        "color contrast=0.2": "contrast RandomContrast",
        "color brightness=0.2 contrast=0.2": "max_lighting RandomBrightnessContrast lighting",
        "color saturation=0.2": "saturation RandomSaturation",
        "color hue=0.05": "hue RandomHue HueSaturationValue",
    }

    brightness: Range | None = about_one("brighter or darker", None, keyword_only=True)
    contrast: Range | None = about_one("from the mean, or towards it", None, keyword_only=True)
    saturation: Range | None = about_one("from grey, or towards it", None, keyword_only=True)
    hue: Range | None = ranged("around the colours", 0.5, "turns", None, keyword_only=True)
    p: float = _p()

    def check(self) -> None:
        if not any(map(self.arguments.get, ("brightness", "contrast", "saturation", "hue"))):
            raise ArgumentError(
                "it does not say what changes", "write `color brightness=0.2 contrast=0.2`"
            )

    def needs_colours(self) -> bool:
        return self.saturation is not None or self.hue is not None

    def colourless(self, around: Around) -> Problem:
        name = "saturation" if self.saturation is not None else "hue"
        place = self.place(name)
        assert place is not None
        return around.unfit(
            place, f"only colours have a {name}", f"take `{name}` out", taken_out(place)
        )


class Grayscale(Augmentation):
    """Colours taken out, three equal channels left."""

    word = "grayscale"
    synonyms = ("greyscale",)
    works_on = "colours"
    elsewhere: ClassVar[Mapping[str, str]] = {"grayscale": "RandomGrayscale ToGray RandomGrayScale"}

    p: float = _p(0.1)


class PcaColor(Augmentation):
    """Light of another colour (Krizhevsky et al., 2012)."""

    word = "pca_color"
    works_on = "colours"
    elsewhere: ClassVar[Mapping[str, str]] = {"pca_color": "FancyPCA pca_lighting"}

    deviation: float = number("of what is drawn", 0.1, minimum=0, maximum=10)
    p: float = _p()


class Noise(Augmentation):
    """Something drawn added to each number."""

    word = "noise"
    works_on = "anything"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "noise": "GaussNoise GaussianNoise RandomGaussianNoise ISONoise"
    }

    deviation: Range = between(
        "of what is drawn, where white is 1", 0, 1, example="0.05", elsewhere="sigma std stddev"
    )
    p: float = _p()


class Blur(Augmentation):
    """Out of focus."""

    word = "blur"
    elsewhere: ClassVar[Mapping[str, str]] = {"blur": "GaussianBlur RandomGaussianBlur MotionBlur"}

    sigma: Range = between("deviation of the bell, in pixels", 0, 100, (0.1, 2.0))
    p: float = _p()


class Erase(Augmentation):
    """A part blotted out (Zhong et al., arXiv:1708.04896)."""

    word = "erase"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "erase": "RandomErasing Cutout CoarseDropout random_erasing reprob random_cutout"
    }

    scale: Range = between("how much of the image", 0, 1, (0.02, 0.33), keyword_only=True)
    ratio: Range = between("width by height", 0.01, 100, (0.3, 3.3), keyword_only=True)
    fill: Any = custom(
        "what is put there",
        lambda value: _erasing(value),
        "`zero`, `noise`, or a colour like (124, 116, 104), each from 0 to 255",
        "zero",
        takes_words=True,
        keyword_only=True,
        words=("zero", "noise"),
        write=_write_fill,
        elsewhere="value",
    )
    p: float = _p(0.25)


def _erasing(value: object) -> Any:
    if isinstance(value, Word):
        if value in ("zero", "noise"):
            return str(value)
        habit = {"random": "noise", "pixel": "noise", "black": "zero", "const": "zero"}
        raise ArgumentError(f"{show(value)} is none of them", instead=habit.get(value.lower(), ""))
    return _fill(value)


# ---- images mixed, and policies of others ----------------------------------------------------


class Mixing(Augmentation):
    """Two images become one, with the labels of both."""

    several = False

    def problems(self, around: Around) -> Iterator[Problem]:
        yield from super().problems(around)
        if self.origin is None:
            return
        loss = around.find(Loss)
        if isinstance(loss, Focal):
            message = f"`{self.word}` gives an image two classes; `loss focal` looks at one"
            yield conflict(message, self, loss, help="write `loss cross_entropy`, or take this out")


class Mixup(Mixing):
    """Two images laid over each other (Zhang et al., arXiv:1710.09412)."""

    word = "mixup"
    works_on = "anything"
    elsewhere: ClassVar[Mapping[str, str]] = {"mixup": "mixup_alpha mix_up"}

    alpha: float = number(
        "how even the mixture: small, and one of the two prevails", 0.2,
        minimum=0, above=True, maximum=100,
    )  # fmt: skip
    p: float = _p()


class CutMix(Mixing):
    """A part of one image put into another (Yun et al., arXiv:1905.04899)."""

    word = "cutmix"
    elsewhere: ClassVar[Mapping[str, str]] = {"cutmix": "cutmix_alpha cut_mix"}

    alpha: float = number("how even the sizes", 1.0, minimum=0, above=True, maximum=100)
    p: float = _p()


class RandAugment(Augmentation):
    """Some changes of a list, drawn for each image (Cubuk et al., arXiv:1909.13719)."""

    word = "randaugment"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "randaugment": "rand_augment AutoAugment auto_augment AugMix rand_m9_mstd0.5"
    }

    n: int = whole("how many", 2, maximum=100, elsewhere="num_ops")
    magnitude: int = whole("how strong, of 30", 9, minimum=0, maximum=30, elsewhere="m")
    fill: Any = _filling()


class Trivial(Augmentation):
    """One change of a list, as strong as it happens (Müller and Hutter, arXiv:2103.10158)."""

    word = "trivial"
    elsewhere: ClassVar[Mapping[str, str]] = {"trivial": "TrivialAugmentWide trivialaugment"}

    fill: Any = _filling()
