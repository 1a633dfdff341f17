"""Measures memory, kernels and time: on a GPU, and on a CPU what comes closest to it."""

from __future__ import annotations

import platform
import statistics
import time
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import dotcnn


def environment(device: str) -> dict[str, str]:
    """Hardware and versions."""
    about = {
        "dotcnn": dotcnn.__version__,
        "torch": torch.__version__,
        "Python": platform.python_version(),
        "processor": f"{platform.machine()}, {torch.get_num_threads()} threads",
    }
    if device.startswith("cuda") and torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(device)
        about["GPU"] = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
        about["capability"] = f"{properties.major}.{properties.minor}"
        about["CUDA"] = str(torch.version.cuda)
        about["cuDNN"] = str(torch.backends.cudnn.version())
    return about


def synchronize(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


# ---- time ----------------------------------------------------------------------------------------


def milliseconds(work: Callable[[], object], device: str, rounds: int = 10) -> float:
    """The median time of a call, after two that are not counted. The GPU is waited for after each
    call: what the program does in between counts too, as it does in training."""
    times = []
    for number in range(rounds + 2):
        synchronize(device)
        began = time.perf_counter()
        work()
        synchronize(device)
        if number > 1:
            times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


class Calls(TorchDispatchMode):
    """Counts operations, as they reach a device."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


class Launches:
    """Counts, between `begin` and `end`, the kernels (and copies) that a GPU is given, and measures
    the share of the time in which it has nothing to do. On a CPU, operations are counted."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._gpu = device.startswith("cuda")
        self._calls = Calls()
        self._profiler: Any = None
        self._began = 0.0
        self.count = 0
        self.idle: float | None = None

    def begin(self) -> None:
        if not self._gpu:
            self._calls.__enter__()
            return
        from torch.profiler import ProfilerActivity, profile

        synchronize(self._device)
        self._profiler = profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA])
        self._profiler.__enter__()
        self._began = time.perf_counter()

    def end(self) -> None:
        if not self._gpu:
            self._calls.__exit__(None, None, None)
            self.count = self._calls.count
            return
        from torch.autograd import DeviceType

        synchronize(self._device)
        elapsed = 1e6 * (time.perf_counter() - self._began)
        self._profiler.__exit__(None, None, None)
        spans = sorted(
            (event.time_range.start, event.time_range.end)
            for event in self._profiler.events()
            if event.device_type == DeviceType.CUDA
        )
        busy, until = 0.0, float("-inf")
        for start, end in spans:
            busy += max(0.0, end - max(start, until))
            until = max(until, end)
        self.count, self.idle = len(spans), 1 - busy / elapsed


def launches(work: Callable[[], object], device: str) -> Launches:
    """Those of a call."""
    found = Launches(device)
    found.begin()
    work()
    found.end()
    return found


# ---- memory --------------------------------------------------------------------------------------


class LiveBytes(TorchDispatchMode):
    """Follows the bytes of tensors on a CPU from the operation that makes them until they are
    freed. Beyond the limit, raises what torch raises if a GPU has no more memory."""

    def __init__(self, limit: float = float("inf")) -> None:
        super().__init__()
        self.limit = limit
        self.live = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.meet(leaf)
        return result

    def meet(self, tensor: Tensor) -> None:
        """Counts a tensor, if it is not known."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        if self.live + size > self.limit:
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {size} bytes.")
        self._known.add(key)
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size


class MemoryLimit:
    """A context in which the device has no more memory than `limit`, in bytes."""

    def __init__(self, device: str, limit: float = float("inf")) -> None:
        self._device = device
        self._gpu = device.startswith("cuda")
        self._live = LiveBytes(limit)
        self._limit = limit

    def __enter__(self) -> MemoryLimit:
        if self._gpu:
            torch.cuda.empty_cache()
            self._set(self._limit)
        else:
            self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._gpu:
            self._set(float("inf"))
            torch.cuda.empty_cache()
        else:
            self._live.__exit__(None, None, None)

    def squeeze(self, left: float = 0.0) -> None:
        """From now on, of what the run has used at most beside what is in use now, only this share
        can be had."""
        if self._gpu:
            torch.cuda.synchronize(self._device)
            torch.cuda.empty_cache()
            used = torch.cuda.memory_reserved(self._device)
            self._set(used + left * (self.peak - used))
        else:
            # Weights that are read from a file are on the CPU, on a machine with a GPU too.
            used = self._live.live
            self._live.limit = used + max(2**16, left * (self.peak - used))

    @property
    def peak(self) -> int:
        if self._gpu:
            return torch.cuda.max_memory_reserved(self._device)
        return self._live.peak

    def _set(self, limit: float) -> None:
        total = torch.cuda.get_device_properties(self._device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, limit / total), self._device)


def peak_memory(work: Callable[[], object], device: str) -> dict[str, int]:
    """The peaks of a call, in bytes. On a GPU: what was requested, what the allocator handed out
    for it, and what it has reserved. On a CPU: the bytes of tensors that the call makes."""
    if not device.startswith("cuda"):
        with LiveBytes() as live:
            work()
        return {"requested": live.peak}
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    work()
    torch.cuda.synchronize(device)
    stats = torch.cuda.memory_stats(device)
    return {
        name: stats[f"{key}.all.peak"]
        for name, key in (
            ("requested", "requested_bytes"),
            ("allocated", "allocated_bytes"),
            ("reserved", "reserved_bytes"),
        )
    }
