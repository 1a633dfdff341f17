"""A network that takes mel spectrograms is trained, resumed to the bit, and asked."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy
import pytest

import dotcnn

from ..small import Looker, equal

pytestmark = pytest.mark.usefixtures("no_report")

SPEC = """
network Tones { input 1x8x11
  conv 4 3x3 same, relu, flatten, fc classes }
train { data folder "tones" val=25% rate=8000
  epochs 8
  optimizer adam lr=0.02
  batch 16 }
augment { shift 10%, noise snr=10..30, stretch 0.9..1.1, mask time=20% frequency=20%, mixup }
evaluate { mel 8 window=200 hop=80 fft=256 }
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """Low and high tones of a tenth of a second, as files of sound."""
    random = numpy.random.default_rng(0)
    for number in range(64):
        name, hertz = (("low", 400), ("high", 2000))[number % 2]
        tone = numpy.sin(2 * numpy.pi * hertz * random.uniform(0.8, 1.2) * numpy.arange(800) / 8000)
        levels = (0.3 * tone + 0.02 * random.normal(size=800)) * 32767
        file = tmp_path / "tones" / name / f"{number:02}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(file), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(8000)
            sound.writeframes(levels.astype("<i2").tobytes())
    (tmp_path / "net.cnn").write_text(SPEC)
    return tmp_path / "net.cnn"


@pytest.mark.slow
def test_it_is_trained_resumed_to_the_bit_and_asked(spec: Path, tmp_path: Path) -> None:
    whole = dotcnn.train(spec, output=tmp_path / "whole", quiet=True)
    stopped = dotcnn.train(spec, output=tmp_path / "run", quiet=True, callback=Looker(stop_after=5))
    assert stopped.interrupted
    result = dotcnn.train(resume=tmp_path / "run", quiet=True)
    assert equal(result.module.state_dict(), whole.module.state_dict())
    assert result.metrics == whole.metrics
    assert whole.metrics["top1"] > 0.9
    files = sorted((tmp_path / "tones").rglob("0*.wav"))
    found = dotcnn.predict(tmp_path / "whole", [str(file) for file in files])
    assert [one.guesses[0].name for one in found] == [file.parent.name for file in files]
    # Elsewhere, the rate of the training is known without being written.
    again = dotcnn.evaluate(tmp_path / "whole", data=str(tmp_path / "tones"))
    assert again.metrics["top1"] > 0.9
