"""Writes the weights of a module as safetensors, and checks them bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ...dsl.diagnostics import Diagnostic, SpecError


def write_safetensors(module: nn.Module, file: Path, metadata: Mapping[str, str]) -> None:
    """Writes all weights; tensors that share memory are written separately, since safetensors
    requires that. Raises SpecError if the file does not contain them."""
    tensors = {key: _own(tensor) for key, tensor in module.state_dict().items()}
    file.write_bytes(save(tensors, dict(metadata)))
    loaded = load_file(file)
    wrong = [key for key in tensors if key not in loaded or not _same(tensors[key], loaded[key])]
    if wrong or len(loaded) != len(tensors):
        message = f"{file.name} does not contain the weights that were written; it is not kept"
        notes = tuple(f"{key} differs" for key in wrong[:5])
        raise SpecError([Diagnostic("export-check", message, notes=notes)])


def _own(tensor: Tensor) -> Tensor:
    """A contiguous copy of a tensor on the CPU."""
    return tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)


def _same(one: Tensor, other: Tensor) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    # Compared as bytes, since NaN is not equal to itself.
    return torch.equal(one.reshape(-1).view(torch.uint8), other.reshape(-1).view(torch.uint8))
