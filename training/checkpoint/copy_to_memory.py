"""Copies tensors into main memory while training goes on: memory for copies, and a stream of the
GPU that fills it.

The tensors of a CPU are copied at once. Those of a GPU are copied by a stream of their own, beside
the next forward and backward pass, into pinned memory; only what would change them waits for that
(`before_change`). What already a forward pass changes, such as the statistics of norms, is small,
and is copied on the GPU first.
"""

from __future__ import annotations

import mmap
import sys
import weakref
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, Protocol

import torch
from torch import Tensor

_ALIGNED = 64
_MADV_WIPEONFORK = 18
"""Of Linux; Python has no name for it. Not MADV_DONTFORK: a worker has the object of the map all
the same, and when it is collected there, it would unmap what has come to that address since."""


class Memory:
    """A piece of main memory, whose pages exist from the start: a new page costs several times as
    much as copying into it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._map = _mapped(max(size, 1))
        everything = torch.frombuffer(self._map, dtype=torch.uint8)
        everything.zero_()
        self.address = everything.data_ptr()

    def buffers(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """A buffer for each tensor, laid out as the tensor is: layouts are part of a checkpoint.
        Each has a storage of its own, as storages are what is written."""
        buffers, start = [], 0
        for tensor in tensors:
            dense = torch.empty_like(tensor, device="meta").stride()
            if not tensor.nbytes:
                buffers.append(torch.empty_strided(tensor.shape, dense, dtype=tensor.dtype))
                continue
            count = tensor.numel() * tensor.element_size()
            own = torch.frombuffer(self._map, dtype=torch.uint8, count=count, offset=start)
            buffers.append(own.view(tensor.dtype).as_strided(tensor.shape, dense))
            start += _aligned(count)
        return buffers


def size_of_buffers(tensors: Sequence[Tensor]) -> int:
    return sum(_aligned(tensor.numel() * tensor.element_size()) for tensor in tensors)


def _aligned(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED


def _mapped(size: int) -> mmap.mmap:
    """Memory of this process alone, in large pages if the system has them. In worker processes,
    which may be forked at any time, it is empty: else each page would be copied once more."""
    if not hasattr(mmap, "MAP_PRIVATE"):  # Windows
        return mmap.mmap(-1, size)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if sys.platform == "linux":
        for advice in (mmap.MADV_HUGEPAGE, _MADV_WIPEONFORK):
            with suppress(OSError):  # not in this kernel
                memory.madvise(advice)
    return memory


class Copies(Protocol):
    """A way to copy the tensors of a device."""

    def memory(self, size: int) -> Memory:
        """New memory for copies."""

    def start(
        self, tensors: Sequence[Tensor], buffers: Sequence[Tensor], changing: Collection[Tensor]
    ) -> Callable[[], None]:
        """Starts to copy each tensor into its buffer; returns a function that waits until all have
        arrived. Tensors in `changing` may change at once, others after `before_change`."""

    def before_change(self) -> None:
        """Called before tensors change whose copies may not have arrived."""


class HostCopies:
    """Copies at once: from a CPU, or a device without pinned memory."""

    def memory(self, size: int) -> Memory:
        return Memory(size)

    def start(
        self, tensors: Sequence[Tensor], buffers: Sequence[Tensor], changing: Collection[Tensor]
    ) -> Callable[[], None]:
        for tensor, buffer in zip(tensors, buffers, strict=True):
            buffer.copy_(tensor.detach())
        return _nothing

    def before_change(self) -> None:
        """Nothing is left to be copied."""


class CudaCopies:
    """Copies from a GPU with a stream of their own. `cuda` is `torch.cuda`."""

    def __init__(self, device: torch.device, cuda: Any = torch.cuda) -> None:
        self.device, self.cuda = device, cuda
        self._stream = cuda.Stream(device)
        self._arrived: Any = None
        """The event after the copies that nothing has waited for yet."""

    def memory(self, size: int) -> Memory:
        """Pinned memory: pages of our own that the driver is told of, as torch would take the next
        power of two. If it cannot pin so much, copies are correct, but take longer."""
        memory = Memory(size)
        runtime = self.cuda.cudart()
        with self.cuda.device(self.device):
            pinned = size and int(runtime.cudaHostRegister(memory.address, size, 0)) == 0
        if pinned:
            weakref.finalize(memory, runtime.cudaHostUnregister, memory.address)
        return memory

    def start(
        self, tensors: Sequence[Tensor], buffers: Sequence[Tensor], changing: Collection[Tensor]
    ) -> Callable[[], None]:
        places = {tensor.data_ptr() for tensor in changing}
        sources = [
            tensor.detach().clone() if tensor.data_ptr() in places else tensor.detach()
            for tensor in tensors
        ]
        self._stream.wait_stream(self.cuda.current_stream(self.device))
        with self.cuda.stream(self._stream):
            for source, buffer in zip(sources, buffers, strict=True):
                buffer.copy_(source, non_blocking=True)
                if source.device.type == self.device.type:
                    source.record_stream(self._stream)
            arrived = self.cuda.Event(blocking=True)
            arrived.record(self._stream)
        self._arrived = arrived
        wait: Callable[[], None] = arrived.synchronize
        return wait

    def before_change(self) -> None:
        if self._arrived is not None:
            self.cuda.current_stream(self.device).wait_event(self._arrived)
            self._arrived = None


def copies_from(device: torch.device) -> Copies:
    return CudaCopies(device) if device.type == "cuda" else HostCopies()


def _nothing() -> None:
    pass
