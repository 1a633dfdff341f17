"""Spectrograms of series: by hand, and as librosa 0.11.0 and torchaudio 2.11.0 compute them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from dotcnn.compiler.plan.spectrogram import FORMULAS, Mel, Spectrogram, TimeFrequency
from dotcnn.training.data.to_spectrogram import ToSpectrogram, mel_filters


def tones() -> Tensor:
    """A tenth of a second at 8 kHz; what the figures of the other tools are of."""
    t = torch.arange(800, dtype=torch.float64) / 8000
    loud = torch.sin(2 * torch.pi * 440 * t) * 0.5 + 0.25 * torch.sin(2 * torch.pi * 1800 * t + 0.3)
    return (loud + 0.01 * torch.cos(2 * torch.pi * 3333 * t)).float()


def computed(directive: TimeFrequency, series: Tensor | None = None) -> Tensor:
    samples = (tones() if series is None else series).view(1, 1, -1)
    shape = (1, directive.rows, directive.frames(samples.shape[-1]))
    return ToSpectrogram(directive, shape)(samples)[0, 0]  # type: ignore[no-any-return]


TORCHAUDIO = Mel(bands=8, rate=8000, window=200, hop=80, fft=256, scale="power")


def test_mel_bands_are_those_of_torchaudio() -> None:
    found = computed(TORCHAUDIO)
    assert found.shape == (8, 11)
    first = [103.02155, 781.00726, 287.82645, 5.0092392, 17.580408, 244.77542, 24.397346, 3.3094094]
    sixth = [
        0.06490175,
        860.36469,
        339.5694,
        0.00065876,
        3.8863177,
        288.53778,
        7.5758581,
        0.3572117,
    ]
    assert found[:, 0].tolist() == pytest.approx(first, rel=1e-4)
    assert found[:, 5].tolist() == pytest.approx(sixth, rel=1e-4, abs=2e-6)
    decibels = computed(TORCHAUDIO.replace(scale="db", top=40.0))
    sixth = [
        -10.651981,
        29.346827,
        25.309286,
        -10.651981,
        5.8953829,
        24.602028,
        8.7943182,
        -4.4707432,
    ]
    assert decibels[:, 5].tolist() == pytest.approx(sixth, abs=1e-3)


def test_mel_bands_are_those_of_librosa() -> None:
    slaney = TORCHAUDIO.replace(formula="slaney", norm="area", pad="zero")
    found = computed(slaney)
    first = [
        0.80757278,
        1.4339193,
        0.01852591,
        0.00070014,
        0.01484302,
        0.26994294,
        0.014978,
        0.00077549,
    ]
    assert found[:, 0].tolist() == pytest.approx(first, rel=1e-3, abs=1e-7)
    htk = Mel(
        bands=6, rate=8000, window=256, hop=80, frequencies=(100.0, 3800.0), pad="zero",
        taper="hamming", scale="power",
    )  # fmt: skip
    sixth = [968.15967, 659.36041, 0.04263378, 167.43999, 239.4377, 0.32611579]
    assert computed(htk)[:, 5].tolist() == pytest.approx(sixth, rel=1e-3)
    decibels = computed(htk.replace(scale="db"))[:, 5].tolist()
    assert decibels == pytest.approx(
        [29.85947, 28.191227, -13.702463, 22.238594, 23.791925, -4.866282], abs=5e-3
    )


def test_spectrograms_are_those_of_torchaudio() -> None:
    power = Spectrogram(window=48, hop=32, fft=64, scale="power")
    found = computed(power)
    assert found.shape == (33, 26)
    fourth = [
        0.04609744,
        0.03261802,
        5.613556,
        29.481569,
        30.506275,
        6.2726545,
        0.0330709,
        0.0146628,
    ]
    assert found[:8, 3].tolist() == pytest.approx(fourth, rel=1e-4)
    found = computed(power.replace(scale="amplitude", pad="none"))
    assert found.shape == (33, 24)
    fourth = [
        0.05381567,
        0.09152605,
        2.3922126,
        5.4385533,
        5.5065689,
        2.5176692,
        0.17452075,
        0.11765797,
    ]
    assert found[:8, 3].tolist() == pytest.approx(fourth, rel=1e-4)


def test_a_cosine_has_a_quarter_of_the_squared_window() -> None:
    """Of a rectangular window of n steps and a frequency of the transform: (n / 2) squared."""
    series = torch.cos(2 * torch.pi * 3 * torch.arange(64) / 16)
    found = computed(
        Spectrogram(window=16, hop=16, taper="none", pad="none", scale="power"), series
    )
    assert found.shape == (9, 4)
    assert found[:, 1].tolist() == pytest.approx([0, 0, 0, 64, 0, 0, 0, 0, 0], abs=1e-4)


def test_the_scales_of_values() -> None:
    plain = Spectrogram(window=48, hop=32, scale="power")
    power = computed(plain)
    assert torch.allclose(computed(plain.replace(scale="amplitude")), power.sqrt())
    assert torch.allclose(computed(plain.replace(scale="log")), power.clamp(min=1e-10).log())
    db = computed(plain.replace(scale="db"))
    assert torch.allclose(db, 10 * power.clamp(min=1e-10).log10())
    nothing = computed(plain.replace(scale="db"), torch.zeros(800))
    assert nothing.unique().tolist() == [-100]


def test_mel_formulas_by_hand() -> None:
    assert FORMULAS["htk"].mel(700) == pytest.approx(2595 * math.log10(2))
    assert FORMULAS["slaney"].mel(1000) == pytest.approx(15)
    assert FORMULAS["slaney"].mel(6400) == pytest.approx(42)
    for formula in FORMULAS.values():
        for hertz in (0.0, 100.0, 999.0, 1000.0, 7000.0):
            assert formula.hertz(formula.mel(hertz)) == pytest.approx(hertz, abs=1e-9)


def test_a_filter_has_the_area_of_librosa() -> None:
    filters = mel_filters(
        Mel(
            bands=6,
            rate=8000,
            window=256,
            frequencies=(100.0, 3800.0),
            formula="slaney",
            norm="area",
        )
    )
    librosa = [
        0.00020417706,
        0.00048163641,
        0.00075909583,
        0.0010365552,
        0.0013140145,
        0.0015914738,
    ]
    assert filters[2, 24:30].tolist() == pytest.approx(librosa, rel=1e-4)


def test_bands_without_a_frequency_are_known() -> None:
    few = Mel(bands=64, rate=16000, window=256)
    silent = (mel_filters(few).sum(1) == 0).nonzero().flatten().tolist()
    assert few.silent() == silent != []
    assert few.replace(fft=1024).silent() == []


@pytest.mark.parametrize("pad", ["reflect", "zero", "none"])
@pytest.mark.parametrize("fft", [48, 50, 51])
@pytest.mark.parametrize("length", [120, 127, 128])
def test_the_shape_is_known_without_torch(pad: str, fft: int, length: int) -> None:
    directive = Spectrogram(window=48, hop=16, fft=fft, pad=pad, taper="hamming")
    frames = directive.frames(length)
    assert computed(directive, torch.randn(length)).shape == (directive.rows, frames)
    shortest = directive.shortest(frames)
    assert directive.frames(shortest) == frames
    assert directive.frames(shortest - 1) == frames - 1


def test_a_sample_is_the_same_in_any_batch() -> None:
    series = torch.randn(5, 2, 800, generator=torch.Generator().manual_seed(0))
    transform = ToSpectrogram(TORCHAUDIO.replace(scale="db"), (2, 8, 11))
    alone = torch.cat([transform(series[i : i + 1]) for i in range(5)])
    assert torch.allclose(transform(series), alone, atol=1e-4)
