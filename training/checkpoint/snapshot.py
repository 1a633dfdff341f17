"""Copies of a training state in main memory, from which checkpoints are written while it changes.

The memory of a copy is used again for the next one. That of the first is made ready before it is
needed, by another thread.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Executor, Future
from typing import Any

import torch
from torch import Tensor

from ..data.loader.memory_budget import free_memory
from .copy_to_memory import Copies, Memory, copies_from, size_of_buffers

IN_FLIGHT = 2
"""The most copies at a time: one that is being written, and one that waits for that."""
SHARE = 0.5
"""The share of the free memory that a copy may take."""
WORTH = 2**26
"""Memory of at least this size is made ready before it is needed."""
SLACK = 2**20
"""More memory than that, for what only a checkpoint has, such as the states of generators."""


class Snapshot:
    """A copy of a state. `release` gives its memory back for the next one."""

    def __init__(self, state: Any, memory: Memory, wait: Callable[[], None]) -> None:
        self.state = state
        self.memory = memory
        self.wait = wait
        """Waits until the copies have arrived from the GPU."""


class Snapshots:
    """Takes copies of a state that is on a device."""

    def __init__(self, device: torch.device, copies: Copies | None = None) -> None:
        self._copies = copies or copies_from(device)
        self._free: list[Memory] = []
        """The memory of copies that are written."""
        self._preparing: Future[Memory | None] | None = None
        self.taken = 0
        """The number of copies in use."""

    @property
    def available(self) -> bool:
        """Whether a copy can be taken without waiting."""
        prepared = self._preparing is None or self._preparing.done()
        return prepared and self.taken < IN_FLIGHT

    def prepare(self, state: Any, thread: Executor) -> None:
        """Lets a thread make memory ready for the first copy of such a state."""
        needed = size_of_buffers(list(_tensors(state).values()))
        if needed >= WORTH:
            self._preparing = thread.submit(self._memory, needed + SLACK)

    def take(self, state: Any, changing: Collection[Tensor] = ()) -> Snapshot | None:
        """A copy of a structure with tensors; None if there is no memory for it. A tensor that
        occurs twice is copied once. Its tensors may change after `before_change`, those in
        `changing` at once."""
        tensors = _tensors(state)
        originals = list(tensors.values())
        memory = self._free_memory(size_of_buffers(originals))
        if memory is None:
            return None
        buffers = memory.buffers(originals)
        self.taken += 1
        wait = self._copies.start(originals, buffers, changing)
        copies = dict(zip(tensors, buffers, strict=True))
        copied = _replaced(state, lambda tensor: copies[_identity(tensor)])
        return Snapshot(copied, memory, wait)

    def before_change(self) -> None:
        """Called before the state changes of which a copy was taken."""
        self._copies.before_change()

    def release(self, snapshot: Snapshot, *, reuse: bool = True) -> None:
        """Ends the use of a copy; without `reuse`, its tensors stay what they are."""
        self.taken -= 1
        if reuse:
            self._free.append(snapshot.memory)

    def _free_memory(self, needed: int) -> Memory | None:
        if self._preparing is not None:
            prepared, self._preparing = self._preparing.result(), None
            self._free += [prepared] if prepared else []
        memory = self._free.pop() if self._free else None
        if memory is not None and memory.size >= needed:
            return memory
        del memory  # the state has grown: this memory is not kept beside the new one
        return self._memory(needed)

    def _memory(self, needed: int) -> Memory | None:
        try:
            return self._copies.memory(needed) if needed <= free_memory() * SHARE else None
        except (MemoryError, OSError):  # of a limit that is known to the system alone
            return None


def _tensors(state: Any) -> dict[tuple[Any, ...], Tensor]:
    """The tensors of a structure, each once."""
    tensors: dict[tuple[Any, ...], Tensor] = {}
    _replaced(state, lambda tensor: tensors.setdefault(_identity(tensor), tensor))
    return tensors


def _identity(tensor: Tensor) -> tuple[Any, ...]:
    place = tensor.data_ptr() if tensor.numel() else id(tensor)
    return tensor.device, place, tensor.dtype, tensor.shape, tensor.stride()


def _replaced(value: Any, replace: Callable[[Tensor], Tensor]) -> Any:
    """A structure with other tensors in it. Its containers are new, as they may change, too."""
    if isinstance(value, Tensor):
        return replace(value)
    if isinstance(value, dict):
        return {key: _replaced(each, replace) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([_replaced(each, replace) for each in value])
    return value
