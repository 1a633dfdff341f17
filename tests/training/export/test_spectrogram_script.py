"""The exported script computes spectrograms as training does, without torch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy
import pytest
import torch

from dotcnn.compiler.plan.spectrogram import Mel, Spectrogram, TimeFrequency
from dotcnn.training.data.images.preprocessing import NoPreparation, Preparation
from dotcnn.training.data.samples.sample_fit import SampleFit
from dotcnn.training.export.sample_script import sample_constants, sample_preprocessing
from dotcnn.training.export.script import inference_script

TRANSFORMS = [
    Mel(bands=8, rate=8000, window=200, hop=80, fft=256, frequencies=(0.0, 4000.0)),
    Mel(bands=6, rate=8000, window=200, formula="slaney", norm="area", scale="log", pad="zero"),
    Spectrogram(window=48, hop=32, fft=63, taper="hamming", pad="none", scale="amplitude"),
    Spectrogram(window=48, hop=32, taper="none", top=30.0),
    Spectrogram(window=48, hop=32, taper="blackman", scale="power"),
]


def prepared_by(transform: TimeFrequency, channels: int = 2, **options: Any) -> Preparation:
    length = 800
    frames = transform.frames(length)
    return Preparation(
        channels, SampleFit((length,), "zero"), 1.0, (-3.0, 2.0), (7.0, 0.5),
        rate=8000, spectrogram=transform.replace(fft=transform.transform, length=length),
        input=(channels, transform.rows, frames), **options,
    )  # fmt: skip


@pytest.mark.parametrize("transform", TRANSFORMS, ids=str)
def test_it_prepares_samples_as_training_does(transform: TimeFrequency) -> None:
    preparation = prepared_by(transform)
    code = "from pathlib import Path\nimport numpy as np\n__file__ = 'x.py'\n"
    code += sample_constants("net.onnx", preparation, ("a", "b"), "CLASSES")
    code += "".join(sample_preprocessing(preparation))
    names: dict[str, Any] = {}
    exec(compile(code, "script.py", "exec"), names)
    series = torch.randn(2, 700, generator=torch.Generator().manual_seed(0))
    found = names["prepare"](series.numpy())
    wanted = preparation.prepare(preparation.image(series.numpy())[None])[0]
    assert found.shape == wanted.shape == preparation.input
    numpy.testing.assert_allclose(found, wanted.numpy(), rtol=2e-3, atol=2e-3)


def test_the_network_is_fed_by_the_name_of_its_input() -> None:
    """A map is called `images` in an ONNX file, whatever it is of."""
    for shape, name in (((2, 8, 11), "images"), ((16, 11), "series")):
        preparation = replace(prepared_by(TRANSFORMS[0]), input=shape)
        text = inference_script("n.onnx", preparation, "ab", multi_label=False, predicts=True)
        assert f'session.run(None, {{"{name}": series}})' in text


@pytest.mark.parametrize("transform", TRANSFORMS, ids=str)
def test_it_is_recorded_with_the_weights(transform: TimeFrequency) -> None:
    preparation = prepared_by(transform)
    text = preparation.to_json()
    assert Preparation.from_json(text) == preparation
    assert str(preparation.spectrogram) in preparation.lines()
    for old, new in (('"hop"', '"hup"'), ('"length": 800', '"length": 80000'), ("hop", "1")):
        with pytest.raises(NoPreparation):
            Preparation.from_json(text.replace(old, new))
