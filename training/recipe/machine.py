"""The machine that a spec is written for: its memory, and about how fast it trains.

Only what stays the same is asked for, so that the same data gives the same spec again: the memory
that the machine has, not what is free now, and the number of its cores, not how busy they are.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from ..data.loader.memory_budget import cores
from ..runtime.devices import find_device

CORE = 36e9
"""Multiply-adds of convolutions that a core trains in a second, forward and backward: measured on
small ResNets and U-Nets, on one machine; others differ by a factor of two."""
GPU = 3e12
"""The same of a GPU, a cautious figure for cards of the last years."""
WRITTEN = 1.6e-9
"""Seconds of a core for each number that the layers write: small layers wait for memory."""


@dataclass(frozen=True)
class Machine:
    device: Literal["cpu", "cuda"]
    name: str
    """In words: `2 cores`."""
    memory: int
    """Bytes that training may use."""
    rate: float
    """Multiply-adds a second."""
    written: float
    """Seconds for each number that the layers of a network write."""

    def seconds(self, macs: int, activations: int) -> float:
        """The time of a training step for one image, forward and backward, about."""
        return 3 * macs / self.rate + 3 * activations * self.written


def find_machine(device: str = "auto") -> Machine:
    """The machine that `device` names; raises SpecError if it does not exist."""
    found = find_device(device)
    if found.type == "cpu":
        count = cores()
        words = f"{count} CPU core{'s' * (count != 1)}"
        return Machine("cpu", words, _memory() // 2, CORE * count, WRITTEN / count)
    if found.type == "cuda":
        properties = torch.cuda.get_device_properties(found)
        memory = int(properties.total_memory * 0.9)
        return Machine("cuda", f"a {properties.name}", memory, GPU, 1e-11)
    return Machine("cuda", "Apple's GPU", _memory() // 2, GPU / 3, 5e-11)


def _memory() -> int:
    """All memory of the machine, or what a container may have of it."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not available on Windows
        total = 8 * 2**30
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            return min(total, int((Path("/sys/fs/cgroup") / limit).read_text()))
        except (OSError, ValueError):  # no container, or one without a limit
            continue
    return total
