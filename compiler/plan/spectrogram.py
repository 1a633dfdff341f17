"""Directives `spectrogram` and `mel` of the evaluate section: a network that takes the spectrogram
of a series, `evaluate { mel 64 rate=16000 }`. Declares their arguments, the shapes they make, and
the frequencies of mel bands; the transform is computed in training/data/to_spectrogram.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple, Self

from ...dsl.diagnostics import Diagnostic, Edit, Label
from ..diagnose.blame import first_line
from ..language.kinds import Range, between, choice, number, whole
from ..language.problems import Problem
from ..language.signature import ArgumentError
from ..language.values import Interval, Word, exact
from ..shapes import Shape, text
from .data import Data
from .directive import Context, Directive, conflict

FLOOR = 1e-10
"""Before a logarithm, power is at least this: -100 dB, as in librosa and torchaudio."""


USUAL_RATE = 16_000
"""Steps in a second, if nothing says how many."""


class TimeFrequency(Directive):
    """The base of directives that turn a series into a map of bands x frames."""

    section = "evaluate"
    of_series = True

    window: int = whole("steps of a window: 400 are 25 ms at 16 kHz", 400, keyword_only=True,
                        minimum=2, elsewhere="win_length frame_length window_size")  # fmt: skip
    hop: int = whole("steps from one window to the next", 160, keyword_only=True,
                     elsewhere="hop_length frame_step hop_size stride")  # fmt: skip
    fft: int | None = whole(
        "length of the Fourier transform: windows are padded with zeros; by default the window's",
        None, keyword_only=True, minimum=2, elsewhere="n_fft fft_length nfft",
    )  # fmt: skip
    scale: str = choice(
        "`db` is 10 log10 of the power, `log` its natural logarithm; `power` and `amplitude`",
        ("db", "log", "power", "amplitude"), "db", keyword_only=True,
        elsewhere={"decibel": "db", "magnitude": "amplitude", "linear": "power"},
    )  # fmt: skip
    top: float | None = number(
        "with `db`: values further below the loudest of the sample are raised to that", None,
        minimum=0, above=True, keyword_only=True, elsewhere="top_db",
    )  # fmt: skip
    taper: str = choice(
        "the window function", ("hann", "hamming", "blackman", "none"), "hann", keyword_only=True,
        elsewhere={"hanning": "hann", "hann_window": "hann", "rectangle": "none", "boxcar": "none"},
    )  # fmt: skip
    pad: str = choice(
        "what surrounds the series, so that frames are centered; `none`: the first window begins"
        " at the first step",
        ("reflect", "zero", "none"), "reflect", keyword_only=True, elsewhere={"constant": "zero"},
    )  # fmt: skip
    length: int | None = whole(
        "steps of a series; by default, the fewest that make the frames of the network's input",
        None, keyword_only=True, elsewhere="samples num_samples audio_length",
    )  # fmt: skip

    def needs_one_input(self) -> str:
        return "the spectrogram is that of a single series"

    @classmethod
    def usual(cls, context: Context) -> Self | None:
        return None

    def check(self) -> None:
        if self.fft is not None and self.fft < self.window:
            raise ArgumentError(
                f"a window of {self.window:,} steps does not fit into a transform of {self.fft:,}",
                f"write `fft={2 ** math.ceil(math.log2(self.window))}`, or more",
                drop="fft",
            )
        if self.top is not None and self.scale != "db":
            raise ArgumentError("`top` is in decibels", "write `scale=db`", drop="top")

    # ---- shapes ----

    @property
    def transform(self) -> int:
        """The length of the Fourier transform."""
        return self.fft or self.window

    @property
    def rows(self) -> int:
        """The bands that it makes of each channel."""
        raise NotImplementedError(self.word)

    def frames(self, length: int) -> int:
        """The windows that fit into a series; not above 0 if it is too short for one."""
        around = 0 if self.pad == "none" else 2 * (self.transform // 2)
        return (length + around - self.transform) // self.hop + 1

    def shortest(self, frames: int) -> int:
        """The fewest steps that make this many frames."""
        around = 0 if self.pad == "none" else 2 * (self.transform // 2)
        return max((frames - 1) * self.hop + self.transform - around, 1)

    def sample(self, shape: Shape) -> Shape:
        """The shape of a series whose map is the network's input; () if there is none. An input of
        two axes has the bands as its channels: those of all channels, one after the other."""
        bands = self.rows
        if len(shape) == 3 and shape[1] == bands:
            channels = shape[0]
        elif len(shape) == 2 and shape[0] % bands == 0:
            channels = shape[0] // bands
        else:
            return ()
        length = self.length or self.shortest(shape[-1])
        return (channels, length) if self.frames(length) == shape[-1] else ()

    # ---- checks in context ----

    def settle(self, context: Context) -> Self:
        sample = self.sample(context.shape)
        length = sample[1] if sample else self.length
        return self.replace(fft=self.transform, length=length)

    def remark(self) -> str:
        made = f"1x{self.rows}x{self.frames(self.length)}" if self.length else ""
        return f"{made} of 1x{self.length}" if made else super().remark()

    def problems(self, context: Context) -> Iterator[Problem]:
        if self.origin is None:
            return
        others = context.all(TimeFrequency)
        if others[0] is not self:
            yield conflict("the network's input is computed twice", self, others[0])
            return
        network = context.network
        if network is None:
            return
        length, least = self.length, self.transform // 2 + 1
        if length is not None and self.frames(length) < 1:
            yield self._too_short(
                f"a series of {length:,} steps has no window of {self.transform:,}"
            )
        elif length is not None and self.pad == "reflect" and length < least:
            yield self._too_short(f"{length:,} steps cannot be reflected by {least - 1:,}")
        elif not self.sample(context.shape):
            yield self._misfit(context)
        elif self.pad == "reflect" and self.sample(context.shape)[1] < least:
            steps = self.sample(context.shape)[1]
            yield self._too_short(f"{steps:,} steps cannot be reflected by {least - 1:,}")

    def _too_short(self, message: str) -> Problem:
        assert self.span is not None
        place = self.place("length") or self.span
        return Problem(
            "unfit-input", message, place, help="write a smaller `window`, or `pad=zero`"
        )

    def _misfit(self, context: Context) -> Problem:
        """The error for an input of another shape than the map, with both places."""
        assert self.origin is not None
        assert context.network is not None
        shape, span = context.shape, context.network.input.span
        length = self.length or self.shortest(shape[-1])
        one = (self.rows, self.frames(length))
        made = (shape[0] if len(shape) == 3 else 1, *one)
        right = one if len(shape) == 2 else made
        edits = (Edit(span, f"input {text(right)}"),) if span.text.startswith("input ") else ()
        return Problem(
            "unfit-input",
            f"`{self.word}` makes {text(right)} of {made[0]}x{length}, which the network does not"
            " take",
            self.origin.span,
            labels=(Label(first_line(span), f"the input is {text(shape)}"),),
            help=f"write `input {text(right)}`{self._instead(shape, length)}",
            edits=edits,
        )

    def _instead(self, shape: Shape, length: int) -> str:
        """What else would fit the input."""
        return ""


class Spectrogram(TimeFrequency):
    """Compute the spectrogram of a series: the network takes frequencies x frames.

    By torch.stft, of each channel. Training, evaluation, prediction and exported scripts share it.
    """

    word = "spectrogram"
    example = "spectrogram window=400 hop=160"
    usage = "spectrogram window=400 hop=160 fft=… scale=db top=… taper=hann pad=reflect length=…"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "spectrogram": "STFT stft STFTSpectrogram short_time_fourier"
    }
    advice: ClassVar[Mapping[str, str]] = {
        "write `mel 40`: there are no cepstral coefficients": "MFCC LFCC mfcc",
        "decibels are the default: `mel 64 scale=db top=80`": "AmplitudeToDB power_to_db"
        " amplitude_to_db",
        "write `mel 64`": "MelScale",
    }

    @property
    def rows(self) -> int:
        return self.transform // 2 + 1


class Mel(TimeFrequency):
    """Compute the mel spectrogram of a series: the network takes bands x frames.

    The defaults are those of torchaudio's MelSpectrogram, in decibels; `formula=slaney norm=area`
    are those of librosa.
    """

    word = "mel"
    example = "mel 64 rate=16000"
    usage = (
        "mel bands=64 rate=16000 window=400 hop=160 fft=… frequencies=… formula=htk norm=none"
        " scale=db top=… taper=hann pad=reflect length=…"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "mel": "MelSpectrogram LogMelSpectrogram logmel log_mel fbank mel_filterbank",
    }

    bands: int = whole("mel bands", 64, maximum=10_000, elsewhere="n_mels num_mel_bins num_mels")
    rate: int | None = whole(
        "steps in a second; by default those that `data` gives, else 16000", None,
        keyword_only=True, elsewhere="sample_rate sr sampling_rate sample_frequency",
    )  # fmt: skip
    frequencies: Range | None = between(
        "lowest and highest frequency, in Hz; by default from 0 to half the rate", 0, 1e9, None,
        keyword_only=True,
    )  # fmt: skip
    formula: str = choice(
        "`htk` is 2595 log10(1 + f/700), `slaney` linear below 1 kHz and logarithmic above",
        ("htk", "slaney"), "htk", keyword_only=True, elsewhere={"librosa": "slaney"},
    )  # fmt: skip
    norm: str = choice(
        "`area` gives each band's filter the same area, `none` the same height",
        ("none", "area"), "none", keyword_only=True, elsewhere={"slaney": "area"},
    )  # fmt: skip

    def check(self) -> None:
        super().check()
        low, high = self.limits
        if high > self.hertz / 2 or low >= high:
            raise ArgumentError(
                f"at {self.hertz:,} steps a second there are 0 to {self.hertz / 2:g} Hz",
                f"write `frequencies=0..{exact(self.hertz / 2)}`",
                drop="frequencies",
            )

    @property
    def rows(self) -> int:
        return self.bands

    @property
    def hertz(self) -> int:
        """The steps in a second."""
        return self.rate or USUAL_RATE

    @property
    def limits(self) -> Range:
        """The lowest and the highest frequency, in Hz."""
        return self.frequencies or (0.0, self.hertz / 2)

    def corners(self) -> list[float]:
        """The frequencies at which the triangles of bands begin, peak and end: band number b has
        those with number b, b + 1 and b + 2."""
        scale = FORMULAS[self.formula]
        low, high = map(scale.mel, self.limits)
        step = (high - low) / (self.bands + 1)
        return [scale.hertz(low + step * index) for index in range(self.bands + 2)]

    def silent(self) -> list[int]:
        """The bands between whose ends no frequency of the transform lies: they are always 0."""
        corners, spacing = self.corners(), self.hertz / self.transform
        return [
            band
            for band in range(self.bands)
            if (math.floor(corners[band] / spacing) + 1) * spacing >= corners[band + 2]
        ]

    def settle(self, context: Context) -> Self:
        at_rate = super().settle(context).replace(rate=self.rate or _rate_of(context))
        return at_rate.replace(rate=at_rate.hertz, frequencies=at_rate.limits)

    def problems(self, context: Context) -> Iterator[Problem]:
        yield from super().problems(context)
        place, theirs = self.place("rate"), _rate_of(context)
        if theirs is not None and self.rate not in (None, theirs) and place is not None:
            data = context.get(Data)
            yield conflict(
                f"`{self.word}` is of {self.rate:,} steps in a second, and sound is brought to"
                f" {theirs:,}",
                self,
                data,
                help=f"write `rate={theirs}`, or leave it out",
                drop=False,
            )

    def warnings(self, context: Context) -> Iterator[Diagnostic]:
        mel = self.settle(context)
        empty = mel.silent()
        if not empty or self.origin is None:
            return
        fft = mel.transform
        while mel.replace(fft=fft).silent():
            fft = 2 ** (math.floor(math.log2(fft)) + 1)
        spacing = mel.hertz / mel.transform
        yield Diagnostic(
            "empty-bands",
            f"{len(empty)} of {mel.bands} mel bands are always 0: a transform of"
            f" {mel.transform:,} steps has one frequency every {spacing:g} Hz, and none of them"
            f" lies in band {empty[0] + 1}",
            self.origin.span,
            severity="warning",
            help=f"write `fft={fft}`, or fewer bands",
        )

    def _instead(self, shape: Shape, length: int) -> str:
        other = self.replace(bands=shape[-2])
        return f", or `mel {shape[-2]}`" if other.sample(shape) else ""


def _rate_of(context: Context) -> int | None:
    """The steps in a second that `data` brings sound to, if it says so."""
    return getattr(context.find(Data), "rate", None)


def spectrogram_in(values: Mapping[str, Any]) -> TimeFrequency:
    """The directive of which this has the word and all arguments; raises ValueError, LookupError or
    TypeError for anything else."""
    kinds: dict[str, type[TimeFrequency]] = {kind.word: kind for kind in (Spectrogram, Mel)}
    kind = kinds[values["is"]]
    read: dict[str, Any] = {}
    for name, field in kind.fields.items():
        value = values[name]
        if value is not None:
            value = Interval(*value) if isinstance(value, (list, tuple)) else value
            try:
                value = field.read(Word(value) if isinstance(value, str) else value)
            except ArgumentError as error:
                raise ValueError(error.message) from None
        read[name] = value
    directive = kind.make(**read)
    try:
        directive.check()
    except ArgumentError as error:
        raise ValueError(error.message) from None
    return directive


# ---- the mel scale ---------------------------------------------------------------------------


class Htk(NamedTuple):
    """O'Shaughnessy's formula, which HTK uses."""

    @staticmethod
    def mel(hertz: float) -> float:
        return 2595 * math.log10(1 + hertz / 700)

    @staticmethod
    def hertz(mel: float) -> float:
        return 700 * (10 ** (mel / 2595) - 1)


_LINEAR = 200 / 3
"""Hz of a mel below 1 kHz, in Slaney's formula."""
_CORNER = 1000 / _LINEAR
"""The mel of 1 kHz."""
_LOG_STEP = math.log(6.4) / 27


class Slaney(NamedTuple):
    """The formula of Slaney's Auditory Toolbox, which librosa uses."""

    @staticmethod
    def mel(hertz: float) -> float:
        return hertz / _LINEAR if hertz < 1000 else _CORNER + math.log(hertz / 1000) / _LOG_STEP

    @staticmethod
    def hertz(mel: float) -> float:
        return mel * _LINEAR if mel < _CORNER else 1000 * math.exp(_LOG_STEP * (mel - _CORNER))


FORMULAS: Mapping[str, type[Htk] | type[Slaney]] = {"htk": Htk, "slaney": Slaney}
