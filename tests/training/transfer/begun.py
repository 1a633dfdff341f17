"""A network that is trained a little on digits, and specs that start from its weights."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy

from ..small import Looker, trained

NETWORK = """
network Net {{
  input {input}
  conv 4 3x3 same, bn, relu
  layer1: repeat 2 {{ residual {{ conv 4 3x3 same, bn }}, relu }}
  layer2: conv 8 3x3 stride=2 same, bn2: bn, relu
  pool avg global, flatten
  dropout 0.2
  fc {classes}
}}
"""

TRAIN = """
train {
  data digits
  epochs 2
  batch 719  # two of them are all that there is to learn from
  optimizer sgd lr=0.05 momentum=0.9 weight_decay=1e-3
  deterministic
}
"""

_KEPT: list[TemporaryDirectory[str]] = []


def spec(*lines: str, source: object = "", input: str = "1x8x8", classes: str = "classes") -> str:
    """A spec with these lines in its transfer section."""
    body = "\n  ".join([f'from "{source or first()}"', *lines])
    network = NETWORK.format(input=input, classes=classes)
    return f"{network}{TRAIN}transfer {{\n  {body}\n}}\n"


@cache
def first() -> Path:
    """The run folder, which tests must not change."""
    _KEPT.append(TemporaryDirectory())
    folder = Path(_KEPT[0].name) / "first"
    network = NETWORK.format(input="1x8x8", classes="classes")
    trained(folder, network + TRAIN)
    return folder


def small_set(folder: Path) -> None:
    """Twelve color images of three classes, 32 by 32."""
    numbers = numpy.random.default_rng(0)
    images = numbers.integers(0, 256, (12, 32, 32, 3), dtype=numpy.uint8)
    numpy.savez(folder / "set.npz", x_train=images, y_train=numpy.arange(12) % 3)


def notes(looker: Looker) -> str:
    """All notes that are shown before training."""
    assert looker.begun is not None
    return "\n".join([*looker.begun.choices, *looker.notes])
