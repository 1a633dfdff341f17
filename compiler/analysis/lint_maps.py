"""Warnings about feature maps: small receptive field, pixels never read, pooling of 1x1 maps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from ...dsl.diagnostics import Diagnostic
from ..language.signature import ArgumentError
from ..network import Network, Node
from ..ops.base import EVERYTHING
from ..shapes import LINES, POINTS, ShapeError, axes_of, by, size
from .field import Axis, Field
from .warn import map_before, statement_text, warning

SEEN = Fraction(1, 2)
"""The share of the input's side that is seen before the head in published networks: LeNet-5 has
exactly half, VGG-11 and SqueezeNet two thirds."""

_FEW = 2
"""Up to so many more convolutions are proposed; where more are missing, downsampling is the way."""


def small_field(network: Network, node_fields: list[Field]) -> Iterator[Diagnostic]:
    """Warns if the receptive field before the head is too small. The head is where all positions of
    a map are combined: a global pool averages them, a fully connected layer learns how they relate.
    """
    head = _head(network, node_fields)
    axes = axes_of(network.input.shape)
    if head is None or axes < 2:
        return  # over time, means of what was found in short stretches are usual
    if "transfer" in network.sections:
        return  # added layers would not have pretrained weights
    field, sides = node_fields[head.inputs[0].index], network.input.shape[1:]
    if max(field.size) == 1 or len(field) != axes:
        return  # not a convolutional network: layers directly on the pixels
    wanted = [ceil(SEEN * side) for side in sides]
    # Nor has every frame of a video to be seen: of depth nothing is asked.
    short = [n for n in range(axes - 2, axes) if not field[n].whole and field[n].size < wanted[n]]
    if not short:
        return
    yield warning(
        "small-field",
        f"the receptive field before `{head.op.word}` covers only {by(field.size)} of "
        f"{by(sides)} {POINTS[axes]}",
        head,
        notes=(f"no layer before it can relate {POINTS[axes]} that are further apart",),
        help=_more(head, [(field[n], wanted[n]) for n in short], axes),
    )


def _more(head: Node, short: Sequence[tuple[Axis, int]], axes: int) -> str:
    """What makes the receptive field large enough: few convolutions, or more of them with
    strides."""
    where = "it" if head.op.kind == "pool" else "the `flatten`"
    layer = f"conv {map_before(head).shape[0]} {by((3,) * axes)} same, relu"
    layers = max(_convolutions(axis, wanted) for axis, wanted in short)
    if layers <= _FEW:
        text = f"repeat {layers} {{ {layer} }}" if layers > 1 else layer
        return f"put `{text}` before {where}, or downsample earlier"
    stages = max(_stages(axis, wanted) for axis, wanted in short)
    halves = "2" if axes == 2 else by((1,) * (axes - 2) + (2, 2))
    stage = layer.replace(" same", f" stride={halves} same")
    text = f"repeat {stages} {{ {stage} }}" if stages > 1 else stage
    return f"downsample: put `{text}` before {where}; each stride doubles what later layers add"


def _head(network: Network, node_fields: list[Field]) -> Node | None:
    """The last operation before the output that reduces a whole map to one position."""
    todo = [output.node for output in network.outputs]
    seen = {node.index for node in todo}
    while todo:
        node = todo.pop()
        if not node.inputs:
            continue
        field = node_fields[node.inputs[0].index]
        if any(axis.places > 1 for axis in field) and _sees_all(node):
            return node
        for source in node.sources:
            if source.index not in seen:
                seen.add(source.index)
                todo.append(source)
    return None


def _sees_all(node: Node) -> bool:
    return node.window == EVERYTHING


def _convolutions(axis: Axis, wanted: int) -> int:
    """The number of further 3x3 convolutions that reach the wanted receptive field."""
    return ceil((wanted - axis.size) / (2 * axis.jump))


def _stages(axis: Axis, wanted: int) -> int:
    """The number of further 3x3 convolutions of stride 2 that reach it."""
    stages = 0
    while axis.size + 2 * axis.jump * (2**stages - 1) < wanted:
        stages += 1
    return stages


def pool_of_one(network: Network, _: list[Field]) -> Iterator[Diagnostic]:
    for node in network.nodes:
        shape = node.inputs[0].shape if node.inputs else (1,)
        if node.op.kind == "pool" and axes_of(shape) and size(shape[1:]) == 1:
            yield warning(
                "pool-of-one",
                f"`{node.op.word}` pools a {by(shape[1:])} map, which changes nothing",
                node,
                notes=(f"its input is {shape[0]} channels of one number each",),
                help="take it out, or downsample less before it",
            )


# ---- pixels that no layer reads ----------------------------------------------------------------


class _Reads(NamedTuple):
    """The rows (or columns) of a map that an operation reads: `times` windows of `size` from
    `start` on, every `stride`.
    """

    size: int
    stride: int
    start: int
    times: int

    @property
    def last(self) -> int:
        return self.start + (self.times - 1) * self.stride + self.size - 1


def skipped_pixels(network: Network, _: list[Field]) -> Iterator[Diagnostic]:
    """Warns of rows between windows that no layer reads.

    Only if no other layer reads them: a 1x1 shortcut of stride 2 beside a 3x3 convolution is normal
    in residual networks.
    """
    for node, readers in _maps_read_by(_strides_over, network):
        for axis, side in enumerate(node.shape[1:]):
            reads = [_reads(reader, axis) for reader in readers]
            gap = _gap(reads)
            if gap:
                yield _skipped(readers[0], reads[0], gap, LINES[axes_of(node.shape)][axis], side)
                break


def _skipped(reader: Node, reads: _Reads, gap: int, what: str, side: int) -> Diagnostic:
    unread = (reads.times - 1) * gap + max(side - 1 - reads.last, 0)
    axes = axes_of(reader.shape)
    kernel, stride = by((reads.size,) * axes), by((reads.stride,) * axes)
    text = statement_text(reader)
    wider = f"write `{text.replace(kernel, stride, 1)}`, or " if kernel in text and axes > 1 else ""
    return warning(
        "skipped-pixels",
        f"`{reader.op.word}` has a window of {reads.size} and a stride of {reads.stride}: "
        f"{unread} of {side} {what} are never read",
        reader,
        notes=("no other layer reads them either",),
        help=wider + "take a smaller stride",
    )


_LITTLE = 10
"""Up to one step in so many at the end of a series is no loss: these are long."""


def dropped_remainder(network: Network, _: list[Field]) -> Iterator[Diagnostic]:
    """Warns of rows after the last window, where another one does not fit.

    Only pixels count, not padding, and only if no other layer reads them.
    """
    for node, readers in _maps_read_by(_slides, network):
        for axis, side in enumerate(node.shape[1:]):
            reads = [_reads(reader, axis) for reader in readers]
            last = max(read.last for read in reads)
            if len(node.shape) == 2 and (side - 1 - last) * _LITTLE < side:
                continue
            if last < side - 1 and not _gap(reads):
                reader = next(
                    r for r, read in zip(readers, reads, strict=True) if read.last == last
                )
                rest = side - 1 - last
                yield _dropped(reader, axis, side, rest)
                break


def _dropped(reader: Node, axis: int, side: int, rest: int) -> Diagnostic:
    what = LINES[axes_of(reader.shape)][axis]
    what = what if rest > 1 else what[:-1]
    flag = next((flag for flag in ("same", "ceil") if _reads_all(reader, flag)), "")
    text = statement_text(reader)
    return warning(
        "dropped-remainder",
        f"the last {f'{rest} {what} of {side} are' if rest > 1 else f'{what} of {side} is'} "
        f"never read: no window of `{reader.op.word}` fits there",
        reader,
        notes=(f"{reader.shape[1 + axis]} windows cover {side - rest}",),
        help=(f"write `{text} {flag}`, or " if flag and text else "pad, or ")
        + "make the map larger or smaller before it",
    )


def _reads_all(reader: Node, flag: str) -> bool:
    """Whether one of the operation's flags would make it read the whole map."""
    if flag not in reader.op.fields:
        return False
    op = reader.op.replace(**{flag: True})
    shapes = reader.input_shapes
    try:
        op.check()
        output = op.output(*shapes)
    except (ArgumentError, ShapeError):
        return False
    window = op.window(output, *shapes)
    return window == EVERYTHING or all(
        window.start[n] + (output[1 + n] - 1) * window.stride[n] + window.size[n]
        >= shapes[0][1 + n]
        for n in range(axes_of(output))
    )


