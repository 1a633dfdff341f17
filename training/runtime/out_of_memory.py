"""The error for out of memory: how much a batch needs, and which batch size would fit."""

from __future__ import annotations

import torch

from ...compiler.analysis.memory import Memory
from ...compiler.analysis.setting import Device, Setting
from ...compiler.analysis.setting import Precision as PrecisionName
from ...compiler.network import Network
from ...compiler.plan.plan import Train
from ...compiler.report.figures import data_size
from ...dsl.diagnostics import Diagnostic
from ..data.loader.memory_budget import computer_budget
from ..optim.precision import Precision

SHARE = 0.9
"""The share of the free memory to plan with; the rest is for what the estimate leaves out."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the GPU or the machine is out of memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "allocate memory" in str(error)


def out_of_memory(
    network: Network, train: Train, precision: Precision, device: torch.device, batch: int
) -> Diagnostic:
    """The diagnostic for a batch that does not fit; `batch` is the batch size of one device."""
    memory = Memory(network, _setting(train, precision, device))
    have = _available(device)
    needed = memory.training.at(batch)
    fits = memory.fit(int(have * SHARE))
    notes = [
        f"a batch of {batch:,} needs an estimated {data_size(needed)}, and {data_size(have)} are"
        f" free; not counted: {memory.excluded}",
    ]
    if fits >= batch:
        fits = max(1, batch // 2)
        notes.append("by this estimate it should fit; other programs may use memory, too")
    if fits < 1 or batch == 1:
        help = "not even one image fits: make the input or the network smaller"
    else:
        rounded = _rounded(min(fits, batch - 1) or 1)
        help = f"write `batch {rounded}`" + (
            f" and `accumulate {-(-batch // rounded)}`, for the same number of images in each step"
            if rounded < batch
            else ""
        )
    return Diagnostic(
        "out-of-memory",
        f"a batch of {batch:,} images does not fit into the memory of {device}",
        train.batch.place("size"),
        notes=tuple(notes),
        help=help,
    )


def _setting(train: Train, precision: Precision, device: torch.device) -> Setting:
    word: PrecisionName = precision.word  # type: ignore[assignment]
    kind: Device = "cuda" if device.type == "cuda" else "cpu"
    return Setting(word, train.optimizer.memory, kind)


def _available(device: torch.device) -> int:
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return min(total, free + torch.cuda.memory_reserved(device))
    return 4 * computer_budget()


def _rounded(count: int) -> int:
    """Rounded down to a power of two or a multiple of 8."""
    if count >= 64:
        return count // 16 * 16
    return 1 << (count.bit_length() - 1)
