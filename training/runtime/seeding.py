"""Seeds random number generators, and saves and restores their state."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor


def seed_all(seed: int, rank: int = 0) -> None:
    """Seeds all generators. Each process gets its own random numbers; the first process gets those
    of training with a single process."""
    value = (seed + rank * 0x9E3779B1) % 2**63
    random.seed(value)
    torch.manual_seed(value)


def random_state(device: torch.device) -> dict[str, Tensor]:
    """The state of the generators that layers use, such as dropout: on the CPU and on the
    device."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


def restore_random_state(state: dict[str, Any], device: torch.device) -> None:
    torch.set_rng_state(state["cpu"].cpu())
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"].cpu(), device)
    elif device.type == "mps" and "mps" in state:
        torch.mps.set_rng_state(state["mps"].cpu())
