"""Explains that torch lacks an operation on a GPU, which happens on Apple's (MPS)."""

from __future__ import annotations

import re

import torch

from ...dsl.diagnostics import Diagnostic

_OPERATION = re.compile(r"(?:operator|run) '(?:\w+::)?(\w+)")
"""The name of the operation, as in: The operator 'aten::linalg_qr.out' is not currently …"""

_UNSUPPORTED = re.compile(
    r"not (?:currently |yet )?(?:implemented|supported)|n[o']t support|unsupported", re.IGNORECASE
)


def missing_operation(error: BaseException, device: torch.device) -> Diagnostic | None:
    """The diagnostic for an operation that torch does not have on the device; None for any other
    error."""
    text = str(error).strip()
    if device.type == "cpu":
        return None
    name = _OPERATION.search(text) if isinstance(error, NotImplementedError) else None
    if name is None and not ("MPS" in text and _UNSUPPORTED.search(text)):
        return None
    what = f"the operation `{name[1]}`" if name else "an operation of this network"
    notes = [text.partition("\n")[0].partition(". ")[0][:200]]
    if device.type == "mps" and "PYTORCH_ENABLE_MPS_FALLBACK" in text:
        notes.append(
            "with PYTORCH_ENABLE_MPS_FALLBACK=1 in the environment, torch computes this operation"
            " on the CPU and all others on the GPU"
        )
    return Diagnostic(
        "missing-operation",
        f"torch {torch.__version__} does not have {what} on {device.type}",
        notes=tuple(notes),
        help="use the CPU: `--device cpu`",
    )
