"""Bytes per element of each output under autocast (bf16, fp16), and the copies in another precision
that operations make of their inputs.

Whatever combines activations with weights in float32, such as a layer scale, gives float32; on a
GPU, group and layer norms, softmax and interpolation do, too. Their outputs have four bytes per
element, and pass that on to the sums and activations after them, until a convolution or linear
layer converts them back. Which operations these are, they say themselves (`Op.autocast`).
"""

from __future__ import annotations

from typing import NamedTuple

from ..network import Network, Node
from .setting import Device, Setting


class Width(NamedTuple):
    """Bytes per element."""

    output: int
    inside: int
    """Of what the operation computes with."""
    casts: tuple[bool, ...] = ()
    """Which inputs it converts first; empty if none."""

    def converts(self, position: int) -> bool:
        return bool(self.casts) and self.casts[position]


FULL = Width(4, 4)
_HALF = Width(2, 2)


def widths(network: Network, setting: Setting) -> list[Width]:
    """The bytes per element of each node, by index."""
    if setting.precision == "fp32":
        return [FULL] * len(network.nodes)
    found: list[Width] = []
    for node in network.nodes:
        inputs = [found[source.index].output for source in node.sources]
        found.append(width_of(node, inputs, setting.device))
    return found


def width_of(node: Node, inputs: list[int], device: Device) -> Width:
    """Of a node whose inputs have so many bytes per element."""
    if not inputs:
        return FULL  # the images
    mode = node.op.autocast
    if device == "cpu" and mode == "fp32":
        mode = "follow"  # a CPU has kernels for them
    if mode == "follow":
        # In place, the memory of the first input has its precision already.
        output = inputs[0] if node.op.shares_storage else max(inputs)
        return FULL if output == 4 else _HALF
    if mode == "wide":
        return FULL
    inside = 2 if mode == "low" else 4
    casts = tuple([width != inside for width in inputs])
    return Width(inside, inside, casts if any(casts) else ())
