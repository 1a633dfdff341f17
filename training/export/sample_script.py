"""The parts of the script of `cnn export --script` that are about series and scans: sound, arrays
and text as the input of the network. It needs numpy and onnxruntime.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...compiler.plan.spectrogram import FLOOR, Mel, TimeFrequency
from ...compiler.shapes import AXES, text
from ..data.diagnostic import in_nouns
from ..data.images.preprocessing import Preparation
from ..data.samples.sample_fit import SampleFit
from ..data.samples.sample_layout import noun_of
from ..data.to_spectrogram import ToSpectrogram
from .formats import SCRIPT_MARK, script_name
from .script_text import listed, plain_name, quoted

_INPUTS = {1: "series", 2: "images", 3: "volumes"}
"""The name of the input in an ONNX file, by its axes."""
_FEED = '{"images": '
"""Before what is fed to the network, which may be a spectrogram of a series."""
_LINE = 90
"""Numbers are written in lines of about this many characters."""


def sample_header(model: str, preparation: Preparation, does: str) -> str:
    sound = len(preparation.sizing.crop) == 1
    return _HEADER.format(
        model=plain_name(model),
        script=plain_name(script_name(Path(model))),
        mark=SCRIPT_MARK,
        does=does,
        what="series" if sound else "scans",
        example="clip.wav series.npy" if sound else "scan.npy other.npz",
        fractions="from fractions import Fraction\n" if sound and preparation.rate else "",
    )


def of_samples(code: str, preparation: Preparation) -> str:
    """Code of the script of images, for series or scans."""
    code = code.replace("  # Pillow's, for what is not an image", "")
    code = code.replace(_FEED, _FEED.upper())
    code = re.sub(r"\bimages\b", _INPUTS[len(preparation.sizing.crop)], code)
    name = _INPUTS[len(preparation.input or preparation.sample) - 1]
    feed = _FEED.replace(_INPUTS[2], name)
    return in_nouns(code, noun_of(preparation.sample)).replace(_FEED.upper(), feed)


def sample_constants(
    model: str, preparation: Preparation, classes: Sequence[str], called: str
) -> str:
    fit = preparation.sizing
    lines = [
        f"MODEL = Path(__file__).with_name({quoted(model)})",
        f"{called} = {listed(classes)}",
        f"CHANNELS = {preparation.channels}",
        f"SIZE = {fit.crop!r}  # what the network sees: {' x '.join(AXES[len(fit.crop)])}",
    ]
    if preparation.spectrogram is not None:
        lines.append(f"INPUT = {preparation.input!r}  # its spectrogram, which the network takes")
    if preparation.rate:
        lines.append(f"RATE = {preparation.rate}  # samples of sound in a second")
    lines += [
        f"SCALE = {preparation.scale!r}",
        f"MEAN = np.array({list(preparation.mean)!r})  # of each channel, after scaling",
        f"STD = np.array({list(preparation.std)!r})",
    ]
    return "\n" + "\n".join(lines) + "\n"


def sample_preprocessing(preparation: Preparation) -> Iterator[str]:
    """The functions from a file to the input of the network."""
    fit, sound = preparation.sizing, len(preparation.sizing.crop) == 1
    assert isinstance(fit, SampleFit)
    transform = preparation.spectrogram
    yield _PREPARE.format(
        each=_EACH if fit.each else "",
        fit=_CROPS if fit.pad is None else _PADS,
        transform="    sample = spectrogram(sample)\n" if transform is not None else "",
        axes="SIZE" if transform is None else "INPUT[1:]",
    )
    if transform is not None:
        yield _spectrogram(transform)
    if fit.pad is not None:
        yield _PADDED.format(values=_padding(fit))
    yield _LOAD.format(
        kinds=_SOUND_KINDS if sound else "",
        names=" x ".join(("channels", *AXES[len(fit.crop)])),
        shape=text(preparation.sample),
    )
    if sound:
        yield _SOUND.format(result=_RESAMPLED if preparation.rate else "samples")
        if preparation.rate:
            yield _RESAMPLE


def _spectrogram(transform: TimeFrequency) -> str:
    """The function that computes a spectrogram."""
    module = ToSpectrogram(transform, ())
    lines = [_LOGARITHMS[transform.scale]]
    if transform.top is not None:
        lines.append(f"    values = np.maximum(values, values.max() - {transform.top!r})\n")
    filters = ""
    if isinstance(transform, Mel):
        filters = _FILTERS.format(
            corners=numbers_text(transform.corners()),
            spacing=repr(transform.hertz / transform.transform),
            area=_AREA if transform.norm == "area" else "",
        )
    half, mode = transform.transform // 2, _MODES[transform.pad]
    missing = transform.transform - transform.window
    around = f"((0, 0), ({half}, {half}))"
    return _SPECTROGRAM.format(
        window=numbers_text(module.window.tolist()),
        before=missing // 2,
        after=missing - missing // 2,
        fft=transform.transform,
        hop=transform.hop,
        pad=f'    sample = np.pad(sample, {around}, mode="{mode}")\n' if mode else "",
        root="    values = np.sqrt(values)\n" if transform.scale == "amplitude" else "",
        filters=filters,
        logarithm="".join(lines),
    )


_MODES = {"reflect": "reflect", "zero": "constant", "none": ""}
_LOGARITHMS = {
    "power": "",
    "amplitude": "",
    "log": f"    values = np.log(np.maximum(values, {FLOOR!r}))\n",
    "db": f"    values = 10 * np.log10(np.maximum(values, {FLOOR!r}))\n",
}


def numbers_text(numbers: Sequence[float]) -> str:
    """Numbers in lines, for a list in the script."""
    return textwrap.fill(
        ", ".join(map(repr, numbers)), _LINE, initial_indent=" " * 8, subsequent_indent=" " * 8
    )


def _padding(fit: SampleFit) -> str:
    before = {"end": "0", "start": "missing", "both": "missing // 2"}[fit.at]
    mode = {"nearest": '"edge"', "reflect": '"reflect"'}.get(str(fit.pad), '"constant"')
    level = "" if isinstance(fit.pad, str) else f", constant_values={fit.pad!r}"
    return _PAD_LINES.format(before=before, mode=mode, level=level)


_HEADER = '''
"""{does} {what} with {model}:

    python {script} {example}

