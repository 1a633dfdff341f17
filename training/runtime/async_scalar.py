"""Reads a loss from the GPU asynchronously, so that the GPU does not have to wait."""

from __future__ import annotations

import torch
from torch import Tensor


class AsyncScalar:
    """A scalar that is copied from the device in the background. Call `copy` right after it is
    computed, and `value` when the device has more work queued."""

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
