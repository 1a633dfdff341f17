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
    groups: dict[str, list[Held]] = {}
    for key, tensor in tensors.items():
        # What is not called like a part of a layer is one by itself: `layer_scale`, `pos_embed`.
        name = prefix_of(key) if _in_a_layer(key) else key
        groups.setdefault(name, []).append(held(key, tuple(tensor.shape)))
    return [layer_of(name, group) for name, group in groups.items()]


def _in_a_layer(key: str) -> bool:
    return role_of(key) is not None and last_part(key) not in ("layer_scale", "scale")


def held(key: str, shape: Shape) -> Held:
    """With its axes as torch has them."""
    called = last_part(key)
    if called == "depthwise_kernel" and len(shape) == 4:
        # Height x width x channels x filters of each: torch counts the filters of all channels.
        height, width, channels, each = shape
        return Held(key, (channels * each, 1, height, width), (2, 3, 0, 1))
    if called.endswith("kernel") and len(shape) in _OUTPUTS_LAST:
        axes = _OUTPUTS_LAST[len(shape)]
        return Held(key, tuple(shape[axis] for axis in axes), axes)
    return Held(key, shape)
