"""A layer for matching: its tensors, its kind, its settings.

The kind follows from the tensors alone, because a file of weights has nothing else: a weight with
several axes is that of a convolution or linear layer, running means belong to a batch norm, and so
on. A network or a module also has a `variant` and `settings`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
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
    "gain": "gain",
    "v": "v",
    "tau": "tau",
    "running_mean": "running_mean",
    "moving_mean": "running_mean",
    "running_var": "running_var",
    "moving_variance": "running_var",
    "moving_var": "running_var",
    "num_batches_tracked": "num_batches_tracked",
}
"""The role of a tensor, by the last part of its key."""

STATISTICS = ("running_mean", "running_var")
COUNTER = "num_batches_tracked"


class Held(NamedTuple):
    """A tensor of a layer."""

    key: str
    shape: Shape
    """In the order of axes that torch uses."""
    axes: Axes = ()
    """The permutation from the source's order of axes, if it differs."""
    parts: tuple[str, ...] = ()
    """The keys of the tensors that it is joined from, along the first axis, if it is not one."""
    reversed: bool = False
    """Whether its first two axes count in the other direction, after `axes`."""

    @property
    def keys(self) -> tuple[str, ...]:
        return self.parts or (self.key,)


@dataclass(frozen=True, eq=False)
class Layer:
    """The tensors of a layer; compared by identity, because other layers may look the same."""

    name: str
    tensors: Mapping[str, Held]
    """By role: weight, bias, running_mean, …"""
    variant: str = ""
    """transposed, layer, group or instance, if known."""
    settings: Mapping[str, object] = field(default_factory=dict)
    fixed: bool = False
    """Whether its values are fixed and not trained."""
    input_shape: Shape = ()
    """For the target: its input shape; before flattening, if the input is a flattened map."""

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
        """The shape of its weight, or else of its statistics or first tensor."""
        for role in ("weight", *STATISTICS):
            if role in self.tensors:
                return self.tensors[role].shape
        return next((held.shape for held in self.tensors.values()), ())

    @property
    def form(self) -> Shape:
        """Its shape without trailing ones: a 1x1 convolution is a linear layer at each position,
        and one factor for each channel may have the shape 64 or 64x1x1."""
        return without_ones(self.shape)


def without_ones(shape: Shape) -> Shape:
    while shape[-1:] == (1,):
        shape = shape[:-1]
    return shape


def held(key: str, shape: Shape) -> Held:
    """A tensor as torch has it. TensorFlow's numbers for distances in windows are heads x height x
    width and begin with the key that is farthest to the right; elsewhere, distances x heads."""
    if last_part(key) == "relative_position_bias_table" and len(shape) == 3:
        heads, height, width = shape
        return Held(key, (height * width, heads), (1, 2, 0), reversed=True)
    return Held(key, shape)


def layer_of(
    name: str,
    tensors: Iterable[Held],
    variant: str = "",
    settings: Mapping[str, object] | None = None,
    fixed: bool = False,
    input_shape: Shape = (),
) -> Layer:
    """A layer of these tensors; their keys determine their roles, or else their shapes."""
    roles: dict[str, Held] = {}
    unknown: list[Held] = []
    for tensor in tensors:
        role = role_of(tensor.key)
        if role is None or role in roles:
            unknown.append(tensor)
        else:
            roles[role] = tensor
    for tensor in sorted(unknown, key=lambda tensor: -len(tensor.shape)):
        free = [role for role in ("weight", "bias") if role not in roles]
        roles[free[0] if free else tensor.key] = tensor
    layer = Layer(name, roles, variant, settings or {}, fixed, input_shape)
    # Factors alone may be those of a norm without a bias, or come after one that has no weights.
    return replace(layer, variant="") if layer.kind == "factors" else layer


def role_of(key: str) -> str | None:
    return ROLES.get(last_part(key))


def last_part(key: str) -> str:
    """`weight` of `layer1.0.conv.weight`, `kernel` of `conv1/kernel:0`."""
    return key.replace("/", ".").rpartition(".")[2].partition(":")[0]


def prefix_of(key: str) -> str:
    return key[: max(key.rfind("."), key.rfind("/"), 0)]
