"""Explains errors in the communication between the processes of distributed training."""

from __future__ import annotations

import torch.distributed as dist

from ...dsl.diagnostics import Diagnostic
from .heartbeats import lost_process

_KNOWN_WITHIN = 3.0
"""The seconds after which it is known which process has ended."""


def broken_connection(error: BaseException) -> Diagnostic | None:
    """The diagnostic for communication between processes that failed; None for other errors."""
    text = str(error)
    if "Duplicate GPU detected" in text:
        return Diagnostic(
            "no-device",
            "two processes were given the same GPU",
            notes=(text.strip().rpartition("\n")[2][:200],),
            help="start one process for each GPU: `--devices N`, `torchrun --nproc-per-node N`, or"
            " `srun --gpus-per-task 1`",
        )
    lost = isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and "gloo/transport" in text
    )
    if not lost:
        return None
    return lost_process(_KNOWN_WITHIN) or Diagnostic(
        "process-ended",
        "the connection to another process of this training broke, most likely because it ended",
        notes=(text.strip().partition("\n")[0][:200],),
        help="if that process printed an error, it is the cause; to go on from the last checkpoint,"
        " use `--resume`",
    )
