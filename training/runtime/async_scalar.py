"""A number of the device, brought here without making the device wait for it."""

from __future__ import annotations

import torch
from torch import Tensor


class AsyncScalar:
    """`begin` right after it is computed; `value` once other work has been given to the device."""

    def __init__(self, device: torch.device) -> None:
        self._number: Tensor | None = None
        self._arrived: torch.cuda.Event | None = None
        if device.type == "cuda":
            self._number = torch.empty((), pin_memory=True)
            self._arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]

    def begin(self, number: Tensor) -> None:
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