Needs numpy and onnxruntime. {mark}: the preprocessing is that of training.
"""

import sys
{fractions}from pathlib import Path

import numpy as np
import onnxruntime
'''

_PREPARE = '''
def prepare(sample):
    """Crops and normalizes a sample (channels x axes) for the network."""
{each}{fit}{transform}    factor = (SCALE / STD).astype(np.float32)
    offset = (-MEAN / STD).astype(np.float32)
    shape = (-1, *(1 for _ in {axes}))
    return sample.astype(np.float32) * factor.reshape(shape) + offset.reshape(shape)
'''
_EACH = """\
    axes = tuple(range(1, sample.ndim))
    centered = sample.astype(float) - sample.astype(float).mean(axes, keepdims=True)
    deviation = np.sqrt((centered**2).mean(axes, keepdims=True))
    sample = centered / np.where(deviation > 1e-8, deviation, 1)
"""
_CROPS = """\
    if any(have < want for have, want in zip(sample.shape[1:], SIZE)):
        raise ValueError(f"{sample.shape[1:]} is smaller than {SIZE}")
    for axis, want in enumerate(SIZE, 1):
        start = (sample.shape[axis] - want) // 2
        sample = sample.take(range(start, start + want), axis)
"""
_PADS = """\
    for axis, want in enumerate(SIZE, 1):
        start = max(0, (sample.shape[axis] - want) // 2)
        sample = sample.take(range(start, start + min(want, sample.shape[axis])), axis)
        sample = padded(sample, axis, want)
"""
_SPECTROGRAM = '''

def spectrogram(sample):
    """The spectrogram of a series, as the network takes it."""
    window = [
{window}
    ]
    window = np.pad(np.array(window), ({before}, {after}))
{pad}    windows = np.lib.stride_tricks.sliding_window_view(sample.astype(float), {fft}, axis=1)
    values = np.abs(np.fft.rfft(windows[:, ::{hop}] * window)) ** 2
{root}{filters}{logarithm}    return values.transpose(0, 2, 1).reshape(INPUT)
'''
_FILTERS = """\
    corners = [
{corners}
    ]
    low, peak, high = (np.array(corners[i : len(corners) - 2 + i])[:, None] for i in range(3))
    at = np.arange(values.shape[-1]) * {spacing}
    filters = np.maximum(np.minimum((at - low) / (peak - low), (high - at) / (high - peak)), 0)
{area}    values = values @ filters.T
"""
_AREA = """\
    filters *= 2 / (high - low)
"""
_PADDED = """

def padded(sample, axis, want):
    missing = want - sample.shape[axis]
{values}
"""
_PAD_LINES = """\
    pairs = [(0, 0)] * sample.ndim
    pairs[axis] = ({before}, missing - {before})
    return np.pad(sample, pairs, mode={mode}{level})"""

_LOAD = '''
def load(path):
    """Reads a sample of a file as {names}."""
    ending = Path(path).suffix.lower()
{kinds}    if ending == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            sample = arrays[arrays.files[0]]
    elif ending == ".npy":
        sample = np.load(path, allow_pickle=False)
    else:
        raise ValueError("the ending of its name is not known")
    return arranged(sample)


def arranged(sample):
    """The sample with its channels first."""
    if sample.ndim == len(SIZE) and CHANNELS == 1:
        sample = sample[None]
    elif sample.shape[0] != CHANNELS and sample.shape[-1] == CHANNELS:
        sample = np.moveaxis(sample, -1, 0)
    if sample.ndim != len(SIZE) + 1 or sample.shape[0] != CHANNELS:
        raise ValueError(f"an array of {{sample.shape}} is not a sample of {shape}")
    if not np.isfinite(sample).all():
        raise ValueError("some of its numbers are NaN or infinite")
    return sample
'''
_SOUND_KINDS = """\
    if ending in (".wav", ".wave"):
        return arranged(sound(path))
    if ending in (".csv", ".tsv", ".txt"):
        lines = Path(path).read_text().replace(",", " ").replace(";", " ").splitlines()
        table = np.array([[float(cell) for cell in line.split()] for line in lines if line.strip()])
        return arranged(table.reshape(-1) if 1 in table.shape else table)
"""

_SOUND = '''
def sound(path):
    """Reads a WAV file, from -1 to 1."""
    data = Path(path).read_bytes()
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError("it is not a WAV file")
    at, form = 12, None
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + size]
        if name == b"fmt ":
            form = np.frombuffer(body[:16], "<u2")
            kind = int(form[0]) if form[0] != 0xFFFE else int.from_bytes(body[24:26], "little")
        if name == b"data":
            break
        at += 8 + size + size % 2
    if form is None or name != b"data":
        raise ValueError("it has no samples")
    channels, rate, wide = int(form[1]), int(form[2]) + 65536 * int(form[3]), int(form[7]) // 8
    body = body[: len(body) // (wide * channels) * wide * channels]
    if kind == 3:
        samples = np.frombuffer(body, f"<f{{wide}}").astype(np.float32)
    elif wide == 1:
        samples = (np.frombuffer(body, np.uint8).astype(np.float32) - 128) / 128
    elif wide == 3:
        three = np.frombuffer(body, np.uint8).reshape(-1, 3).astype(np.int32)
        whole = (three[:, 0] << 8) | (three[:, 1] << 16) | (three[:, 2] << 24)
        samples = (whole >> 8).astype(np.float32) / 2**23
    else:
        samples = (np.frombuffer(body, f"<i{{wide}}") / 2.0 ** (8 * wide - 1)).astype(np.float32)
    samples = samples.reshape(-1, channels).T
    if channels != CHANNELS:
        samples = samples.mean(0, keepdims=True) if CHANNELS == 1 else samples
        samples = np.repeat(samples, CHANNELS, 0) if len(samples) == 1 else samples
    return {result}
'''
_RESAMPLED = "samples if rate == RATE else resampled(samples, rate)"

_RESAMPLE = '''
def resampled(samples, rate):
    """Sound at the rate of the training: a windowed sinc."""
    ratio = Fraction(RATE, rate)
    ratio = ratio.limit_denominator(int((2**21 / ratio) ** 0.5))  # a filter for each sample of `up`
    up, down = ratio.numerator, ratio.denominator
    cutoff = min(up, down) * 0.95
    width = int(np.ceil(16 * down / cutoff))
    time = np.arange(-width, width + down) / down - np.arange(up)[:, None] / up
    time = np.clip(time * cutoff, -16, 16)
    filters = np.sinc(time) * np.cos(time * np.pi / 32) ** 2 * (cutoff / down)
    length = -(-samples.shape[1] * up // down)
    padded = np.pad(samples, ((0, 0), (width, width + down)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, filters.shape[1], axis=1)[:, ::down]
    return (windows @ filters.astype(np.float32).T).reshape(len(samples), -1)[:, :length]
'''
