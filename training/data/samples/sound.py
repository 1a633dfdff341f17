"""Reads WAV files: PCM of 8, 16, 24 and 32 bits, and floating point, of any number of channels.

Samples are float32 from -1 to 1, as in torchaudio and librosa.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from math import ceil, isqrt
from typing import Any, NamedTuple

import numpy
import torch
import torch.nn.functional as F
from torch import Tensor

from ..images.image_file import BadImage

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_OTHERS = {2: "ADPCM", 6: "A-law", 7: "mu-law", 17: "ADPCM", 85: "MP3"}
_MOST_CHANNELS = 256
_OPEN = 2**31 - 2**16
"""Sizes from here on stand for one that was not known when it was written."""
_START = 4096
"""The bytes of a file in which its format is looked for."""


class Sound(NamedTuple):
    samples: Tensor
    """float32, channels x length."""
    rate: int
    """Samples in a second."""


def sound_in(data: bytes) -> Sound:
    """The sound in the bytes of a WAV file; raises BadImage."""
    if len(data) < 12 or data[:4] not in (b"RIFF", b"RIFX") or data[8:12] != b"WAVE":
        raise BadImage("it is not a WAV file" if data else "it is empty")
    if data[:4] == b"RIFX":
        raise BadImage("it is a WAV file of another byte order (RIFX)")
    form: tuple[int, int, int, int] | None = None
    for name, body in _chunks(data):
        if name == b"fmt ":
            form = _format(body)
        elif name == b"data":
            if form is None:
                raise BadImage("damaged: its samples come before their format")
            return _decoded(body, *form)
    raise BadImage("damaged: it has no samples")


def rate_in(path: str) -> int | None:
    """The sample rate of a WAV file, from its first bytes; None if it cannot be read."""
    try:
        with open(path, "rb") as file:
            start = file.read(_START)
    except (OSError, ValueError):
        return None
    if start[:4] != b"RIFF":
        return None
    try:
        return next((_format(body)[2] for name, body in _chunks(start) if name == b"fmt "), None)
    except BadImage:
        return None


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        rest = len(data) - at - 8
        # Programs that write to a pipe leave the size open.
        if name == b"data" and rest < size < _OPEN:
            raise BadImage(f"cut short: its samples have {rest:,} of {size:,} bytes")
        yield name, data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _format(body: bytes) -> tuple[int, int, int, int]:
    """Kind of numbers, channels, rate, and bits."""
    if len(body) < 16:
        raise BadImage("damaged: the description of its format is too short")
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if kind == _EXTENSIBLE and len(body) >= 26:
        (kind,) = struct.unpack_from("<H", body, 24)
    if kind not in (_PCM, _FLOAT):
        name = _OTHERS.get(kind, f"format {kind}")
        raise BadImage(f"its samples are {name}; PCM and floating point can be read")
    if not 1 <= channels <= _MOST_CHANNELS or not rate:
        raise BadImage(f"damaged: it claims {channels} channels at {rate:,} Hz")
    return kind, channels, rate, bits


def _decoded(body: bytes, kind: int, channels: int, rate: int, bits: int) -> Sound:
    wide = (bits + 7) // 8
    length = len(body) // (wide * channels) if wide else 0
    body = body[: length * wide * channels]
    if not length:
        raise BadImage("it has no samples")
    if kind == _FLOAT:
        if wide not in (4, 8):
            raise BadImage(f"its samples are floating point of {bits} bits")
        samples = numpy.frombuffer(body, f"<f{wide}").astype(numpy.float32)
    else:
        samples = _whole_numbers(body, wide, bits)
    return Sound(torch.from_numpy(samples.reshape(length, channels).T.copy()), rate)


def _whole_numbers(body: bytes, wide: int, bits: int) -> Any:
    """PCM of 1 to 4 bytes as numbers from -1 to 1."""
    if wide == 1:
        return (numpy.frombuffer(body, numpy.uint8).astype(numpy.float32) - 128) / 128
    if wide == 3:
        three = numpy.frombuffer(body, numpy.uint8).reshape(-1, 3).astype(numpy.int32)
        whole = (three[:, 0] << 8) | (three[:, 1] << 16) | (three[:, 2] << 24)
        return (whole >> 8).astype(numpy.float32) / numpy.float32(2**23)
    if wide not in (2, 4):
        raise BadImage(f"its samples have {bits} bits")
    numbers = numpy.frombuffer(body, f"<i{wide}")
    return (numbers / float(2 ** (8 * wide - 1))).astype(numpy.float32)


def in_channels(samples: Tensor, channels: int) -> Tensor:
    """Sound with as many channels as the network takes: several are averaged to one, one is
    repeated. Raises BadImage for anything else."""
    have = len(samples)
    if have == channels:
        return samples
    if channels == 1:
        return samples.mean(0, keepdim=True)
    if have == 1:
        return samples.expand(channels, -1)
    raise BadImage(f"it has {have} channels, and the network takes {channels}")


# ---- another sample rate -----------------------------------------------------------------------

_ZEROS = 16
"""Zero crossings of the filter on each side."""
_ROLLOFF = 0.95
"""Where the filter cuts off, as a share of the lower of the two Nyquist frequencies."""


_MOST_UP, _MOST_DOWN = 32, 2**12
"""Sound is brought to at most this multiple of its rate, and at least this part of it."""
_MOST_TAPS = 2**21
"""About the largest size of all filters together."""


def resampled(samples: Tensor, rate: int, wanted: int) -> Tensor:
    """Sound (channels x length) at another rate: a windowed sinc, which takes out what is above the
    highest frequency of the new rate. Raises BadImage for rates that no sound has."""
    if rate == wanted:
        return samples
    if not rate / _MOST_DOWN <= wanted <= rate * _MOST_UP:
        raise BadImage(f"its rate of {rate:,} Hz cannot be brought to {wanted:,} Hz")
    up, down = _ratio(rate, wanted)
    filters, width = _filters(up, down)
    length = -(-samples.shape[-1] * up // down)
    padded = F.pad(samples.unsqueeze(1), (width, width + down))
    phases = F.conv1d(padded, filters, stride=down)
    return phases.transpose(1, 2).reshape(len(samples), -1)[:, :length]


def _ratio(rate: int, wanted: int) -> tuple[int, int]:
    """How many samples come from how many. Of rates with nothing in common, such as 44,101 and
    16,000, this is a close ratio of smaller numbers, since each sample needs a filter of its own:
    after a million samples, the error is a tenth of one."""
    ratio = Fraction(wanted, rate)
    small = ratio.limit_denominator(max(1, isqrt(int(_MOST_TAPS / ratio))))
    return small.numerator, small.denominator


@lru_cache(maxsize=16)
def _filters(up: int, down: int) -> tuple[Tensor, int]:
    """A filter for each of the `up` samples that come from `down`, and how far they reach."""
    cutoff = min(up, down) * _ROLLOFF  # in cycles of half the length of `down` samples
    width = ceil(_ZEROS * down / cutoff)
    at = torch.arange(-width, width + down, dtype=torch.float64) / down
    phase = torch.arange(up, dtype=torch.float64).unsqueeze(1) / up
    time = ((at - phase) * cutoff).clamp(-_ZEROS, _ZEROS)
    window = torch.cos(time * (torch.pi / _ZEROS / 2)) ** 2
    filters = torch.sinc(time) * window * (cutoff / down)
    return filters.unsqueeze(1).float(), width
