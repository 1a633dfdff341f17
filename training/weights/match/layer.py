"""A layer as the matcher sees it: the tensors it holds, of what kind it is, how it is set.

Of what kind a layer is follows from its tensors alone, by the same rule for both sides, since of a
file of weights nothing else is known: a weight of several axes is multiplied with, running means
belong to a batch norm, and so on. What else a module tells, `variant` and `settings`, is extra.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Shape = tuple[int, ...]
Kind = Literal["products", "batch norm", "norm", "factors", "other"]
Axes = tuple[int, ...]

ROLES = {
    "weight": "weight",
    "kernel": "weight",
    "depthwise_kernel": "weight",
    "pointwise_kernel": "weight",
    "gamma": "weight",
    "scale": "weight",
    "layer_scale": "weight",
    "bias": "bias",
    "beta": "bias",
    "running_mean": "running_mean",
    "moving_mean": "running_mean",
    "running_var": "running_var",
    "moving_variance": "running_var",
    "moving_var": "running_var",
    "num_batches_tracked": "num_batches_tracked",
}
"""What a tensor is for, by the last part of its key."""

STATISTICS = ("running_mean", "running_var")
COUNTER = "num_batches_tracked"


class Held(NamedTuple):
    """A tensor of a layer."""

    key: str
    shape: Shape
    """As it is used here: what a source keeps with its axes in another order is turned around."""
    axes: Axes = ()
    """That order, if it is another."""


@dataclass(frozen=True, eq=False)
class Layer:
    """Tensors that belong together. Each is itself only: others may look the same."""

    name: str
    tensors: Mapping[str, Held]
    """By role: weight, bias, running_mean, …"""
    variant: str = ""
    """What more is known of its kind: transposed, layer, group."""
    settings: Mapping[str, object] = field(default_factory=dict)
    fixed: bool = False
    """Its values are given, not learned."""
    arriving: Shape = ()
    """Of ours: the shape of what it takes; the map, where that has only been made flat."""

    @property
    def kind(self) -> Kind:
        if any(role in self.tensors for role in STATISTICS):
            return "batch norm"
        if "weight" not in self.tensors:
            return "other"
        shape = self.tensors["weight"].shape
        if len(without_ones(shape)) < 2 and (len(shape) in (0, 1, 3)):
            return "norm" if "bias" in self.tensors else "factors"
        return "products"

    @property
    def shape(self) -> Shape:
        """That of what makes it what it is."""
        for role in ("weight", *STATISTICS):
            if role in self.tensors:
                return self.tensors[role].shape
        return next((held.shape for held in self.tensors.values()), ())

    @property
    def form(self) -> Shape:
        """Its shape without the ones at the end: a 1x1 convolution is a fully connected layer at
        each place, and a factor for each channel may be written 64 or 64x1x1."""
        return without_ones(self.shape)


def without_ones(shape: Shape) -> Shape:
    while shape[-1:] == (1,):
        shape = shape[:-1]
    return shape


def layer_of(
    name: str,
    tensors: Iterable[Held],
    variant: str = "",
    settings: Mapping[str, object] | None = None,
    fixed: bool = False,
    arriving: Shape = (),
) -> Layer:
    """A layer of these tensors, each in the role that its key or, failing that, its shape says."""
    roles: dict[str, Held] = {}
    unknown: list[Held] = []
    for held in tensors:
        role = role_of(held.key)
        if role is None or role in roles:
            unknown.append(held)
        else:
            roles[role] = held
    for held in sorted(unknown, key=lambda held: -len(held.shape)):
        free = [role for role in ("weight", "bias") if role not in roles]
        roles[free[0] if free else held.key] = held
    return Layer(name, roles, variant, settings or {}, fixed, arriving)


def role_of(key: str) -> str | None:
    return ROLES.get(last_part(key))


def last_part(key: str) -> str:
    """`weight` of `layer1.0.conv.weight`, `kernel` of `conv1/kernel:0`."""
    return key.replace("/", ".").rpartition(".")[2].partition(":")[0]


def prefix_of(key: str) -> str:
    return key[: max(key.rfind("."), key.rfind("/"), 0)]
