"""Directives of the evaluate section: preprocessing and test-time augmentation, `evaluate { resize
256, crop 224, tta flip }`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import isnan, nan
from typing import Any, ClassVar, NamedTuple

from ...dsl.diagnostics import Edit
from ...dsl.source import Span
from ..language.evaluate import Evaluated
from ..language.kinds import choice, custom, flag, number, real_number, size, tuple_of, whole
from ..language.problems import Problem, did_you_mean
from ..language.signature import ArgumentError
from ..language.values import Text, Word, exact, name_or_text, show, spelled
from ..shapes import LINES, by
from .directive import Context, Directive, taken_out
from .loss import ends_in_map, learns_images

LARGE = 96
"""For inputs of at least this size, images are resized to one seventh more, 256 for 224, and
center-cropped: objects are mostly in the center.
"""

MODES = ("bilinear", "bicubic", "nearest")
MODE_DOC = "interpolation"


def usual_side(context: Context) -> int | tuple[int, int]:
    """The default size: that of the input, or a little more for large inputs."""
    assert context.size is not None
    # Of masks, no pixel is left out.
    return context.size if ends_in_map(context) else usual_side_for(context.size)


def usual_side_for(size: tuple[int, int]) -> int | tuple[int, int]:
    height, width = size
    if height != width:
        return height, width
    return round(height * 8 / 7) if height >= LARGE else height


KEEPS = ("none", "auto")
"""In place of a size: images keep theirs."""


def _side() -> Any:
    sized = size("length of the shorter side, or height and width like 256x192; `none` keeps the"
                 " size of images, and so does `auto` unless a network learns whole images"
                 " themselves", example="256", takes_words=True, words=KEEPS)  # fmt: skip
    read, expects = sized.read, f"{sized.expects}, `none` or `auto`"

    def side(value: object) -> Any:
        return str(value) if isinstance(value, Word) and value in KEEPS else read(value)

    return replace(sized, read=side, expects=expects)


class KeepsSize(Directive):
    """The base of directives with which images keep their own size, unless `resize` is written."""

    section = "evaluate"


class Resize(Directive):
    """Resize images: the shorter side, or height and width."""

    section = "evaluate"
    word = "resize"
    example = "resize 256, crop 224"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "resize": "smallestmaxsize resizing image_size img_size target_size size"
    }

    side: Any = _side()
    mode: str = choice(MODE_DOC, MODES, "bilinear", keyword_only=True)

    @property
    def keeps(self) -> bool:
        """Whether images keep their size."""
        return self.side in KEEPS

    def enlarged(self, factor: int) -> Resize:
        """The same for images that are `factor` times larger."""
        return self if self.keeps else self.replace(side=_times(factor, self.side))

    @classmethod
    def usual(cls, context: Context) -> Resize | None:
        if context.size and learns_images(context):
            degraded = any(one.head() == "degrade" for one in context.given.get("train", ()))
            return cls.make(side="none" if degraded else "auto")
        if context.size and context.all(KeepsSize):
            return cls.make(side="none")
        return cls.make(side=usual_side(context)) if context.size else None

    def problems(self, context: Context) -> Iterator[Problem]:
        place = self.place("side")
        if context.network is None or place is None:
            return
        if context.size is None:
            assert self.span is not None
            yield context.unfit(place, *_not_images("resized", context), (Edit(self.span, ""),))
            return
        if self.keeps:
            yield from self._of_images(context, place)
            return
        height, width = context.size
        exact_size = isinstance(self.side, tuple)
        have = self.side if exact_size else (self.side, self.side)
        if have[0] < height or have[1] < width:
            least = by(context.size) if exact_size else str(max(context.size))
            yield context.unfit(
                place,
                f"images of {by(have) if exact_size else self.side} are smaller than the input",
                f"write `resize {least}`, or more",
                (Edit(place, least),),
            )

    def _of_images(self, context: Context, place: Span) -> Iterator[Problem]:
        if learns_images(context) or context.all(KeepsSize):
            return
        assert context.size is not None
        height, width = context.size
        right = str(height) if height == width else by(context.size)
        yield context.unfit(
            place,
            f"`resize {self.side}` is for networks that answer with an image: others see the whole"
            " image at the size of their input",
            f"write `resize {right}`, or `tiles` to answer for images of any size"
            if ends_in_map(context)
            else f"write `resize {right}`",
            (Edit(place, right),),
        )


class CentreCrop(Directive):
    """Crop the center of an image."""

    section = "evaluate"
    word = "crop"
    elsewhere: ClassVar[Mapping[str, str]] = {"crop": "centercrop center_crop centrecrop"}

    side: Any = size("height and width: those of the network's input")

    @classmethod
    def usual(cls, context: Context) -> CentreCrop | None:
        return cls(side=context.size) if context.size else None

    def enlarged(self, factor: int) -> CentreCrop:
        """The same for images that are `factor` times larger."""
        return self.replace(side=_times(factor, self.side))

    def settle(self, context: Context) -> CentreCrop:
        if isinstance(self.side, int):
            return self.replace(side=(self.side, self.side))
        return self

    def problems(self, context: Context) -> Iterator[Problem]:
        yield from fits_input(self, self.side, context)


def _times(factor: int, side: int | tuple[int, int]) -> int | tuple[int, int]:
    return (factor * side[0], factor * side[1]) if isinstance(side, tuple) else factor * side


def fits_input(directive: Directive, side: Any, context: Context) -> Iterator[Problem]:
    """Checks that a crop has the size of the network's input."""
    place = directive.place("side")
    if context.network is None or place is None or side is None:
        return
    if context.size is None:
        yield context.unfit(place, *_not_images("cropped", context))
        return
    sides = side if isinstance(side, tuple) else (side, side)
    if sides != context.size:
        height, width = context.size
        right = str(height) if height == width else by(context.size)
        yield context.unfit(
            place,
            f"a crop of {by(sides)} does not fit the network's input",
            f"write `crop {right}`, or change the input",
        )


