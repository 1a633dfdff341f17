"""Errors that mean out of memory: which they are, and work that goes on with fewer images.

CUDA, cuDNN, cuBLAS and NCCL say in different words that a GPU has no memory left. What is said of
it in training is in out_of_memory.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from ...compiler.report.figures import data_size
from ...dsl.diagnostics import Diagnostic

_T = TypeVar("_T")

_TEXTS = (
    "allocate memory",  # DefaultCPUAllocator: can't allocate memory
    "out of memory",  # CUDA, HIP, MPS; NCCL: Cuda failure 2 'out of memory'
    "cuda calloc",  # NCCL: Failed to CUDA calloc 536870912 bytes
    "cublas_status_alloc_failed",
    "cublas_status_not_initialized",  # when calling `cublasCreate(handle)`
    "cudnn_status_alloc_failed",
    "allocation_failed",  # cuDNN 9: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED
    "unable to find an engine",  # torch tried cuDNN's, and none got its workspace
)


class NotOneImage(MemoryError):
    """Memory runs out even if a batch is computed image by image."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the GPU or the machine is out of memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(part in text for part in _TEXTS)


def with_fewer(
    work: Callable[[int], _T], batch: int, note: Callable[[str], object] = lambda line: None
) -> _T:
    """The result of `work` for batches of `batch` images; of half as many whenever memory runs
    out."""
    while True:
        try:
            return work(batch)
        except (RuntimeError, MemoryError) as error:
            if batch == 1 or not is_out_of_memory(error):
                raise
        # Outside of `except`, which would hold the tensors of the attempt.
        torch.cuda.empty_cache()  # does nothing where no GPU is in use
        batch //= 2
        note(f"out of memory: evaluating with batches of {batch:,} images")


def no_memory(error: BaseException, device: torch.device) -> Diagnostic | None:
    """The diagnostic for a trained network that does not fit into memory with its images; None for
    any other error."""
    if not is_out_of_memory(error):
        return None
    notes = []
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        notes.append(
            f"{data_size(free)} of its {data_size(total)} are free; other programs may use it, too"
        )
    on_cpu = "compute on the CPU: `--device cpu`"
    return Diagnostic(
        "out-of-memory",
        f"this does not fit into the memory of {device}",
        notes=tuple(notes),
        help="give fewer images, or smaller ones" if device.type == "cpu" else on_cpu,
    )
