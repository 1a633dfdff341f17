"""Copies a tensor from main memory to a GPU without waiting for the GPU (pinned memory)."""

from __future__ import annotations

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on a device. From ordinary memory, a copy to a GPU starts only when all work that
    is queued there is done, and the program waits for it; from pinned memory, it is queued like
    everything else. For small tensors that a step computes on the CPU."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