def _not_images(done: str, context: Context) -> tuple[str, str]:
    """What is wrong, and what to do, with a directive of images if the input is a series or a
    scan."""
    return (
        f"only images are {done} like this",
        "take it out: longer samples are cropped to the input, and `pad` fills up shorter ones"
        if context.axes in LINES
        else "take it out",
    )


# ---- series and scans ---------------------------------------------------------------------

PAD_WORDS = ("zero", "nearest", "reflect")


def _pad_value(value: object) -> Any:
    if isinstance(value, Word):
        if value in PAD_WORDS:
            return str(value)
        instead = {"constant": "zero", "edge": "nearest", "replicate": "nearest"}
        raise ArgumentError(f"{show(value)} is not one of them", instead=instead.get(value, ""))
    return real_number(value)


class Pad(Directive):
    """Pad series and scans that are shorter than the network's input.

    Longer ones are cropped to it: at random in training, else in the center.
    """

    section = "evaluate"
    word = "pad"
    may_be_off = False
    elsewhere: ClassVar[Mapping[str, str]] = {
        "pad": "pad_sequences zeropad padding pad_or_truncate spatialpad",
    }

    value: Any = custom(
        "what is added: a number, in the units of the data; `nearest` repeats the last step, and"
        " `reflect` mirrors the series",
        _pad_value,
        "`zero`, `nearest`, `reflect` or a number",
        "zero",
        takes_words=True,
        words=PAD_WORDS,
        write=lambda value: value if isinstance(value, str) else spelled(value),
    )
    at: str | None = choice(
        "where: by default at the `end` of series, and on `both` sides of scans",
        ("end", "start", "both"), None, keyword_only=True,
    )  # fmt: skip

    @classmethod
    def usual(cls, context: Context) -> Pad | None:
        return None

    def settle(self, context: Context) -> Pad:
        usual = "end" if context.axes == 1 else "both"
        return self.replace(at=self.at or usual)

    def problems(self, context: Context) -> Iterator[Problem]:
        if context.network is None or self.span is None or context.axes in (1, 3):
            return
        help = "images are resized: `resize`" if context.size else "take it out"
        yield context.unfit(
            self.span, "`pad` is for series and scans", help, (Edit(self.span, ""),)
        )


