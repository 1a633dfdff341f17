"""Copies of a training state in main memory, from which checkpoints are written while it changes.

The copies of a GPU's tensors go to pinned memory and are queued behind its work, so that nothing
waits for them until they are written. The memory of a copy is used again for the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..data.loader.memory_budget import computer_budget

IN_FLIGHT = 2
"""The most copies at a time: one that is being written, and one that waits for that."""
SHARE = 0.5
"""The share of the free memory that copies may take."""


class Snapshot:
    """A copy of a state. `release` gives its memory back for the next one."""

    def __init__(self, state: Any, buffers: list[Tensor], arrived: torch.cuda.Event | None) -> None:
        self.state = state
        self.buffers = buffers
        self._arrived = arrived

    def wait(self) -> None:
        """Waits until the copies have arrived from the GPU."""
        if self._arrived is not None:
            self._arrived.synchronize()


class Snapshots:
    """Takes copies of a state."""

    def __init__(self) -> None:
        self._free: list[list[Tensor]] = []
        """The memory of copies that are written."""
        self.taken = 0
        """The number of copies in use."""

    @property
    def available(self) -> bool:
        return self.taken < IN_FLIGHT

    def take(self, state: Any) -> Snapshot | None:
        """A copy of a structure with tensors; None if there is no memory for it. A tensor that
        occurs twice is copied once."""
        tensors: dict[tuple[Any, ...], Tensor] = {}
        _replaced(state, lambda tensor: tensors.setdefault(_identity(tensor), tensor))
        needed = sum(tensor.nbytes for tensor in tensors.values())
        if not self._free and needed > computer_budget() * SHARE:
            return None
        old = self._free.pop() if self._free else []
        buffers = [
            old[place] if place < len(old) and _like(old[place], tensor) else _buffer(tensor)
            for place, tensor in enumerate(tensors.values())
        ]
        self.taken += 1
        gpu: torch.device | None = None
        for tensor, buffer in zip(tensors.values(), buffers, strict=True):
            buffer.copy_(tensor.detach(), non_blocking=True)
            gpu = tensor.device if tensor.is_cuda else gpu
        arrived = None
        if gpu is not None:
            arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            arrived.record(torch.cuda.current_stream(gpu))
        copies = dict(zip(tensors, buffers, strict=True))
        copied = _replaced(state, lambda tensor: copies[_identity(tensor)])
        return Snapshot(copied, buffers, arrived)

    def release(self, snapshot: Snapshot, *, reuse: bool = True) -> None:
        """Ends the use of a copy; without `reuse`, its tensors stay what they are."""
        self.taken -= 1
        if reuse:
            self._free.append(snapshot.buffers)


def _identity(tensor: Tensor) -> tuple[Any, ...]:
    place = tensor.data_ptr() if tensor.numel() else id(tensor)
    return tensor.device, place, tensor.dtype, tensor.shape, tensor.stride()


def _like(buffer: Tensor, tensor: Tensor) -> bool:
    if buffer.is_pinned() != tensor.is_cuda:
        return False
    same = buffer.shape == tensor.shape and buffer.stride() == tensor.stride()
    return same and buffer.dtype == tensor.dtype


def _buffer(tensor: Tensor) -> Tensor:
    """Memory for a copy, laid out as the tensor is: layouts are part of a checkpoint."""
    dense = torch.empty_like(tensor, device="meta").stride()
    return torch.empty_strided(
        tensor.shape, dense, dtype=tensor.dtype, device="cpu", pin_memory=tensor.is_cuda
    )


def _replaced(value: Any, replace: Callable[[Tensor], Tensor]) -> Any:
    """A structure with other tensors in it. Its containers are new, as they may change, too."""
    if isinstance(value, Tensor):
        return replace(value)
    if isinstance(value, dict):
        return {key: _replaced(each, replace) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([_replaced(each, replace) for each in value])
    return value
