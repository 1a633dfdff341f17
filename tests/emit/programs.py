"""Whole programs drawn at random: blocks with parameters, loops, choices, labels and references.

Where random_networks.py draws layers and forms, this draws what the emitter makes classes of: blocks
called once and many times, with other arguments and other structures. As text, so that what fails
can be read and pasted. Not all that is drawn has shapes that fit; `networks` keeps what does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from hypothesis import reject
from hypothesis import strategies as st

from dotcnn.compiler.elaborate import elaborate
from dotcnn.compiler.graph import Network
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.program import load_program
from dotcnn.dsl.source import Source

ACTIVATIONS = "relu relu6 leaky prelu elu silu gelu tanh sigmoid hardswish softplus".split()

PLAIN = (
    "conv 8 3x3 same", "conv 4", "conv channels 3x3 same groups=2", "conv 8 3x3 same bias=off",
    "depthwise 3x3 same", "separable 8 3x3 same", "conv 4 1x3 same", "conv 8 3x3 same dilation=2",
    "conv channels", "conv 8 3x3 same mode=reflect", "filter blur", "deconv 4 3x3 same",
    "bn", "bn eps=0.01", "bn momentum=0.2", "ln", "gn 2", "instancenorm", "lrn 3", "layerscale",
    "dropout 0.3", "dropout2d 0.2", "droppath 0.1", "shuffle 2",
    "pool max 3x3 stride=1 same", "pool avg 3x3 stride=1 same", "pool min 3x3 stride=1 same",
    "pool mixed 3x3 stride=1 same", "pad 1, crop 8x8", "upsample 2, pool max 2x2",
    *ACTIVATIONS,
)  # fmt: skip
"""Layers that keep the size of a map."""

HALVING = ("pool max 2x2", "conv 8 3x3 stride=2 same", "pool avg 2x2", "pool lp 2x2 p=3")
LABELS = "stem left a b1 skip e mix _u UP x1 up".split()
WIDTH, COUNT, KERNEL, FLAG, STRIDE, LAYER, UNIT, RATE = range(8)
"""What a name may stand for."""

NAMES = {
    WIDTH: "width out narrow wide channels_".split(),
    COUNT: "depth n times".split(),
    KERNEL: "kernel k size".split(),
    FLAG: "last wide_ use_bn first".split(),
    STRIDE: "stride s step".split(),
    LAYER: "act activation".split(),
    UNIT: "unit part".split(),
    RATE: "rate p".split(),
}


class Known(NamedTuple):
    """A block that can be called."""

    name: str
    parameters: tuple[tuple[str, int, str], ...]
    """Name, kind, default (empty where there is none)."""


class Place(NamedTuple):
    """What may be written at some point."""

    names: tuple[tuple[str, int], ...] = ()
    labels: tuple[tuple[str, int, int], ...] = ()
    """Name, number of halvings before it, channels or 0."""
    halvings: int = 0
    keeps: bool = False
    """Whether the size of the map has to stay."""
    depth: int = 0
    top: bool = False
    """In the network itself, or one of its loops."""
    head: bool = False
    """In an auxiliary head."""


class Writer:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.blocks: list[Known] = []
        self.heads = 0
        self.lets = 0

    # ---- chance ----

    def one[T](self, choices: Sequence[T]) -> T:
        return choices[self.random.randrange(len(choices))]

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) >= 100 - percent