# ---- test-time augmentation ---------------------------------------------------------------


def _crops(value: object) -> int:
    if isinstance(value, bool) or value not in (1, 5, 10):
        raise ArgumentError("other numbers are not supported")
    return int(value)


def _scale(value: object) -> float:
    number = real_number(value)
    if not 0.1 <= number <= 10:
        raise ArgumentError(f"{number:g} is not")
    return number


class Tta(Directive):
    """Test-time augmentation: average the predictions over several views of an image."""

    section = "evaluate"
    word = "tta"
    example = "tta flip"
    may_be_off = True
    elsewhere: ClassVar[Mapping[str, str]] = {
        "tta": "test_time_augmentation ttach",
        "tta crops=10": "tencrop ten_crop",
        "tta crops=5": "fivecrop five_crop",
    }

    crops: int = custom(
        "1 is the center, 5 adds the corners, 10 also mirrors all of them",
        _crops,
        "1, 5 or 10",
        1,
        write=str,
    )
    flip: bool = flag("add each view mirrored")
    shift: int = whole(
        "add each view shifted by so many pixels up and left, and down and right; the view itself"
        " counts half",
        0, minimum=0, maximum=1000, keyword_only=True,
    )  # fmt: skip
    average: str = choice(
        "what is averaged", ("probabilities", "logits"), "probabilities", keyword_only=True
    )
    scales: tuple[float, ...] = tuple_of(
        "factors of the size of the image", _scale, "factors from 0.1 to 10, like [0.9, 1, 1.1]",
        (1.0,), keyword_only=True, write=lambda value: f"[{', '.join(map(exact, value))}]",
    )  # fmt: skip

    def check(self) -> None:
        if self.crops == 1 and not self.flip and not self.shift and self.scales == (1.0,):
            raise ArgumentError(
                "this is a single view of an image, the same as without `tta`",
                "write `tta flip`, or `tta crops=10`",
            )

    def problems(self, context: Context) -> Iterator[Problem]:
        if context.network is not None and context.size is None and self.span is not None:
            yield context.unfit(
                self.span, "only images can be cropped or mirrored", "take `tta` out"
            )
        if ends_in_map(context) and self.span is not None:
            yield from self._of_masks(context)
            return
        place = self.place("shift")
        if context.size is not None and place is not None and self.shift >= min(context.size):
            yield context.unfit(
                place, "images cannot be shifted by their own size", "write `shift=1`"
            )

    def _of_masks(self, context: Context) -> Iterator[Problem]:
        """The errors about views whose answers cannot be put over each other, pixel by pixel."""
        for name, words in (("crops", "crops show"), ("shift", "shifted views show")):
            place = self.place(name)
            if place is not None and getattr(self, name) != type(self).fields[name].default:
                yield context.unfit(
                    place,
                    f"every pixel is answered; {words} a part of the image only",
                    "write `tta flip`, or `tta scales=[0.75, 1, 1.25]`",
                )


# ---- normalization ---------------------------------------------------------------------------

Levels = tuple[float, ...]


class Normalization(NamedTuple):
    """Pixels of 0 to 255 are multiplied by `scale`, then (pixel - mean)/std for each channel."""

    scale: float
    mean: Levels | None
    """None if both are measured on the training images; of one of several inputs, they are NaN for
    its channels."""
    std: Levels | None
    order: str
    """`rgb` or `bgr`: the order of channels in the network's input, and of mean and std."""


