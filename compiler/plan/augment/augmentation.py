"""The base of the directives in the section `augment`, and their argument `fill`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Self

from ....dsl.diagnostics import Edit
from ...language.kinds import custom, real_number, share
from ...language.problems import Problem
from ...language.signature import ArgumentError
from ...language.values import Interval, Word, show, spelled
from .. import evaluate
from ..directive import Context, Directive
from .passes import INSIDE, ColorChange, Cost, Fill, PassKind, Size, numbers


def probability(default: float = 1.0, **options: Any) -> float:
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


def read_fill(value: object) -> Any:
    if isinstance(value, Word):
        if value in _FILLS:
            return str(value)
        raise ArgumentError(
            f"{show(value)} is not one of them", instead=_FILLS_ELSEWHERE.get(value.lower(), "")
        )
    if isinstance(value, (tuple, list)) and not isinstance(value, Interval) and value:
        return tuple(map(_level, value))
    return (_level(value),)


def write_fill(value: Any) -> str:
    if isinstance(value, str):
        return value
    return spelled(value[0]) if len(value) == 1 else spelled(value)


def filling() -> Any:
    return custom(
        "what fills the area outside the image; `reflect` repeats the pixels at the border,"
        " `mirror` (`reflect` in torch) does not",
        read_fill,
        "`zero`, `nearest`, `reflect`, `mirror`, or a color like (124, 116, 104), each from 0 to"
        " 255",
        "zero",
        takes_words=True,
        keyword_only=True,
        words=_FILLS,
        write=write_fill,
        elsewhere="fill_mode cval value padding_mode fillcolor border_mode",
    )


class Augmentation(Directive):
    """A random change to training images."""

    section = "augment"
    several = True

    works_on: ClassVar[Literal["anything", "maps", "images", "colors", "series"]] = "images"
    """`maps` are images and series."""
    for_series: ClassVar[str] = ""
    """What does to series what it does to images."""
    of_scans: ClassVar[bool] = False
    """For what series have: whether scans have it, too."""
    on_spectrogram: ClassVar[bool] = False
    """It changes the spectrogram of a series, if the network takes that."""
    pass_kind: ClassVar[PassKind]
    projective: ClassVar[bool] = False
    """For a warp: its matrix is a homography, not only affine."""
    displaces: ClassVar[bool] = False
    """For a warp: it displaces each pixel individually, which ends the pass."""
    spares_targets: ClassVar[bool] = False
    """For a change of a plug-in, where a network answers with an image: whether that stays as it
    is, because the network is to undo the change (noise, blur)."""
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

    @classmethod
    def fits_series(cls) -> bool:
        return cls.works_on in ("anything", "maps", "series")

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

    def enlarged(self, factor: int) -> Self:
        """The same for images that are `factor` times larger."""
        return self

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
        if context.axes in (1, 3) and not self.fits_series():
            yield self._of_images(context)
        elif context.axes == 3 and not self.of_scans:
            what = "take it out; scans have `flip`, `scale`, `noise` and `mixup`"
            message = f"`{self.word}` does not work on scans"
            yield context.unfit(self.span, message, what, (Edit(self.span, ""),))
        elif context.axes not in (1, 2, 3) and self.works_on != "anything":
            yield context.unfit(
                self.span,
                f"`{self.word}` works on images",
                "take it out, or make the input channels x height x width",
                (Edit(self.span, ""),),
            )
        elif not context.in_color and self.needs_colors():
            yield self.colorless(context)
        yield from self.fill_problem(context)

    def _of_images(self, context: Context) -> Problem:
        """The error for a word of images where samples are series."""
        assert self.span is not None
        samples = "series" if context.axes == 1 else "scans"
        instead = self.for_series if context.axes == 1 else ""
        help = f"write `{instead}`, which series have in its place" if instead else "take it out"
        message = f"`{self.word}` works on images, and samples are {samples}"
        return context.unfit(self.span, message, help, (Edit(self.span, instead),))

    def colorless(self, context: Context) -> Problem:
        assert self.span is not None
        return context.unfit(
            self.span,
            f"`{self.word}` works on the three colors of an image",
            "take it out",
            (Edit(self.span, ""),),
        )


class FileCrop(NamedTuple):
    """The first directive that image files of different sizes have to go through."""

    crop: Augmentation
    cuts: bool
    """Whether it is a random crop that can be cut out of whole images when they are read."""
    number: int
    """Its index among the directives."""
    resize: evaluate.Resize | None
    """How a whole image is resized before; None if not at all."""
    done: frozenset[int]
    """The indices of the directives that are done then: `crop`, and `resize` if it is written."""


def file_crop(
    augment: Sequence[Augmentation], evaluated: evaluate.Resize | None
) -> FileCrop | None:
    """The crop that may be cut when image files are read, or what stands before it and needs all
    images to have the same size; None if there is neither. Flips before a crop can as well come
    after it."""
    written: evaluate.Resize | None = None
    done: set[int] = set()
    for number, directive in enumerate(augment):
        if directive.keeps_border or directive.by_epoch:
            continue
        done.add(number)
        if directive.when_read and written is None:
            written = directive.resize_when_read(None)
            continue
        resize = directive.resize_of_file(written, evaluated)
        return FileCrop(directive, directive.cuts_files(resize), number, resize, frozenset(done))
    return None
