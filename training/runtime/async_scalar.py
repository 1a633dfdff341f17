"""Reading a loss from the GPU without making the GPU wait."""

from __future__ import annotations

import torch
from torch import Tensor


class AsyncScalar:
    """`copy` right after the number is computed, `value` once the device has other work queued."""

    def __init__(self, device: torch.device) -> None:
        self._number: Tensor | None = None
        self._arrived: torch.cuda.Event | None = None
        if device.type == "cuda":
            self._number = torch.empty((), pin_memory=True)
            self._arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]

    def copy(self, number: Tensor) -> None:
        if self._arrived is None or self._number is None:
            self._number = number
            return
        self._number.copy_(number.detach(), non_blocking=True)
        self._arrived.record()

    def value(self) -> float:
        assert self._number is not None
        if self._arrived is not None:
            self._arrived.synchronize()
        return self._number.item()