def joined(each: Sequence[Normalization], channels: Sequence[int]) -> Normalization:
    """The normalization of several inputs as one for their channels, one after the other. Others
    than the first are written with its scale: (x*s - m)/d = (x*t - m*t/s)/(d*t/s)."""
    scale = each[0].scale
    mean: list[float] = []
    std: list[float] = []
    for one, count in zip(each, channels, strict=True):
        for every, numbers in ((mean, one.mean), (std, one.std)):
            own = [level * scale / one.scale for level in numbers or (nan,)]
            every += own if len(own) == count else own * count
    if all(map(isnan, mean)):
        return Normalization(scale, None, None, "rgb")
    return Normalization(scale, tuple(mean), tuple(std), "rgb")


_HALF = (0.5, 0.5, 0.5)

PRESETS: dict[str, Normalization] = {
    "measured": Normalization(1 / 255, None, None, "rgb"),
    "none": Normalization(1 / 255, (0.0,), (1.0,), "rgb"),
    "each": Normalization(1.0, (0.0,), (1.0,), "rgb"),
    "imagenet": Normalization(1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "rgb"),
    "inception": Normalization(1 / 255, _HALF, _HALF, "rgb"),
    "caffe": Normalization(1.0, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0), "bgr"),
    "cifar10": Normalization(1 / 255, (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616), "rgb"),
    "cifar100": Normalization(1 / 255, (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762), "rgb"),
    "svhn": Normalization(1 / 255, (0.4377, 0.4438, 0.4728), (0.198, 0.201, 0.197), "rgb"),
    "mnist": Normalization(1 / 255, (0.1307,), (0.3081,), "rgb"),
    "fashion_mnist": Normalization(1 / 255, (0.286,), (0.353,), "rgb"),
    "kmnist": Normalization(1 / 255, (0.1918,), (0.3483,), "rgb"),
    "clip": Normalization(
        1 / 255,
        (0.48145466, 0.4578275, 0.40821073),
        (0.26862954, 0.26130258, 0.27577711),
        "rgb",
    ),
}
"""Published values: `imagenet` by torchvision, `inception` and `caffe` by the authors of those
networks (`caffe`: without scale, blue first), `clip` by OpenAI, the others for their data sets.
"""


def _deviation(value: object) -> float:
    number = real_number(value)
    if number <= 0:
        raise ArgumentError(f"{number:g} is not above 0")
    return number


def _per_channel(doc: str, deviation: bool) -> Any:
    expects = "a number, or one for each channel like (0.5, 0.5, 0.5)"
    return tuple_of(doc, _deviation if deviation else real_number, expects, None, keyword_only=True)


def _input_name(value: object) -> str:
    if not isinstance(value, (Text, Word)) or not str(value).strip():
        raise ArgumentError(f"{show(value)} is not the name of an input")
    return str(value)


_PRESETS_ELSEWHERE = {
    "imagenet_default": "imagenet", "imagenet_stats": "imagenet", "torch": "imagenet",
    "tf": "inception", "off": "none", "data": "measured", "auto": "measured",
    "openai": "clip", "vgg": "caffe",
}  # fmt: skip


