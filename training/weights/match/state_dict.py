"""Reads a state dict, also inside a checkpoint, as a list of layers: keys with one prefix each.

Torch stores a kernel as outputs x inputs x height x width. Keras, TensorFlow and Flax store height
x width x inputs x outputs, and call it `kernel`, by which they are recognized.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from .layer import Axes, Held, Layer, Shape, held, last_part, layer_of, prefix_of, role_of

_WRAPPERS = (
    "state_dict", "model_state_dict", "model_state", "model", "module", "net", "network",
    "weights", "params",
)  # fmt: skip
_DEEPEST = 8
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")


def unwrapped(checkpoint: Mapping[str, object]) -> dict[str, Tensor]:
    """The tensors of a checkpoint, by their names in the module. In most checkpoints they are in an
    inner dict, beside the epoch and the optimizer. Prefixes of parallel and compiled modules are
    removed."""
    for _ in range(_DEEPEST):  # a dict can even contain itself
        inner = next(
            (checkpoint[key] for key in _WRAPPERS if isinstance(checkpoint.get(key), Mapping)), None
        )
        if not isinstance(inner, Mapping):
            break
        checkpoint = inner
    tensors = {str(key): value for key, value in checkpoint.items() if isinstance(value, Tensor)}
    while (prefix := _shared_prefix(tensors)) is not None:
        tensors = {key.removeprefix(prefix): tensor for key, tensor in tensors.items()}
    return tensors


def _shared_prefix(tensors: Mapping[str, Tensor]) -> str | None:
    """A known prefix of all names, if none of the names would become empty."""
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
        # A tensor that is not named after a role is a layer by itself: `layer_scale`, `pos_embed`.
        name = prefix_of(key) if _in_a_layer(key) else key
        if last_part(key) == "depthwise_kernel" and _beside(key, "pointwise_kernel") in tensors:
            name = key  # two convolutions in one layer; the bias belongs to the second
        groups.setdefault(name, []).append(_held(key, tuple(tensor.shape), outputs_last))
    return [
        layer_of(name if len(group) > 1 or name_says_all(group[0].key) else group[0].key, group)
        for name, group in groups.items()
    ]


def name_says_all(key: str) -> bool:
    """Whether a tensor is called what a single tensor of a layer is called; else its own name tells
    more: `block.gamma`."""
    return last_part(key) in ("weight", "kernel", "bias")


def keeps_outputs_last(tensors: Mapping[str, Tensor]) -> bool:
    """Whether kernels are named as in Keras, and no tensor is named as in torch."""
    names = {last_part(key) for key in tensors}
    return any(name.endswith("kernel") for name in names) and "weight" not in names


def _beside(key: str, name: str) -> str:
    return key.replace("depthwise_kernel", name)


def _in_a_layer(key: str) -> bool:
    return role_of(key) is not None and last_part(key) not in ("layer_scale", "scale", "tau")


def _held(key: str, shape: Shape, outputs_last: bool) -> Held:
    """The tensor with its axes in the order of torch."""
    name = last_part(key)
    if not outputs_last or not name.endswith("kernel") or len(shape) not in _OUTPUTS_LAST:
        return held(key, shape)
    if name == "depthwise_kernel" and len(shape) == 4:
        # Height x width x channels x filters of each channel; torch has one axis for all filters.
        height, width, channels, each = shape
        return Held(key, (channels * each, 1, height, width), (2, 3, 0, 1))
    axes = _OUTPUTS_LAST[len(shape)]
    return Held(key, tuple(shape[axis] for axis in axes), axes)
