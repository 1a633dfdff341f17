"""Devices (`--device`): finding and describing them, and torch's settings for training."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch

from ...compiler.plan.train import Compile, Deterministic, Precision
from ...dsl.diagnostics import Diagnostic, SpecError
from ..data.loader.memory_budget import cores
from .allocator import freed_memory_kept
from .memory_errors import no_memory
from .missing_operation import missing_operation
from .tf32 import tf32

KINDS = ("cpu", "cuda", "mps")


def find_device(name: str = "auto") -> torch.device:
    """The device of a name; `auto` is a GPU if there is one. Raises SpecError if it does not
    exist."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in KINDS:
        raise _no_device(f"there is no device `{name}`", "write cpu, cuda, cuda:1, mps or auto")
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if not count:
            why = "no driver" if torch.version.cuda else "this torch is built for the CPU only"
            raise _no_device(f"there is no GPU for `{name}`: {why}", "write cpu or auto")
        if (device.index or 0) >= count:
            have = ", ".join(f"cuda:{index}" for index in range(count))
            raise _no_device(f"there is no `{name}`", f"write one of: {have}")
        return torch.device("cuda", device.index or 0)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise _no_device(f"there is no `{name}` on this machine", "write cpu or auto")
    return device


def _no_device(message: str, help: str) -> SpecError:
    return SpecError([Diagnostic("no-device", message, help=help)])


def describe(device: torch.device) -> str:
    """A description of the device: `cpu (2 cores)`, `cuda:0 (NVIDIA …)`."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type == "cpu":
        count = cores()
        return f"cpu ({count} core{'s' if count > 1 else ''})"
    return str(device)


@contextmanager
def using(device: torch.device) -> Iterator[None]:
    """A context in which a GPU is the current one, to which streams, events and pinned memory
    belong: by default that is `cuda:0`, whatever the device of the tensors is. An operation that
    the device lacks, and memory that it lacks, become SpecErrors."""
    with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
        try:
            yield
        except Exception as error:
            missing = missing_operation(error, device) or no_memory(error, device)
            if missing is None:
                raise
            raise SpecError([missing]) from None


_CUBLAS, _REPEATABLE = "CUBLAS_WORKSPACE_CONFIG", (":4096:8", ":16:8")
"""The variable that cuBLAS reads when it is first used, and its values with which it repeats its
results."""


@contextmanager
def set_up_torch(
    device: torch.device, precision: Precision, deterministic: Deterministic, compile: Compile
) -> Iterator[str]:
    """A context with torch's settings for training, which are restored afterwards (but for the
    variable of cuBLAS). Yields a warning if a run may not be as deterministic as it should be; else
    an empty text."""
    warning = ""
    before = (
        torch.get_deterministic_debug_mode(),
        torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark,
    )
    try:
        if deterministic.on:
            if os.environ.get(_CUBLAS) not in _REPEATABLE:
                os.environ[_CUBLAS] = _REPEATABLE[0]
                warning = _used_before(device)
            if compile.on is True:
                torch.use_deterministic_algorithms(True)
            else:  # the same, except for torch.compile, which would take seconds to import
                torch.set_deterministic_debug_mode("error")
            # No uninitialized memory is ever read here, so filling it would only take time.
            torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = device.type == "cuda" and not deterministic.on
        with tf32(precision.tf32), using(device), freed_memory_kept(device):
            yield warning
    finally:
        if deterministic.on and compile.on is True:
            torch.use_deterministic_algorithms(before[0] > 0, warn_only=before[0] == 1)
        torch.set_deterministic_debug_mode(before[0])
        torch.utils.deterministic.fill_uninitialized_memory = before[1]  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = before[2]


def _used_before(device: torch.device) -> str:
    """The warning if cuBLAS may have read its variable already; else an empty text."""
    if device.type != "cuda" or not torch.cuda.memory_stats(device).get("allocation.all.allocated"):
        return ""
    return (
        f"warning: this process has used {device} before, when {_CUBLAS} was not"
        f" {' or '.join(_REPEATABLE)}: results may not be repeated to the bit. Set it before the"
        " process starts, or train in a new one"
    )
