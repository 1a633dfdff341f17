"""From a tensor of theirs to one of ours: what has to be done, and whether it can be."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal, NamedTuple

from torch import Tensor

from .layer import Axes, Held, Layer, Shape, without_ones

Status = Literal["matched", "reshaped", "adapted", "kept", "reinitialised", "ambiguous", "unused"]
"""`kept` is ours that needs nothing from anybody: fixed values, the counter of a batch norm."""


@dataclass(frozen=True)
class Transfer:
    """How one of ours comes from one of theirs."""

    key: str
    axes: Axes = ()
    """The order that theirs have to be brought into first."""
    flat_map: Shape = ()
    """The map, channels x height x width, that theirs took made flat with its channels last."""
    channels: Literal["", "sum", "spread"] = ""
    """What is done about channels of the image: weights of three colours are summed for grey, where
    all three would be the same; those of grey are spread evenly over three."""

    def apply(self, tensor: Tensor, shape: Shape) -> Tensor:
        if self.axes:
            tensor = tensor.permute(self.axes)
        if self.flat_map:
            channels, height, width = self.flat_map
            tensor = tensor.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        if self.channels == "sum":
            tensor = tensor.sum(1, keepdim=True)
        if self.channels == "spread":
            tensor = (tensor / shape[1]).expand(shape)
        return tensor.reshape(shape).contiguous()


class Verdict(NamedTuple):
    status: Status
    transfer: Transfer | None = None
    note: str = ""


def weight(ours: Layer, theirs: Layer, *, adapt: bool) -> Verdict:
    """Of what makes a layer what it is. `adapt` says that it may be one for other images."""
    our, their = ours.tensors["weight"], theirs.tensors["weight"]
    plain = tensor(our, their)
    last = their.axes and without_ones(our.shape) == without_ones(their.shape)
    if last and len(our.shape) == 2 and len(ours.arriving) == 3 and prod(ours.arriving[1:]) > 1:
        how = Transfer(their.key, their.axes, ours.arriving)
        return Verdict("reshaped", how, "flattened with channels last")
    if plain.transfer is not None:
        return plain
    if our.shape[0] == their.shape[0] and _as_large_as_the_map(
        ours.arriving, our.shape, their.shape
    ):
        return Verdict("reshaped", Transfer(their.key, their.axes), "a filter as large as the map")
    channels = _channels(our.shape, their.shape)
    if channels and adapt:
        note = "colours summed" if channels == "sum" else "grey repeated for each color"
        return Verdict("adapted", Transfer(their.key, their.axes, channels=channels), note)
    return plain


def _as_large_as_the_map(arriving: Shape, our: Shape, their: Shape) -> bool:
    """Whether one is a linear layer over a flat map, and the other a convolution over all of it."""
    flat = (prod(arriving),)
    filters = {(bool(our[2:]), our[1:]), (bool(their[2:]), their[1:])}
    return filters == {(True, arriving), (False, flat)}


def _channels(our: Shape, their: Shape) -> Literal["", "sum", "spread"]:
    if len(our) != 4 or len(their) != 4 or (our[0], our[2:]) != (their[0], their[2:]):
        return ""
    return {(1, 3): "sum", (3, 1): "spread"}.get((our[1], their[1]), "")  # type: ignore[return-value]


def tensor(our: Held, their: Held) -> Verdict:
    """Of any tensor: the same, or the same but for ones at the end or the order of its axes."""
    if without_ones(our.shape) != without_ones(their.shape):
        return Verdict("reinitialised", note="another shape")
    how = Transfer(their.key, their.axes)
    if their.axes:
        return Verdict("reshaped", how, "outputs were last")
    return Verdict("matched" if our.shape == their.shape else "reshaped", how)