class Normalize(Directive):
    """Normalize pixels, or the numbers of series and scans: in training, evaluation, prediction and
    export alike.

    A network with several inputs may have one for each: `normalize depth mean=0.5 std=0.2`.
    """

    section = "evaluate"
    word = "normalize"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "normalize": "normalise normalization preprocess_input featurewise_center",
        "normalize none": "rescale rescaling totensor todtype convertimagedtype",
        "normalize measured": "standardize featurewise_std_normalization",
        "normalize each": "zscore znormalize z_normalize znormalization",
    }

    preset: str = choice(
        "mean and standard deviation: `measured` on the training images, `none`, or published "
        "values; `each` series or scan by its own (z-normalization)",
        tuple(PRESETS),
        "measured",
        elsewhere=_PRESETS_ELSEWHERE,
    )  # fmt: skip
    mean: Levels | None = _per_channel("mean of each channel, which is subtracted", False)
    std: Levels | None = _per_channel(
        "standard deviation of each channel, which is divided by", True
    )
    scale: float | None = number(
        "factor for pixels from 0 to 255, before mean and standard deviation; of series and scans,"
        " 1 by default", None,
        minimum=0, above=True, maximum=1000, keyword_only=True,
    )  # fmt: skip
    order: str | None = choice("order of the channels", ("rgb", "bgr"), None, keyword_only=True)
    input: str | None = custom(
        "of a network with several inputs, the one that it is for", _input_name,
        "the name of an input", None, keyword_only=True, takes_words=True, write=name_or_text,
    )  # fmt: skip

    @property
    def key(self) -> str:
        """A network with several inputs may have one for each."""
        return f"normalize {self.input}" if self.input else "normalize"

    def __str__(self) -> str:
        """`normalize depth mean=0.5 std=0.2`: the input comes first."""
        if self.input is None:
            return super().__str__()
        rest = (
            super()
            .__str__()
            .removeprefix(self.word)
            .replace(f" input={name_or_text(self.input)}", "")
        )
        return f"{self.word} {name_or_text(self.input)}{rest}"

    @classmethod
    def arranged(cls, arguments: Sequence[Evaluated]) -> Sequence[Evaluated]:
        """A word that is not a preset, before anything else, is the name of an input: another
        argument follows it, or a preset."""
        first = arguments[0] if arguments else None
        if first is None or first.node.name is not None or not isinstance(first.value, Word):
            return arguments
        if len(arguments) == 1 or first.value in (*PRESETS, *_PRESETS_ELSEWHERE):
            return arguments
        return [Evaluated(first.node.named("input"), first.value), *arguments[1:]]

    @classmethod
    def filled(cls, context: Context) -> tuple[Normalize, ...]:
        """That of each input; what names no input is for all the others."""
        if not context.inputs:
            return (context.get(Normalize).settle(context),)
        written = {one.input: one for one in context.all(Normalize)}
        for_others = written.get(None) or cls.usual(context)
        return tuple(
            (written.get(node.name) or for_others.replace(input=node.name)).settle(context)
            for node in context.inputs
        )

    def check(self) -> None:
        if (self.mean is None) != (self.std is None):
            raise ArgumentError(
                "mean and standard deviation belong together", "write `mean=0.5 std=0.5`"
            )
        if self.mean is not None and self.preset not in ("measured", "none"):
            raise ArgumentError(
                f"`{self.preset}` has its own mean and standard deviation",
                f"take `{self.preset}` out, or the numbers",
                drop=self.preset,
            )
        if self.mean and self.std and len(self.mean) != len(self.std):
            raise ArgumentError(
                f"{len(self.mean)} means and {len(self.std)} deviations",
                "give a mean and a deviation for each channel",
            )

    @property
    def pixels(self) -> Normalization:
        """Its mean, std and scale."""
        preset = PRESETS[self.preset]
        return Normalization(
            preset.scale if self.scale is None else self.scale,
            self.mean or preset.mean,
            self.std or preset.std,
            self.order or preset.order,
        )

    @property
    def each(self) -> bool:
        """Whether each series or scan has its own mean and std, by channel."""
        return self.preset == "each"

    def settle(self, context: Context) -> Normalize:
        """Pixels have a scale from 0 to 255; series and scans keep their own."""
        if context.axes not in (1, 3) or self.scale is not None:
            return self
        return self.replace(scale=1.0) if self.preset in ("measured", "none", "each") else self

    def remark(self) -> str:
        scale, mean, std, order = self.pixels
        if self.each:
            return "(value - mean) / std, by its own mean and std"
        if self.scale == 1:
            what = "(value - {}) / {}"
            if mean is None:
                return what.format("mean", "std") + ", measured on the training set"
            return what.format(spelled(mean), spelled(std))
        scaled = "pixel / 255" if scale == 1 / 255 else "pixel"
        scaled += f" * {scale:g}" if scale not in (1, 1 / 255) else ""
        blue_first = ", in the order blue, green, red" if order == "bgr" else ""
        if mean is None:
            return f"({scaled} - mean) / std, measured on the training images{blue_first}"
        return f"({scaled} - {spelled(mean)}) / {spelled(std)}{blue_first}"

    @classmethod
    def usual(cls, context: Context) -> Normalize:
        """The levels of an image that is the answer are those of the input."""
        return cls.make(preset="none") if context.size and learns_images(context) else cls.make()

    def _misnamed(self, context: Context) -> Problem | None:
        """What is wrong with the name of its input."""
        place = self.place("input")
        names = [node.name for node in context.inputs]
        if self.input is None or self.input in names or place is None:
            return None
        help, edits = did_you_mean(self.input, names or list(PRESETS), place)
        if not names:
            message = f"`{self.input}` is not one of the presets, and the network has one input"
            return Problem("argument", message, place, help=help, edits=edits)
        listed = f"its inputs are {', '.join(f'`{name}`' for name in names)}"
        return Problem(
            "unknown-name", f"the network has no input `{self.input}`", place,
            help=help or listed, edits=edits, otherwise=listed,
        )  # fmt: skip

    def _of_several(self, context: Context) -> Iterator[Problem]:
        """The errors of what several inputs can only have together, or not at all."""
        others = [one for one in context.all(Normalize) if one.each != self.each]
        if others and self.each:
            yield context.unfit(
                self.place("preset") or others[0].place("preset"),  # type: ignore[arg-type]
                "the series of all inputs are normalized by their own mean, or none are",
                "write `normalize each` without the name of an input",
            )
        if self.pixels.order == "bgr":
            place = self.place("order") if self.order else self.place("preset")
            assert place is not None
            yield context.unfit(
                place,
                "the channels of several inputs stay in the order red, green, blue",
                "write `mean=… std=…` in that order",
            )

    def problems(self, context: Context) -> Iterator[Problem]:
        axes, mean = context.axes, self.pixels.mean
        if axes < 1 or self.origin is None or context.network is None:
            return
        misnamed = self._misnamed(context)
        if misnamed is not None:
            yield misnamed
            return
        of = [node for node in context.network.inputs if self.input in (None, node.name)]
        counts = {node.shape[0] for node in of}
        if context.inputs:
            yield from self._of_several(context)
        if self.each and axes == 2:
            place = self.place("preset")
            assert place is not None
            yield context.unfit(
                place,
                "`each` is for series and scans",
                "write `normalize measured`",
                (Edit(place, "measured"),),
            )
            return
        if axes == 1 and self.preset not in ("measured", "none", "each"):
            place = self.place("preset")
            assert place is not None
            yield context.unfit(
                place,
                f"`{self.preset}` has the values of images",
                "write `normalize measured`, or `normalize each`",
                (Edit(place, "measured"),),
            )
            return
        if self.pixels.order == "bgr" and learns_images(context):
            place = self.place("order") if self.order else self.place("preset")
            assert place is not None
            yield context.unfit(
                place, "the answer is an image, whose channels are red, green and blue",
                "write `normalize none`",
            )  # fmt: skip
        if mean is not None and len(mean) > 1 and counts != {len(mean)}:
            fits = [name_or_text(node.name) for node in of if node.shape[0] == len(mean)]
            fitting = fits[0] if context.inputs and self.input is None and fits else ""
            place = self.place("mean") if self.mean else self.place("preset")
            assert place is not None
            yield context.unfit(
                place,
                f"this has values for {len(mean)} channels",
                f"write `normalize {fitting} {self.preset}`, for this input only"
                if fitting
                else "write `normalize measured`, or `mean=… std=…`",
            )
        if self.order == "bgr" and counts != {3}:
            place = self.place("order")
            assert place is not None
            yield context.unfit(
                place,
                "only color images have a channel order",
                "take `order` out",
                taken_out(place),
            )
