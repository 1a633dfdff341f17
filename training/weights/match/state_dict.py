"""A dict of tensors as layers: keys that begin alike belong to one, in the order of the dict.

First what people put around a state dict before they save it is taken off. Torch's own way to lay
out a kernel is outputs x inputs x height x width. Keras, TensorFlow and Flax keep height x width x
inputs x outputs; they also call it `kernel`, by which they are known.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from .layer import Axes, Held, Layer, Shape, last_part, layer_of, prefix_of, role_of

_WRAPPERS = (
    "state_dict", "model_state_dict", "model_state", "model", "module", "net", "network",
    "weights", "params",
)  # fmt: skip
_DEEPEST = 8
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")


def unwrapped(found: Mapping[str, object]) -> dict[str, Tensor]:
    """The tensors of a checkpoint by the names that they had in the module: out of the dict among
    other things (epochs, optimisers) in which they usually lie, and without what parallel and
    compiled modules put before every name."""
    for _ in range(_DEEPEST):  # a dict may even lie within itself
        inner = next((found[key] for key in _WRAPPERS if isinstance(found.get(key), Mapping)), None)
        if not isinstance(inner, Mapping):
            break
        found = inner
    tensors = {str(key): value for key, value in found.items() if isinstance(value, Tensor)}
    while (prefix := _shared_prefix(tensors)) is not None:
        tensors = {key.removeprefix(prefix): tensor for key, tensor in tensors.items()}
    return tensors


def _shared_prefix(tensors: Mapping[str, Tensor]) -> str | None:
    """The one that is before all names, as long as something is left of each."""
    for prefix in _PREFIXES:
        if tensors and all(key.startswith(prefix) and key != prefix for key in tensors):
            return prefix
    return None


# ---- as layers ----------------------------------------------------------------------------------

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
