"""Explains errors of torch (out of memory, not deterministic, …) as diagnostics with help."""

from __future__ import annotations

import torch

from ...compiler.network import Network
from ...compiler.plan.plan import Train
from ...dsl.diagnostics import Diagnostic
from ..optim.precision import Precision
from .broken_connection import broken_connection
from .missing_operation import missing_operation
from .out_of_memory import is_out_of_memory, out_of_memory


def explain_error(
    error: Exception,
    *,
    network: Network,
    train: Train,
    precision: Precision,
    device: torch.device,
    batch: int,
) -> Diagnostic | None:
    """The diagnostic for an error in training; None if the error is unexpected, and so a bug."""
    text = str(error)
    first = text.strip().partition("\n")[0][:200]
    if is_out_of_memory(error):
        return out_of_memory(network, train, precision, device, batch)
    if "deterministic implementation" in text:
        return Diagnostic(
            "not-deterministic",
            f"a layer of this network is not deterministic in torch on {device.type}",
            train.deterministic.span,
            notes=(first,),
            help="remove `deterministic`, or train on the CPU",
        )
    if "more than 1 value per channel" in text:
        return Diagnostic(
            "batch-too-small",
            "a batch norm over 1x1 feature maps got a batch of one image, which has no variance",
            train.batch.place("size"),
            help=f"write `batch {max(8, 4 * batch)}`, or remove the batch norm",
        )
    if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
        return Diagnostic(
            "not-compiled",
            "torch cannot compile this network here",
            train.compile.span,
            notes=(first,),
            help="remove `compile`",
        )
    return missing_operation(error, device) or broken_connection(error)
