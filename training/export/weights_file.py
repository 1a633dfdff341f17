"""Writing a module's weights as safetensors, and holding them against the module bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ...dsl.diagnostics import Diagnostic, SpecError


def write_safetensors(module: nn.Module, file: Path, metadata: Mapping[str, str]) -> None:
    """Tensors that share memory are written each by itself, so that any of them can be loaded."""
    tensors = {key: _own(tensor) for key, tensor in module.state_dict().items()}
    file.write_bytes(save(tensors, dict(metadata)))
    found = load_file(file)
    wrong = [key for key in tensors if key not in found or not _same(tensors[key], found[key])]
    if wrong or len(found) != len(tensors):
        message = f"{file.name} does not contain the weights that were written; it is not kept"
        notes = tuple(f"{key} differs" for key in wrong[:5])
        raise SpecError([Diagnostic("export-check", message, notes=notes)])


def _own(tensor: Tensor) -> Tensor:
    """In memory of its own, laid out in the usual order."""
    return tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)


def _same(one: Tensor, other: Tensor) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    # As bytes: what is no number differs from itself.
    return torch.equal(one.reshape(-1).view(torch.uint8), other.reshape(-1).view(torch.uint8))
