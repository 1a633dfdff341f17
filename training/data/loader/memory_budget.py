"""How much memory images may use, and whether to keep them on the device, in memory or in files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import torch

Where = Literal["device", "memory", "files"]
"""Where images are kept: on the device; in main memory, from which batches are copied to the
device; or in their files, which are read in each epoch."""

SHARE = 0.25
"""The share of the free memory that images may use; the rest is for the network."""


ORDER: tuple[Where, ...] = ("device", "memory", "files")


def place(needed: int, device: torch.device, files: bool, copies: int, budget: int | None) -> Where:
    """Where images of `needed` bytes are best kept. `budget` is the number of bytes that they may
    use, by default a share of the free memory; `copies` is how many times they are in the memory of
    this machine, at least while they are decoded. `files`: they come from files, and can stay
    there."""
    if files and needed * copies > (computer_budget() if budget is None else budget):
        return "files"
    if device.type == "cpu" or needed <= (device_budget(device) if budget is None else budget):
        return "device"
    return "memory"


def device_budget(device: torch.device) -> int:
    if device.type != "cuda":
        return computer_budget()
    free, _ = torch.cuda.mem_get_info(device)
    return int(free * SHARE)


def computer_budget() -> int:
    return int(free_memory() * SHARE)


def free_memory() -> int:
    """The bytes of main memory that this process may still use."""
    return min(_free(), _limit())


MOST_SHARED = 2**30
"""The most bytes of images that worker processes read ahead for one process: several batches of
any usual size."""
SHARED_FOLDER = Path("/dev/shm")
"""Where Linux keeps shared memory. Docker gives a container 64 MiB of it unless told otherwise."""


def shared_budget(local: int) -> int:
    """The bytes of shared memory that the worker processes of a part of the data may use; `local`
    is the number of processes on this machine. Both training and validation have workers."""
    share = int(min(computer_budget(), free_shared_memory() * SHARE) / local)
    return min(MOST_SHARED, share)


def free_shared_memory() -> int:
    try:
        folder = os.statvfs(SHARED_FOLDER)
    except (AttributeError, OSError):  # shared memory is not a file system here
        return 2**62
    return folder.f_bavail * folder.f_frsize


def _free() -> int:
    """The free memory of the machine."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, OSError, ValueError):  # not available on Windows
        return 4 * 2**30


def _limit() -> int:
    """The memory that a container may still use."""
    folder = Path("/sys/fs/cgroup")
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            return max(0, int((folder / limit).read_text()) - int((folder / used).read_text()))
        except (OSError, ValueError):  # no container, or one without a limit: `max`
            continue
    return 2**62


def cores() -> int:
    """The number of CPU cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