def _maps_read_by(
    kind: Callable[[Node], bool], network: Network
) -> Iterator[tuple[Node, list[Node]]]:
    """Maps all of whose readers are of a kind, with these readers."""
    for node in network.nodes:
        readers = network.value_consumers[node.index]
        if readers and axes_of(node.shape) and all(map(kind, readers)):
            yield node, readers


def _slides(node: Node) -> bool:
    """Whether it slides a window over a map. (A crop leaves pixels out on purpose.)"""
    if node.op.kind not in ("conv", "pool", "filter"):
        return False
    window = node.window
    if window == EVERYTHING:
        return False
    return all(type(number) is int for number in (*window.stride, *window.start))


def _strides_over(node: Node) -> bool:
    """Whether it slides a window by more than its size: between two there are pixels it skips."""
    window = node.window
    if window == EVERYTHING:
        return False
    gaps = any(step > side for side, step in zip(window.size, window.stride, strict=True))
    return gaps and _slides(node)


def _reads(node: Node, axis: int) -> _Reads:
    window = node.window
    assert window != EVERYTHING
    length, stride, start = (pair[axis] for pair in window)
    return _Reads(int(length), int(stride), int(start), node.shape[1 + axis])


def _gap(reads: list[_Reads]) -> int:
    """The number of rows in each stride that no window reads."""
    stride = reads[0].stride
    if any(read.stride <= read.size or read.stride != stride for read in reads):
        return 0  # (two different strides may leave gaps, too; nobody builds that)
    if max(read.times for read in reads) < 2:
        return 0
    # The windows as intervals within one stride; those that extend over its end in two pieces.
    pieces = []
    for read in reads:
        first = read.start % stride
        pieces.append((first, min(first + read.size, stride)))
        pieces.append((0, max(first + read.size - stride, 0)))
    covered = end = 0
    for first, last in sorted(pieces):
        covered += max(last - max(first, end), 0)
        end = max(end, last)
    return stride - covered
