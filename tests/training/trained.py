"""A small network trained on digits: its run, made once for each test process."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from dotcnn import __version__
from dotcnn.dsl.source import Source
from dotcnn.training.request import request
from dotcnn.training.trainer.train import train

SPEC = """# Digits, small: 5 < 8 & 8 > 5
network Small {
  input 1x8x8
  conv 8 3x3 same, bn, relu
  pool max 2x2
  residual { conv 16 3x3 same, bn, relu }
  flatten
  fc 10
}
train {
  data digits
  split val=20% test=10%
  epochs 2
  optimizer adam lr=0.01
  metrics top1 loss
}
"""

_KEPT: list[TemporaryDirectory[str]] = []


@cache
def small_run() -> Path:
    """The run folder, which tests must not change."""
    _KEPT.append(TemporaryDirectory())
    folder = Path(_KEPT[0].name) / "run"
    train(request(Source("small.cnn", SPEC)), __version__, output=folder, device="cpu")
    return folder
