"""What people put around a state dict before they save it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

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
