"""A dict of tensors as layers: keys that begin alike belong to one, in the order of the dict.

Torch's own way to lay out a kernel is outputs x inputs x height x width. Keras, TensorFlow and Flax
keep height x width x inputs x outputs; they also call it `kernel`, by which they are known.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from .layer import Axes, Held, Layer, Shape, last_part, layer_of, prefix_of, role_of

_OUTPUTS_LAST: Mapping[int, Axes] = {2: (1, 0), 3: (2, 1, 0), 4: (3, 2, 0, 1), 5: (4, 3, 0, 1, 2)}


def layers_of_dict(tensors: Mapping[str, Tensor]) -> list[Layer]:
    outputs_last = keeps_outputs_last(tensors)
    groups: dict[str, list[Held]] = {}
    for key, tensor in tensors.items():
        # What is not called like a part of a layer is one by itself: `layer_scale`, `pos_embed`.
        name = prefix_of(key) if _in_a_layer(key) else key
        if last_part(key) == "depthwise_kernel" and _beside(key, "pointwise_kernel") in tensors:
            name = key  # two convolutions in one layer; the bias belongs to the second
        groups.setdefault(name, []).append(_held(key, tuple(tensor.shape), outputs_last))
    return [layer_of(name, group) for name, group in groups.items()]


def keeps_outputs_last(tensors: Mapping[str, Tensor]) -> bool:
    """Whether the kernels are called so, and nothing is called as torch would."""
    called = {last_part(key) for key in tensors}
    return any(name.endswith("kernel") for name in called) and "weight" not in called


def _beside(key: str, name: str) -> str:
    return key.replace("depthwise_kernel", name)


def _in_a_layer(key: str) -> bool:
    return role_of(key) is not None and last_part(key) not in ("layer_scale", "scale")


def _held(key: str, shape: Shape, outputs_last: bool) -> Held:
    """With its axes as torch has them."""
    called = last_part(key)
    if not outputs_last or not called.endswith("kernel") or len(shape) not in _OUTPUTS_LAST:
        return Held(key, shape)
    if called == "depthwise_kernel" and len(shape) == 4:
        # Height x width x channels x filters of each: torch counts the filters of all channels.
        height, width, channels, each = shape
        return Held(key, (channels * each, 1, height, width), (2, 3, 0, 1))
    axes = _OUTPUTS_LAST[len(shape)]
    return Held(key, tuple(shape[axis] for axis in axes), axes)
