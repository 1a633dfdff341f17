"""What environment variables say of reading from elsewhere. Needs no torch."""

from __future__ import annotations

import os
import re

from ....dsl.diagnostics import Diagnostic, SpecError

CACHE = "DOTCNN_CACHE"
CACHE_SIZE = "DOTCNN_CACHE_SIZE"
PATIENCE = "DOTCNN_PATIENCE"
_USUAL_SIZE = 10 * 10**9
_USUAL_PATIENCE = 300.0
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}

CONNECTIONS = 16
"""The most requests that a process makes at the same time; several processes have fewer each."""
READ_AHEAD = 2**28
"""The bytes that the processes of a computer read ahead together."""


def cache_size() -> int:
    """The most bytes that the cache may have."""
    text = os.environ.get(CACHE_SIZE, "")
    size = bytes_in(text) if text else _USUAL_SIZE
    if size is None:
        message = f"{CACHE_SIZE} is {text!r}, which is not a size"
        raise SpecError([Diagnostic("no-size", message, help=f"write {CACHE_SIZE}=50GB")])
    return size


def patience() -> float:
    """The seconds that a source which does not answer is waited for."""
    text = os.environ.get(PATIENCE, "")
    try:
        return max(0.0, float(text)) if text else _USUAL_PATIENCE
    except ValueError:
        message = f"{PATIENCE} is {text!r}, and not a number of seconds"
        raise SpecError([Diagnostic("no-size", message, help=f"write {PATIENCE}=600")]) from None


def bytes_in(text: str) -> int | None:
    """The bytes of a size like `50GB`, `512 MiB` or `1000000`; None if it is not one."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:([kmgt]?)(i?)b?)", text.strip().lower())
    if found is None or (found[3] and not found[2]):
        return None
    unit = 1024 ** "kmgt".index(found[2]) * 1024 if found[3] else _UNITS[found[2]]
    return int(float(found[1]) * unit)


def processes_here() -> int:
    """The number of processes of this computer that read: ranks, each with its workers."""
    try:
        ranks = max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    except ValueError:
        ranks = 1
    return ranks * _workers()


def _workers() -> int:
    from sys import modules

    data = modules.get("torch.utils.data")  # else this is no worker process
    about = data.get_worker_info() if data is not None else None
    return max(1, about.num_workers) if about is not None else 1
