"""Writes safetensors files in pieces, without copying the tensors.

The library's own `save` copies all tensors twice before the first byte is written, which for some
tens of megabytes takes longer than writing them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import torch
from torch import Tensor

_NAMES = {
    torch.bool: "BOOL",
    torch.uint8: "U8", torch.int8: "I8", torch.int16: "I16", torch.int32: "I32",
    torch.int64: "I64",
    torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32", torch.float64: "F64",
}  # fmt: skip
_ALIGNED = 8
"""The first tensor starts at a multiple of this many bytes. Tensors with larger items come first,
so that each starts at a multiple of its item size."""


def pieces(
    tensors: Mapping[str, Tensor], about: Mapping[str, str] | None = None
) -> list[bytes | memoryview]:
    """The contents of a safetensors file: the header, then each tensor. Contiguous tensors on the
    CPU are not copied."""
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    head: dict[str, object] = {"__metadata__": dict(about)} if about else {}
    bodies: list[bytes | memoryview] = []
    offset = 0
    for name in names:
        tensor, body = tensors[name], bytes_of(tensors[name])
        end = offset + body.nbytes
        head[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, end],
        }
        bodies.append(body)
        offset = end
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNED)
    return [len(text).to_bytes(8, "little") + text, *bodies]


def bytes_of(tensor: Tensor) -> memoryview:
    """The bytes of a tensor in row-major order; the view keeps the memory alive."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data
