"""What the answers about memory depend on, beside the network."""

from __future__ import annotations

from typing import Literal, NamedTuple

Precision = Literal["fp32", "bf16", "fp16"]
Optimizer = Literal["sgd", "momentum", "rmsprop", "adam", "adamw"]
Device = Literal["cpu", "cuda"]


class Setting(NamedTuple):
    """How a network is trained, as far as its memory depends on it.

    In bf16 and fp16, under autocast: weights, their gradients, statistics and the loss have four
    bytes a number, all that flows between operations two, and convolutions and linear layers keep
    copies of two bytes of their weights and of the network's input. (torch leaves a few operations,
    such as layer norm on a GPU, in fp32: the figure is then low.)
    """

    precision: Precision = "fp32"
    optimizer: Optimizer = "sgd"
    device: Device = "cpu"
    frozen: frozenset[int] = frozenset()
    """Indices of nodes whose weights are not trained."""

    @property
    def itemsize(self) -> int:
        """Bytes of a number that flows between operations."""
        return 4 if self.precision == "fp32" else 2
