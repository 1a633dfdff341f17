"""What people put around a state dict before they save it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "weights", "params")  # fmt: skip
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")


def unwrapped(found: Mapping[str, object]) -> dict[str, Tensor]:
    """The tensors of a checkpoint by the names that they had in the module: from the dict among
    other things (epochs, optimisers) in which they usually lie, and without what parallel or
    compiled modules put before every name."""
    inner: Mapping[str, object] = found
    while not any(isinstance(value, Tensor) for value in inner.values()):
        key = next((key for key in WRAPPERS if isinstance(inner.get(key), Mapping)), None)
        if key is None:
            break
        inner = inner[key]  # type: ignore[assignment]
    tensors = {str(key): value for key, value in inner.items() if isinstance(value, Tensor)}
    while prefix := next(
        (p for p in PREFIXES if tensors and all(k.startswith(p) for k in tensors)), ""
    ):
        tensors = {key.removeprefix(prefix): tensor for key, tensor in tensors.items()}
    return tensors
