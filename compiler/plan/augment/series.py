"""Augmentations of series, samples of channels x length: flip, shift, scale, noise, stretch, crop,
mask; some of them are for scans, too. A network may take the spectrogram of what they make
(`spectrogram`, `mel` in `evaluate`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ....dsl.diagnostics import Edit
from ...language.kinds import (
    Range,
    about_one,
    between,
    choice,
    custom,
    ranged,
    real_number,
    share_range,
    whole,
)
from ...language.problems import Problem
from ...language.signature import ArgumentError
from ...language.values import Word, exact, show
from ..directive import Context, conflict
from ..spectrogram import Mel, TimeFrequency
from .augmentation import Augmentation, probability
from .passes import Cost, PassKind, Size, numbers

_INTERPOLATION = 3
"""Multiply-adds for a value between two."""


def _kind(name: str, title: str) -> PassKind:
    """A pass of its own: series are small, and each of their passes goes over them once."""
    return PassKind(f"series {name}", f"series {name}", title)


def outside(default: str) -> Any:
    return choice(
        "what fills the steps before the first and after the last; `circular` continues at the"
        " other end, `reflect` repeats the step at the end, `mirror` (`reflect` in torch) does not",
        ("circular", "zero", "nearest", "reflect", "mirror"), default, keyword_only=True,
        elsewhere={
            "wrap": "circular", "rollover": "circular", "roll": "circular", "constant": "zero",
            "zeros": "zero", "edge": "nearest", "replicate": "nearest", "symmetric": "reflect",
        },
    )  # fmt: skip


class SeriesAugmentation(Augmentation):
    """A random change to training series."""

    of_series = True
    works_on = "series"
    macs: ClassVar[int] = 1
    """Multiply-adds for each number."""
    for_images: ClassVar[str] = ""
    """What does to images what it does to series."""

    def cost(self, kind: PassKind, input_size: Size, channels: int) -> Cost:
        count = numbers(input_size, channels)
        return Cost(self.macs * count, self._touched(input_size, channels))

    def problems(self, context: Context) -> Iterator[Problem]:
        yield from super().problems(context)
        written = context.all(Augmentation)
        if not context.all(TimeFrequency) or self.origin is None or self.on_spectrogram:
            return
        before = written[: next(i for i, one in enumerate(written) if one is self)]
        masks = [one for one in before if one.on_spectrogram]
        if masks:
            yield conflict(
                f"`{self.word}` changes the series, and `{masks[0].word}` before it their"
                " spectrograms",
                self,
                masks[0],
                help=f"write `{masks[0].word}` after it",
                drop=False,
            )


class Flip(SeriesAugmentation):
    """Reverse series in time, or their sign, at random; or scans along their axes."""

    word = "flip"
    of_scans = True
    pass_kind = _kind("flip", "series are reversed")
    macs = 0
    elsewhere: ClassVar[Mapping[str, str]] = {
        "flip time": "Reverse TimeReverse TimeInversion Flip reversal",
        "flip sign": "PolarityInversion polarity_inversion invert InvertPolarity Invert",
    }

    axis: str = choice(
        "`time` reverses the steps, `sign` multiplies by -1, `both` draws for each; of scans,"
        " `horizontal`, `vertical` and `slices` reverse an axis, `all` draws for each",
        ("time", "sign", "both", "horizontal", "vertical", "slices", "all"),
        elsewhere={
            "t": "time", "polarity": "sign", "amplitude": "sign",
        },
    )  # fmt: skip
    p: float = probability(0.5)

    def problems(self, context: Context) -> Iterator[Problem]:
        yield from super().problems(context)
        place = self.place("axis")
        known = {
            1: ("time", "sign", "both"),
            3: ("horizontal", "vertical", "slices", "all", "sign"),
        }
        words = known.get(context.axes, ())
        if context.network is not None and words and self.axis not in words and place is not None:
            samples = "series have" if context.axes == 1 else "scans have"
            listed = ", ".join(f"`{word}`" for word in words)
            yield context.unfit(
                place,
                f"{samples} no `{self.axis}` that can be reversed",
                f"write one of {listed}",
                (Edit(place, words[0]),),
            )


class Shift(SeriesAugmentation):
    """Move series along time by a random number of steps."""

    word = "shift"
    example = "shift 10%"
    usage = "shift by steps=… ms=… rate=… p=100% fill=circular"
    pass_kind = _kind("shift", "series are moved along time")
    macs = 0
    elsewhere: ClassVar[Mapping[str, str]] = {
        "shift": "TimeShift time_shift Roll RandomRoll roll translate RandomShift TSShift"
        " Translation",
    }

    by: Range | None = ranged("share of the length, to later steps above 0", 1, "", None,
                              elsewhere="max_shift min_shift")  # fmt: skip
    steps: Range | None = ranged("number of steps", 1e9, "steps", None, keyword_only=True)
    ms: Range | None = ranged("milliseconds", 1e9, "ms", None, keyword_only=True,
                              elsewhere="milliseconds")  # fmt: skip
    rate: int | None = whole(
        "with `ms`: steps in a second; by default that of `mel`", None, keyword_only=True,
        elsewhere="sample_rate sr",
    )  # fmt: skip
    p: float = probability()
    fill: str = outside("circular")

    def check(self) -> None:
        given = [name for name in ("by", "steps", "ms") if self.arguments[name] is not None]
        if not given:
            raise ArgumentError("no distance is given", "write `shift 10%`, or `shift steps=50`")
        if len(given) > 1:
            raise ArgumentError(
                "the distance is given twice", f"take `{given[-1]}` out", drop=given[-1]
            )
        if self.rate is not None and self.ms is None:
            raise ArgumentError("`rate` is for a distance in `ms`", "take it out", drop="rate")

    def distances(self, length: int) -> Range:
        """The least and the largest distance, in steps."""
        if self.ms is not None and self.rate is not None:
            return self.ms[0] * self.rate / 1000, self.ms[1] * self.rate / 1000
        if self.steps is not None:
            return self.steps
        assert self.by is not None
        return self.by[0] * length, self.by[1] * length

    def settle(self, context: Context) -> Shift:
        if self.ms is None or self.rate is not None:
            return self
        rates = [mel.settle(context).rate for mel in context.all(Mel)]
        return self.replace(rate=rates[0]) if rates else self

    def problems(self, context: Context) -> Iterator[Problem]:
        yield from super().problems(context)
        place = self.place("ms")
        if self.ms is not None and self.settle(context).rate is None and place is not None:
            yield Problem(
                "missing-argument", "how many steps make a millisecond is not known", place,
                help="write `rate=16000`, the steps in a second, after it",
                edits=(Edit(place, f"{place.text} rate=16000"),),
            )  # fmt: skip


class Scale(SeriesAugmentation):
    """Multiply series by a random factor.

    They are normalized before; those whose spectrogram the network takes are not.
    """

    word = "scale"
    of_scans = True
    synonyms = ("gain",)
    example = "scale 0.8..1.2"
    usage = "scale factor db=… p=100%"
    pass_kind = _kind("scale", "series are multiplied by a factor")
    elsewhere: ClassVar[Mapping[str, str]] = {
        "scale": "Scaling MagnitudeScale TSMagScale magnitude_scale amplitude RandomScale"
        " RandomAmplitude",
        "scale db=6": "Vol volume Gain RandomGain Loudness",
    }

    factor: Range | None = about_one("the factor, the same for all channels", None,
                                     elsewhere="scale_range")  # fmt: skip
    db: Range | None = ranged("gain in decibels: 20 log10 of the factor", 200, "dB", None,
                              keyword_only=True, elsewhere="gain_db")  # fmt: skip
    p: float = probability()

    def check(self) -> None:
        if (self.factor is None) == (self.db is None):
            message = "no factor is given" if self.db is None else "the factor is given twice"
            help = "write `scale 0.8..1.2`" if self.db is None else "take `db` out"
            raise ArgumentError(message, help, drop="" if self.db is None else "db")


class Noise(SeriesAugmentation):
    """Add Gaussian noise to each step."""

    word = "noise"
    of_scans = True
    example = "noise 5%"
    usage = "noise deviation snr=… p=100%"
    pass_kind = _kind("noise", "noise")
    macs = 3
    elsewhere: ClassVar[Mapping[str, str]] = {
        "noise": "Jitter jitter jittering TSGaussianNoise TSRandomNoise gaussian_noise"
        " AddGaussianNoise GaussianNoise AddNoise AddColoredNoise WhiteNoise RandomNoise"
        " TSMagAddNoise TSMagMulNoise",
        "noise snr=10..30": "AddGaussianSNR GaussianSNR",
    }

    deviation: Range | None = between(
        "standard deviation, where that of the channel of the series is 1", 0, 100, None,
        elsewhere="sigma std stddev noise_level magnitude",
    )  # fmt: skip
    snr: Range | None = between(
        "signal-to-noise ratio in decibels: of the mean squares of a channel and of the noise",
        -200, 200, None, keyword_only=True, elsewhere="snr_db",
    )  # fmt: skip
    p: float = probability()

    def check(self) -> None:
        if (self.deviation is None) == (self.snr is None):
            none = self.snr is None
            message = "no strength is given" if none else "the strength is given twice"
            help = "write `noise 5%`, or `noise snr=10..30`" if none else "take `snr` out"
            raise ArgumentError(message, help, drop="" if none else "snr")


class Stretch(SeriesAugmentation):
    """Stretch or compress series about their middle, by linear interpolation.

    The length stays the same. It is a change of speed: frequencies change, too.
    """

    word = "stretch"
    pass_kind = _kind("stretch", "series are stretched: one interpolation for each")
    macs = _INTERPOLATION
    for_images = "scale 0.9..1.1"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "stretch": "TimeStretch time_stretch Speed SpeedPerturbation speed_perturbation"
        " RandomSpeed ChangeSpeed TimeWarp time_warp TSTimeWarp window_warp TSWindowWarp"
        " Resample TempoPerturbation",
    }

    factor: Range = about_one("the factor; above 1 is slower", above=True, example="0.9..1.1",
                              elsewhere="rate speed")  # fmt: skip
    p: float = probability()
    fill: str = outside("nearest")


class Crop(SeriesAugmentation):
    """Cut a random part out of series, and stretch it to their length, by linear interpolation."""

    word = "crop"
    example = "crop scale=80%..100%"
    pass_kind = _kind("crop", "a part is cut out and stretched: one interpolation for each")
    macs = _INTERPOLATION
    elsewhere: ClassVar[Mapping[str, str]] = {
        "crop scale=80%..100%": "RandomCrop RandomResizedCrop TSRandomResizedCrop"
        " TSRandomCropPad TSRandomResizedLookBack window_slice window_slicing WindowSlice"
        " TSWindowSlicing slicing",
    }

    scale: Range = between("share of the length that is cut out", 0, 1, keyword_only=True,
                           example="80%..100%")  # fmt: skip
    p: float = probability()

    def check(self) -> None:
        if self.scale[0] == 0:
            raise ArgumentError("a part of length zero", "write `scale=80%..100%`")


def _read_fill(value: object) -> Any:
    if isinstance(value, Word):
        if value in ("mean", "zero"):
            return str(value)
        raise ArgumentError(f"{show(value)} is not one of them")
    return real_number(value)


def _write_fill(value: Any) -> str:
    return value if isinstance(value, str) else exact(value)


class Mask(SeriesAugmentation):
    """Mask random spans of time, or of frequencies (SpecAugment, arXiv:1904.08779).

    With `spectrogram` or `mel` in `evaluate`, the spectrogram is masked, else the series.
    """

    word = "mask"
    example = "mask time=10%"
    usage = "mask time=… frequency=… n=1 fill=mean p=100%"
    pass_kind = _kind("mask", "spans are masked")
    macs = 0
    on_spectrogram = True
    for_images = "erase"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "mask time=10%": "TimeMask TimeMasking time_mask time_mask_param TSMaskOut TimeDropout"
        " TSTimeStepOut cutout TimeStripes CutOut Cutout RandomErasing",
        "mask frequency=10%": "FrequencyMasking FrequencyMask freq_mask frequency_mask"
        " freq_mask_param BandStopFilter",
        "mask time=10% frequency=10%": "SpecAugment spec_augment SpecFrequencyMask"
        " SpecAugmentation",
    }

    time: Range | None = share_range(
        "length of a mask, as a share of the steps or frames", None, keyword_only=True,
        elsewhere="max_band_part",
    )  # fmt: skip
    frequency: Range | None = share_range(
        "height of a mask, as a share of the bands", None, keyword_only=True,
        elsewhere="freq",
    )  # fmt: skip
    n: int = whole("masks of each kind", 1, maximum=100, keyword_only=True,
                   elsewhere="num_masks n_masks")  # fmt: skip
    fill: Any = custom(
        "what a mask contains; `mean` is that of the channel of the sample",
        _read_fill, "`mean`, `zero` or a number", "mean",
        takes_words=True, keyword_only=True, words=("mean", "zero"), write=_write_fill,
        elsewhere="mask_value value",
    )  # fmt: skip
    p: float = probability()

    def check(self) -> None:
        if self.time is None and self.frequency is None:
            raise ArgumentError("nothing is masked", "write `mask time=10%`")

    def problems(self, context: Context) -> Iterator[Problem]:
        yield from super().problems(context)
        place = self.place("frequency")
        known = context.network is not None and context.series
        if known and self.frequency is not None and not context.all(TimeFrequency) and place:
            yield context.unfit(
                place,
                "a series has no frequencies: its spectrogram has",
                "write `mask time=10%`, or `evaluate { mel 64 }`",
                (Edit(place, "time=10%"),) if self.time is None else (),
            )
