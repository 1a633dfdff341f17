"""Arrays as compressed text in a page: 32 bits, or 16 bits with a scale for each row."""

from __future__ import annotations

import base64
import json
import zlib

import torch
from torch import Tensor

_LEVELS = 65_000.0
"""Steps of a 16-bit row; a few are left, because zero is moved to a step of its own."""


class Pack:
    """Named arrays that are compressed together. `contents` says where each of them lies: offset,
    length, type."""

    def __init__(self) -> None:
        self.contents: dict[str, tuple[int, int, str]] = {}
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, name: str, values: Tensor) -> None:
        """Adds an array of float32, int32 or uint8."""
        kind = {torch.float32: "f32", torch.int32: "i32", torch.uint8: "u8"}[values.dtype]
        self._add(name, values, kind)

    def add_rows(self, name: str, rows: Tensor, exact: bool) -> None:
        """Adds rows of float32: as they are with `exact`, else in 16 bits each."""
        quantized = None if exact else quantize(rows)
        if quantized is None:
            self.add(name, rows)
            return
        steps, scale, zero, base = quantized
        self._add(name, steps, "u16")
        for part, array in (("scale", scale), ("zero", zero), ("base", base)):
            self.add(f"{name}.{part}", array)

    def _add(self, name: str, values: Tensor, kind: str) -> None:
        data = values.detach().cpu().contiguous().numpy().tobytes()
        self.contents[name] = (self._size, values.numel(), kind)
        data += bytes(-len(data) % 4)  # arrays begin at multiples of four bytes
        self._parts.append(data)
        self._size += len(data)

    def text(self) -> str:
        return packed(b"".join(self._parts))


def packed(data: bytes) -> str:
    """Bytes as compressed text."""
    return base64.b64encode(zlib.compress(data, 6)).decode("ascii")


def packed_json(value: object) -> str:
    return packed(json.dumps(value, separators=(",", ":"), allow_nan=False).encode())


def quantize(rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
    """Each row as (steps - zero) * scale + base: steps as 16 bits, and three numbers for each row.

    Zero stays exactly zero, and whole numbers stay whole if their range allows it. None if a number
    is infinite or NaN.
    """
    low, high = rows.aminmax(dim=1)
    if not bool(low.isfinite().all() and high.isfinite().all()):
        return None
    span = high.double() - low.double()
    whole = (low == low.round()) & (high == high.round())
    if bool(whole.any()):
        whole &= (rows == rows.round()).all(1) & (span <= _LEVELS) & (low.abs() < 2**24)
    scale = torch.where(whole, torch.ones_like(span), span / _LEVELS)
    scale = torch.where(scale < 1e-37, torch.ones_like(scale), scale).float()
    around = (low <= 0) & (high >= 0)
    zero = torch.where(around, (-low / scale).round(), torch.zeros_like(scale))
    base = torch.where(around, torch.zeros_like(low), low)
    steps = ((rows - base[:, None]) / scale[:, None]).round_().add_(zero[:, None])
    return steps.clamp_(0, 65_535).to(torch.uint16), scale, zero, base
